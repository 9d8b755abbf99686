/* SPDX-License-Identifier: Apache-2.0 */
/* LEAKY_RELU, float32: numbers above 0 as they are, others times alpha. The output may be the
 * input.
 */
#ifndef MCG_LEAKY_RELU_F32_H
#define MCG_LEAKY_RELU_F32_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
  float alpha;
} mcg_leaky_relu_f32_params;

MCG_INLINE void mcg_leaky_relu_f32(const mcg_leaky_relu_f32_params *p, const float *input,
                                   float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = input[i] > 0.0f ? input[i] : input[i] * p->alpha;
  }
}

#endif /* MCG_LEAKY_RELU_F32_H */
