/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_conv_2d_s8() with filters of 3 x 3 and stride 1 for cores with DSP instructions, by tiles:
 * see mcg_winograd.h. What is multiplied at a time are pairs of channels, as mcg_even_bytes() and
 * mcg_odd_bytes() make them. */
#ifndef MCG_WINOGRAD_S8_DSP_H
#define MCG_WINOGRAD_S8_DSP_H

#include "mcg_dsp.h"
#include "mcg_winograd.h"

typedef mcg_winograd_params mcg_winograd_s8_dsp_params;

/* Transforms the pair of even or odd channels in each word of a row of pixels, `step` bytes apart.
 */
MCG_INLINE void mcg_winograd_row(const int8_t *from, int32_t step, int32_t odd, uint32_t to[4]) {
  uint32_t d[4];
  for (int32_t i = 0; i < 4; ++i) {
    const uint32_t word = mcg_load_4(from + i * step);
    d[i] = odd ? mcg_odd_bytes(word) : mcg_even_bytes(word);
  }
  to[0] = mcg_subtract_pairs(d[0], d[2]);
  to[1] = mcg_add_pairs(d[1], d[2]);
  to[2] = mcg_subtract_pairs(d[2], d[1]);
  to[3] = mcg_subtract_pairs(d[1], d[3]);
}

