/* SPDX-License-Identifier: Apache-2.0 */
/* FLOOR_MOD, float32, with broadcasting: the remainder has the divisor's sign. The output may be
 * one of the operands. */
#ifndef MCG_FLOOR_MOD_F32_H
#define MCG_FLOOR_MOD_F32_H

#include "mcg_binary_f32.h"

typedef mcg_binary_f32_params mcg_floor_mod_f32_params;

MCG_INLINE float mcg_floor_remainder(float a, float b) {
  const float rest = fmodf(a, b);
  return rest != 0.0f && (b < 0.0f) != (rest < 0.0f) ? rest + b : rest;
}

MCG_INLINE void mcg_floor_mod_f32(const mcg_floor_mod_f32_params *p, const float *input1,
                                  const float *input2, float *output) {
  MCG_FOR_BROADCAST(p, i1, i2, *output++ = mcg_floor_remainder(input1[i1], input2[i2]))
}

#endif /* MCG_FLOOR_MOD_F32_H */
