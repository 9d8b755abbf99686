/* SPDX-License-Identifier: Apache-2.0 */
/* The same float32 everywhere. */
#ifndef MCG_FILL_F32_H
#define MCG_FILL_F32_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
  float value;
} mcg_fill_f32_params;

MCG_INLINE void mcg_fill_f32(const mcg_fill_f32_params *p, float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = p->value;
  }
}

#endif /* MCG_FILL_F32_H */