/* Transforms a tile: pixels are `step` bytes apart, rows row_step. */
MCG_SHARED void mcg_winograd_pixels(const int8_t *from, int32_t step, int32_t row_step,
                                    int32_t channels, void *tile) {
  uint32_t *to = tile;
  int32_t words = (channels + 3) >> 2;
#if MCG_DSP
/* A row of pixels, by columns in r8, r12, r10 and r11. r0 goes `next` rows on. */
#define MCG_WINOGRAD_LOAD(ror, next)                 \
  "ldr.w r8, [r0]\n\t"                               \
  "ldr.w r9, [r0, r1]\n\t"                           \
  "ldr.w r10, [r0, r1, lsl #1]\n\t"                  \
  "ldr.w r11, [r0, lr]\n\t" next "sxtb16 r8, r8" ror \
  "\n\t"                                             \
  "sxtb16 r9, r9" ror                                \
  "\n\t"                                             \
  "sxtb16 r10, r10" ror                              \
  "\n\t"                                             \
  "sxtb16 r11, r11" ror "\n\t"
#define MCG_WINOGRAD_ROW    \
  "ssub16 r8, r8, r10\n\t"  \
  "ssub16 r11, r9, r11\n\t" \
  "sadd16 r12, r9, r10\n\t" \
  "ssub16 r10, r10, r9\n\t"
#define MCG_WINOGRAD_OUTER(h, kept, at) \
  "ssub16 r9, " h ", " kept             \
  "\n\t"                                \
  "str.w r9, [r2, #" at "]\n\t"
#define MCG_WINOGRAD_INNER(h, kept, at, below) \
  "sadd16 r9, " h ", " kept                    \
  "\n\t"                                       \
  "str.w r9, [r2, #" at                        \
  "]\n\t"                                      \
  "ssub16 r9, " kept ", " h                    \
  "\n\t"                                       \
  "str.w r9, [r2, #" below                     \
  "]\n\t"                                      \
  "mov " kept ", " h "\n\t"
/* Rows 2, 0, 1 and 3, and back to row 0. */
#define MCG_WINOGRAD_PIXELS(ror) \
  "add r0, r0, r3, lsl #1\n\t" MCG_WINOGRAD_LOAD(ror, "sub r0, r0, r3, lsl #1\n\t")   \
  "ssub16 r4, r8, r10\n\t"                                                            \
  "ssub16 r7, r9, r11\n\t"                                                            \
  "sadd16 r5, r9, r10\n\t"                                                            \
  "ssub16 r6, r10, r9\n\t" MCG_WINOGRAD_LOAD(ror, "add r0, r0, r3\n\t")               \
  MCG_WINOGRAD_ROW                                                                    \
  MCG_WINOGRAD_OUTER("r8", "r4", "0") MCG_WINOGRAD_OUTER("r12", "r5", "64")           \
  MCG_WINOGRAD_OUTER("r10", "r6", "128") MCG_WINOGRAD_OUTER("r11", "r7", "192")       \
  MCG_WINOGRAD_LOAD(ror, "add r0, r0, r3, lsl #1\n\t") MCG_WINOGRAD_ROW               \
  MCG_WINOGRAD_INNER("r8", "r4", "16", "32") MCG_WINOGRAD_INNER("r12", "r5", "80", "96") \
  MCG_WINOGRAD_INNER("r10", "r6", "144", "160")                                       \
  MCG_WINOGRAD_INNER("r11", "r7", "208", "224")                                       \
  MCG_WINOGRAD_LOAD(ror, "sub r0, r0, r3\n\t") MCG_WINOGRAD_ROW                       \
  MCG_WINOGRAD_LAST("r8", "r4", "48") MCG_WINOGRAD_LAST("r12", "r5", "112")           \
  MCG_WINOGRAD_LAST("r10", "r6", "176") MCG_WINOGRAD_LAST("r11", "r7", "240")         \
  "sub r0, r0, r3, lsl #1\n\t"                                                        \
  "add.w r2, r2, #256\n\t"
#define MCG_WINOGRAD_LAST(h, kept, at) MCG_WINOGRAD_OUTER(kept, h, at)
  register const int8_t *r0 __asm__("r0") = from;
  register int32_t r1 __asm__("r1") = step;
  register uint32_t *r2 __asm__("r2") = to;
  register int32_t r3 __asm__("r3") = row_step;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {%[words], r7}\n\t" /* r7 may be the frame pointer, which may not be named as clobbered */
      "add lr, r1, r1, lsl #1\n\t"
      ".balign 4\n"
      "1:\n\t" MCG_WINOGRAD_PIXELS("") MCG_WINOGRAD_PIXELS(", ror #8")
      "ldr r4, [sp]\n\t"
      "adds r0, #4\n\t"
      "subs r4, #1\n\t"
      "str r4, [sp]\n\t"
      "bne.w 1b\n\t"
      "pop {r4, r7}"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      : [words] "l"(words)
      : "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  for (; words > 0; --words) {
    for (int32_t odd = 0; odd < 2; ++odd) {
      uint32_t d[4][4];
      for (int32_t i = 0; i < 4; ++i) {
        mcg_winograd_row(from + i * row_step, step, odd, d[i]);
      }
      for (int32_t i = 0; i < 4; ++i) {
        uint32_t *column = to + 4 * MCG_TILES * i;
        column[0] = mcg_subtract_pairs(d[0][i], d[2][i]);
        column[MCG_TILES] = mcg_add_pairs(d[1][i], d[2][i]);
        column[2 * MCG_TILES] = mcg_subtract_pairs(d[2][i], d[1][i]);
        column[3 * MCG_TILES] = mcg_subtract_pairs(d[1][i], d[3][i]);
      }
      to += MCG_POSITIONS * MCG_TILES;
    }
    from += 4;
  }
#endif
}

/* Transforms the pair of even or odd channels in each word of a column of a filter. */
MCG_INLINE void mcg_winograd_filter_column(const int8_t *from, int32_t step, int32_t odd,
                                           uint32_t to[4]) {
  uint32_t g[3];
  for (int32_t i = 0; i < 3; ++i) {
    const uint32_t word = mcg_load_4(from + 3 * i * step);
    g[i] = odd ? mcg_odd_bytes(word) : mcg_even_bytes(word);
  }
  const uint32_t ends = mcg_add_pairs(g[0], g[2]);
  to[0] = g[0];
  to[1] = mcg_add_pairs(ends, g[1]);
  to[2] = mcg_subtract_pairs(ends, g[1]);
  to[3] = g[2];
}

/* Transforms so many words (more than none) of one channel's filter, whose taps are `step` bytes
 * apart, into [pairs][positions][2 channels]. */
