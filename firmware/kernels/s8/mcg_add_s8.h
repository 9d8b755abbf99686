/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB, int8, with broadcasting: both operands are brought to twice the larger of their
 * scales with 20 more bits, added or subtracted, and requantized. The output may be one of the
 * operands. */
#ifndef MCG_ADD_S8_H
#define MCG_ADD_S8_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t subtract; /* 1 for SUB, 0 for ADD */
  int32_t zero_point1;
  int32_t multiplier1;
  int32_t shift1; /* as all shifts here, 0 or negative (to the right) */
  int32_t zero_point2;
  int32_t multiplier2;
  int32_t shift2;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
  int32_t min;
  int32_t max;
} mcg_add_s8_params;

MCG_INLINE void mcg_add_s8(const mcg_add_s8_params *p, const int8_t *input1, const int8_t *input2,
                           int8_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t value1 = (input1[i1] - p->zero_point1) * (INT32_C(1) << 20);
    const int32_t value2 = (input2[i2] - p->zero_point2) * (INT32_C(1) << 20);
    const int32_t scaled1 = mcg_rescale(value1, p->multiplier1, p->shift1);
    const int32_t scaled2 = mcg_rescale(value2, p->multiplier2, p->shift2);
    const int32_t sum = p->subtract ? scaled1 - scaled2 : scaled1 + scaled2;
    const int32_t scaled = mcg_rescale(sum, p->multiplier, p->shift) + p->zero_point;
    *output++ = (int8_t)mcg_clamp(scaled, p->min, p->max);
  })
}

#endif /* MCG_ADD_S8_H */
