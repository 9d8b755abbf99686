/* SPDX-License-Identifier: Apache-2.0 */
/* Inner products of windows with filters on cores with a multiply-accumulate instruction (MLA) but
 * no DSP instructions, as int8 outputs.
 *
 * Weights are in groups of four channels, [depth][4], then the channels beyond the last whole
 * group, [depth] each. If depth is not a multiple of four, twelve more bytes follow, which are
 * loaded but do not count.
 *
 * Windows are widened to 32 bits first, two side by side: one LDRD then loads both windows' inputs,
 * and four channels of two windows take 13 instructions for 8 products. Written out because that
 * needs fourteen registers, which GCC does not keep free.
 */
#ifndef MCG_FILTER_S8_MLA_H
#define MCG_FILTER_S8_MLA_H

#include "mcg_filter_s8.h"
#include "mcg_requantize.h"

/* What all windows are multiplied with. bias holds the input's zero point. fast: 1 if multiplier
 * and shift are factors of mcg_requantize_to_8(), which then makes the outputs. */
typedef struct {
  mcg_output_stage stage;
  int32_t fast;
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

/* Accumulators of four channels and two windows, first of the first window, then of the second: the
 * biases and the products of x up to `end`, a multiple of four inputs. */
MCG_INLINE void mcg_mla_dot_4x2(const int32_t *x, const int32_t *end, const int8_t *weights,
                                const int32_t *bias, int32_t sums[8]) {
#if MCG_MLA
#define MCG_MLA_STEP            \
  "ldrd r11, r12, [r9], #8\n\t" \
  "ldrsb.w lr, [r10], #1\n\t"   \
  "mla r0, r11, lr, r0\n\t"     \
  "mla r4, r12, lr, r4\n\t"     \
  "ldrsb.w lr, [r10], #1\n\t"   \
  "mla r1, r11, lr, r1\n\t"     \
  "mla r5, r12, lr, r5\n\t"     \
  "ldrsb.w lr, [r10], #1\n\t"   \
  "mla r2, r11, lr, r2\n\t"     \
  "mla r6, r12, lr, r6\n\t"     \
  "ldrsb.w lr, [r10], #1\n\t"   \
  "mla r3, r11, lr, r3\n\t"     \
  "mla r8, r12, lr, r8\n\t"
  register const int32_t *r9 __asm__("r9") = x;
  register const int8_t *r10 __asm__("r10") = weights;
  register const int32_t *r11 __asm__("r11") = end;
  register const int32_t *r12 __asm__("r12") = bias;
  register int32_t *r14 __asm__("lr") = sums;
  __asm__ volatile(
      "push {r7, lr}\n\t" /* r7 is possibly the frame pointer, which may not be named as clobbered
                           */
      "mov r7, r11\n\t"
      "ldm r12, {r0, r1, r2, r3}\n\t"
      "mov r4, r0\n\t"
      "mov r5, r1\n\t"
      "mov r6, r2\n\t"
      "mov r8, r3\n"
      "1:\n\t" MCG_MLA_STEP MCG_MLA_STEP MCG_MLA_STEP MCG_MLA_STEP
      "cmp r9, r7\n\t"
      "bne 1b\n\t"
      "pop {r7, lr}\n\t"
      "stm lr, {r0, r1, r2, r3, r4, r5, r6, r8}"
      : "+r"(r9), "+r"(r10), "+r"(r11), "+r"(r12), "+r"(r14)
      :
      : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "cc", "memory");
#undef MCG_MLA_STEP
#else
  for (int32_t row = 0; row < 4; ++row) {
    sums[row] = sums[row + 4] = bias[row];
  }
  for (; x != end; x += 2) {
    for (int32_t row = 0; row < 4; ++row) {
      const int32_t weight = *weights++;
      sums[row] += x[0] * weight;
      sums[row + 4] += x[1] * weight;
    }
  }
#endif
}

/* The same for one channel. */
MCG_INLINE void mcg_mla_dot_1x2(const int32_t *x, const int32_t *end, const int8_t *weights,
                                int32_t bias, int32_t sums[2]) {
  int32_t a = bias, b = bias;
#if MCG_MLA
#define MCG_MLA_STEP                  \
  "ldrd %[x0], %[x1], [%[x]], #8\n\t" \
  "ldrsb %[w], [%[weights]], #1\n\t"  \
  "mla %[a], %[x0], %[w], %[a]\n\t"   \
  "mla %[b], %[x1], %[w], %[b]\n\t"
  int32_t x0, x1, w;
  __asm__ volatile("1:\n\t" MCG_MLA_STEP MCG_MLA_STEP MCG_MLA_STEP MCG_MLA_STEP
                   "cmp %[x], %[end]\n\t"
                   "bne 1b"
                   : [a] "+r"(a), [b] "+r"(b), [x] "+r"(x), [weights] "+r"(weights), [x0] "=&r"(x0),
                     [x1] "=&r"(x1), [w] "=&r"(w)
                   : [end] "r"(end)
                   : "cc", "memory");
#undef MCG_MLA_STEP
#else
  for (; x != end; x += 2) {
    a += x[0] * *weights;
    b += x[1] * *weights++;
  }
#endif
  sums[0] = a;
  sums[1] = b;
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

/* One accumulator as an output, where factors are not fast. */
MCG_SHARED int8_t mcg_mla_slow_output(const mcg_output_stage *stage, mcg_mla_scales at,
                                      int32_t acc) {
  const int32_t scaled = stage->scale_down ? mcg_requantize_down(acc, *at.multiplier, *at.shift)
                                           : mcg_requantize(acc, *at.multiplier, *at.shift);
  return (int8_t)mcg_clamp(scaled + stage->zero_point, stage->min, stage->max);
}

/* Accumulators of one channel of two windows as outputs. If there is no second window, `second` is
 * `first`: its output is written, and then written over. */
MCG_INLINE void mcg_mla_fast_outputs(int32_t zero_point, mcg_mla_scales at, int32_t a, int32_t b,
                                     int8_t *first, int8_t *second) {
  const int32_t doubled = *at.multiplier, right = *at.shift;
  *second = (int8_t)mcg_requantize_to_8(b, doubled, right, zero_point);
  *first = (int8_t)mcg_requantize_to_8(a, doubled, right, zero_point);
}

/* The same for `rows` channels, whose accumulators for the second window begin at sums + rows. */
MCG_INLINE void mcg_mla_outputs(const mcg_output_stage *stage, int32_t fast, const int32_t *sums,
                                int32_t rows, mcg_mla_scales at, int8_t *first, int8_t *second) {
#define MCG_MLA_OUTPUTS(row)                                                                 \
  mcg_mla_fast_outputs(stage->zero_point,                                                    \
                       (mcg_mla_scales){at.multiplier + (row), at.shift + (row)}, sums[row], \
                       sums[rows + (row)], first + (row), second + (row))
  if (!fast) {
    for (int32_t row = 0; row < rows; ++row) {
      second[row] = mcg_mla_slow_output(stage, at, sums[rows + row]);
      first[row] = mcg_mla_slow_output(stage, at, sums[row]);
      ++at.multiplier;
      ++at.shift;
    }
    return;
  }
  MCG_MLA_OUTPUTS(0);
  if (rows == 4) {
    MCG_MLA_OUTPUTS(1);
    MCG_MLA_OUTPUTS(2);
    MCG_MLA_OUTPUTS(3);
  }
#undef MCG_MLA_OUTPUTS
}

/* The two windows at x with all filters; `count` of them (1 or 2) are wanted. The second one's
 * outputs come `pitch` bytes after the first one's. x is filled up to a multiple of four with
 * zeros. Multipliers and shifts are per channel. */
MCG_SHARED void mcg_mla_filter_windows(const mcg_mla_filters *f, const int32_t *x, int32_t count,
                                       int8_t *output, int32_t pitch) {
  const mcg_output_stage stage = f->stage;
  const int32_t *end = x + 2 * ((f->depth + 3) & ~3);
  const int32_t *bias = f->bias;
  const int8_t *weights = f->weights;
  const int32_t fast = f->fast;
  mcg_mla_scales at = {stage.multiplier, stage.shift};
  int8_t *second = count > 1 ? output + pitch : output;
  int32_t left = f->channels;
  for (; left >= 4; left -= 4) {
    int32_t sums[8];
    mcg_mla_dot_4x2(x, end, weights, bias, sums);
    mcg_mla_outputs(&stage, fast, sums, 4, at, output, second);
    output += 4;
    second += 4;
    bias += 4;
    at.multiplier += 4;
    at.shift += 4;
    weights += 4 * f->depth;
  }
  for (; left > 0; --left) {
    int32_t sums[2];
    mcg_mla_dot_1x2(x, end, weights, *bias++, sums);
    mcg_mla_outputs(&stage, fast, sums, 1, at, output++, second++);
    ++at.multiplier;
    ++at.shift;
    weights += f->depth;
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
      const int32_t acc = sums[row] + base + *bias++;
      *output++ =
          f->fast ? (int8_t)mcg_requantize_to_8(acc, *at.multiplier, *at.shift, stage.zero_point)
                  : mcg_mla_slow_output(&stage, at, acc);
      at.multiplier += stage.per_channel;
      at.shift += stage.per_channel;
    }
    weights += rows * f->depth;
    left -= rows;
  }
}

#endif /* MCG_FILTER_S8_MLA_H */
