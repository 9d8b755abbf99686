/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX, float32, over rows: exponentials of beta times the distance to the row's maximum,
 * divided by their sum. The output may be the input. */
#ifndef MCG_SOFTMAX_F32_H
#define MCG_SOFTMAX_F32_H

#include "mcg_f32.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  float beta;
} mcg_softmax_f32_params;

MCG_INLINE void mcg_softmax_f32(const mcg_softmax_f32_params *p, const float *input,
                                float *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    const float largest = mcg_row_max_f32(input, p->depth);
    float sum = 0.0f;
    for (int32_t i = 0; i < p->depth; ++i) {
      output[i] = expf((input[i] - largest) * p->beta);
      sum += output[i];
    }
    for (int32_t i = 0; i < p->depth; ++i) {
      output[i] /= sum;
    }
    input += p->depth;
    output += p->depth;
  }
}

#endif /* MCG_SOFTMAX_F32_H */
