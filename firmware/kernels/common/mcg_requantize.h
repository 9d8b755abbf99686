/* SPDX-License-Identifier: Apache-2.0 */
/* What the DSP and MLA kernels share: from accumulators to outputs in few instructions.
 *
 * Factors are stored so that one instruction gives the rounded high product: `doubled` is twice the
 * multiplier modulo 2^32, and so 2^32 less than twice the multiplier, which is 2^30 to 2^31 - 1.
 * Then acc * doubled / 2^32 + acc, rounded, is mcg_mul_high(acc, multiplier). `right` is the shift
 * to the right, 1 to 31. A multiplier of 0 is told by doubled = 0 and right = 31. |acc| < 2^30.
 */
#ifndef MCG_REQUANTIZE_H
#define MCG_REQUANTIZE_H

#include <stddef.h>

#include "mcg_common.h"

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#define MCG_DSP 1
#else
#define MCG_DSP 0
#endif

/* Cores with SMLAL and MLA, but without the instructions above: Cortex-M3. */
#if !MCG_DSP && defined(__ARM_ARCH_PROFILE) && defined(__GNUC__)
#define MCG_MLA (__ARM_ARCH_PROFILE == 'M' && !MCG_SMALL_CORE)
#else
#define MCG_MLA 0
#endif

#if MCG_DSP || MCG_MLA
/* Stops the assembler if the code since a label has not the bytes that entries into it count on. */
#define MCG_CHECK_STEPS(label, bytes) \
  ".if . - " label " - (" bytes       \
  ")\n\t"                             \
  ".error \"the steps have another size\"\n\t.endif\n\t"

/* An operand: the offset of a field from another one. */
#define MCG_OFFSET(type, field, base) "i"((int)offsetof(type, field) - (int)offsetof(type, base))

/* The rounded high product in assembly, on registers given as strings. SMLAL adds to 64 bits, and
 * takes a register for the lower half: r10 where none is named. */
#if MCG_DSP
#define MCG_PRODUCT(acc, doubled) "smmlar " acc ", " acc ", " doubled ", " acc "\n\t"
#else
#define MCG_PRODUCT_BY(spare, acc, doubled) \
  "mov.w " spare                            \
  ", #0x80000000\n\t"                       \
  "smlal " spare ", " acc ", " acc ", " doubled "\n\t"
#define MCG_PRODUCT(acc, doubled) MCG_PRODUCT_BY("r10", acc, doubled)
#endif

/* mcg_requantize_to_8() on registers. The shift leaves the last bit that it drops in the carry
 * flag, which is the rounding; one less for negatives turns ties upwards into ties away from zero.
 */
#define MCG_TO_8(acc, doubled, right, zero) \
  MCG_PRODUCT(acc, doubled)                 \
  "add " acc ", " acc ", " acc ", asr #31\n\t" MCG_TO_8_LAST(acc, right, zero)

/* The same where zero is -128: negatives become -128 whichever way their ties go. */
#define MCG_TO_8_FROM_LOWEST(acc, doubled, right, zero) \
  MCG_PRODUCT(acc, doubled) MCG_TO_8_LAST(acc, right, zero)

#define MCG_TO_8_LAST(acc, right, zero) \
  "asrs " acc ", " acc ", " right       \
  "\n\t"                                \
  "adc " acc ", " acc ", " zero         \
  "\n\t"                                \
  "ssat " acc ", #8, " acc "\n\t"
#endif

/* mcg_requantize_down() with these factors. */
MCG_INLINE int32_t mcg_requantize_doubled(int32_t value, int32_t doubled, int32_t right) {
#if MCG_DSP
  __asm__(
      "smmlar %0, %0, %1, %0\n\t"
      "add %0, %0, %0, asr #31\n\t"
      "asrs %0, %0, %2\n\t"
      "adc %0, %0, #0"
      : "+r"(value)
      : "r"(doubled), "r"(right)
      : "cc");
  return value;
#elif MCG_MLA
  int32_t low;
  __asm__(MCG_PRODUCT_BY("%1", "%0", "%2")
          "add %0, %0, %0, asr #31\n\t"
          "asrs %0, %0, %3\n\t"
          "adc %0, %0, #0"
          : "+&r"(value), "=&r"(low)
          : "r"(doubled), "r"(right)
          : "cc");
  return value;
#else
  const int32_t product = value + (int32_t)(((int64_t)value * doubled + (INT64_C(1) << 31)) >> 32);
  return (((product + (product >> 31)) >> (right - 1)) + 1) >> 1;
#endif
}

/* From an accumulator to an int8 output: product, shift and zero point, saturated to 8 bits. */
MCG_INLINE int32_t mcg_requantize_to_8(int32_t acc, int32_t doubled, int32_t right,
                                       int32_t zero_point) {
#if MCG_DSP
  __asm__(MCG_TO_8("%0", "%1", "%2", "%3")
          : "+r"(acc)
          : "r"(doubled), "r"(right), "r"(zero_point)
          : "cc");
  return acc;
#elif MCG_MLA
  int32_t low;
  __asm__(
      MCG_PRODUCT_BY("%1", "%0", "%2") "add %0, %0, %0, asr #31\n\t" MCG_TO_8_LAST("%0", "%3", "%4")
      : "+&r"(acc), "=&r"(low)
      : "r"(doubled), "r"(right), "r"(zero_point)
      : "cc");
  return acc;
#else
  return mcg_clamp(mcg_requantize_doubled(acc, doubled, right) + zero_point, INT8_MIN, INT8_MAX);
#endif
}

#endif /* MCG_REQUANTIZE_H */
