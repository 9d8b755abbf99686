/* SPDX-License-Identifier: Apache-2.0 */
/* RESIZE_BILINEAR, int8: every output pixel mixes four pixels. Tables hold three numbers for each
 * output row and column: elements to the first and to the second input row or column, and the
 * second one's weight in 1/1024. */
#ifndef MCG_RESIZE_BILINEAR_S8_H
#define MCG_RESIZE_BILINEAR_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t batches;
  int32_t batch_size; /* elements of one input image */
  int32_t rows;       /* of the output, as columns */
  int32_t columns;
  int32_t channels;
} mcg_resize_bilinear_s8_params;

MCG_INLINE void mcg_resize_bilinear_s8(const mcg_resize_bilinear_s8_params *p, const int8_t *input,
                                       const int32_t *row, const int32_t *column, int8_t *output) {
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t y = 0; y < p->rows; ++y) {
      const int32_t *r = row + 3 * y;
      for (int32_t x = 0; x < p->columns; ++x) {
        const int32_t *c = column + 3 * x;
        for (int32_t i = 0; i < p->channels; ++i) {
          const int8_t *top = input + r[0] + i;
          const int8_t *bottom = input + r[1] + i;
          const int32_t above = top[c[0]] * (1024 - c[2]) + top[c[1]] * c[2];
          const int32_t below = bottom[c[0]] * (1024 - c[2]) + bottom[c[1]] * c[2];
          /* Weights add up to 2^20, so that the sum is within 28 bits. */
          const int32_t sum = above * (1024 - r[2]) + below * r[2];
          *output++ = (int8_t)mcg_shift_right_rounding(sum, 20);
        }
      }
    }
    input += p->batch_size;
  }
}

#endif /* MCG_RESIZE_BILINEAR_S8_H */
