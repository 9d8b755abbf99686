/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_fully_connected_s8() for cores with MLA but no DSP instructions. Weights as
 * mcg_filter_s8_mla.h has them. */
#ifndef MCG_FULLY_CONNECTED_S8_MLA_H
#define MCG_FULLY_CONNECTED_S8_MLA_H

#include "mcg_filter_s8_mla.h"

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
  int32_t fast; /* see mcg_mla_filters */
} mcg_fully_connected_s8_mla_params;

MCG_SHARED void mcg_fully_connected_s8_mla(const mcg_fully_connected_s8_mla_params *p,
                                           const int8_t *input, const int8_t *weights,
                                           const int32_t *bias, const int32_t *multiplier,
                                           const int8_t *shift, int8_t *output) {
  const mcg_mla_filters filters = {
      {multiplier, shift, p->per_channel, p->scale_down, p->output_zero_point, p->output_min,
       p->output_max},
      p->fast,
      weights,
      bias,
      p->depth,
      p->channels,
  };
  for (int32_t row = 0; row < p->rows; ++row) {
    int32_t sum = 0;
    if (p->weights_offset != 0) {
      for (int32_t i = 0; i < p->depth; ++i) {
        sum += input[i];
      }
    }
    mcg_mla_filter_bytes(&filters, input, sum * p->weights_offset, output);
    input += p->depth;
    output += p->channels;
  }
}

#endif /* MCG_FULLY_CONNECTED_S8_MLA_H */
