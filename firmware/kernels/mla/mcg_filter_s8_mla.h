/* SPDX-License-Identifier: Apache-2.0 */
/* Inner products of windows with filters on cores with a multiply-accumulate instruction (MLA) but
 * no DSP instructions, as int8 outputs.
 *
 * Weights are in groups of four channels, [depth][4], then the channels beyond the last whole
 * group, [depth] each. If depth is not a multiple of four, twelve more bytes follow, which are
 * loaded but do not count.
 *
 * Inputs of two windows are put into one word, x0 + 65536 * x1, so that one multiplication makes
 * two products. The sum of two such, of neighbouring inputs, holds one sum in each half; with 2^15
 * added the lower half is not negative, so that shifting gives the upper one. The sums of upper
 * halves and of whole words then give those of both windows, modulo 2^32. For the halves to hold
 * the sums of any weights, inputs are one more than they should be: -127 to 128. The bias makes up
 * for it. Written out because four channels need fourteen registers, which GCC does not keep free.
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

/* Appends bytes to the first window at `to`, or to the second one (`second` = 1), for which the
 * first has been filled. Gives the place after them. */
MCG_SHARED int32_t *mcg_mla_widen(const int8_t *from, int32_t bytes, int32_t second, int32_t *to) {
  const int8_t *end = from + bytes, *fours_end = from + (bytes & ~3);
  if (second) {
    for (; from != fours_end; from += 4) {
      const int32_t x0 = from[0], x1 = from[1], x2 = from[2], x3 = from[3];
      to[0] += x0 * 65536;
      to[1] += x1 * 65536;
      to[2] += x2 * 65536;
      to[3] += x3 * 65536;
      to += 4;
    }
    while (from != end) {
      *to++ += *from++ * 65536;
    }
    return to;
  }
  for (; from != fours_end; from += 4) {
    const int32_t x0 = from[0], x1 = from[1], x2 = from[2], x3 = from[3];
    to[0] = x0 + 65537;
    to[1] = x1 + 65537;
    to[2] = x2 + 65537;
    to[3] = x3 + 65537;
    to += 4;
  }
  while (from != end) {
    *to++ = *from++ + 65537;
  }
  return to;
}

/* Appends the same value several times. */
MCG_SHARED int32_t *mcg_mla_repeat(int32_t value, int32_t count, int32_t second, int32_t *to) {
  for (; count > 0; --count) {
    *to = second ? *to + value * 65536 : value + 65537;
    ++to;
  }
  return to;
}

/* What two inputs of two windows add, with 2^15 in the lower half. */
MCG_INLINE int32_t mcg_mla_products(const int32_t *x, int32_t first, int32_t second) {
  return (int32_t)((uint32_t)x[0] * (uint32_t)first + (uint32_t)x[1] * (uint32_t)second + 32768u);
}

/* Accumulators of four channels and two windows, first of the first window, then of the second: the
 * biases and the products of x up to `end`, a multiple of four inputs. */
