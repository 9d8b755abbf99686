/* SPDX-License-Identifier: Apache-2.0 */
/* Inner products of a vector with four rows of weights at a time, for recurrent layers. */
#ifndef MCG_FOUR_ROWS_S8_H
#define MCG_FOUR_ROWS_S8_H

#include "mcg_filter_s8.h"

/* sums[n] = inner product of x and row n; weights is [4][depth], or what a variant makes of it. */
typedef void (*mcg_four_rows)(const int8_t *x, int32_t depth, const int8_t *weights, int32_t *sums);

MCG_INLINE void mcg_four_rows_s8(const int8_t *x, int32_t depth, const int8_t *weights,
                                 int32_t *sums) {
#if MCG_SMALL_CORE
  mcg_filter_rows(x, depth, weights, 2, sums);
  const int32_t first = sums[0], second = sums[1];
  mcg_filter_rows(x, depth, weights + 2 * depth, 2, sums);
  sums[2] = sums[0];
  sums[3] = sums[1];
  sums[0] = first;
  sums[1] = second;
#else
  mcg_filter_rows(x, depth, weights, 4, sums);
#endif
}

#endif /* MCG_FOUR_ROWS_S8_H */
