/* SPDX-License-Identifier: Apache-2.0 */
/* MAXIMUM and MINIMUM, int16, with broadcasting. The output may be one of the operands. */
#ifndef MCG_EXTREMUM_S16_H
#define MCG_EXTREMUM_S16_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t largest; /* 1 for MAXIMUM, 0 for MINIMUM */
} mcg_extremum_s16_params;

MCG_INLINE void mcg_extremum_s16(const mcg_extremum_s16_params *p, const int16_t *input1,
                                 const int16_t *input2, int16_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t value1 = input1[i1];
    const int32_t value2 = input2[i2];
    *output++ = (int16_t)(p->largest ? mcg_max(value1, value2) : mcg_min(value1, value2));
  })
}

#endif /* MCG_EXTREMUM_S16_H */
