/* SPDX-License-Identifier: Apache-2.0 */
/* MUL, int16 with zero point 0, with broadcasting: the product, requantized. The output may be one
 * of the operands. */
#ifndef MCG_MUL_S16_H
#define MCG_MUL_S16_H

#include "mcg_broadcast.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t multiplier;
  int32_t shift;
  int32_t min;
  int32_t max;
} mcg_mul_s16_params;

MCG_INLINE void mcg_mul_s16(const mcg_mul_s16_params *p, const int16_t *input1,
                            const int16_t *input2, int16_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t product = (int32_t)input1[i1] * input2[i2];
    const int32_t scaled = mcg_rescale(product, p->multiplier, p->shift);
    *output++ = (int16_t)mcg_clamp(scaled, p->min, p->max);
  })
}

#endif /* MCG_MUL_S16_H */
