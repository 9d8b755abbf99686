/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_average_pool_2d_s8() for cores with DSP instructions, four channels at a time.
 *
 * No window has more than 255 pixels: so sums of int8 fit 16 bits.
 */
#ifndef MCG_AVERAGE_POOL_2D_S8_DSP_H
#define MCG_AVERAGE_POOL_2D_S8_DSP_H

#include "mcg_pool_2d_s8_dsp.h"

typedef mcg_pool_2d_s8_dsp_params mcg_average_pool_2d_s8_dsp_params;

MCG_INLINE void mcg_average_pool_window(const mcg_pool_2d_s8_dsp_params *p,
                                        const mcg_pool_window *w, int8_t *output) {
  const int32_t row_gap = (p->input_width - w->columns) * p->channels;
  const int32_t count = w->rows * w->columns;
  for (int32_t channel = 0; channel < p->channels; channel += 4) {
    const int32_t lanes = mcg_min(4, p->channels - channel);
    const int8_t *at = w->first + channel;
    uint32_t even = 0, odd = 0;
    for (int32_t row = 0; row < w->rows; ++row) {
      for (int32_t column = 0; column < w->columns; ++column) {
        const uint32_t word = mcg_load_lanes(at, lanes);
        even = mcg_add_even_bytes(even, word);
        odd = mcg_add_odd_bytes(odd, word);
        at += p->channels;
      }
      at += row_gap;
    }
    const int32_t sums[4] = {mcg_low(even), mcg_low(odd), mcg_high(even), mcg_high(odd)};
    for (int32_t lane = 0; lane < lanes; ++lane) {
      const int32_t sum = sums[lane];
      const int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
      output[channel + lane] = (int8_t)mcg_clamp(mean, p->output_min, p->output_max);
    }
  }
}

MCG_SHARED void mcg_average_pool_2d_s8_dsp(const mcg_average_pool_2d_s8_dsp_params *p,
                                           const int8_t *input, int8_t *output) {
  MCG_FOR_WINDOWS(p, input, output, mcg_average_pool_window);
}

#endif /* MCG_AVERAGE_POOL_2D_S8_DSP_H */
