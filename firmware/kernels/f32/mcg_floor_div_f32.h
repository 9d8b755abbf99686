/* SPDX-License-Identifier: Apache-2.0 */
/* FLOOR_DIV, float32, with broadcasting. The output may be one of the operands. */
#ifndef MCG_FLOOR_DIV_F32_H
#define MCG_FLOOR_DIV_F32_H

#include "mcg_binary_f32.h"

typedef mcg_binary_f32_params mcg_floor_div_f32_params;

/* In double, as the reference does it: a rounded quotient could reach the next whole number. */
MCG_INLINE float mcg_floor_quotient(float a, float b) {
  return (float)floor((double)a / (double)b);
}

MCG_INLINE void mcg_floor_div_f32(const mcg_floor_div_f32_params *p, const float *input1,
                                  const float *input2, float *output) {
  MCG_FOR_BROADCAST(p, i1, i2, *output++ = mcg_floor_quotient(input1[i1], input2[i2]))
}

#endif /* MCG_FLOOR_DIV_F32_H */
