/* SPDX-License-Identifier: Apache-2.0 */
/* MAXIMUM and MINIMUM, int8, with broadcasting, by MVE, eight at a time. Each operand of the
 * innermost loop has stride 1 or 0. The output may be one of the operands. */
#ifndef MCG_EXTREMUM_S8_MVE_H
#define MCG_EXTREMUM_S8_MVE_H

#include "mcg_broadcast_mve.h"
#include "mcg_extremum_s8.h"

typedef mcg_extremum_s8_params mcg_extremum_s8_mve_params;

MCG_INLINE void mcg_mve_extremum_eight(const mcg_extremum_s8_params *p, const int8_t *input1,
                                       const int8_t *input2, int8_t *output, int32_t left) {
  const int16x8_t value1 = mcg_mve_load_eight(input1, p->stride1[3], left);
  const int16x8_t value2 = mcg_mve_load_eight(input2, p->stride2[3], left);
  const int16x8_t found = p->largest ? vmaxq_s16(value1, value2) : vminq_s16(value1, value2);
  mcg_mve_store_eight(output, found, left);
}

MCG_INLINE void mcg_extremum_s8_mve(const mcg_extremum_s8_mve_params *p, const int8_t *input1,
                                    const int8_t *input2, int8_t *output) {
  MCG_MVE_FOR_EIGHTS(p, input1, input2, output, mcg_mve_extremum_eight)
}

#endif /* MCG_EXTREMUM_S8_MVE_H */