MCG_SHARED uint32_t *mcg_winograd_filter_words(const int8_t *from, int32_t step, int32_t words,
                                               uint32_t *to) {
#if MCG_DSP
/* A column of the filter; r0 goes on. */
#define MCG_WINOGRAD_TAPS(ror, g0, g1, g2, next)                       \
  "ldr.w " g0                                                          \
  ", [r0]\n\t"                                                         \
  "ldr.w " g1                                                          \
  ", [r0, r3]\n\t"                                                     \
  "ldr.w " g2 ", [r0, r3, lsl #1]\n\t" next "sxtb16.w " g0 ", " g0 ror \
  "\n\t"                                                               \
  "sxtb16.w " g1 ", " g1 ror                                           \
  "\n\t"                                                               \
  "sxtb16.w " g2 ", " g2 ror "\n\t"
#define MCG_WINOGRAD_STORE(value, at) "str.w " value ", [r2, #" at "]\n\t"
/* Column 0 into r4 to r7, column 2, and column 1. */
#define MCG_WINOGRAD_SIDE(t, kept, at) \
  MCG_WINOGRAD_STORE(t, at) "sadd16 " kept ", " kept ", " t "\n\t"
#define MCG_WINOGRAD_MIDDLE(t, kept, at, after) \
  "sadd16 r12, " kept ", " t                    \
  "\n\t"                                        \
  "ssub16 " t ", " kept ", " t "\n\t" MCG_WINOGRAD_STORE("r12", at) MCG_WINOGRAD_STORE(t, after)
#define MCG_WINOGRAD_FILTER(ror)                                           \
  MCG_WINOGRAD_TAPS(ror, "r4", "r9", "r7", "add.w r0, r0, r1, lsl #1\n\t") \
  "sadd16 r8, r4, r7\n\t"                                                                    \
  "sadd16 r5, r8, r9\n\t"                                                                    \
  "ssub16 r6, r8, r9\n\t" MCG_WINOGRAD_STORE("r4", "0") MCG_WINOGRAD_STORE("r5", "8")        \
  MCG_WINOGRAD_STORE("r6", "16") MCG_WINOGRAD_STORE("r7", "24")                              \
  MCG_WINOGRAD_TAPS(ror, "r8", "r9", "r10", "sub.w r0, r0, r1\n\t")                          \
  "sadd16 r11, r8, r10\n\t"                                                                  \
  "sadd16 r12, r11, r9\n\t"                                                                  \
  "ssub16 r9, r11, r9\n\t" MCG_WINOGRAD_SIDE("r8", "r4", "96")                               \
  MCG_WINOGRAD_SIDE("r12", "r5", "104") MCG_WINOGRAD_SIDE("r9", "r6", "112")                 \
  MCG_WINOGRAD_SIDE("r10", "r7", "120")                                                      \
  MCG_WINOGRAD_TAPS(ror, "r8", "r9", "r10", "sub.w r0, r0, r1\n\t")                          \
  "sadd16 r11, r8, r10\n\t" MCG_WINOGRAD_MIDDLE("r8", "r4", "32", "64")                      \
  MCG_WINOGRAD_MIDDLE("r10", "r7", "56", "88")                                               \
  "sadd16 r8, r11, r9\n\t"                                                                   \
  "ssub16 r9, r11, r9\n\t" MCG_WINOGRAD_MIDDLE("r8", "r5", "40", "72")                       \
  MCG_WINOGRAD_MIDDLE("r9", "r6", "48", "80")                                                \
  "add.w r2, r2, #128\n\t"
  register const int8_t *r0 __asm__("r0") = from;
  register int32_t r1 __asm__("r1") = step;
  register uint32_t *r2 __asm__("r2") = to;
  register int32_t r3 __asm__("r3") = words;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "mov lr, r3\n\t"
      "add.w r3, r1, r1, lsl #1\n\t"
      ".balign 4\n"
      "1:\n\t" MCG_WINOGRAD_FILTER("") MCG_WINOGRAD_FILTER(", ror #8")
      "adds r0, #4\n\t"
      "subs.w lr, lr, #1\n\t"
      "bne.w 1b\n\t"
      "pop {r7}"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
  return r2;
#else
  for (; words > 0; --words) {
    for (int32_t odd = 0; odd < 2; ++odd) {
      uint32_t g[3][4];
      for (int32_t i = 0; i < 3; ++i) {
        mcg_winograd_filter_column(from + i * step, step, odd, g[i]);
      }
      for (int32_t i = 0; i < 4; ++i) {
        const uint32_t ends = mcg_add_pairs(g[0][i], g[2][i]);
        to[2 * i] = g[0][i];
        to[2 * i + 8] = mcg_add_pairs(ends, g[1][i]);
        to[2 * i + 16] = mcg_subtract_pairs(ends, g[1][i]);
        to[2 * i + 24] = g[2][i];
      }
      to += 2 * MCG_POSITIONS;
    }
    from += 4;
  }
  return to;
#endif
}

