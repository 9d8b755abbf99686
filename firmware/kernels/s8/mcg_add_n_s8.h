/* SPDX-License-Identifier: Apache-2.0 */
/* ADD_N, int8 with zero point 0 and one scale: the sum of up to eight inputs (those beyond `inputs`
 * are not read), with 19 more bits, requantized. */
#ifndef MCG_ADD_N_S8_H
#define MCG_ADD_N_S8_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count;
  int32_t inputs;
  int32_t multiplier;
  int32_t shift; /* 0 or negative */
  int32_t zero_point;
} mcg_add_n_s8_params;

MCG_INLINE void mcg_add_n_s8(const mcg_add_n_s8_params *p, const int8_t *input0,
                             const int8_t *input1, const int8_t *input2, const int8_t *input3,
                             const int8_t *input4, const int8_t *input5, const int8_t *input6,
                             const int8_t *input7, int8_t *output) {
  const int8_t *const inputs[8] = {input0, input1, input2, input3, input4, input5, input6, input7};
  for (int32_t i = 0; i < p->count; ++i) {
    int32_t sum = 0;
    for (int32_t n = 0; n < p->inputs; ++n) {
      sum += inputs[n][i];
    }
    const int32_t scaled = mcg_requantize(sum * (INT32_C(1) << 19), p->multiplier, p->shift);
    output[i] = (int8_t)mcg_clamp(scaled + p->zero_point, INT8_MIN, INT8_MAX);
  }
}

#endif /* MCG_ADD_N_S8_H */
