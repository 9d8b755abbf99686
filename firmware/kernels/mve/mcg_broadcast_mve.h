/* SPDX-License-Identifier: Apache-2.0 */
/* What element-wise kernels of two int8 operands share on cores with MVE: eight elements at a time,
 * where each operand of the innermost loop has stride 1 or 0. */
#ifndef MCG_BROADCAST_MVE_H
#define MCG_BROADCAST_MVE_H

#include "mcg_broadcast.h"
#include "mcg_mve.h"

/* Elements 0, 2, 4 and 6 of eight, and the others. */
typedef struct {
  int32x4_t even;
  int32x4_t odd;
} mcg_mve_eight;

/* Eight elements of an operand; only `left` of them count, if that is less. */
MCG_INLINE int16x8_t mcg_mve_load_eight(const int8_t *from, int32_t stride, int32_t left) {
  return stride == 0 ? vdupq_n_s16(from[0])
         : left >= 8 ? vldrbq_s16(from)
                     : vldrbq_z_s16(from, vctp16q((uint32_t)left));
}

/* Eight elements of the output, or as many as are left. */
MCG_INLINE void mcg_mve_store_eight(int8_t *output, int16x8_t values, int32_t left) {
  if (left >= 8) {
    vstrbq_s16(output, values);
  } else {
    vstrbq_p_s16(output, values, vctp16q((uint32_t)left));
  }
}

/* Values in the output's scale as elements of it. */
MCG_INLINE int16x8_t mcg_mve_narrow_eight(mcg_mve_eight scaled, int32_t zero_point, int32_t min,
                                          int32_t max) {
  int16x8_t values = vqmovnbq_s32(vreinterpretq_s16_s32(scaled.even), scaled.even);
  values = vqaddq_n_s16(vqmovntq_s32(values, scaled.odd), (int16_t)zero_point);
  values = vmaxq_s16(values, vdupq_n_s16((int16_t)min));
  return vminq_s16(values, vdupq_n_s16((int16_t)max));
}

/* mcg_rescale() of four values. VRSHL rounds ties up, the reference away from zero: ties says
 * whether there are any of negatives when the products are shifted to the right. */
MCG_INLINE int32x4_t mcg_mve_rescale(int32x4_t value, int32_t multiplier, int32_t shift,
                                     int32_t ties) {
  if (shift > 0) {
    return vqrdmulhq_n_s32(vshlq_r_s32(value, shift), multiplier);
  }
  const int32x4_t product = vqrdmulhq_n_s32(value, multiplier);
  if (shift == 0) {
    return product;
  }
  /* One less for negatives makes ties upwards ties away from zero. */
  return vrshlq_n_s32(ties ? vaddq_s32(product, vshrq_n_s32(product, 31)) : product, shift);
}

/* Runs eight(p, operand1, operand2, output, left) for all elements, eight at a time; the last ones
 * of an innermost loop may be fewer. */
#define MCG_MVE_FOR_EIGHTS(p, input1, input2, output, eight)                                     \
  for (int32_t mcg_a = 0; mcg_a < (p)->count[0]; ++mcg_a) {                                      \
    for (int32_t mcg_b = 0; mcg_b < (p)->count[1]; ++mcg_b) {                                    \
      for (int32_t mcg_c = 0; mcg_c < (p)->count[2]; ++mcg_c) {                                  \
        const int8_t *mcg_from1 = (input1) + mcg_a * (p)->stride1[0] + mcg_b * (p)->stride1[1] + \
                                  mcg_c * (p)->stride1[2];                                       \
        const int8_t *mcg_from2 = (input2) + mcg_a * (p)->stride2[0] + mcg_b * (p)->stride2[1] + \
                                  mcg_c * (p)->stride2[2];                                       \
        for (int32_t mcg_d = (p)->count[3] >> 3; mcg_d > 0; --mcg_d) {                           \
          eight(p, mcg_from1, mcg_from2, output, 8);                                             \
          mcg_from1 += 8 * (p)->stride1[3];                                                      \
          mcg_from2 += 8 * (p)->stride2[3];                                                      \
          (output) += 8;                                                                         \
        }                                                                                        \
        if ((p)->count[3] & 7) {                                                                 \
          eight(p, mcg_from1, mcg_from2, output, (p)->count[3] & 7);                             \
          (output) += (p)->count[3] & 7;                                                         \
        }                                                                                        \
      }                                                                                          \
    }                                                                                            \
  }

#endif /* MCG_BROADCAST_MVE_H */
