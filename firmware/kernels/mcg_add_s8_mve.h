/* ADD and SUB, int8, with broadcasting, by MVE: both operands are brought to twice the larger of
 * their scales with 20 more bits, added or subtracted, and requantized, four at a time. Each
 * operand of the innermost loop has stride 1 or 0. The output may be one of the operands. */
#ifndef MCG_ADD_S8_MVE_H
#define MCG_ADD_S8_MVE_H

#include "mcg_add_s8.h"
#include "mcg_mve.h"

typedef mcg_add_s8_params mcg_add_s8_mve_params;

/* mcg_rescale() of four values, for shift <= 0. */
MCG_INLINE int32x4_t mcg_mve_rescale(int32x4_t value, int32_t multiplier, int32_t shift) {
  const int32x4_t product = vqrdmulhq_n_s32(value, multiplier);
  /* One less for those negatives that are shifted at all: ties away from zero. */
  const int32x4_t less = vshrq_n_s32(vandq_s32(product, vdupq_n_s32(shift)), 31);
  return vrshlq_n_s32(vaddq_s32(product, less), shift);
}

/* Four elements of an operand, scaled. */
MCG_INLINE int32x4_t mcg_mve_add_operand(const int8_t *from, int32_t stride, mve_pred16_t lanes,
                                         int32_t zero_point, int32_t multiplier, int32_t shift) {
  const int32x4_t value = stride ? vldrbq_z_s32(from, lanes) : vdupq_n_s32(from[0]);
  return mcg_mve_rescale(vshlq_n_s32(vsubq_n_s32(value, zero_point), 20), multiplier, shift);
}

/* One run of the innermost loop. */
MCG_INLINE void mcg_mve_add_run(const mcg_add_s8_params *p, const int8_t *input1,
                                const int8_t *input2, int8_t *output, int32_t stride1,
                                int32_t stride2) {
  for (int32_t left = p->count[3]; left > 0; left -= 4) {
    const mve_pred16_t lanes = vctp32q((uint32_t)left);
    const int32x4_t scaled1 =
        mcg_mve_add_operand(input1, stride1, lanes, p->zero_point1, p->multiplier1, p->shift1);
    const int32x4_t scaled2 =
        mcg_mve_add_operand(input2, stride2, lanes, p->zero_point2, p->multiplier2, p->shift2);
    const int32x4_t sum = p->subtract ? vsubq_s32(scaled1, scaled2) : vaddq_s32(scaled1, scaled2);
    const int32x4_t scaled =
        vaddq_n_s32(mcg_mve_rescale(sum, p->multiplier, p->shift), p->zero_point);
    vstrbq_p_s32(output, vminq_s32(vmaxq_s32(scaled, vdupq_n_s32(p->min)), vdupq_n_s32(p->max)),
                 lanes);
    input1 += 4 * stride1;
    input2 += 4 * stride2;
    output += 4;
  }
}

MCG_INLINE void mcg_add_s8_mve(const mcg_add_s8_mve_params *p, const int8_t *input1,
                               const int8_t *input2, int8_t *output) {
  for (int32_t a = 0; a < p->count[0]; ++a) {
    for (int32_t b = 0; b < p->count[1]; ++b) {
      for (int32_t c = 0; c < p->count[2]; ++c) {
        const int8_t *run1 = input1 + a * p->stride1[0] + b * p->stride1[1] + c * p->stride1[2];
        const int8_t *run2 = input2 + a * p->stride2[0] + b * p->stride2[1] + c * p->stride2[2];
        mcg_mve_add_run(p, run1, run2, output, p->stride1[3], p->stride2[3]);
        output += p->count[3];
      }
    }
  }
}

#endif /* MCG_ADD_S8_MVE_H */
