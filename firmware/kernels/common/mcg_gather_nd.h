/* SPDX-License-Identifier: Apache-2.0 */
/* GATHER_ND: parts of `table` that begin where `indices` [count, depth] say. A position outside of
 * the table becomes the nearest one. */
#ifndef MCG_GATHER_ND_H
#define MCG_GATHER_ND_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
  int32_t depth;
  int32_t stride[5]; /* elements, of the `depth` outer dimensions */
  int32_t last;      /* element at which the last part begins */
  int32_t elements;  /* of one part */
  int32_t bytes;     /* of one element */
} mcg_gather_nd_params;

MCG_INLINE void mcg_gather_nd(const mcg_gather_nd_params *p, const int32_t *indices,
                              const void *table, void *output) {
  const int32_t size = p->elements * p->bytes;
  uint8_t *to = (uint8_t *)output;
  for (int32_t i = 0; i < p->count; ++i) {
    uint32_t sum = 0; /* wraps around for indices far out of range */
    for (int32_t n = 0; n < p->depth; ++n) {
      sum += (uint32_t)*indices++ * (uint32_t)p->stride[n];
    }
    const int32_t position = mcg_clamp((int32_t)sum, 0, p->last);
    memcpy(to, (const uint8_t *)table + position * p->bytes, (size_t)size);
    to += size;
  }
}

#endif /* MCG_GATHER_ND_H */
