/* SPDX-License-Identifier: Apache-2.0 */
/* BATCH_MATMUL, int16 with zero point 0: products of matrices [rows, depth] and [depth, columns],
 * in up to three nested loops of batches. Steps are elements; a batch step of 0 repeats an operand.
 */
#ifndef MCG_BATCH_MATMUL_S16_H
#define MCG_BATCH_MATMUL_S16_H

#include "mcg_filter_s16.h"

typedef struct {
  int32_t batches[3];
  int32_t batch_step1[3];
  int32_t batch_step2[3];
  int32_t rows;
  int32_t depth;
  int32_t columns;
  int32_t row_step1;
  int32_t depth_step1;
  int32_t depth_step2;
  int32_t column_step2;
  int32_t multiplier; /* of 15 bits */
  int32_t shift;
} mcg_batch_matmul_s16_params;

/* One product of two matrices. */
MCG_INLINE void mcg_matmul_s16(const mcg_batch_matmul_s16_params *p, const int16_t *input1,
                               const int16_t *input2, int16_t *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    for (int32_t column = 0; column < p->columns; ++column) {
      const int16_t *a = input1 + row * p->row_step1;
      const int16_t *b = input2 + column * p->column_step2;
      int64_t sum = 0;
      for (int32_t i = 0; i < p->depth; ++i) {
        sum += (int32_t)a[i * p->depth_step1] * b[i * p->depth_step2];
      }
      const int32_t scaled = mcg_requantize_wide(sum, p->multiplier, p->shift);
      *output++ = (int16_t)mcg_clamp(scaled, INT16_MIN, INT16_MAX);
    }
  }
}

MCG_INLINE void mcg_batch_matmul_s16(const mcg_batch_matmul_s16_params *p, const int16_t *input1,
                                     const int16_t *input2, int16_t *output) {
  for (int32_t a = 0; a < p->batches[0]; ++a) {
    for (int32_t b = 0; b < p->batches[1]; ++b) {
      for (int32_t c = 0; c < p->batches[2]; ++c) {
        mcg_matmul_s16(
            p, input1 + a * p->batch_step1[0] + b * p->batch_step1[1] + c * p->batch_step1[2],
            input2 + a * p->batch_step2[0] + b * p->batch_step2[1] + c * p->batch_step2[2], output);
        output += p->rows * p->columns;
      }
    }
  }
}

#endif /* MCG_BATCH_MATMUL_S16_H */
