/* What all kernels share: compiler attributes, fixed-point arithmetic, and the inner product.
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

/* mcg_requantize() in fewer instructions, for shift <= -1 and |value| <= 2^30. */
MCG_INLINE int32_t mcg_requantize_down(int32_t value, int32_t multiplier, int32_t shift) {
  const int32_t product = mcg_mul_high(value, multiplier);
  /* One less for negatives turns ties upwards into ties away from zero. */
  return (((product + (product >> 31)) >> (-1 - shift)) + 1) >> 1;
}

/* How accumulators become int8 outputs. per_channel: 1 if multiplier and shift hold one entry per
 * channel, 0 if they hold one for all. scale_down: 1 if mcg_requantize_down() may be used. */
typedef struct {
  const int32_t *multiplier;
  const int8_t *shift;
  int32_t per_channel;
  int32_t scale_down;
  int32_t zero_point;
  int32_t min;
  int32_t max;
} mcg_output_stage;

/* One accumulator to one int8 output of the given channel. */
MCG_INLINE int8_t mcg_output(const mcg_output_stage *stage, int32_t channel, int32_t acc) {
  const int32_t entry = stage->per_channel ? channel : 0;
  const int32_t multiplier = stage->multiplier[entry];
  const int32_t shift = stage->shift[entry];
  const int32_t scaled = stage->scale_down ? mcg_requantize_down(acc, multiplier, shift)
                                           : mcg_requantize(acc, multiplier, shift);
  return (int8_t)mcg_clamp(scaled + stage->zero_point, stage->min, stage->max);
}

/* Inner products of one window with every row of weights, as int8 outputs.
 * weights is [channels][depth]; bias already holds the input's zero point; base is added to every
 * accumulator. Four rows at a time, so that each input is loaded once for four weights. */
MCG_SHARED void mcg_filter_window(const mcg_output_stage *restrict stage,
                                  const int8_t *restrict window, int32_t depth, int32_t base,
                                  const int8_t *restrict weights, const int32_t *restrict bias,
                                  int8_t *restrict output, int32_t channels) {
  for (int32_t channel = 0; channel < channels; channel += 4) {
    const int32_t rows = mcg_min(4, channels - channel);
    int32_t acc[4] = {0, 0, 0, 0};
    if (rows == 4) {
      const int8_t *w0 = weights;
      const int8_t *w1 = w0 + depth;
      const int8_t *w2 = w1 + depth;
      const int8_t *w3 = w2 + depth;
      int32_t acc0 = 0, acc1 = 0, acc2 = 0, acc3 = 0;
      for (int32_t i = 0; i < depth; ++i) {
        const int32_t value = window[i];
        acc0 += value * w0[i];
        acc1 += value * w1[i];
        acc2 += value * w2[i];
        acc3 += value * w3[i];
      }
      acc[0] = acc0;
      acc[1] = acc1;
      acc[2] = acc2;
      acc[3] = acc3;
      weights = w3 + depth;
    } else {
      for (int32_t row = 0; row < rows; ++row) {
        for (int32_t i = 0; i < depth; ++i) {
          acc[row] += window[i] * *weights++;
        }
      }
    }
    for (int32_t row = 0; row < rows; ++row) {
      const int32_t sum = acc[row] + base + bias[channel + row];
      output[channel + row] = mcg_output(stage, channel + row, sum);
    }
  }
}

#endif /* MCG_COMMON_H */
