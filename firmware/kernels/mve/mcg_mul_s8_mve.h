/* SPDX-License-Identifier: Apache-2.0 */
/* MUL, int8, with broadcasting, by MVE: the product of the operands less their zero points,
 * requantized, eight at a time. Each operand of the innermost loop has stride 1 or 0. The output
 * may be one of the operands. ties: see mcg_mve_rescale(). */
#ifndef MCG_MUL_S8_MVE_H
#define MCG_MUL_S8_MVE_H

#include "mcg_broadcast_mve.h"

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
  int32_t ties;
} mcg_mul_s8_mve_params;

MCG_INLINE void mcg_mve_mul_eight(const mcg_mul_s8_mve_params *p, const int8_t *input1,
                                  const int8_t *input2, int8_t *output, int32_t left) {
  const int16x8_t value1 =
      vsubq_n_s16(mcg_mve_load_eight(input1, p->stride1[3], left), (int16_t)p->zero_point1);
  const int16x8_t value2 =
      vsubq_n_s16(mcg_mve_load_eight(input2, p->stride2[3], left), (int16_t)p->zero_point2);
  mcg_mve_eight product = {vmullbq_int_s16(value1, value2), vmulltq_int_s16(value1, value2)};
  product.even = mcg_mve_rescale(product.even, p->multiplier, p->shift, p->ties);
  product.odd = mcg_mve_rescale(product.odd, p->multiplier, p->shift, p->ties);
  mcg_mve_store_eight(output, mcg_mve_narrow_eight(product, p->zero_point, p->min, p->max), left);
}

MCG_INLINE void mcg_mul_s8_mve(const mcg_mul_s8_mve_params *p, const int8_t *input1,
                               const int8_t *input2, int8_t *output) {
  MCG_MVE_FOR_EIGHTS(p, input1, input2, output, mcg_mve_mul_eight)
}

#endif /* MCG_MUL_S8_MVE_H */
