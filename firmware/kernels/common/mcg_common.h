/* SPDX-License-Identifier: Apache-2.0 */
/* What all kernels share: fixed-point arithmetic.
 *
 * The arithmetic is that of TensorFlow Lite's reference kernels (double rounding), bit for bit.
 */
#ifndef MCG_COMMON_H
#define MCG_COMMON_H

#include <stdint.h>
#include <string.h>

#include "mcg_compiler.h"

/* Raised whenever kernels and generated code have to change together. Generated code checks it. */
#define MCG_RUNTIME_VERSION 1

/* C99 leaves both to the implementation; all arithmetic below relies on them. */
typedef char mcg_assert_arithmetic_shift_32[((int32_t)-3 >> 1) == -2 ? 1 : -1];
typedef char mcg_assert_arithmetic_shift_64[((int64_t)-3 >> 1) == -2 ? 1 : -1];
typedef char mcg_assert_wrapping_conversion[(int32_t)UINT32_MAX == -1 ? 1 : -1];

MCG_INLINE int32_t mcg_min(int32_t a, int32_t b) { return a < b ? a : b; }

MCG_INLINE int32_t mcg_max(int32_t a, int32_t b) { return a > b ? a : b; }

MCG_INLINE int32_t mcg_clamp(int32_t value, int32_t low, int32_t high) {
  return mcg_min(mcg_max(value, low), high);
}

/* value * 2^bits, modulo 2^32. bits is 0 to 31. */
MCG_INLINE int32_t mcg_shift_left(int32_t value, int32_t bits) {
  return (int32_t)((uint32_t)value << bits);
}

/* Cores with neither a product of 64 bits nor multiply-accumulate, and eight registers for most
 * instructions: Cortex-M0, M0+, M1 and M23. */
#if defined(__ARM_ARCH) && __ARM_ARCH_ISA_THUMB == 1
#define MCG_SMALL_CORE 1
#else
#define MCG_SMALL_CORE 0
#endif

/* a * b / 2^31, rounded to nearest, ties up, by products of 16 bits. a and b may not both be
 * INT32_MIN. */
MCG_SHARED int32_t mcg_mul_high_by_halves(int32_t a, int32_t b) {
  const int32_t low_a = a & 0xFFFF, high_a = a >> 16;
  const int32_t low_b = b & 0xFFFF, high_b = b >> 16;
  const int32_t middle1 = high_a * low_b;
  const int32_t middle2 = low_a * high_b;
  /* Bits 16 to 33 of the product, whose lowest 16 bits play no part. */
  const int32_t middle =
      (int32_t)((uint32_t)low_a * (uint32_t)low_b >> 16) + (middle1 & 0xFFFF) + (middle2 & 0xFFFF);
  const int32_t high = high_a * high_b + (middle1 >> 16) + (middle2 >> 16);
  return high * 2 + (((middle >> 14) + 1) >> 1);
}

/* a * b / 2^31, rounded to nearest, ties up. a and b may not both be INT32_MIN. */
MCG_INLINE int32_t mcg_mul_high(int32_t a, int32_t b) {
#if MCG_SMALL_CORE
  return mcg_mul_high_by_halves(a, b);
#else
  return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
#endif
}

/* The same for all a and b: the one case without a result saturates to INT32_MAX. */
MCG_INLINE int32_t mcg_mul_high_saturating(int32_t a, int32_t b) {
  return (a == INT32_MIN && b == INT32_MIN) ? INT32_MAX : mcg_mul_high(a, b);
}

/* value / 2^bits, rounded to nearest, ties away from zero. bits is 0 to 31. */
MCG_INLINE int32_t mcg_shift_right_rounding(int32_t value, int32_t bits) {
  const int32_t mask = (int32_t)((UINT32_C(1) << bits) - 1u);
  const int32_t half = (mask >> 1) + (value < 0);
  return (value >> bits) + ((value & mask) > half);
}

/* value * multiplier * 2^(shift - 31): from an accumulator to the scale of the output.
 * multiplier >= 0; shift is -31 to 30, positive to the left. */
MCG_INLINE int32_t mcg_requantize(int32_t value, int32_t multiplier, int32_t shift) {
  const int32_t left = mcg_max(shift, 0);
  return mcg_shift_right_rounding(mcg_mul_high(mcg_shift_left(value, left), multiplier),
                                  left - shift);
}

/* mcg_requantize() in fewer instructions, for shift <= -1 and |value| < 2^30. */
MCG_INLINE int32_t mcg_requantize_down(int32_t value, int32_t multiplier, int32_t shift) {
  const int32_t product = mcg_mul_high(value, multiplier);
  /* One less for negatives turns ties upwards into ties away from zero. */
  return (((product + (product >> 31)) >> (-1 - shift)) + 1) >> 1;
}

#endif /* MCG_COMMON_H */
