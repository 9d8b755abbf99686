/* SPDX-License-Identifier: Apache-2.0 */
/* LOG_SOFTMAX, float32, over rows: the distance to the row's maximum, less the logarithm of the sum
 * of the exponentials of all distances. The output may be the input. */
#ifndef MCG_LOG_SOFTMAX_F32_H
#define MCG_LOG_SOFTMAX_F32_H

#include "mcg_f32.h"

typedef struct {
  int32_t rows;
  int32_t depth;
} mcg_log_softmax_f32_params;

MCG_INLINE void mcg_log_softmax_f32(const mcg_log_softmax_f32_params *p, const float *input,
                                    float *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    const float largest = mcg_row_max_f32(input, p->depth);
    float sum = 0.0f;
    for (int32_t i = 0; i < p->depth; ++i) {
      sum += expf(input[i] - largest);
    }
    const float log_sum = logf(sum);
    for (int32_t i = 0; i < p->depth; ++i) {
      output[i] = input[i] - largest - log_sum;
    }
    input += p->depth;
    output += p->depth;
  }
}

#endif /* MCG_LOG_SOFTMAX_F32_H */
