/* SPDX-License-Identifier: Apache-2.0 */
/* DYNAMIC_UPDATE_SLICE: copies a block of any elements into a larger one, at indices that the model
 * computes. They are moved inside where the block would reach outside. */
#ifndef MCG_UPDATE_SLICE_H
#define MCG_UPDATE_SLICE_H

#include "mcg_copy.h"

typedef struct {
  int32_t count[5];         /* rows of the block, in nested loops, outermost first */
  int32_t input_stride[5];  /* bytes */
  int32_t output_stride[5]; /* bytes */
  int32_t bytes;            /* of one row */
  int32_t rank;             /* indices */
  int32_t last[5];          /* the largest index, by dimension */
  int32_t step[5];          /* bytes from one index to the next */
} mcg_update_slice_params;

MCG_INLINE void mcg_update_slice(const mcg_update_slice_params *p, const void *update,
                                 const int32_t *indices, void *output) {
  uint8_t *to = (uint8_t *)output;
  mcg_copy_params block;
  memcpy(block.count, p->count, sizeof block.count);
  memcpy(block.input_stride, p->input_stride, sizeof block.input_stride);
  memcpy(block.output_stride, p->output_stride, sizeof block.output_stride);
  block.bytes = p->bytes;
  for (int32_t n = 0; n < p->rank; ++n) {
    to += mcg_clamp(indices[n], 0, p->last[n]) * p->step[n];
  }
  mcg_copy(&block, update, to);
}

#endif /* MCG_UPDATE_SLICE_H */
