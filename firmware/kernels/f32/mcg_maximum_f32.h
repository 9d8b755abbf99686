/* SPDX-License-Identifier: Apache-2.0 */
/* MAXIMUM, float32, with broadcasting. The output may be one of the operands. */
#ifndef MCG_MAXIMUM_F32_H
#define MCG_MAXIMUM_F32_H

#include "mcg_binary_f32.h"

typedef mcg_binary_f32_params mcg_maximum_f32_params;

MCG_INLINE void mcg_maximum_f32(const mcg_maximum_f32_params *p, const float *input1,
                                const float *input2, float *output) {
  MCG_FOR_BROADCAST(p, i1, i2, *output++ = input1[i1] > input2[i2] ? input1[i1] : input2[i2])
}

#endif /* MCG_MAXIMUM_F32_H */
