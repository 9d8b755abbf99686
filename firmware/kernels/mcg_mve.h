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

/* mcg_requantize_down() or, where scale_down is 0, mcg_requantize() of four values. */
MCG_INLINE int32x4_t mcg_mve_requantize(int32x4_t value, int32x4_t multiplier, int32x4_t shift,
                                        int32_t scale_down) {
  if (scale_down) {
    const int32x4_t product = vqrdmulhq_s32(value, multiplier);
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
                                    int32x4_t shift, int32_t scale_down) {
  const int32x4_t scaled = mcg_mve_requantize(value, multiplier, shift, scale_down);
  const int32x4_t moved = vaddq_n_s32(scaled, stage.zero_point);
  return vminq_s32(vmaxq_s32(moved, vdupq_n_s32(stage.min)), vdupq_n_s32(stage.max));
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
