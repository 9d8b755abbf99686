/* SPDX-License-Identifier: Apache-2.0 */
/* DEQUANTIZE, int8 to float32. */
#ifndef MCG_DEQUANTIZE_S8_F32_H
#define MCG_DEQUANTIZE_S8_F32_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
  int32_t zero_point;
  float scale;
} mcg_dequantize_s8_f32_params;

MCG_INLINE void mcg_dequantize_s8_f32(const mcg_dequantize_s8_f32_params *p, const int8_t *input,
                                      float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = p->scale * (float)(input[i] - p->zero_point);
  }
}

#endif /* MCG_DEQUANTIZE_S8_F32_H */
