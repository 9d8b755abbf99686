/* SPDX-License-Identifier: Apache-2.0 */
/* LOGISTIC and TANH, int16 to int16 of scale 2^-15, zero points 0. The output may be the input. */
#ifndef MCG_SIGMOID_S16_H
#define MCG_SIGMOID_S16_H

#include "mcg_sigmoid_table.h"

typedef struct {
  int32_t count;
  int32_t multiplier; /* brings the input to 1/12288 */
  int32_t right;      /* bits that are shifted out afterwards */
  int32_t tanh;       /* 1 for TANH, 0 for LOGISTIC */
} mcg_sigmoid_s16_params;

MCG_INLINE void mcg_sigmoid_s16(const mcg_sigmoid_s16_params *p, const int16_t *input,
                                const int16_t *table, int16_t *output) {
  const mcg_sigmoid_input to = {p->multiplier, p->right};
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = (int16_t)(p->tanh ? mcg_tanh_q15(table, to, input[i])
                                  : mcg_sigmoid_q15(table, to, input[i]));
  }
}

#endif /* MCG_SIGMOID_S16_H */
