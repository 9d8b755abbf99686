/* SPDX-License-Identifier: Apache-2.0 */
/* ROUND, float32, halves to the even neighbour. The output may be the input. */
#ifndef MCG_ROUND_F32_H
#define MCG_ROUND_F32_H

#include "mcg_unary_f32.h"

typedef mcg_unary_f32_params mcg_round_f32_params;

/* Written as the reference does it, also for zeros and numbers without a fraction. */
MCG_INLINE float mcg_round_to_even(float value) {
  const float below = floorf(value);
  const float rest = value - below;
  const int down = rest < 0.5f || (rest == 0.5f && (int32_t)below % 2 == 0);
  return down ? below : below + 1.0f;
}

MCG_INLINE void mcg_round_f32(const mcg_round_f32_params *p, const float *input, float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = mcg_round_to_even(input[i]);
  }
}

#endif /* MCG_ROUND_F32_H */
