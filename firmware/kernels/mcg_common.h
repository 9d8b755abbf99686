/* What all kernels share: compiler attributes and fixed-point arithmetic.
 *
 * The arithmetic is that of TensorFlow Lite's reference kernels (double rounding), bit for bit.
 */
#ifndef MCG_COMMON_H
#define MCG_COMMON_H

#include <stdint.h>
#include <string.h>

/* Raised whenever kernels and generated code have to change together. Generated code checks it. */
#define MCG_RUNTIME_VERSION 1

/* Kernels are inlined into their one caller, which passes constant parameters. */
#define MCG_INLINE static inline __attribute__((always_inline, unused))

/* Parts that would be copied into every layer for nothing: one copy for the whole model. */
#define MCG_SHARED static __attribute__((noinline, unused))

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

/* a * b / 2^31, rounded to nearest, ties up. a and b may not both be INT32_MIN. */
MCG_INLINE int32_t mcg_mul_high(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
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
