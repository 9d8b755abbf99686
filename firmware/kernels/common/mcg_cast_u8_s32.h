/* SPDX-License-Identifier: Apache-2.0 */
/* CAST, bool to int32. */
#ifndef MCG_CAST_U8_S32_H
#define MCG_CAST_U8_S32_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
} mcg_cast_u8_s32_params;

MCG_INLINE void mcg_cast_u8_s32(const mcg_cast_u8_s32_params *p, const uint8_t *input,
                                int32_t *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = input[i];
  }
}

#endif /* MCG_CAST_U8_S32_H */
