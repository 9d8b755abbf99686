/* SPDX-License-Identifier: Apache-2.0 */
/* CAST, float32 to int8, int16 or int32: truncated toward zero; what does not fit becomes the
 * lowest or highest number, NaN becomes 0. */
#ifndef MCG_CAST_F32_INT_H
#define MCG_CAST_F32_INT_H

#include "mcg_integers.h"

typedef struct {
  int32_t count;
  int32_t output_bytes; /* 1, 2 or 4 per element */
} mcg_cast_f32_int_params;

/* The whole number in a float, within -half to half - 1; half is a power of two. */
MCG_INLINE int32_t mcg_whole_part(float value, float half) {
  if (value != value) {
    return 0;
  }
  if (value >= half) {
    return half >= 2147483648.0f ? INT32_MAX : (int32_t)half - 1;
  }
  return (int32_t)(value < -half ? -half : value);
}

MCG_INLINE void mcg_cast_f32_int(const mcg_cast_f32_int_params *p, const float *input,
                                 void *output) {
  const float half = p->output_bytes == 1   ? 128.0f
                     : p->output_bytes == 2 ? 32768.0f
                                            : 2147483648.0f;
  for (int32_t i = 0; i < p->count; ++i) {
    mcg_store_int(output, i, p->output_bytes, mcg_whole_part(input[i], half));
  }
}

#endif /* MCG_CAST_F32_INT_H */
