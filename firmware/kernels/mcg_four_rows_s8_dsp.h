/* mcg_four_rows_s8() by two products per instruction, on the model's own order of weights. */
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
  const int8_t *w1 = weights + depth, *w2 = w1 + depth, *w3 = w2 + depth;
  const int8_t *end = x + (depth & ~3);
  int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
  for (; x != end; x += 4, weights += 4, w1 += 4, w2 += 4, w3 += 4) {
    const uint32_t word = mcg_load_4(x);
    const uint32_t even = mcg_even_bytes(word), odd = mcg_odd_bytes(word);
    a0 = mcg_word_times_row(even, odd, weights, a0);
    a1 = mcg_word_times_row(even, odd, w1, a1);
    a2 = mcg_word_times_row(even, odd, w2, a2);
    a3 = mcg_word_times_row(even, odd, w3, a3);
  }
  for (int32_t i = 0; i < (depth & 3); ++i) {
    a0 += x[i] * weights[i];
    a1 += x[i] * w1[i];
    a2 += x[i] * w2[i];
    a3 += x[i] * w3[i];
  }
  sums[0] = a0;
  sums[1] = a1;
  sums[2] = a2;
  sums[3] = a3;
}

#endif /* MCG_FOUR_ROWS_S8_DSP_H */
