/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution whose windows each lie in one piece in the input: 1x1, or as wide as the image.
 *
 * window (b, r, c) starts at b * batch_step + r * row_step + c * column_step and is `depth` long;
 * weights are [channels][depth]; the input's zero point is folded into the bias.
 */
#ifndef MCG_CONV_DIRECT_S8_H
#define MCG_CONV_DIRECT_S8_H

#include "mcg_filter_s8.h"

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
} mcg_conv_direct_s8_params;

MCG_INLINE void mcg_conv_direct_s8(const mcg_conv_direct_s8_params *p, const int8_t *input,
                                   const int8_t *weights, const int32_t *bias,
                                   const int32_t *multiplier, const int8_t *shift, int8_t *output) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->rows; ++row) {
      const int8_t *first = input + batch * p->batch_step + row * p->row_step;
      for (int32_t column = 0; column < p->columns; ++column) {
        const int8_t *window = first + column * p->column_step;
        mcg_filter_window(&stage, window, p->depth, 0, weights, bias, output, p->channels);
        output += p->channels;
      }
    }
  }
}

#endif /* MCG_CONV_DIRECT_S8_H */
