/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on int32 numbers as they are, with broadcasting; sums and products modulo 2^32. The
 * output may be one of the operands. */
#ifndef MCG_ARITHMETIC_S32_H
#define MCG_ARITHMETIC_S32_H

#include "mcg_broadcast.h"

/* Values of `operation`. */
#define MCG_ADD_S32 0
#define MCG_SUB_S32 1
#define MCG_MUL_S32 2
#define MCG_DIV_S32 3
#define MCG_MAXIMUM_S32 4
#define MCG_MINIMUM_S32 5
#define MCG_SQUARED_DIFFERENCE_S32 6

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t operation;
  int32_t min;
  int32_t max;
} mcg_arithmetic_s32_params;

/* Towards zero. No quotient by 0 is defined: it is 0 here, and that of the lowest number by -1 is
 * that number. */
MCG_INLINE int32_t mcg_divide_s32(int32_t a, int32_t b) {
  if (b == 0) {
    return 0;
  }
  return b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b;
}

MCG_INLINE int32_t mcg_operate_s32(int32_t operation, int32_t a, int32_t b) {
  const uint32_t difference = (uint32_t)a - (uint32_t)b;
  switch (operation) {
    case MCG_ADD_S32:
      return (int32_t)((uint32_t)a + (uint32_t)b);
    case MCG_SUB_S32:
      return (int32_t)difference;
    case MCG_MUL_S32:
      return (int32_t)((uint32_t)a * (uint32_t)b);
    case MCG_DIV_S32:
      return mcg_divide_s32(a, b);
    case MCG_MAXIMUM_S32:
      return mcg_max(a, b);
    case MCG_MINIMUM_S32:
      return mcg_min(a, b);
    default: /* MCG_SQUARED_DIFFERENCE_S32 */
      return (int32_t)(difference * difference);
  }
}

MCG_INLINE void mcg_arithmetic_s32(const mcg_arithmetic_s32_params *p, const int32_t *input1,
                                   const int32_t *input2, int32_t *output) {
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t result = mcg_operate_s32(p->operation, input1[i1], input2[i2]);
    *output++ = mcg_clamp(result, p->min, p->max);
  })
}

#endif /* MCG_ARITHMETIC_S32_H */
