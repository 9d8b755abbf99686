/* SPDX-License-Identifier: Apache-2.0 */
/* SQUARED_DIFFERENCE, float32, with broadcasting. The output may be one of the operands. */
#ifndef MCG_SQUARED_DIFFERENCE_F32_H
#define MCG_SQUARED_DIFFERENCE_F32_H

#include "mcg_binary_f32.h"

typedef mcg_binary_f32_params mcg_squared_difference_f32_params;

MCG_INLINE float mcg_square_f32_of(float value) { return value * value; }

MCG_INLINE void mcg_squared_difference_f32(const mcg_squared_difference_f32_params *p,
                                           const float *input1, const float *input2,
                                           float *output) {
  MCG_FOR_BROADCAST(p, i1, i2, *output++ = mcg_square_f32_of(input1[i1] - input2[i2]))
}

#endif /* MCG_SQUARED_DIFFERENCE_F32_H */
