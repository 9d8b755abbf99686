/* SPDX-License-Identifier: Apache-2.0 */
/* RESIZE_NEAREST_NEIGHBOR: copies pixels; tables say from where, in bytes. */
#ifndef MCG_RESIZE_NEAREST_H
#define MCG_RESIZE_NEAREST_H

#include "mcg_common.h"

typedef struct {
  int32_t batches;
  int32_t batch_bytes; /* of the input */
  int32_t rows;        /* of the output, as columns */
  int32_t columns;
  int32_t pixel_bytes;
} mcg_resize_nearest_params;

MCG_INLINE void mcg_resize_nearest(const mcg_resize_nearest_params *p, const void *input,
                                   const int32_t *row, const int32_t *column, void *output) {
  const uint8_t *from = (const uint8_t *)input;
  uint8_t *to = (uint8_t *)output;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t y = 0; y < p->rows; ++y) {
      for (int32_t x = 0; x < p->columns; ++x) {
        memcpy(to, from + row[y] + column[x], (size_t)p->pixel_bytes);
        to += p->pixel_bytes;
      }
    }
    from += p->batch_bytes;
  }
}

#endif /* MCG_RESIZE_NEAREST_H */
