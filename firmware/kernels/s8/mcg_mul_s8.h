/* SPDX-License-Identifier: Apache-2.0 */
/* MUL, int8, with broadcasting: the product of the operands less their zero points, requantized.
 * The output may be one of the operands. */
#ifndef MCG_MUL_S8_H
#define MCG_MUL_S8_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t zero_point1;
  int32_t zero_point2;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
  int32_t min;
  int32_t max;
} mcg_mul_s8_params;

MCG_INLINE void mcg_mul_s8(const mcg_mul_s8_params *p, const int8_t *input1, const int8_t *input2,
                           int8_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t product = (input1[i1] - p->zero_point1) * (input2[i2] - p->zero_point2);
    const int32_t scaled = mcg_rescale(product, p->multiplier, p->shift) + p->zero_point;
    *output++ = (int8_t)mcg_clamp(scaled, p->min, p->max);
  })
}

#endif /* MCG_MUL_S8_H */
