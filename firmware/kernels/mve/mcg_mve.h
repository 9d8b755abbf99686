/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels for MVE (Helium) share: requantization of four accumulators at a time, and the
 * inner products of windows with filters. */
#ifndef MCG_MVE_H
#define MCG_MVE_H

#if !defined(__ARM_FEATURE_MVE)
#error "this kernel needs a core with MVE: generate the project for the board that it is built for"
#endif

#include <arm_mve.h>

#include "mcg_filter_s8.h"

/* {a0, a1, a2, a3} */
MCG_INLINE int32x4_t mcg_mve_vector(int32_t a0, int32_t a1, int32_t a2, int32_t a3) {
  int32x4_t vector;
  __asm__(
      "vmov %e0, %1, %2\n\t"
      "vmov %f0, %3, %4"
      : "=&w"(vector)
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3));
  return vector;
}

/* How accumulators become outputs. */
enum {
  MCG_MVE_ANY,   /* as mcg_requantize() does */
  MCG_MVE_DOWN,  /* as mcg_requantize_down() does */
  MCG_MVE_UPWARD /* likewise, and the outputs are all that int8 has from the zero point on */
};

MCG_INLINE int32_t mcg_mve_form(const mcg_output_stage *stage) {
  if (!stage->scale_down) {
    return MCG_MVE_ANY;
  }
  return stage->zero_point == INT8_MIN && stage->min == INT8_MIN && stage->max == INT8_MAX
             ? MCG_MVE_UPWARD
             : MCG_MVE_DOWN;
}

/* Four accumulators in the scale of the output. */
MCG_INLINE int32x4_t mcg_mve_requantize(int32x4_t value, int32x4_t multiplier, int32x4_t shift,
                                        int32_t form) {
  if (form != MCG_MVE_ANY) {
    const int32x4_t product = vqrdmulhq_s32(value, multiplier);
    if (form == MCG_MVE_UPWARD) {
      /* Negatives become the zero point, however their ties are rounded. */
      return vrshlq_s32(product, shift);
    }
    /* The shift rounds ties up. One less for negatives makes that ties away from zero. */
    return vrshlq_s32(vaddq_s32(product, vshrq_n_s32(product, 31)), shift);
  }
  const int32x4_t zero = vdupq_n_s32(0);
  const int32x4_t right = vminq_s32(shift, zero);
  const int32x4_t product = vqrdmulhq_s32(vshlq_s32(value, vmaxq_s32(shift, zero)), multiplier);
  /* One less for those negatives that are shifted at all. */
  const int32x4_t less = vshrq_n_s32(vandq_s32(product, right), 31);
  return vrshlq_s32(vqaddq_s32(product, less), right);
}

/* Four accumulators, requantized, to values within the range of outputs. The stage is passed by
 * value, for else every store to the output could change it. */
MCG_INLINE int32x4_t mcg_mve_output(mcg_output_stage stage, int32x4_t value, int32x4_t multiplier,
                                    int32x4_t shift, int32_t form) {
  const int32x4_t scaled = mcg_mve_requantize(value, multiplier, shift, form);
  const int32x4_t moved = vaddq_n_s32(scaled, stage.zero_point);
  return vminq_s32(vmaxq_s32(moved, vdupq_n_s32(stage.min)), vdupq_n_s32(stage.max));
}

/* Words of which the lower half has `first` and the upper half `second`, each as one byte of output
 * of form MCG_MVE_UPWARD. GCC would copy vectors that are an input and
 * the output. */
MCG_INLINE uint32x4_t mcg_mve_narrow_upward(int32x4_t first, int32x4_t second) {
  __asm__(
      "vqmovunb.s32 %q[first], %q[first]\n\t"
      "vqmovunt.s32 %q[first], %q[second]\n\t"
      "vqmovnb.u16 %q[first], %q[first]"
      : [first] "+w"(first)
      : [second] "w"(second));
  return veorq_u32(vreinterpretq_u32_s32(first), vreinterpretq_u32_u8(vdupq_n_u8(128)));
}

/* Copies bytes, sixteen at a time. */
MCG_INLINE void mcg_mve_copy(int8_t *to, const int8_t *from, int32_t bytes) {
  __asm__ volatile(
      "wlstp.8 lr, %[bytes], 2f\n"
      "1:\n\t"
      "vldrb.8 q0, [%[from]], #16\n\t"
      "vstrb.8 q0, [%[to]], #16\n\t"
      "letp lr, 1b\n"
      "2:"
      : [to] "+r"(to), [from] "+r"(from)
      : [bytes] "r"(bytes)
      : "q0", "lr", "cc", "memory");
}

/* Sets bytes, sixteen at a time. */
MCG_INLINE void mcg_mve_set(int8_t *to, int32_t value, int32_t bytes) {
  __asm__ volatile(
      "vdup.8 q0, %[value]\n\t"
      "wlstp.8 lr, %[bytes], 2f\n"
      "1:\n\t"
      "vstrb.8 q0, [%[to]], #16\n\t"
      "letp lr, 1b\n"
      "2:"
      : [to] "+r"(to)
      : [value] "r"(value), [bytes] "r"(bytes)
      : "q0", "lr", "cc", "memory");
}

#endif /* MCG_MVE_H */
