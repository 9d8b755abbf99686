/* SPDX-License-Identifier: Apache-2.0 */
/* What element-wise kernels of two operands share. */
#ifndef MCG_BROADCAST_H
#define MCG_BROADCAST_H

#include "mcg_common.h"

#define MCG_BROADCAST_LOOPS 4

/* Runs `statement` for every pair of operands in the output's order, with the int32_t indices `i1`
 * and `i2` into them; outermost loop first. p has count[], stride1[] and stride2[], the last two in
 * elements; a stride of 0 stretches that operand. */
#define MCG_FOR_BROADCAST(p, i1, i2, statement)                                          \
  for (int32_t mcg_a = 0; mcg_a < (p)->count[0]; ++mcg_a) {                              \
    for (int32_t mcg_b = 0; mcg_b < (p)->count[1]; ++mcg_b) {                            \
      for (int32_t mcg_c = 0; mcg_c < (p)->count[2]; ++mcg_c) {                          \
        const int32_t mcg_row1 =                                                         \
            mcg_a * (p)->stride1[0] + mcg_b * (p)->stride1[1] + mcg_c * (p)->stride1[2]; \
        const int32_t mcg_row2 =                                                         \
            mcg_a * (p)->stride2[0] + mcg_b * (p)->stride2[1] + mcg_c * (p)->stride2[2]; \
        for (int32_t mcg_d = 0; mcg_d < (p)->count[3]; ++mcg_d) {                        \
          const int32_t i1 = mcg_row1 + mcg_d * (p)->stride1[3];                         \
          const int32_t i2 = mcg_row2 + mcg_d * (p)->stride2[3];                         \
          statement;                                                                     \
        }                                                                                \
      }                                                                                  \
    }                                                                                    \
  }

/* mcg_requantize() for |value| <= 2^30, in the shorter form where the shift allows it. */
MCG_INLINE int32_t mcg_rescale(int32_t value, int32_t multiplier, int32_t shift) {
  return shift < 0 ? mcg_requantize_down(value, multiplier, shift)
                   : mcg_requantize(value, multiplier, shift);
}

#endif /* MCG_BROADCAST_H */
