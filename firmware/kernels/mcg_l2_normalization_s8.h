/* L2_NORMALIZATION, int8 to int8 of scale 1/128, zero point 0: each row of `depth` values divided
 * by its length. The output may be the input. */
#ifndef MCG_L2_NORMALIZATION_S8_H
#define MCG_L2_NORMALIZATION_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t zero_point;
} mcg_l2_normalization_s8_params;

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

MCG_INLINE void mcg_l2_normalization_s8(const mcg_l2_normalization_s8_params *p,
                                        const int8_t *input, int8_t *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    int32_t squares = 0;
    for (int32_t i = 0; i < p->depth; ++i) {
      const int32_t value = input[i] - p->zero_point;
      squares += value * value;
    }
    int32_t shift;
    const int32_t multiplier = mcg_inverse_square_root(squares, &shift);
    for (int32_t i = 0; i < p->depth; ++i) {
      const int32_t scaled = mcg_requantize(input[i] - p->zero_point, multiplier, shift + 7);
      output[i] = (int8_t)mcg_clamp(scaled, INT8_MIN, INT8_MAX);
    }
    input += p->depth;
    output += p->depth;
  }
}

#endif /* MCG_L2_NORMALIZATION_S8_H */
