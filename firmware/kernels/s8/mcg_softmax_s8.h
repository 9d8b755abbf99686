/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX over rows, int8 (any scale) to int8 (scale 1/256, zero point -128). exp_table[d] is the
 * exponential of a logit that is d below its row's maximum, as a fraction of 2^31; beyond the table
 * it counts as 0. The output may be the input. */
#ifndef MCG_SOFTMAX_S8_H
#define MCG_SOFTMAX_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t entries; /* of exp_table */
} mcg_softmax_s8_params;

/* 1 / (1 + x) for x in [0, 1), both as fractions of 2^31: Newton-Raphson division, three steps from
 * 48/17 - 32/17 * (1 + x) / 2. */
MCG_SHARED int32_t mcg_one_over_one_plus(int32_t x) {
  const int32_t one = INT32_C(1) << 29; /* two integer bits from here on */
  const int32_t half_denominator = (int32_t)(((uint32_t)x + (UINT32_C(1) << 31)) >> 1);
  int32_t guess = 1515870810 + mcg_mul_high(half_denominator, -1010580540);
  for (int32_t step = 0; step < 3; ++step) {
    const int32_t error = one - mcg_mul_high(half_denominator, guess);
    /* The error is below 1/17, so times 4 stays within 32 bits. */
    guess += mcg_mul_high(guess, error) * 4;
  }
  /* guess is 2 / (1 + x): half of it has the same bits with one integer bit; x = 0 saturates. */
  return guess > INT32_MAX / 2 ? INT32_MAX : guess * 2;
}

MCG_INLINE void mcg_softmax_s8(const mcg_softmax_s8_params *p, const int8_t *input,
                               const int32_t *exp_table, int8_t *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    int32_t largest = input[0];
    for (int32_t i = 1; i < p->depth; ++i) {
      largest = mcg_max(largest, input[i]);
    }
    /* The sum has 12 integer bits. It is at least 1, the maximum's own share. */
    uint32_t sum = 0;
    for (int32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = largest - input[i];
      if (distance < p->entries) {
        sum += (uint32_t)mcg_shift_right_rounding(exp_table[distance], 12);
      }
    }
    /* sum = 2^(12 - zeros) * (1 + fraction) */
    int32_t zeros = 0;
    while ((sum >> 31) == 0u) {
      sum <<= 1;
      ++zeros;
    }
    const int32_t fraction = (int32_t)(sum - (UINT32_C(1) << 31));
    const int32_t scale = mcg_one_over_one_plus(fraction);
    const int32_t shift = 12 - zeros + 31 - 8;
    for (int32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = largest - input[i];
      int32_t scaled = 0;
      /* A shift above 31 means that all results are below 1/512: they round to 0. */
      if (distance < p->entries && shift <= 31) {
        scaled = mcg_shift_right_rounding(mcg_mul_high(scale, exp_table[distance]), shift);
      }
      output[i] = (int8_t)mcg_min(scaled + INT8_MIN, INT8_MAX);
    }
    input += p->depth;
    output += p->depth;
  }
}

#endif /* MCG_SOFTMAX_S8_H */
