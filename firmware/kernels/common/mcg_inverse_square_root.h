/* SPDX-License-Identifier: Apache-2.0 */
/* Reciprocal square roots in fixed point, as L2_NORMALIZATION and RSQRT need them. */
#ifndef MCG_INVERSE_SQUARE_ROOT_H
#define MCG_INVERSE_SQUARE_ROOT_H

#include "mcg_common.h"

/* 1 / sqrt(value) is the result times 2^(shift - 31); shift is 0 or negative. value >= 0, and 0
 * counts as 1. Five steps of Newton and Raphson with three integer bits, from 1. */
MCG_SHARED int32_t mcg_inverse_square_root(int32_t value, int32_t *shift) {
  int32_t right = 11;
  if (value <= 1) {
    *shift = 0;
    return INT32_MAX;
  }
  while (value >= INT32_C(1) << 29) {
    value /= 4;
    ++right;
  }
  while (value < INT32_C(1) << 27) {
    value *= 4;
    --right;
  }
  const int32_t half = mcg_shift_right_rounding(value >> 1, 1);
  int32_t x = INT32_C(1) << 28;
  for (int32_t step = 0; step < 5; ++step) {
    /* A product of numbers with three integer bits has six, the cube nine. */
    const int32_t cube = mcg_mul_high(mcg_mul_high(x, x), x) * 64;
    x = (mcg_mul_high(3 * (INT32_C(1) << 27), x) - mcg_mul_high(half, cube)) * 8;
  }
  x = mcg_mul_high(x, 1518500250); /* sqrt(1/2) */
  if (right < 0) {
    x = mcg_shift_left(x, -right);
    right = 0;
  }
  *shift = -right;
  return x;
}

#endif /* MCG_INVERSE_SQUARE_ROOT_H */
