/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN and SUM, int8, over any axes but the last, by MVE: four elements of the output at a time,
 * whose inputs lie side by side (kept_stride[2] is 1). */
#ifndef MCG_MEAN_S8_MVE_H
#define MCG_MEAN_S8_MVE_H

#include <stddef.h>

#include "mcg_mean_s8.h"
#include "mcg_mve.h"

typedef mcg_mean_s8_params mcg_mean_s8_mve_params;

/* Sums over the reduced axes of those of four elements from `input` on that are in `lanes`. */
MCG_INLINE int32x4_t mcg_mve_mean_sum(const mcg_mean_s8_params *p, const int8_t *input,
                                      mve_pred16_t lanes) {
  int32x4_t sum = vdupq_n_s32(p->bias);
  for (int32_t a = 0; a < p->reduced[0]; ++a) {
    for (int32_t b = 0; b < p->reduced[1]; ++b) {
      const int8_t *from = input + a * p->reduced_stride[0] + b * p->reduced_stride[1];
      for (int32_t c = p->reduced[2]; c > 0; --c) {
        sum = vaddq_s32(sum, vldrbq_z_s32(from, lanes));
        from += p->reduced_stride[2];
      }
    }
  }
  return sum;
}

MCG_INLINE void mcg_mean_s8_mve(const mcg_mean_s8_mve_params *p, const int8_t *input,
                                int8_t *output) {
  const mcg_output_stage stage = {
      NULL, NULL, 0, 0, p->zero_point, INT8_MIN, INT8_MAX,
  };
  const int32x4_t multiplier = vdupq_n_s32(p->multiplier), shift = vdupq_n_s32(p->shift);
  for (int32_t a = 0; a < p->kept[0]; ++a) {
    for (int32_t b = 0; b < p->kept[1]; ++b) {
      const int8_t *from = input + a * p->kept_stride[0] + b * p->kept_stride[1];
      for (int32_t left = p->kept[2]; left > 0; left -= 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)left);
        const int32x4_t sum = mcg_mve_mean_sum(p, from, lanes);
        const int32x4_t mean = mcg_mve_output(stage, sum, multiplier, shift, MCG_MVE_ANY);
        vstrbq_p_s32(output, mean, lanes);
        output += mcg_min(left, 4);
        from += 4;
      }
    }
  }
}

#endif /* MCG_MEAN_S8_MVE_H */
