/* SPDX-License-Identifier: Apache-2.0 */
/* QUANTIZE between integer types: the distance to the input's zero point, requantized, and clamped
 * to the output's type. */
#ifndef MCG_REQUANTIZE_INT_H
#define MCG_REQUANTIZE_INT_H

#include "mcg_integers.h"

typedef struct {
  int32_t count;
  int32_t input_bytes; /* 1, 2 or 4 per element, signed */
  int32_t output_bytes;
  int32_t input_zero_point;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
} mcg_requantize_int_params;

MCG_INLINE void mcg_requantize_int(const mcg_requantize_int_params *p, const void *input,
                                   void *output) {
  const int32_t low = p->output_bytes == 1   ? INT8_MIN
                      : p->output_bytes == 2 ? INT16_MIN
                                             : INT32_MIN;
  for (int32_t i = 0; i < p->count; ++i) {
    const int32_t value = mcg_load_int(input, i, p->input_bytes) - p->input_zero_point;
    const int32_t scaled = mcg_requantize(value, p->multiplier, p->shift) + p->zero_point;
    mcg_store_int(output, i, p->output_bytes, mcg_clamp(scaled, low, -1 - low));
  }
}

#endif /* MCG_REQUANTIZE_INT_H */
