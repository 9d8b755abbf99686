/* SPDX-License-Identifier: Apache-2.0 */
/* SELECT_V2: elements of `input1` where the condition holds, else of `input2`, with broadcasting.
 */
#ifndef MCG_SELECT_H
#define MCG_SELECT_H

#include "mcg_common.h"

typedef struct {
  int32_t count[5]; /* nested loops, outermost first */
  int32_t condition_stride[5];
  int32_t stride1[5]; /* elements, as the others */
  int32_t stride2[5];
  int32_t bytes; /* of one element */
} mcg_select_params;

/* Where an operand stands in the four outer loops. */
MCG_INLINE int32_t mcg_select_row(const int32_t *stride, int32_t a, int32_t b, int32_t c,
                                  int32_t d) {
  return a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3];
}

MCG_INLINE void mcg_select(const mcg_select_params *p, const uint8_t *condition, const void *input1,
                           const void *input2, void *output) {
  uint8_t *to = (uint8_t *)output;
  for (int32_t a = 0; a < p->count[0]; ++a) {
    for (int32_t b = 0; b < p->count[1]; ++b) {
      for (int32_t c = 0; c < p->count[2]; ++c) {
        for (int32_t d = 0; d < p->count[3]; ++d) {
          const int32_t row = mcg_select_row(p->condition_stride, a, b, c, d);
          const int32_t row1 = mcg_select_row(p->stride1, a, b, c, d);
          const int32_t row2 = mcg_select_row(p->stride2, a, b, c, d);
          for (int32_t e = 0; e < p->count[4]; ++e) {
            const int32_t at1 = (row1 + e * p->stride1[4]) * p->bytes;
            const int32_t at2 = (row2 + e * p->stride2[4]) * p->bytes;
            const uint8_t *from = condition[row + e * p->condition_stride[4]]
                                      ? (const uint8_t *)input1 + at1
                                      : (const uint8_t *)input2 + at2;
            memcpy(to, from, (size_t)p->bytes);
            to += p->bytes;
          }
        }
      }
    }
  }
}

#endif /* MCG_SELECT_H */
