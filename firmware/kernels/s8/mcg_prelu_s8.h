/* SPDX-License-Identifier: Apache-2.0 */
/* PRELU, int8, with broadcasting: inputs from zero upwards are requantized, negative ones times
 * their slopes. The output may be one of the operands. */
#ifndef MCG_PRELU_S8_H
#define MCG_PRELU_S8_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t zero_point1;
  int32_t zero_point2; /* of the slopes */
  int32_t multiplier1;
  int32_t shift1;
  int32_t multiplier2; /* of products with slopes */
  int32_t shift2;
  int32_t zero_point;
} mcg_prelu_s8_params;

MCG_INLINE void mcg_prelu_s8(const mcg_prelu_s8_params *p, const int8_t *input, const int8_t *slope,
                             int8_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t value = input[i1] - p->zero_point1;
    const int32_t scaled = value >= 0 ? mcg_requantize(value, p->multiplier1, p->shift1)
                                      : mcg_requantize(value * (slope[i2] - p->zero_point2),
                                                       p->multiplier2, p->shift2);
    *output++ = (int8_t)mcg_clamp(scaled + p->zero_point, INT8_MIN, INT8_MAX);
  })
}

#endif /* MCG_PRELU_S8_H */
