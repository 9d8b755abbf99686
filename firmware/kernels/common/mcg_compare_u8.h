/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons, bool to bool, with broadcasting. less, equal and greater are the results (0 or 1)
 * where the first operand is so. */
#ifndef MCG_COMPARE_U8_H
#define MCG_COMPARE_U8_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t less;
  int32_t equal;
  int32_t greater;
} mcg_compare_u8_params;

MCG_INLINE void mcg_compare_u8(const mcg_compare_u8_params *p, const uint8_t *input1,
                               const uint8_t *input2, uint8_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t value1 = input1[i1];
    const int32_t value2 = input2[i2];
    *output++ = (uint8_t)(value1 < value2 ? p->less : value1 == value2 ? p->equal : p->greater);
  })
}

#endif /* MCG_COMPARE_U8_H */
