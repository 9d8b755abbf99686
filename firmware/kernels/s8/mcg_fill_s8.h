/* SPDX-License-Identifier: Apache-2.0 */
/* Sets bytes to one value: the border of PAD, and zeros of any type. */
#ifndef MCG_FILL_S8_H
#define MCG_FILL_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
  int32_t value;
} mcg_fill_s8_params;

MCG_INLINE void mcg_fill_s8(const mcg_fill_s8_params *p, void *output) {
  memset(output, (int)p->value, (size_t)p->count);
}

#endif /* MCG_FILL_S8_H */
