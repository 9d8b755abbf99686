/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons, float32 to bool, with broadcasting. less, equal, greater and unordered are the
 * results (0 or 1) where the first operand is so; unordered is where one of them is NaN. */
#ifndef MCG_COMPARE_F32_H
#define MCG_COMPARE_F32_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t less;
  int32_t equal;
  int32_t greater;
  int32_t unordered;
} mcg_compare_f32_params;

MCG_INLINE void mcg_compare_f32(const mcg_compare_f32_params *p, const float *input1,
                                const float *input2, uint8_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const float value1 = input1[i1];
    const float value2 = input2[i2];
    *output++ = (uint8_t)(value1 < value2    ? p->less
                          : value1 > value2  ? p->greater
                          : value1 == value2 ? p->equal
                                             : p->unordered);
  })
}

#endif /* MCG_COMPARE_F32_H */
