/* Inner products of windows with filters on cores with a multiply-accumulate instruction (MLA) but
 * no DSP instructions, as int8 outputs.
 *
 * Weights are in groups of four channels, [depth][4], then the channels beyond the last whole
 * group, [depth] each. If depth is not a multiple of four, twelve more bytes follow, which are
 * loaded but do not count.
 *
 * Windows are widened to 32 bits first, two side by side: one LDRD then loads both windows' inputs,
 * and four channels of two windows take 13 instructions for 8 products. Written out because that
 * needs thirteen registers, which GCC does not keep free.
 */
#ifndef MCG_FILTER_S8_MLA_H
#define MCG_FILTER_S8_MLA_H

#include "mcg_filter_s8.h"

/* Unoptimized code keeps a register for itself. */
#if defined(__arm__) && !MCG_SMALL_CORE && defined(__OPTIMIZE__)
#define MCG_MLA 1
#else
#define MCG_MLA 0
#endif

/* What all windows are multiplied with. bias holds the input's zero point. */
typedef struct {
  mcg_output_stage stage;
  const int8_t *weights;
  const int32_t *bias;
  int32_t depth;
  int32_t channels;
} mcg_mla_filters;

/* Appends bytes to one of the two windows at `to`. Gives the place after them. */
MCG_SHARED int32_t *mcg_mla_widen(const int8_t *from, int32_t bytes, int32_t *to) {
  for (; bytes >= 4; bytes -= 4) {
    to[0] = from[0];
    to[2] = from[1];
    to[4] = from[2];
    to[6] = from[3];
    from += 4;
    to += 8;
  }
  for (; bytes > 0; --bytes) {
    *to = *from++;
    to += 2;
  }
  return to;
}

/* Appends the same value several times. */
MCG_SHARED int32_t *mcg_mla_repeat(int32_t value, int32_t count, int32_t *to) {
  for (; count > 0; --count) {
    *to = value;
    to += 2;
  }
  return to;
}

/* Sums of products of four channels and two windows, `fours` times four inputs deep: first of the
 * first window, then of the second. */
MCG_INLINE void mcg_mla_dot_4x2(const int32_t *x, const int8_t *weights, int32_t fours,
                                int32_t sums[8]) {
  int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
#if MCG_MLA
#define MCG_MLA_STEP                  \
  "ldrd %[x0], %[x1], [%[x]], #8\n\t" \
  "ldrsb %[w], [%[weights]], #1\n\t"  \
  "mla %[a0], %[x0], %[w], %[a0]\n\t" \
  "mla %[b0], %[x1], %[w], %[b0]\n\t" \
  "ldrsb %[w], [%[weights]], #1\n\t"  \
  "mla %[a1], %[x0], %[w], %[a1]\n\t" \
  "mla %[b1], %[x1], %[w], %[b1]\n\t" \
  "ldrsb %[w], [%[weights]], #1\n\t"  \
  "mla %[a2], %[x0], %[w], %[a2]\n\t" \
  "mla %[b2], %[x1], %[w], %[b2]\n\t" \
  "ldrsb %[w], [%[weights]], #1\n\t"  \
  "mla %[a3], %[x0], %[w], %[a3]\n\t" \
  "mla %[b3], %[x1], %[w], %[b3]\n\t"
  int32_t x0, x1, w;
  __asm__ volatile(
      "1:\n\t" MCG_MLA_STEP MCG_MLA_STEP MCG_MLA_STEP MCG_MLA_STEP
      "ldr %[w], %[fours]\n\t"
      "subs %[w], #1\n\t"
      "str %[w], %[fours]\n\t"
      "bne 1b"
      : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [b0] "+r"(b0), [b1] "+r"(b1),
        [b2] "+r"(b2), [b3] "+r"(b3), [x] "+r"(x), [weights] "+r"(weights), [x0] "=&r"(x0),
        [x1] "=&r"(x1), [w] "=&r"(w), [fours] "+m"(fours)
      :
      : "cc", "memory");
#undef MCG_MLA_STEP
#else
  for (int32_t i = 0; i < 4 * fours; ++i) {
    a0 += x[0] * weights[0];
    b0 += x[1] * weights[0];
    a1 += x[0] * weights[1];
    b1 += x[1] * weights[1];
    a2 += x[0] * weights[2];
    b2 += x[1] * weights[2];
    a3 += x[0] * weights[3];
    b3 += x[1] * weights[3];
    x += 2;
    weights += 4;
  }
#endif
  sums[0] = a0;
  sums[1] = a1;
  sums[2] = a2;
  sums[3] = a3;
  sums[4] = b0;
  sums[5] = b1;
  sums[6] = b2;
  sums[7] = b3;
}

/* One channel of one window. */
MCG_INLINE int32_t mcg_mla_dot_1(const int8_t *x, const int8_t *weights, int32_t depth) {
  int32_t sum = 0;
  for (int32_t i = 0; i < depth; ++i) {
    sum += x[i] * weights[i];
  }
  return sum;
}

