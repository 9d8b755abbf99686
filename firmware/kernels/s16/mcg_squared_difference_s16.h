/* SPDX-License-Identifier: Apache-2.0 */
/* SQUARED_DIFFERENCE, int16 with zero point 0, with broadcasting: both operands are brought to
 * twice the larger of their scales; the square of their difference is requantized. The output may
 * be one of the operands. */
#ifndef MCG_SQUARED_DIFFERENCE_S16_H
#define MCG_SQUARED_DIFFERENCE_S16_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t multiplier1;
  int32_t shift1; /* 0 or negative, as that of the second operand */
  int32_t multiplier2;
  int32_t shift2;
  int32_t multiplier;
  int32_t shift;
} mcg_squared_difference_s16_params;

MCG_INLINE void mcg_squared_difference_s16(const mcg_squared_difference_s16_params *p,
                                           const int16_t *input1, const int16_t *input2,
                                           int16_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t scaled1 = mcg_rescale(input1[i1], p->multiplier1, p->shift1);
    const int32_t scaled2 = mcg_rescale(input2[i2], p->multiplier2, p->shift2);
    const int32_t difference = scaled1 - scaled2;
    const int32_t scaled = mcg_rescale(difference * difference, p->multiplier, p->shift);
    *output++ = (int16_t)mcg_clamp(scaled, INT16_MIN, INT16_MAX);
  })
}

#endif /* MCG_SQUARED_DIFFERENCE_S16_H */
