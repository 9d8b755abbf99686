/* SPDX-License-Identifier: Apache-2.0 */
/* GATHER and EMBEDDING_LOOKUP: rows of `table` [batches, outer, rows, bytes] picked by `indices`
 * [batches, indices]. An index outside of the table picks the nearest row. */
#ifndef MCG_GATHER_H
#define MCG_GATHER_H

#include "mcg_common.h"

typedef struct {
  int32_t batches;
  int32_t outer;
  int32_t rows;
  int32_t indices; /* per batch */
  int32_t bytes;   /* of one row */
} mcg_gather_params;

MCG_INLINE void mcg_gather(const mcg_gather_params *p, const int32_t *indices, const void *table,
                           void *output) {
  const uint8_t *from = (const uint8_t *)table;
  uint8_t *to = (uint8_t *)output;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t outer = 0; outer < p->outer; ++outer) {
      for (int32_t i = 0; i < p->indices; ++i) {
        const int32_t row = mcg_clamp(indices[i], 0, p->rows - 1);
        memcpy(to, from + row * p->bytes, (size_t)p->bytes);
        to += p->bytes;
      }
      from += p->rows * p->bytes;
    }
    indices += p->indices;
  }
}

#endif /* MCG_GATHER_H */
