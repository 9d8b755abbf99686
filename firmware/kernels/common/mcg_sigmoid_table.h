/* SPDX-License-Identifier: Apache-2.0 */
/* Sigmoid and tanh of 16-bit numbers in Q3.12 (times a power of two), as 16-bit fractions: between
 * the entries of a table of 2^16 * sigmoid(n / 24) they are straight lines. */
#ifndef MCG_SIGMOID_TABLE_H
#define MCG_SIGMOID_TABLE_H

#include "mcg_common.h"

/* How inputs are scaled to 3 * 2^12: multiplied, then shifted right with rounding. */
typedef struct {
  int32_t multiplier;
  int32_t right;
} mcg_sigmoid_input;

MCG_INLINE int32_t mcg_sigmoid_scaled(mcg_sigmoid_input to, int32_t value) {
  const int32_t half = to.right > 0 ? INT32_C(1) << (to.right - 1) : 0;
  return (value * to.multiplier + half) >> to.right;
}

/* 2^(16 + bits) * sigmoid(|scaled| / (24 * 2^bits)), `end` beyond the table. */
MCG_INLINE uint32_t mcg_sigmoid_between(const int16_t *table, uint32_t magnitude, uint32_t bits,
                                        uint32_t end) {
  const uint32_t entry = magnitude >> bits;
  if (entry >= 255u) return end;
  const uint32_t low = (uint16_t)table[entry], high = (uint16_t)table[entry + 1u];
  return (low << bits) + (magnitude & ((1u << bits) - 1u)) * (high - low);
}

MCG_INLINE uint32_t mcg_magnitude(int32_t value) {
  return value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
}

/* Sigmoid in Q0.15. */
MCG_INLINE int32_t mcg_sigmoid_q15(const int16_t *table, mcg_sigmoid_input to, int32_t value) {
  const int32_t scaled = mcg_sigmoid_scaled(to, value);
  const uint32_t result = mcg_sigmoid_between(table, mcg_magnitude(scaled), 9u, 0x7FFFu << 10);
  return (int16_t)((scaled >= 0 ? result + 512u : (1u << 25) - result + 511u) >> 10);
}

/* Tanh in Q0.15, by tanh(x) = 2 * sigmoid(2 * x) - 1. */
MCG_INLINE int32_t mcg_tanh_q15(const int16_t *table, mcg_sigmoid_input to, int32_t value) {
  const int32_t scaled = mcg_sigmoid_scaled(to, value);
  const int32_t result =
      (int32_t)mcg_sigmoid_between(table, mcg_magnitude(scaled), 8u, 0xFFFFu << 8);
  const int32_t one = INT32_C(1) << 23;
  return (int16_t)((scaled >= 0 ? result - one + 128 : one - result + 127) >> 8);
}

#endif /* MCG_SIGMOID_TABLE_H */
