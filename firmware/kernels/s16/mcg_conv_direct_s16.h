/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution of int16 with int8 weights whose windows each lie in one piece in the input: 1x1,
 * or as wide as the image; and fully connected layers.
 *
 * window (b, r, c) starts at b * batch_step + r * row_step + c * column_step and is `depth` long;
 * weights are [channels][depth].
 */
#ifndef MCG_CONV_DIRECT_S16_H
#define MCG_CONV_DIRECT_S16_H

#include "mcg_filter_s16.h"

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
  int32_t wide;
  int32_t output_min;
  int32_t output_max;
} mcg_conv_direct_s16_params;

MCG_INLINE void mcg_conv_direct_s16(const mcg_conv_direct_s16_params *p, const int16_t *input,
                                    const int8_t *weights, const int64_t *bias,
                                    const int32_t *multiplier, const int8_t *shift,
                                    int16_t *output) {
  const mcg_output_stage_s16 stage = {
      bias, multiplier, shift, p->per_channel, p->wide, p->output_min, p->output_max,
  };
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->rows; ++row) {
      const int16_t *window = input + batch * p->batch_step + row * p->row_step;
      for (int32_t column = 0; column < p->columns; ++column) {
        mcg_filter_window_s16(&stage, window, p->depth, weights, output, 0, p->channels);
        window += p->column_step;
        output += p->channels;
      }
    }
  }
}

#endif /* MCG_CONV_DIRECT_S16_H */
