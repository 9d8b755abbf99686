/* SPDX-License-Identifier: Apache-2.0 */
/* DIV, int8, with broadcasting: the first operand times the second one's reciprocal in fixed point,
 * requantized. A quotient by 0 is the largest or smallest number, that of 0 by 0 is 0. The output
 * may be one of the operands. */
#ifndef MCG_DIV_S8_H
#define MCG_DIV_S8_H

#include "mcg_broadcast.h"
#include "mcg_softmax_s8.h"

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
} mcg_div_s8_params;

/* How far a number can be shifted to the left without leaving int32. It is not 0. */
MCG_INLINE int32_t mcg_headroom(int32_t value) {
  const uint32_t bits = value < 0 ? ~(uint32_t)value : (uint32_t)value;
  int32_t room = 31;
  while ((bits >> (31 - room)) != 0u) {
    --room;
  }
  return room;
}

/* dividend / divisor * multiplier * 2^(shift - 31); neither is 0. */
MCG_SHARED int32_t mcg_quotient(int32_t dividend, int32_t divisor, int32_t multiplier,
                                int32_t shift) {
  const int32_t numerator = divisor < 0 ? -dividend : dividend;
  const int32_t denominator = divisor < 0 ? -divisor : divisor;
  /* denominator = 2^(30 - room) * (1 + fraction) */
  const int32_t room = mcg_headroom(denominator);
  const uint32_t fraction = ((uint32_t)denominator << (room + 1)) - (UINT32_C(1) << 31);
  const int32_t reciprocal = mcg_one_over_one_plus((int32_t)fraction);
  const int32_t left = mcg_headroom(numerator);
  const int32_t quotient = mcg_mul_high(mcg_shift_left(numerator, left), reciprocal);
  return mcg_shift_right_rounding(mcg_mul_high(quotient, multiplier), 30 - room + left - shift);
}

MCG_INLINE void mcg_div_s8(const mcg_div_s8_params *p, const int8_t *input1, const int8_t *input2,
                           int8_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t dividend = input1[i1] - p->zero_point1;
    const int32_t divisor = input2[i2] - p->zero_point2;
    int32_t scaled = 0;
    if (dividend != 0) {
      scaled = divisor != 0   ? mcg_quotient(dividend, divisor, p->multiplier, p->shift)
               : dividend > 0 ? 256
                              : -256;
    }
    *output++ = (int8_t)mcg_clamp(scaled + p->zero_point, p->min, p->max);
  })
}

#endif /* MCG_DIV_S8_H */
