/* SPDX-License-Identifier: Apache-2.0 */
/* SQUARED_DIFFERENCE, int8, with broadcasting: both operands are brought to twice the larger of
 * their scales with 7 more bits; their difference is squared and requantized. The output may be one
 * of the operands. */
#ifndef MCG_SQUARED_DIFFERENCE_S8_H
#define MCG_SQUARED_DIFFERENCE_S8_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t zero_point1;
  int32_t multiplier1;
  int32_t shift1; /* 0 or negative, as shift2 */
  int32_t zero_point2;
  int32_t multiplier2;
  int32_t shift2;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
} mcg_squared_difference_s8_params;

MCG_INLINE void mcg_squared_difference_s8(const mcg_squared_difference_s8_params *p,
                                          const int8_t *input1, const int8_t *input2,
                                          int8_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t value1 = (input1[i1] - p->zero_point1) * 128;
    const int32_t value2 = (input2[i2] - p->zero_point2) * 128;
    const int32_t difference = mcg_rescale(value1, p->multiplier1, p->shift1) -
                               mcg_rescale(value2, p->multiplier2, p->shift2);
    const int32_t scaled = mcg_rescale(difference * difference, p->multiplier, p->shift);
    *output++ = (int8_t)mcg_clamp(scaled + p->zero_point, INT8_MIN, INT8_MAX);
  })
}

#endif /* MCG_SQUARED_DIFFERENCE_S8_H */