/* Transforms one channel's filter, zeros where the input has no channels. */
MCG_SHARED void mcg_winograd_filter(const int8_t *weights, int32_t channels, int32_t padded,
                                    void *u) {
  uint32_t *to = u;
  const uint32_t *end = to + MCG_POSITIONS * padded;
  const int32_t rest = channels & 3;
  to = mcg_winograd_filter_words(weights, channels, channels >> 2, to);
  if (rest != 0) {
    int8_t last[9 * 4] = {0};
    for (int32_t tap = 0; tap < 9; ++tap) {
      for (int32_t n = 0; n < rest; ++n) {
        last[4 * tap + n] = weights[tap * channels + (channels & ~3) + n];
      }
    }
    to = mcg_winograd_filter_words(last, 4, 1, to);
  }
  for (; to != end; to += 2) {
    *to = 0;
  }
}

/* The products of four tiles and two channels, position by position; and the sum of those of all
 * positions before is added, which saves clearing accumulators.
 *
 * u is [pairs][positions][2 channels], v [pairs][positions][4 tiles], to [positions][2][4]. pairs
 * is a multiple of 4. */
MCG_SHARED void mcg_winograd_multiply(const void *u, const void *v, int32_t padded, int32_t *to) {
  const int32_t pairs = padded / 2;
#if MCG_DSP
/* A pair of channels: 16 products in 14 instructions, 16 cycles. */
#define MCG_WINOGRAD_PAIR(u0, u1, v0, v1, v2, v3) \
  "ldr.w r10, [r8, #" u0                          \
  "]\n\t"                                         \
  "ldr.w r11, [r8, #" u1                          \
  "]\n\t"                                         \
  "ldr.w r12, [r9, #" v0                          \
  "]\n\t"                                         \
  "ldr.w lr, [r9, #" v1                           \
  "]\n\t"                                         \
  "smlad r0, r12, r10, r0\n\t"                    \
  "smlad r4, r12, r11, r4\n\t"                    \
  "smlad r1, lr, r10, r1\n\t"                     \
  "smlad r5, lr, r11, r5\n\t"                     \
  "ldr.w r12, [r9, #" v2                          \
  "]\n\t"                                         \
  "ldr.w lr, [r9, #" v3                           \
  "]\n\t"                                         \
  "smlad r2, r12, r10, r2\n\t"                    \
  "smlad r6, r12, r11, r6\n\t"                    \
  "smlad r3, lr, r10, r3\n\t"                     \
  "smlad r7, lr, r11, r7\n\t"
  register const void *r0 __asm__("r0") = u;
  register const void *r1 __asm__("r1") = v;
  register int32_t r2 __asm__("r2") = pairs;
  register int32_t *r3 __asm__("r3") = to;
  /* The loop is of eight pairs; where four are left, it is entered in its middle. On the stack: the
   * end of v, to, its end, the ways back in v and u, whether to enter in the middle. */
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "mov r8, r0\n\t"
      "mov r9, r1\n\t"
      "and r7, r2, #4\n\t"
      "sub r8, r8, r7, lsl #7\n\t"
      "sub r9, r9, r7, lsl #8\n\t"
      "add r2, r2, r7\n\t"
      "add r0, r9, r2, lsl #8\n\t"
      "add r4, r3, #512\n\t"
      "lsl r5, r2, #8\n\t"
      "sub r5, #16\n\t"
      "lsl r6, r2, #7\n\t"
      "sub r6, #8\n\t"
      "push {r0, r3, r4, r5, r6, r7}\n\t"
      "movs r0, #0\n\t"
      "movs r1, #0\n\t"
      "movs r2, #0\n\t"
      "movs r3, #0\n\t"
      "movs r4, #0\n\t"
      "movs r5, #0\n\t"
      "movs r6, #0\n\t"
      "cmp r7, #0\n\t"
      "mov r7, #0\n\t"
      "bne 2f\n\t"
      ".balign 4\n"
      "1:\n\t"
      MCG_WINOGRAD_PAIR("0", "4", "0", "4", "8", "12")
      MCG_WINOGRAD_PAIR("128", "132", "256", "260", "264", "268")
      MCG_WINOGRAD_PAIR("256", "260", "512", "516", "520", "524")
      MCG_WINOGRAD_PAIR("384", "388", "768", "772", "776", "780")
      "2:\n\t"
      MCG_WINOGRAD_PAIR("512", "516", "1024", "1028", "1032", "1036")
      MCG_WINOGRAD_PAIR("640", "644", "1280", "1284", "1288", "1292")
      MCG_WINOGRAD_PAIR("768", "772", "1536", "1540", "1544", "1548")
      MCG_WINOGRAD_PAIR("896", "900", "1792", "1796", "1800", "1804")
      "ldr.w r12, [sp]\n\t"
      "add.w r9, r9, #2048\n\t"
      "add.w r8, r8, #1024\n\t"
      "cmp r9, r12\n\t"
      "bne.w 1b\n\t"
      "ldr.w r12, [sp, #4]\n\t"
      "ldr.w r10, [sp, #12]\n\t"
      "ldr.w r11, [sp, #16]\n\t"
      "add.w lr, r9, #16\n\t"
      "str.w lr, [sp]\n\t"
      "stmia.w r12!, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t"
      "sub.w r9, r9, r10\n\t"
      "sub.w r8, r8, r11\n\t"
      "ldr.w r10, [sp, #8]\n\t"
      "ldr.w r11, [sp, #20]\n\t"
      "str.w r12, [sp, #4]\n\t"
      "cmp r12, r10\n\t"
      "beq 3f\n\t"
      "cmp.w r11, #0\n\t"
      "beq.w 1b\n\t"
      "b.w 2b\n"
      "3:\n\t"
      "add sp, #24\n\t"
      "pop {r7}"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  uint32_t sums[MCG_PRODUCTS] = {0};
  for (int32_t position = 0; position < MCG_POSITIONS; ++position) {
    for (int32_t pair = 0; pair < pairs; ++pair) {
      const uint32_t *filters = (const uint32_t *)u + (pair * MCG_POSITIONS + position) * 2;
      const uint32_t *tiles = (const uint32_t *)v + (pair * MCG_POSITIONS + position) * MCG_TILES;
      for (int32_t n = 0; n < MCG_PRODUCTS; ++n) {
        sums[n] += (uint32_t)mcg_smlad(filters[n / MCG_TILES], tiles[n % MCG_TILES], 0);
      }
    }
    for (int32_t n = 0; n < MCG_PRODUCTS; ++n) {
      *to++ = (int32_t)sums[n];
    }
  }
#endif
}

MCG_SHARED void mcg_winograd_s8_dsp(const mcg_winograd_s8_dsp_params *p, const int8_t *input,
                                    const int8_t *weights, const int32_t *bias,
                                    const int32_t *multiplier, const int8_t *shift, int8_t *output,
                                    void *scratch) {
  const mcg_winograd_steps steps = {4, mcg_winograd_pixels, mcg_winograd_filter,
                                    mcg_winograd_multiply};
  mcg_winograd(p, &steps, input, weights, bias, multiplier, shift, output, scratch);
}

#endif /* MCG_WINOGRAD_S8_DSP_H */
