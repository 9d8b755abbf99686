/* SPDX-License-Identifier: Apache-2.0 */
/* CAST between integer types: of a number that does not fit, the lowest bits are kept. */
#ifndef MCG_CAST_INT_H
#define MCG_CAST_INT_H

#include "mcg_integers.h"

typedef struct {
  int32_t count;
  int32_t input_bytes; /* 1, 2 or 4 per element, signed */
  int32_t output_bytes;
} mcg_cast_int_params;

MCG_INLINE void mcg_cast_int(const mcg_cast_int_params *p, const void *input, void *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    mcg_store_int(output, i, p->output_bytes, mcg_load_int(input, i, p->input_bytes));
  }
}

#endif /* MCG_CAST_INT_H */
