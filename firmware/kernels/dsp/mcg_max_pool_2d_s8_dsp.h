/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_max_pool_2d_s8() for cores with DSP instructions, four channels at a time. */
#ifndef MCG_MAX_POOL_2D_S8_DSP_H
#define MCG_MAX_POOL_2D_S8_DSP_H

#include "mcg_pool_2d_s8_dsp.h"

typedef mcg_pool_2d_s8_dsp_params mcg_max_pool_2d_s8_dsp_params;

MCG_INLINE void mcg_max_pool_window(const mcg_pool_2d_s8_dsp_params *p, const mcg_pool_window *w,
                                    int8_t *output) {
  const int32_t row_gap = (p->input_width - w->columns) * p->channels;
  for (int32_t channel = 0; channel < p->channels; channel += 4) {
    const int32_t lanes = mcg_min(4, p->channels - channel);
    const int8_t *at = w->first + channel;
    uint32_t largest = 0x80808080u;
    for (int32_t row = 0; row < w->rows; ++row) {
      for (int32_t column = 0; column < w->columns; ++column) {
        largest = mcg_max_bytes(largest, mcg_load_lanes(at, lanes));
        at += p->channels;
      }
      at += row_gap;
    }
    for (int32_t lane = 0; lane < lanes; ++lane) {
      const int32_t value = (int8_t)(largest >> (8 * lane));
      output[channel + lane] = (int8_t)mcg_clamp(value, p->output_min, p->output_max);
    }
  }
}

MCG_SHARED void mcg_max_pool_2d_s8_dsp(const mcg_max_pool_2d_s8_dsp_params *p, const int8_t *input,
                                       int8_t *output) {
  MCG_FOR_WINDOWS(p, input, output, mcg_max_pool_window);
}

#endif /* MCG_MAX_POOL_2D_S8_DSP_H */
