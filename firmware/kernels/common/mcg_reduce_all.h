/* SPDX-License-Identifier: Apache-2.0 */
/* REDUCE_ALL, bool, over any axes: whether all are true. */
#ifndef MCG_REDUCE_ALL_H
#define MCG_REDUCE_ALL_H

#include "mcg_reduce_extremum_s8.h"

typedef mcg_reduce_extremum_s8_params mcg_reduce_all_params;

/* Of bytes that are 0 or 1, the least is 1 if all are. */
MCG_INLINE void mcg_reduce_all(const mcg_reduce_all_params *p, const uint8_t *input,
                               uint8_t *output) {
  mcg_reduce_extremum_s8(p, (const int8_t *)input, (int8_t *)output);
}

#endif /* MCG_REDUCE_ALL_H */
