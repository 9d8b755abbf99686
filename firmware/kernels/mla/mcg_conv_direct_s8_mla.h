/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_conv_direct_s8() for cores with MLA but no DSP instructions, two windows at a time.
 *
 * Weights and biases as mcg_filter_s8_mla.h has them; scratch holds two widened windows, 4 bytes
 * for every input of both and up to a multiple of four of them.
 */
#ifndef MCG_CONV_DIRECT_S8_MLA_H
#define MCG_CONV_DIRECT_S8_MLA_H

#include "mcg_filter_s8_mla.h"

typedef struct {
  int32_t batches;
  int32_t rows;
  int32_t columns;
  int32_t batch_step;
  int32_t row_step;
  int32_t column_step;
  int32_t depth;
  int32_t channels;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
  int32_t fast; /* see mcg_mla_filters */
} mcg_conv_direct_s8_mla_params;

MCG_SHARED void mcg_conv_direct_s8_mla(const mcg_conv_direct_s8_mla_params *p, const int8_t *input,
                                       const int8_t *weights, const int32_t *bias,
                                       const int32_t *multiplier, const int8_t *shift,
                                       int8_t *output, void *scratch) {
  const mcg_mla_filters filters = {
      {multiplier, shift, 1, p->scale_down, p->output_zero_point, p->output_min, p->output_max},
      p->fast,
      weights,
      bias,
      p->depth,
      p->channels,
  };
  int32_t *x = scratch;
  memset(x, 0, 4u * (size_t)((p->depth + 3) & ~3));
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->rows; ++row) {
      const int8_t *window = input + batch * p->batch_step + row * p->row_step;
      for (int32_t left = p->columns; left > 0; left -= 2) {
        const int32_t count = mcg_min(left, 2);
        for (int32_t i = 0; i < count; ++i) {
          mcg_mla_widen(window, p->depth, i, x);
          window += p->column_step;
        }
        mcg_mla_filter_windows(&filters, x, count, output, p->channels);
        output += count * p->channels;
      }
    }
  }
}

#endif /* MCG_CONV_DIRECT_S8_MLA_H */
