/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_mean_s8() for cores with DSP instructions: four elements of the output at a time, whose
 * inputs lie side by side (kept_stride[2] is 1, and kept[2] a multiple of 4). The sums of at most
 * 255 elements are made in halves of words. */
#ifndef MCG_MEAN_S8_DSP_H
#define MCG_MEAN_S8_DSP_H

#include "mcg_dsp.h"
#include "mcg_mean_s8.h"

typedef mcg_mean_s8_params mcg_mean_s8_dsp_params;

/* The output of one sum. */
MCG_INLINE int8_t mcg_mean_output(const mcg_mean_s8_params *p, int32_t sum) {
  const int32_t scaled = mcg_requantize(sum + p->bias, p->multiplier, p->shift) + p->zero_point;
  return (int8_t)mcg_clamp(scaled, INT8_MIN, INT8_MAX);
}

MCG_INLINE void mcg_mean_four(const mcg_mean_s8_params *p, const int8_t *input, int8_t *output) {
  uint32_t even = 0, odd = 0;
  for (int32_t a = 0; a < p->reduced[0]; ++a) {
    for (int32_t b = 0; b < p->reduced[1]; ++b) {
      const int8_t *from = input + a * p->reduced_stride[0] + b * p->reduced_stride[1];
      for (int32_t c = p->reduced[2]; c > 0; --c) {
        const uint32_t word = mcg_load_4(from);
        even = mcg_add_even_bytes(even, word);
        odd = mcg_add_odd_bytes(odd, word);
        from += p->reduced_stride[2];
      }
    }
  }
  output[0] = mcg_mean_output(p, mcg_low(even));
  output[1] = mcg_mean_output(p, mcg_low(odd));
  output[2] = mcg_mean_output(p, mcg_high(even));
  output[3] = mcg_mean_output(p, mcg_high(odd));
}

MCG_INLINE void mcg_mean_s8_dsp(const mcg_mean_s8_dsp_params *p, const int8_t *input,
                                int8_t *output) {
  for (int32_t a = 0; a < p->kept[0]; ++a) {
    for (int32_t b = 0; b < p->kept[1]; ++b) {
      const int8_t *from = input + a * p->kept_stride[0] + b * p->kept_stride[1];
      for (int32_t c = 0; c < p->kept[2]; c += 4) {
        mcg_mean_four(p, from + c, output);
        output += 4;
      }
    }
  }
}

#endif /* MCG_MEAN_S8_DSP_H */
