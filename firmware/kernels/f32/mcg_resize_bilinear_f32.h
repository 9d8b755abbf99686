/* SPDX-License-Identifier: Apache-2.0 */
/* RESIZE_BILINEAR, float32: every output pixel mixes four pixels. `row` and `column` hold, for each
 * row and column of the output, the elements to the first and to the second input row or column;
 * `down` and `right` how much the second one weighs. */
#ifndef MCG_RESIZE_BILINEAR_F32_H
#define MCG_RESIZE_BILINEAR_F32_H

#include "mcg_common.h"

typedef struct {
  int32_t batches;
  int32_t batch_size; /* elements of one input image */
  int32_t rows;       /* of the output, as columns */
  int32_t columns;
  int32_t channels;
} mcg_resize_bilinear_f32_params;

MCG_INLINE void mcg_resize_bilinear_f32(const mcg_resize_bilinear_f32_params *p, const float *input,
                                        const int32_t *row, const float *down,
                                        const int32_t *column, const float *right, float *output) {
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t y = 0; y < p->rows; ++y) {
      const float *top = input + row[2 * y];
      const float *bottom = input + row[2 * y + 1];
      const float dy = down[y];
      for (int32_t x = 0; x < p->columns; ++x) {
        const int32_t left = column[2 * x];
        const int32_t next = column[2 * x + 1];
        const float dx = right[x];
        for (int32_t i = 0; i < p->channels; ++i) {
          *output++ = top[left + i] * (1.0f - dy) * (1.0f - dx) +
                      bottom[left + i] * dy * (1.0f - dx) + top[next + i] * (1.0f - dy) * dx +
                      bottom[next + i] * dy * dx;
        }
      }
    }
    input += p->batch_size;
  }
}

#endif /* MCG_RESIZE_BILINEAR_F32_H */
