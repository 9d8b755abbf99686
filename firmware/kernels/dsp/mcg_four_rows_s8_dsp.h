/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_four_rows_s8() by two products per instruction.
 *
 * Rows of weights are padded with zeros to whole words, and those of four rows lie side by side, a
 * word of each in turn. Up to three bytes after x are read, and count nothing.
 */
#ifndef MCG_FOUR_ROWS_S8_DSP_H
#define MCG_FOUR_ROWS_S8_DSP_H

#include "mcg_dsp.h"
#include "mcg_four_rows_s8.h"

MCG_INLINE int32_t mcg_word_times_row(uint32_t even, uint32_t odd, const int8_t *row, int32_t acc) {
  const uint32_t weights = mcg_load_4(row);
  return mcg_smlad(odd, mcg_odd_bytes(weights), mcg_smlad(even, mcg_even_bytes(weights), acc));
}

MCG_SHARED void mcg_four_rows_s8_dsp(const int8_t *x, int32_t depth, const int8_t *weights,
                                     int32_t *sums) {
  int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
  for (const int8_t *end = x + depth; x < end; x += 4, weights += 16) {
    const uint32_t word = mcg_load_4(x);
    const uint32_t even = mcg_even_bytes(word), odd = mcg_odd_bytes(word);
    a0 = mcg_word_times_row(even, odd, weights, a0);
    a1 = mcg_word_times_row(even, odd, weights + 4, a1);
    a2 = mcg_word_times_row(even, odd, weights + 8, a2);
    a3 = mcg_word_times_row(even, odd, weights + 12, a3);
  }
  sums[0] = a0;
  sums[1] = a1;
  sums[2] = a2;
  sums[3] = a3;
}

#endif /* MCG_FOUR_ROWS_S8_DSP_H */
