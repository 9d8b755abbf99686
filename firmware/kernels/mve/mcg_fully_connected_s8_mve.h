/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer by MVE: every row of `depth` inputs times weights as mcg_filter_s8_mve.h
 * has them.
 *
 * The input's zero point is folded into the bias. weights_offset is minus the weights' zero point;
 * if it is not 0 it takes the sum of each row of inputs.
 */
#ifndef MCG_FULLY_CONNECTED_S8_MVE_H
#define MCG_FULLY_CONNECTED_S8_MVE_H

#include "mcg_filter_s8_mve.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t channels;
  int32_t weights_offset;
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
} mcg_fully_connected_s8_mve_params;

MCG_INLINE void mcg_fully_connected_s8_mve(const mcg_fully_connected_s8_mve_params *p,
                                           const int8_t *input, const int8_t *weights,
                                           const int32_t *bias, const int32_t *multiplier,
                                           const int8_t *shift, int8_t *output) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  if (p->weights_offset == 0) {
    mcg_mve_filter(&stage, input, p->depth, p->rows, p->depth, 0, weights, bias, output,
                   p->channels, p->channels);
    return;
  }
  for (int32_t row = 0; row < p->rows; ++row) {
    int32_t sum = 0;
    for (int32_t i = 0; i < p->depth; i += 16) {
      const mve_pred16_t lanes = vctp8q((uint32_t)(p->depth - i));
      sum = vaddvaq_s8(sum, vldrbq_z_s8(input + i, lanes));
    }
    mcg_mve_filter(&stage, input, p->depth, 1, p->depth, sum * p->weights_offset, weights, bias,
                   output, p->channels, p->channels);
    input += p->depth;
    output += p->channels;
  }
}

#endif /* MCG_FULLY_CONNECTED_S8_MVE_H */
