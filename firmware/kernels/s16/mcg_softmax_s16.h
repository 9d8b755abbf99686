/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX over rows, int16 to int16 of scale 2^-15, zero points 0, by two tables of 513 entries,
 * between which is interpolated: the exponentials of -10 ... 0, and 1 / (1 + x) for x in 0 ... 1.
 * The output may be the input. */
#ifndef MCG_SOFTMAX_S16_H
#define MCG_SOFTMAX_S16_H

#include "mcg_common.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t multiplier; /* brings distances to 10 / 65535 */
  int32_t shift;
} mcg_softmax_s16_params;

/* The function whose table this is, for a value that is clamped to int16. */
MCG_INLINE int32_t mcg_look_up_s16(const int16_t *table, int32_t value) {
  const int32_t clamped = mcg_clamp(value, INT16_MIN, INT16_MAX);
  const int16_t *entry = table + 256 + (clamped >> 7);
  const int32_t slope = entry[1] - entry[0];
  return entry[0] + ((slope * (clamped & 127) + 64) >> 7);
}

MCG_INLINE void mcg_softmax_s16(const mcg_softmax_s16_params *p, const int16_t *input,
                                const int16_t *exp_table, const int16_t *reciprocal_table,
                                int16_t *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    int32_t largest = input[0];
    for (int32_t i = 1; i < p->depth; ++i) {
      largest = mcg_max(largest, input[i]);
    }
    uint32_t sum = 0;
    for (int32_t i = 0; i < p->depth; ++i) {
      const int32_t distance = mcg_requantize(input[i] - largest, p->multiplier, p->shift);
      const int32_t share = mcg_look_up_s16(exp_table, distance + INT16_MAX);
      output[i] = (int16_t)share;
      sum += (uint32_t)share;
    }
    /* sum = 2^(31 - zeros) * (1 + fraction); it holds the maximum's own share of almost 2^15. */
    int32_t zeros = 1;
    while ((sum >> 30) == 0u) {
      sum <<= 1;
      ++zeros;
    }
    const int32_t fraction = (int32_t)((sum + (UINT32_C(1) << 13)) >> 14) - 3 * (INT32_C(1) << 15);
    const int32_t scale = mcg_look_up_s16(reciprocal_table, fraction);
    const int32_t shift = 31 - zeros;
    for (int32_t i = 0; i < p->depth; ++i) {
      const int64_t product = (int64_t)output[i] * scale + (INT64_C(1) << (shift - 1));
      output[i] = (int16_t)mcg_clamp((int32_t)(product >> shift), 0, INT16_MAX);
    }
    input += p->depth;
    output += p->depth;
  }
}

#endif /* MCG_SOFTMAX_S16_H */
