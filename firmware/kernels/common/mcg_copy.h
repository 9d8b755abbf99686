/* SPDX-License-Identifier: Apache-2.0 */
/* Copies rows of bytes between two layouts: every op that only moves values. */
#ifndef MCG_COPY_H
#define MCG_COPY_H

#include "mcg_copy_row.h"

typedef struct {
  int32_t count[5];         /* rows, in nested loops, outermost first */
  int32_t input_stride[5];  /* bytes; 0 repeats a row, negative goes backwards */
  int32_t output_stride[5]; /* bytes */
  int32_t bytes;            /* of one row */
} mcg_copy_params;

/* The two innermost loops. */
MCG_INLINE void mcg_copy_rows(const mcg_copy_params *p, const uint8_t *input, uint8_t *output) {
  for (int32_t d = 0; d < p->count[3]; ++d) {
    const uint8_t *from = input + d * p->input_stride[3];
    uint8_t *to = output + d * p->output_stride[3];
    for (int32_t e = 0; e < p->count[4]; ++e) {
      mcg_copy_row(to, from, p->bytes);
      from += p->input_stride[4];
      to += p->output_stride[4];
    }
  }
}

MCG_INLINE void mcg_copy(const mcg_copy_params *p, const void *input, void *output) {
  for (int32_t a = 0; a < p->count[0]; ++a) {
    for (int32_t b = 0; b < p->count[1]; ++b) {
      for (int32_t c = 0; c < p->count[2]; ++c) {
        mcg_copy_rows(p,
                      (const uint8_t *)input + a * p->input_stride[0] + b * p->input_stride[1] +
                          c * p->input_stride[2],
                      (uint8_t *)output + a * p->output_stride[0] + b * p->output_stride[1] +
                          c * p->output_stride[2]);
      }
    }
  }
}

#endif /* MCG_COPY_H */
