/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_depthwise_single_s8() for cores with DSP instructions, four channels at a time. */
#ifndef MCG_DEPTHWISE_SINGLE_S8_DSP_H
#define MCG_DEPTHWISE_SINGLE_S8_DSP_H

#include "mcg_depthwise_single_s8.h"
#include "mcg_dsp.h"

typedef mcg_depthwise_single_s8_params mcg_depthwise_single_s8_dsp_params;

/* The sums of four neighbouring channels, whose words lie `step` bytes apart. */
MCG_INLINE void mcg_depthwise_single_four(const int8_t *x, const int8_t *w, int32_t taps,
                                          int32_t step, int32_t *acc) {
  int32_t a0 = acc[0], a1 = acc[1], a2 = acc[2], a3 = acc[3];
  for (; taps > 0; --taps) {
    const uint32_t inputs = mcg_load_4(x), weights = mcg_load_4(w);
    const uint32_t even = mcg_even_bytes(inputs), odd = mcg_odd_bytes(inputs);
    const uint32_t even_weights = mcg_even_bytes(weights), odd_weights = mcg_odd_bytes(weights);
    a0 += mcg_low(even) * mcg_low(even_weights);
    a1 += mcg_low(odd) * mcg_low(odd_weights);
    a2 += mcg_high(even) * mcg_high(even_weights);
    a3 += mcg_high(odd) * mcg_high(odd_weights);
    x += step;
    w += step;
  }
  acc[0] = a0;
  acc[1] = a1;
  acc[2] = a2;
  acc[3] = a3;
}

MCG_SHARED void mcg_depthwise_single_s8_dsp(const mcg_depthwise_single_s8_dsp_params *p,
                                            const int8_t *input, const int8_t *weights,
                                            const int32_t *bias, const int32_t *multiplier,
                                            const int8_t *shift, int8_t *output) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  if (p->fast) {
    const int8_t *end = input + p->channels;
    const int32_t zero = p->output_zero_point;
    for (; input != end; input += 4) {
      int32_t acc[4] = {bias[0], bias[1], bias[2], bias[3]};
      mcg_depthwise_single_four(input, weights, p->taps, p->channels, acc);
      output[0] = (int8_t)mcg_requantize_to_8(acc[0], multiplier[0], shift[0], zero);
      output[1] = (int8_t)mcg_requantize_to_8(acc[1], multiplier[1], shift[1], zero);
      output[2] = (int8_t)mcg_requantize_to_8(acc[2], multiplier[2], shift[2], zero);
      output[3] = (int8_t)mcg_requantize_to_8(acc[3], multiplier[3], shift[3], zero);
      weights += 4;
      bias += 4;
      multiplier += 4;
      shift += 4;
      output += 4;
    }
    return;
  }
  for (int32_t channel = 0; channel < p->channels; channel += 4) {
    int32_t sums[4] = {0, 0, 0, 0};
    mcg_depthwise_single_four(input + channel, weights + channel, p->taps, p->channels, sums);
    mcg_finish(&stage, channel, sums, 0, bias, 4, output + channel);
  }
}

#endif /* MCG_DEPTHWISE_SINGLE_S8_DSP_H */
