/* SPDX-License-Identifier: Apache-2.0 */
/* Any function from a byte to a byte, as a table: activations, ABS, LOGICAL_NOT, QUANTIZE between
 * int8 and uint8. The table is indexed by the input's raw byte. The output may be the input. */
#ifndef MCG_LUT_8_H
#define MCG_LUT_8_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
} mcg_lut_8_params;

MCG_INLINE void mcg_lut_8(const mcg_lut_8_params *p, const void *input, const uint8_t *table,
                          void *output) {
  const uint8_t *from = (const uint8_t *)input;
  uint8_t *to = (uint8_t *)output;
  for (int32_t i = 0; i < p->count; ++i) {
    to[i] = table[from[i]];
  }
}

#endif /* MCG_LUT_8_H */
