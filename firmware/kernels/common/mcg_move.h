/* SPDX-License-Identifier: Apache-2.0 */
/* Copies one row of bytes, or rows at equal distances: mcg_copy() with a single loop, as one
 * function for all its calls. */
#ifndef MCG_MOVE_H
#define MCG_MOVE_H

#include "mcg_copy_row.h"

typedef struct {
  int32_t rows;
  int32_t input_stride;  /* bytes; 0 repeats a row, negative goes backwards */
  int32_t output_stride; /* bytes */
  int32_t bytes;         /* of one row */
} mcg_move_params;

MCG_SHARED void mcg_move(const mcg_move_params *p, const void *input, void *output) {
  const uint8_t *from = input;
  uint8_t *to = output;
  for (int32_t row = 0; row < p->rows; ++row) {
    mcg_copy_row(to, from, p->bytes);
    from += p->input_stride;
    to += p->output_stride;
  }
}

#endif /* MCG_MOVE_H */
