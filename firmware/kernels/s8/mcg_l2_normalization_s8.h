/* SPDX-License-Identifier: Apache-2.0 */
/* L2_NORMALIZATION, int8 to int8 of scale 1/128, zero point 0: each row of `depth` values divided
 * by its length. The output may be the input. */
#ifndef MCG_L2_NORMALIZATION_S8_H
#define MCG_L2_NORMALIZATION_S8_H

#include "mcg_inverse_square_root.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t zero_point;
} mcg_l2_normalization_s8_params;

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
