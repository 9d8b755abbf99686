/* SPDX-License-Identifier: Apache-2.0 */
/* QUANTIZE, float32 to int8: the quotient by the scale, rounded to nearest, ties away from zero.
 * Out of range saturates; NaN becomes -128. */
#ifndef MCG_QUANTIZE_F32_S8_H
#define MCG_QUANTIZE_F32_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
  int32_t zero_point;
  float scale;
} mcg_quantize_f32_s8_params;

MCG_INLINE void mcg_quantize_f32_s8(const mcg_quantize_f32_s8_params *p, const float *input,
                                    int8_t *output) {
  const float low = (float)(INT8_MIN - p->zero_point);
  const float high = (float)(INT8_MAX - p->zero_point);
  for (int32_t i = 0; i < p->count; ++i) {
    const float quotient = input[i] / p->scale;
    /* Clamped first: the limits are whole numbers, and what is converted to int must fit. */
    const float above = quotient > low ? quotient : low;
    const float clamped = above < high ? above : high;
    const int32_t whole = (int32_t)clamped;
    const float rest = clamped - (float)whole;
    const int32_t rounded = whole + (rest >= 0.5f) - (rest <= -0.5f);
    output[i] = (int8_t)(rounded + p->zero_point);
  }
}

#endif /* MCG_QUANTIZE_F32_S8_H */
