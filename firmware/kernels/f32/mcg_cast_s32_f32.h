/* SPDX-License-Identifier: Apache-2.0 */
/* CAST, int32 to float32, rounded to nearest where 24 bits do not hold it. */
#ifndef MCG_CAST_S32_F32_H
#define MCG_CAST_S32_F32_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
} mcg_cast_s32_f32_params;

MCG_INLINE void mcg_cast_s32_f32(const mcg_cast_s32_f32_params *p, const int32_t *input,
                                 float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = (float)input[i];
  }
}

#endif /* MCG_CAST_S32_F32_H */
