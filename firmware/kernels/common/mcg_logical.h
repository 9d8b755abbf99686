/* SPDX-License-Identifier: Apache-2.0 */
/* LOGICAL_AND and LOGICAL_OR, bool, with broadcasting. The output may be one of the operands. */
#ifndef MCG_LOGICAL_H
#define MCG_LOGICAL_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t both; /* 1 for AND, 0 for OR */
} mcg_logical_params;

MCG_INLINE void mcg_logical(const mcg_logical_params *p, const uint8_t *input1,
                            const uint8_t *input2, uint8_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t sum = (input1[i1] != 0) + (input2[i2] != 0);
    *output++ = (uint8_t)(sum > p->both);
  })
}

#endif /* MCG_LOGICAL_H */
