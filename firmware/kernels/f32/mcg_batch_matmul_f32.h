/* SPDX-License-Identifier: Apache-2.0 */
/* BATCH_MATMUL, float32: products of matrices [rows, depth] and [depth, columns], in up to three
 * nested loops of batches. Steps are elements; a batch step of 0 repeats an operand. */
#ifndef MCG_BATCH_MATMUL_F32_H
#define MCG_BATCH_MATMUL_F32_H

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
} mcg_batch_matmul_f32_params;

/* One product of two matrices, two columns at a time. */
MCG_INLINE void mcg_matmul_f32(const mcg_batch_matmul_f32_params *p, const float *input1,
                               const float *input2, float *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    const float *a = input1 + row * p->row_step1;
    int32_t column = 0;
    for (; column + 2 <= p->columns; column += 2) {
      const float *b = input2 + column * p->column_step2;
      float sum0 = 0.0f, sum1 = 0.0f;
      for (int32_t i = 0; i < p->depth; ++i) {
        const float value = a[i * p->depth_step1];
        sum0 += value * b[i * p->depth_step2];
        sum1 += value * b[i * p->depth_step2 + p->column_step2];
      }
      *output++ = sum0;
      *output++ = sum1;
    }
    if (column < p->columns) {
      const float *b = input2 + column * p->column_step2;
      float sum = 0.0f;
      for (int32_t i = 0; i < p->depth; ++i) {
        sum += a[i * p->depth_step1] * b[i * p->depth_step2];
      }
      *output++ = sum;
    }
  }
}

MCG_INLINE void mcg_batch_matmul_f32(const mcg_batch_matmul_f32_params *p,
                                     const float *MCG_RESTRICT input1,
                                     const float *MCG_RESTRICT input2, float *MCG_RESTRICT output) {
  for (int32_t a = 0; a < p->batches[0]; ++a) {
    for (int32_t b = 0; b < p->batches[1]; ++b) {
      for (int32_t c = 0; c < p->batches[2]; ++c) {
        mcg_matmul_f32(
            p, input1 + a * p->batch_step1[0] + b * p->batch_step1[1] + c * p->batch_step1[2],
            input2 + a * p->batch_step2[0] + b * p->batch_step2[1] + c * p->batch_step2[2], output);
        output += p->rows * p->columns;
      }
    }
  }
}

#endif /* MCG_BATCH_MATMUL_F32_H */
