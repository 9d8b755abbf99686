/* SPDX-License-Identifier: Apache-2.0 */
/* SUB, float32, with broadcasting. The output may be one of the operands. */
#ifndef MCG_SUB_F32_H
#define MCG_SUB_F32_H

#include "mcg_binary_f32.h"

typedef mcg_clamped_f32_params mcg_sub_f32_params;

MCG_INLINE void mcg_sub_f32(const mcg_sub_f32_params *p, const float *input1, const float *input2,
                            float *output) {
  MCG_FOR_BROADCAST(p, i1, i2, *output++ = mcg_clamp_f32(input1[i1] - input2[i2], p->min, p->max))
}

#endif /* MCG_SUB_F32_H */
