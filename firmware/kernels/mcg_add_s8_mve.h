/* ADD and SUB, int8, with broadcasting, by MVE: both operands are brought to twice the larger of
 * their scales with 20 more bits, added or subtracted, and requantized, eight at a time. Each
 * operand of the innermost loop has stride 1 or 0. The output may be one of the operands.
 *
 * VRSHL rounds ties up, the reference away from zero. ties1, ties2 and ties say whether there are
 * any of negatives when operands and sum are shifted.
 */
#ifndef MCG_ADD_S8_MVE_H
#define MCG_ADD_S8_MVE_H

#include "mcg_broadcast.h"
#include "mcg_mve.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t subtract; /* 1 for SUB, 0 for ADD */
  int32_t zero_point1;
  int32_t multiplier1;
  int32_t shift1; /* as all shifts here, 0 or negative (to the right) */
  int32_t zero_point2;
  int32_t multiplier2;
  int32_t shift2;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
  int32_t min;
  int32_t max;
  int32_t ties1;
  int32_t ties2;
  int32_t ties;
} mcg_add_s8_mve_params;

/* Elements 0, 2, 4 and 6 of eight, and the others. */
typedef struct {
  int32x4_t even;
  int32x4_t odd;
} mcg_mve_eight;

/* mcg_rescale() of four values, for shift <= 0. */
MCG_INLINE int32x4_t mcg_mve_rescale(int32x4_t value, int32_t multiplier, int32_t shift,
                                     int32_t ties) {
  const int32x4_t product = vqrdmulhq_n_s32(value, multiplier);
  if (shift == 0) {
    return product;
  }
  /* One less for negatives makes ties upwards ties away from zero. */
  return vrshlq_n_s32(ties ? vaddq_s32(product, vshrq_n_s32(product, 31)) : product, shift);
}

/* Eight elements of an operand, scaled; only `left` of them count, if that is less. */
MCG_INLINE mcg_mve_eight mcg_mve_add_operand(const int8_t *from, int32_t stride, int32_t left,
                                             int32_t zero_point, int32_t multiplier, int32_t shift,
                                             int32_t ties) {
  const int16x8_t value = stride == 0 ? vdupq_n_s16(from[0])
                          : left >= 8 ? vldrbq_s16(from)
                                      : vldrbq_z_s16(from, vctp16q((uint32_t)left));
  const int16x8_t moved = vsubq_n_s16(value, (int16_t)zero_point);
  mcg_mve_eight scaled;
  if (multiplier == INT32_C(1) << 30 && shift == 0) {
    /* The operand of the larger scale: the half is 19 bits more. */
    scaled.even = vshllbq_n_s16(vshlq_n_s16(moved, 4), 15);
    scaled.odd = vshlltq_n_s16(vshlq_n_s16(moved, 4), 15);
  } else {
    const int16x8_t more = vshlq_n_s16(moved, 5);
    scaled.even = mcg_mve_rescale(vshllbq_n_s16(more, 15), multiplier, shift, ties);
    scaled.odd = mcg_mve_rescale(vshlltq_n_s16(more, 15), multiplier, shift, ties);
  }
  return scaled;
}

/* Eight elements of the output, or as many as are left. */
MCG_INLINE void mcg_mve_add_eight(const mcg_add_s8_mve_params *p, const int8_t *input1,
                                  const int8_t *input2, int8_t *output, int32_t left) {
  const mcg_mve_eight scaled1 = mcg_mve_add_operand(input1, p->stride1[3], left, p->zero_point1,
                                                    p->multiplier1, p->shift1, p->ties1);
  const mcg_mve_eight scaled2 = mcg_mve_add_operand(input2, p->stride2[3], left, p->zero_point2,
                                                    p->multiplier2, p->shift2, p->ties2);
  int32x4_t even =
      p->subtract ? vsubq_s32(scaled1.even, scaled2.even) : vaddq_s32(scaled1.even, scaled2.even);
  int32x4_t odd =
      p->subtract ? vsubq_s32(scaled1.odd, scaled2.odd) : vaddq_s32(scaled1.odd, scaled2.odd);
  even = mcg_mve_rescale(even, p->multiplier, p->shift, p->ties);
  odd = mcg_mve_rescale(odd, p->multiplier, p->shift, p->ties);
  int16x8_t values = vqmovnbq_s32(vreinterpretq_s16_s32(even), even);
  values = vqaddq_n_s16(vqmovntq_s32(values, odd), (int16_t)p->zero_point);
  values = vmaxq_s16(values, vdupq_n_s16((int16_t)p->min));
  values = vminq_s16(values, vdupq_n_s16((int16_t)p->max));
  if (left >= 8) {
    vstrbq_s16(output, values);
  } else {
    vstrbq_p_s16(output, values, vctp16q((uint32_t)left));
  }
}

/* One run of the innermost loop. */
MCG_INLINE void mcg_mve_add_run(const mcg_add_s8_mve_params *p, const int8_t *input1,
                                const int8_t *input2, int8_t *output) {
  const int32_t rest = p->count[3] & 7;
  for (int32_t whole = p->count[3] >> 3; whole > 0; --whole) {
    mcg_mve_add_eight(p, input1, input2, output, 8);
    input1 += 8 * p->stride1[3];
    input2 += 8 * p->stride2[3];
    output += 8;
  }
  if (rest > 0) {
    mcg_mve_add_eight(p, input1, input2, output, rest);
  }
}

MCG_INLINE void mcg_add_s8_mve(const mcg_add_s8_mve_params *p, const int8_t *input1,
                               const int8_t *input2, int8_t *output) {
  for (int32_t a = 0; a < p->count[0]; ++a) {
    for (int32_t b = 0; b < p->count[1]; ++b) {
      for (int32_t c = 0; c < p->count[2]; ++c) {
        const int8_t *run1 = input1 + a * p->stride1[0] + b * p->stride1[1] + c * p->stride1[2];
        const int8_t *run2 = input2 + a * p->stride2[0] + b * p->stride2[1] + c * p->stride2[2];
        mcg_mve_add_run(p, run1, run2, output);
        output += p->count[3];
      }
    }
  }
}

#endif /* MCG_ADD_S8_MVE_H */
