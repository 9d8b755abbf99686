/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons, int8 to bool, with broadcasting: both operands are brought to their reals times 256,
 * rounded. less, equal and greater are the results (0 or 1) where the first operand is so. */
#ifndef MCG_COMPARE_S8_H
#define MCG_COMPARE_S8_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t less;
  int32_t equal;
  int32_t greater;
  int32_t zero_point1;
  int32_t multiplier1;
  int32_t shift1; /* 0 or negative, as the other */
  int32_t zero_point2;
  int32_t multiplier2;
  int32_t shift2;
} mcg_compare_s8_params;

MCG_INLINE void mcg_compare_s8(const mcg_compare_s8_params *p, const int8_t *input1,
                               const int8_t *input2, uint8_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t value1 = (input1[i1] - p->zero_point1) * 256;
    const int32_t value2 = (input2[i2] - p->zero_point2) * 256;
    const int32_t scaled1 = mcg_rescale(value1, p->multiplier1, p->shift1);
    const int32_t scaled2 = mcg_rescale(value2, p->multiplier2, p->shift2);
    *output++ = (uint8_t)(scaled1 < scaled2 ? p->less : scaled1 == scaled2 ? p->equal : p->greater);
  })
}

#endif /* MCG_COMPARE_S8_H */
