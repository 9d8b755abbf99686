/* SPDX-License-Identifier: Apache-2.0 */
/* BATCH_MATMUL, int8: products of matrices [rows, depth] and [depth, columns], in up to three
 * nested loops of batches. Steps are elements; a batch step of 0 repeats an operand. */
#ifndef MCG_BATCH_MATMUL_S8_H
#define MCG_BATCH_MATMUL_S8_H

#include "mcg_common.h"

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
  int32_t zero_point1;
  int32_t zero_point2;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
} mcg_batch_matmul_s8_params;

/* One product of two matrices. */
MCG_INLINE void mcg_matmul_s8(const mcg_batch_matmul_s8_params *p, const int8_t *input1,
                              const int8_t *input2, int8_t *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    for (int32_t column = 0; column < p->columns; ++column) {
      const int8_t *a = input1 + row * p->row_step1;
      const int8_t *b = input2 + column * p->column_step2;
      int32_t sum = 0;
      for (int32_t i = 0; i < p->depth; ++i) {
        sum += (a[i * p->depth_step1] - p->zero_point1) * (b[i * p->depth_step2] - p->zero_point2);
      }
      const int32_t scaled = mcg_requantize(sum, p->multiplier, p->shift) + p->zero_point;
      *output++ = (int8_t)mcg_clamp(scaled, INT8_MIN, INT8_MAX);
    }
  }
}

MCG_INLINE void mcg_batch_matmul_s8(const mcg_batch_matmul_s8_params *p, const int8_t *input1,
                                    const int8_t *input2, int8_t *output) {
  for (int32_t a = 0; a < p->batches[0]; ++a) {
    for (int32_t b = 0; b < p->batches[1]; ++b) {
      for (int32_t c = 0; c < p->batches[2]; ++c) {
        mcg_matmul_s8(
            p, input1 + a * p->batch_step1[0] + b * p->batch_step1[1] + c * p->batch_step1[2],
            input2 + a * p->batch_step2[0] + b * p->batch_step2[1] + c * p->batch_step2[2], output);
        output += p->rows * p->columns;
      }
    }
  }
}

#endif /* MCG_BATCH_MATMUL_S8_H */
