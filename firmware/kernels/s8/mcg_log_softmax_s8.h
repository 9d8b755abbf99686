/* SPDX-License-Identifier: Apache-2.0 */
/* LOG_SOFTMAX over rows, int8 (any scale) to int8 (scale 1/16, zero point 127). exp_table is that
 * of SOFTMAX. The output may be the input. */
#ifndef MCG_LOG_SOFTMAX_S8_H
#define MCG_LOG_SOFTMAX_S8_H

#include "mcg_softmax_s8.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t entries;    /* of exp_table */
  int32_t multiplier; /* from a distance to the maximum to a real with 5 integer bits */
  int32_t shift;
  int32_t reverse_multiplier; /* and back */
  int32_t reverse_shift;
  int32_t radius; /* largest distance that the reference scales */
} mcg_log_softmax_s8_params;

/* value * 2^bits for value >= 0, or the largest number. */
MCG_INLINE int32_t mcg_shift_left_saturating(int32_t value, int32_t bits) {
  return value > (INT32_MAX >> bits) ? INT32_MAX : mcg_shift_left(value, bits);
}

MCG_INLINE int32_t mcg_leading_zeros(int32_t value) {
  int32_t zeros = 0;
  for (uint32_t rest = (uint32_t)value; (rest >> 31) == 0u; rest <<= 1) {
    ++zeros;
  }
  return zeros;
}

/* The natural logarithm, with 5 integer bits, of a number from 1 on with 12: a power of 2, or of 2
 * times the square root of 1/2, is split off; a rational function gives the logarithm of the rest
 * around the fourth root of 1/2. */
MCG_SHARED int32_t mcg_log(int32_t value) {
  const int32_t root = 1518500250;          /* sqrt(1/2), as all numbers below a fraction of 2^31 */
  const int32_t fourth_root = 1805811301;   /* sqrt(sqrt(1/2)) */
  const int32_t quarter = INT32_C(1) << 23; /* with 6 integer bits */
  const int32_t zeros1 = mcg_leading_zeros(value);
  const int32_t rest1 =
      mcg_shift_left_saturating(mcg_mul_high(mcg_shift_left(value, zeros1 - 1), root), 1);
  const int32_t power1 = (12 - zeros1) * (INT32_C(1) << 25) + quarter;
  const int32_t zeros2 = mcg_leading_zeros(mcg_mul_high(value, root)) - 1;
  const int32_t rest2 = mcg_shift_left_saturating(value, zeros2);
  const int32_t power2 = (12 - zeros2) * (INT32_C(1) << 25) - quarter;
  const int32_t rest = mcg_min(rest1, rest2);
  const int32_t power = mcg_max(power1, power2);
  const int32_t p = (int32_t)(((uint32_t)rest + (uint32_t)fourth_root + 1u) >> 1);
  const int32_t q = (rest - fourth_root) * 2;
  const int32_t square = mcg_mul_high(q, q);
  const int32_t numerator =
      mcg_mul_high(q, rest) + mcg_mul_high(mcg_mul_high(q, square), 117049297);
  const int32_t inner = 1057819769 + q + mcg_mul_high(127690142, square);
  const int32_t denominator = mcg_mul_high(p, inner) + mcg_mul_high(638450708, q);
  const int32_t logarithm =
      mcg_mul_high(power, 1488522236) +
      mcg_mul_high(mcg_shift_right_rounding(numerator, 6), mcg_one_over_one_plus(denominator));
  return logarithm * 2;
}

MCG_INLINE void mcg_log_softmax_s8(const mcg_log_softmax_s8_params *p, const int8_t *input,
                                   const int32_t *exp_table, int8_t *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    int32_t largest = input[0];
    for (int32_t i = 1; i < p->depth; ++i) {
      largest = mcg_max(largest, input[i]);
    }
    int32_t sum = 0; /* with 12 integer bits; at least 1 */
    for (int32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = largest - input[i];
      if (distance < p->entries) {
        sum += mcg_shift_right_rounding(exp_table[distance], 12);
      }
    }
    const int32_t log_sum = mcg_log(sum);
    /* Distances from here on would give less than the lowest output. */
    const int32_t limit =
        mcg_max(-p->radius - 1,
                mcg_requantize(log_sum + INT32_MIN, p->reverse_multiplier, p->reverse_shift));
    for (int32_t i = 0; i < p->depth; ++i) {
      const int32_t difference = input[i] - largest;
      int32_t result = INT8_MIN;
      if (difference > limit) {
        const int32_t scaled = mcg_requantize(difference, p->multiplier, p->shift) - log_sum;
        result = mcg_clamp(mcg_shift_right_rounding(scaled, 22) + INT8_MAX, INT8_MIN, INT8_MAX);
      }
      output[i] = (int8_t)result;
    }
    input += p->depth;
    output += p->depth;
  }
}

#endif /* MCG_LOG_SOFTMAX_S8_H */
