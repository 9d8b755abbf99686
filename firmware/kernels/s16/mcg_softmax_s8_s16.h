/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX over rows, int8 (any scale) to int16 (scale 2^-16, zero point -32768). exp_table[d] is
 * the exponential of a logit that is d below its row's maximum, as a fraction of 2^31; beyond the
 * table it counts as 0. */
#ifndef MCG_SOFTMAX_S8_S16_H
#define MCG_SOFTMAX_S8_S16_H

#include "mcg_softmax_s8.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t entries; /* of exp_table */
} mcg_softmax_s8_s16_params;

MCG_INLINE void mcg_softmax_s8_s16(const mcg_softmax_s8_s16_params *p, const int8_t *input,
                                   const int32_t *exp_table, int16_t *output) {
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
    const int32_t scale = mcg_one_over_one_plus((int32_t)(sum - (UINT32_C(1) << 31)));
    const int32_t shift = 12 - zeros + 31 - 16;
    for (int32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = largest - input[i];
      int32_t scaled = 0;
      if (distance < p->entries) {
        scaled = mcg_shift_right_rounding(mcg_mul_high(scale, exp_table[distance]), shift);
      }
      output[i] = (int16_t)mcg_min(scaled + INT16_MIN, INT16_MAX);
    }
    input += p->depth;
    output += p->depth;
  }
}

#endif /* MCG_SOFTMAX_S8_S16_H */
