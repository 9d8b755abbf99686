/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_conv_direct_s8() for cores with DSP instructions, four windows at a time.
 *
 * Weights are [channels][depth], with three bytes after the last row if depth is not a multiple
 * of 4. scratch holds 8 pairs for every 4 bytes of depth.
 */
#ifndef MCG_CONV_DIRECT_S8_DSP_H
#define MCG_CONV_DIRECT_S8_DSP_H

#include "mcg_filter_s8_dsp.h"

typedef struct {
  int32_t batches;
  int32_t rows;
  int32_t columns;
  int32_t batch_step;
  int32_t row_step;
  int32_t column_step;
  int32_t depth;
  int32_t channels;
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
  int32_t fast; /* see mcg_filters */
} mcg_conv_direct_s8_dsp_params;

MCG_SHARED void mcg_conv_direct_s8_dsp(const mcg_conv_direct_s8_dsp_params *p, const int8_t *input,
                                       const int8_t *weights, const int32_t *bias,
                                       const int32_t *multiplier, const int8_t *shift,
                                       int8_t *output, void *scratch) {
  const mcg_filters filters = {
      {multiplier, shift, p->per_channel, p->scale_down, p->output_zero_point, p->output_min,
       p->output_max},
      weights,
      bias,
      p->depth,
      p->channels,
      p->fast,
  };
  mcg_windows windows = {scratch, (p->depth + 3) >> 2, 0, output, p->channels, 0};
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->rows; ++row) {
      const int8_t *window = input + batch * p->batch_step + row * p->row_step;
      for (int32_t column = 0; column < p->columns; ++column) {
        mcg_widen_all(window, p->depth, windows.x + windows.count);
        mcg_filter_appended(&filters, &windows);
        window += p->column_step;
      }
    }
  }
  if (windows.count > 0) {
    mcg_filter_windows(&filters, &windows);
  }
}

#endif /* MCG_CONV_DIRECT_S8_DSP_H */
