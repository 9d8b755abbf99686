/* SPDX-License-Identifier: Apache-2.0 */
/* ADD and SUB, int8, with broadcasting, by MVE: both operands are brought to twice the larger of
 * their scales with 20 more bits, added or subtracted, and requantized, eight at a time. Each
 * operand of the innermost loop has stride 1 or 0. The output may be one of the operands.
 *
 * ties1, ties2 and ties: see mcg_mve_rescale(), for operands and sum.
 */
#ifndef MCG_ADD_S8_MVE_H
#define MCG_ADD_S8_MVE_H

#include "mcg_broadcast_mve.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t subtract; /* 1 for SUB, 0 for ADD */
  int32_t zero_point1;
  int32_t multiplier1;
  int32_t shift1; /* as all shifts here, 0 or negative (to the right) */
  int32_t zero_point2;
  int32_t multiplier2;
  int32_t shift2;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
  int32_t min;
  int32_t max;
  int32_t ties1;
  int32_t ties2;
  int32_t ties;
} mcg_add_s8_mve_params;

/* Eight elements of an operand, scaled. */
MCG_INLINE mcg_mve_eight mcg_mve_add_operand(const int8_t *from, int32_t stride, int32_t left,
                                             int32_t zero_point, int32_t multiplier, int32_t shift,
                                             int32_t ties) {
  const int16x8_t moved = vsubq_n_s16(mcg_mve_load_eight(from, stride, left), (int16_t)zero_point);
  mcg_mve_eight scaled;
  if (multiplier == INT32_C(1) << 30 && shift == 0) {
    /* The operand of the larger scale: the half is 19 bits more. */
    scaled.even = vshllbq_n_s16(vshlq_n_s16(moved, 4), 15);
    scaled.odd = vshlltq_n_s16(vshlq_n_s16(moved, 4), 15);
  } else {
    const int16x8_t more = vshlq_n_s16(moved, 5);
    scaled.even = mcg_mve_rescale(vshllbq_n_s16(more, 15), multiplier, shift, ties);
    scaled.odd = mcg_mve_rescale(vshlltq_n_s16(more, 15), multiplier, shift, ties);
  }
  return scaled;
}

MCG_INLINE void mcg_mve_add_eight(const mcg_add_s8_mve_params *p, const int8_t *input1,
                                  const int8_t *input2, int8_t *output, int32_t left) {
  const mcg_mve_eight scaled1 = mcg_mve_add_operand(input1, p->stride1[3], left, p->zero_point1,
                                                    p->multiplier1, p->shift1, p->ties1);
  const mcg_mve_eight scaled2 = mcg_mve_add_operand(input2, p->stride2[3], left, p->zero_point2,
                                                    p->multiplier2, p->shift2, p->ties2);
  mcg_mve_eight sum;
  sum.even =
      p->subtract ? vsubq_s32(scaled1.even, scaled2.even) : vaddq_s32(scaled1.even, scaled2.even);
  sum.odd = p->subtract ? vsubq_s32(scaled1.odd, scaled2.odd) : vaddq_s32(scaled1.odd, scaled2.odd);
  sum.even = mcg_mve_rescale(sum.even, p->multiplier, p->shift, p->ties);
  sum.odd = mcg_mve_rescale(sum.odd, p->multiplier, p->shift, p->ties);
  mcg_mve_store_eight(output, mcg_mve_narrow_eight(sum, p->zero_point, p->min, p->max), left);
}

MCG_INLINE void mcg_add_s8_mve(const mcg_add_s8_mve_params *p, const int8_t *input1,
                               const int8_t *input2, int8_t *output) {
  MCG_MVE_FOR_EIGHTS(p, input1, input2, output, mcg_mve_add_eight)
}

#endif /* MCG_ADD_S8_MVE_H */
