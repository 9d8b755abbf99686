/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution whose windows each lie in one piece in the input, by MVE.
 *
 * window (b, r, c) starts at b * batch_step + r * row_step + c * column_step and is `depth` long;
 * weights as mcg_filter_s8_mve.h has them; the input's zero point is folded into the bias. `batch`
 * windows at a time are copied to scratch (batch * depth bytes), so that the output may take the
 * place of what has been read.
 */
#ifndef MCG_CONV_DIRECT_S8_MVE_H
#define MCG_CONV_DIRECT_S8_MVE_H

#include "mcg_filter_s8_mve.h"

typedef struct {
  int32_t batches;
  int32_t rows;
  int32_t columns;
  int32_t batch_step;
  int32_t row_step;
  int32_t column_step;
  int32_t depth;
  int32_t channels;
  int32_t batch;
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
} mcg_conv_direct_s8_mve_params;

/* `count` windows, `step` apart, one after the other. */
MCG_INLINE void mcg_conv_direct_s8_mve_copy(int8_t *to, const int8_t *from, int32_t step,
                                            int32_t count, int32_t depth) {
  if (step == depth) {
    mcg_mve_copy(to, from, count * depth);
    return;
  }
  for (; count > 0; --count) {
    mcg_mve_copy(to, from, depth);
    to += depth;
    from += step;
  }
}

MCG_INLINE void mcg_conv_direct_s8_mve(const mcg_conv_direct_s8_mve_params *p, const int8_t *input,
                                       const int8_t *weights, const int32_t *bias,
                                       const int32_t *multiplier, const int8_t *shift,
                                       int8_t *output, void *scratch) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->rows; ++row) {
      const int8_t *window = input + batch * p->batch_step + row * p->row_step;
      for (int32_t left = p->columns; left > 0; left -= p->batch) {
        const int32_t count = mcg_min(left, p->batch);
        mcg_conv_direct_s8_mve_copy(scratch, window, p->column_step, count, p->depth);
        mcg_mve_filter(&stage, scratch, p->depth, count, p->depth, 0, weights, bias, output,
                       p->channels, p->channels);
        window += count * p->column_step;
        output += count * p->channels;
      }
    }
  }
}

#endif /* MCG_CONV_DIRECT_S8_MVE_H */