MCG_INLINE void mcg_mla_dot_4x2(const int32_t *x, const int32_t *end, const int8_t *weights,
                                const int32_t *bias, int32_t sums[8]) {
  const uint32_t added = (uint32_t)(end - x) << 14; /* what the halves of 2^15 sum up to */
#if MCG_MLA
/* Two inputs of two windows with a channel: 4 products. */
#define MCG_MLA_CHANNEL(whole, upper, w0, w1) \
  "ldrsb.w lr, [r10, #" w0                    \
  "]\n\t"                                     \
  "ldrsb.w r7, [r10, #" w1                    \
  "]\n\t"                                     \
  "mul lr, r11, lr\n\t"                       \
  "mla lr, r12, r7, lr\n\t"                   \
  "add.w lr, lr, #32768\n\t"                  \
  "add.w " upper ", " upper                   \
  ", lr, asr #16\n\t"                         \
  "add.w " whole ", " whole ", lr\n\t"
#define MCG_MLA_STEP(x0, x1, a0, b0, a1, b1, a2, b2, a3, b3)                  \
  "ldr.w r11, [r9, #" x0                                                      \
  "]\n\t"                                                                     \
  "ldr.w r12, [r9, #" x1 "]\n\t" MCG_MLA_CHANNEL("r0", "r4", a0, b0)          \
      MCG_MLA_CHANNEL("r1", "r5", a1, b1) MCG_MLA_CHANNEL("r2", "r6", a2, b2) \
          MCG_MLA_CHANNEL("r3", "r8", a3, b3)
  register const int32_t *r9 __asm__("r9") = x;
  register const int8_t *r10 __asm__("r10") = weights;
  register const int32_t *r11 __asm__("r11") = end;
  register const int32_t *r12 __asm__("r12") = bias;
  register int32_t *r14 __asm__("lr") = sums;
  register uint32_t r8 __asm__("r8") = added;
  __asm__ volatile(
      /* r7 is possibly the frame pointer, which may not be named as clobbered. */
      "push {r7, lr}\n\t"
      "push {r11}\n\t"
      "ldm r12, {r4, r5, r6, r7}\n\t"
      "sub r0, r4, r8\n\t"
      "sub r1, r5, r8\n\t"
      "sub r2, r6, r8\n\t"
      "sub r3, r7, r8\n\t"
      "mov r8, r7\n\t"
      "add r0, r0, r4, lsl #16\n\t"
      "add r1, r1, r5, lsl #16\n\t"
      "add r2, r2, r6, lsl #16\n\t"
      "add r3, r3, r8, lsl #16\n\t"
      ".balign 4\n"
      "1:\n\t"
      MCG_MLA_STEP("0", "4", "0", "4", "1", "5", "2", "6", "3", "7")
      MCG_MLA_STEP("8", "12", "8", "12", "9", "13", "10", "14", "11", "15")
      "ldr.w r7, [sp]\n\t"
      "add.w r9, r9, #16\n\t"
      "add.w r10, r10, #16\n\t"
      "cmp r9, r7\n\t"
      "bne.w 1b\n\t"
      "sub r0, r0, r4, lsl #16\n\t"
      "sub r1, r1, r5, lsl #16\n\t"
      "sub r2, r2, r6, lsl #16\n\t"
      "sub r3, r3, r8, lsl #16\n\t"
      "add sp, #4\n\t"
      "pop {r7, lr}\n\t"
      "stm lr, {r0, r1, r2, r3, r4, r5, r6, r8}"
      : "+r"(r9), "+r"(r10), "+r"(r11), "+r"(r12), "+r"(r14), "+r"(r8)
      :
      : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "cc", "memory");
#undef MCG_MLA_STEP
#undef MCG_MLA_CHANNEL
#else
  for (int32_t row = 0; row < 4; ++row) {
    uint32_t whole = (uint32_t)bias[row] * 65537u - added, upper = (uint32_t)bias[row];
    const int8_t *w = weights + row;
    for (const int32_t *at = x; at != end; at += 2) {
      const int32_t products = mcg_mla_products(at, w[0], w[4]);
      upper += (uint32_t)(products >> 16);
      whole += (uint32_t)products;
      w += 8;
    }
    sums[row] = (int32_t)(whole - upper * 65536u);
    sums[row + 4] = (int32_t)upper;
  }
#endif
}

/* The same for one channel. */
MCG_INLINE void mcg_mla_dot_1x2(const int32_t *x, const int32_t *end, const int8_t *weights,
                                int32_t bias, int32_t sums[2]) {
  uint32_t whole = (uint32_t)bias * 65537u - ((uint32_t)(end - x) << 14), upper = (uint32_t)bias;
  for (; x != end; x += 2) {
    const int32_t products = mcg_mla_products(x, weights[0], weights[1]);
    upper += (uint32_t)(products >> 16);
    whole += (uint32_t)products;
    weights += 2;
  }
  sums[0] = (int32_t)(whole - upper * 65536u);
  sums[1] = (int32_t)upper;
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

/* The two windows at x with all filters, whose biases are less by the sums of weights; `count` of
 * them (1 or 2) are wanted. The second one's outputs come `pitch` bytes after the first one's. x is
 * filled up to a multiple of four with zeros. Multipliers and shifts are per channel. */
MCG_SHARED void mcg_mla_filter_windows(const mcg_mla_filters *f, const int32_t *x, int32_t count,
                                       int8_t *output, int32_t pitch) {
  const mcg_output_stage stage = f->stage;
  const int32_t *end = x + ((f->depth + 3) & ~3);
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