/* Four channels of one window of bytes. */
MCG_INLINE void mcg_mla_dot_4x1(const int8_t *x, const int8_t *weights, int32_t depth,
                                int32_t sums[4]) {
  int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
  const int8_t *end = x + depth;
#define MCG_MLA_STEP()          \
  do {                          \
    const int32_t value = *x++; \
    a0 += value * *weights++;   \
    a1 += value * *weights++;   \
    a2 += value * *weights++;   \
    a3 += value * *weights++;   \
  } while (0)
  for (int32_t fours = depth >> 2; fours > 0; --fours) {
    MCG_MLA_STEP();
    MCG_MLA_STEP();
    MCG_MLA_STEP();
    MCG_MLA_STEP();
  }
  while (x < end) {
    MCG_MLA_STEP();
  }
#undef MCG_MLA_STEP
  sums[0] = a0;
  sums[1] = a1;
  sums[2] = a2;
  sums[3] = a3;
}

/* The multipliers and shifts of consecutive channels. */
typedef struct {
  const int32_t *multiplier;
  const int8_t *shift;
} mcg_mla_scales;

/* One accumulator as an output. */
MCG_INLINE int8_t mcg_mla_output(const mcg_output_stage *stage, mcg_mla_scales at, int32_t acc) {
  const int32_t scaled = stage->scale_down ? mcg_requantize_down(acc, *at.multiplier, *at.shift)
                                           : mcg_requantize(acc, *at.multiplier, *at.shift);
  return (int8_t)mcg_clamp(scaled + stage->zero_point, stage->min, stage->max);
}

/* Four channels of the two windows at x, as outputs. If there is no second window, `second` is
 * `first`: its outputs are written, and then written over. */
MCG_INLINE void mcg_mla_four_channels(const mcg_output_stage *stage, const int32_t sums[8],
                                      const int32_t *bias, mcg_mla_scales at, int8_t *first,
                                      int8_t *second, int32_t scale_down) {
  const int32_t zero_point = stage->zero_point, low = stage->min, high = stage->max;
#define MCG_MLA_OUTPUT(acc)                                                                \
  (int8_t)mcg_clamp(zero_point + (scale_down ? mcg_requantize_down(acc, multiplier, shift) \
                                             : mcg_requantize(acc, multiplier, shift)),    \
                    low, high)
  for (int32_t row = 0; row < 4; ++row) {
    const int32_t multiplier = at.multiplier[row];
    const int32_t shift = at.shift[row];
    second[row] = MCG_MLA_OUTPUT(sums[row + 4] + bias[row]);
    first[row] = MCG_MLA_OUTPUT(sums[row] + bias[row]);
  }
#undef MCG_MLA_OUTPUT
}

/* The two windows at x with all filters; `count` of them (1 or 2) are wanted. The second one's
 * outputs come `pitch` bytes after the first one's. x is filled up to a multiple of four with
 * zeros. Multipliers and shifts are per channel. */
MCG_SHARED void mcg_mla_filter_windows(const mcg_mla_filters *f, const int32_t *x, int32_t count,
                                       int8_t *output, int32_t pitch) {
  const mcg_output_stage stage = f->stage;
  const int32_t *bias = f->bias;
  const int8_t *weights = f->weights;
  mcg_mla_scales at = {stage.multiplier, stage.shift};
  int32_t left = f->channels;
  for (; left >= 4; left -= 4) {
    int32_t sums[8];
    mcg_mla_dot_4x2(x, weights, (f->depth + 3) >> 2, sums);
    int8_t *second = count > 1 ? output + pitch : output;
    if (stage.scale_down) {
      mcg_mla_four_channels(&stage, sums, bias, at, output, second, 1);
    } else {
      mcg_mla_four_channels(&stage, sums, bias, at, output, second, 0);
    }
    output += 4;
    bias += 4;
    at.multiplier += 4;
    at.shift += 4;
    weights += 4 * f->depth;
  }
  for (; left > 0; --left) {
    int32_t a = *bias, b = *bias;
    for (int32_t i = 0; i < f->depth; ++i) {
      const int32_t weight = *weights++;
      a += x[2 * i] * weight;
      b += x[2 * i + 1] * weight;
    }
    output[0] = mcg_mla_output(&stage, at, a);
    if (count > 1) {
      output[pitch] = mcg_mla_output(&stage, at, b);
    }
    ++output;
    ++bias;
    ++at.multiplier;
    ++at.shift;
  }
}

/* One window of bytes with all filters; base is added to all accumulators. */
MCG_SHARED void mcg_mla_filter_bytes(const mcg_mla_filters *f, const int8_t *x, int32_t base,
                                     int8_t *output) {
  const mcg_output_stage stage = f->stage;
  const int32_t *bias = f->bias;
  const int8_t *weights = f->weights;
  mcg_mla_scales at = {stage.multiplier, stage.shift};
  int32_t left = f->channels;
  while (left > 0) {
    int32_t sums[4];
    const int32_t rows = left >= 4 ? 4 : 1;
    if (rows == 4) {
      mcg_mla_dot_4x1(x, weights, f->depth, sums);
    } else {
      sums[0] = mcg_mla_dot_1(x, weights, f->depth);
    }
    for (int32_t row = 0; row < rows; ++row) {
      *output++ = mcg_mla_output(&stage, at, sums[row] + base + *bias++);
      at.multiplier += stage.per_channel;
      at.shift += stage.per_channel;
    }
    weights += rows * f->depth;
    left -= rows;
  }
}

#endif /* MCG_FILTER_S8_MLA_H */
