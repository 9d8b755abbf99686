/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_conv_2d_s8() with filters of 3 x 3 and stride 1 for Cortex-M3, by tiles: see mcg_winograd.h.
 * What is multiplied at a time are single channels, in 16 bits. */
#ifndef MCG_WINOGRAD_S8_MLA_H
#define MCG_WINOGRAD_S8_MLA_H

#include "mcg_winograd.h"

typedef mcg_winograd_params mcg_winograd_s8_mla_params;

/* Transforms one channel of a row of pixels, `step` bytes apart. */
#define MCG_MLA_ROW(name, from)                                                           \
  const int32_t name##_0 = (from)[0], name##_1 = (from)[step];                            \
  const int32_t name##_2 = (from)[2 * step], name##_3 = (from)[3 * step];                 \
  const int32_t name[4] = {name##_0 - name##_2, name##_1 + name##_2, name##_2 - name##_1, \
                           name##_1 - name##_3}
#define MCG_MLA_COLUMN(i)                                \
  to[16 * (i)] = (int16_t)(a[i] - c[i]);                 \
  to[16 * (i) + MCG_TILES] = (int16_t)(b[i] + c[i]);     \
  to[16 * (i) + 2 * MCG_TILES] = (int16_t)(c[i] - b[i]); \
  to[16 * (i) + 3 * MCG_TILES] = (int16_t)(b[i] - d[i])

/* Transforms a tile: pixels are `step` bytes apart, rows row_step. */
MCG_SHARED void mcg_winograd_mla_pixels(const int8_t *from, int32_t step, int32_t row_step,
                                        int32_t channels, void *tile) {
  int16_t *to = tile;
  for (; channels > 0; --channels) {
    MCG_MLA_ROW(a, from);
    MCG_MLA_ROW(b, from + row_step);
    MCG_MLA_ROW(c, from + 2 * row_step);
    MCG_MLA_ROW(d, from + 3 * row_step);
    MCG_MLA_COLUMN(0);
    MCG_MLA_COLUMN(1);
    MCG_MLA_COLUMN(2);
    MCG_MLA_COLUMN(3);
    ++from;
    to += MCG_POSITIONS * MCG_TILES;
  }
}

#define MCG_MLA_TAPS(name, from)                                                                \
  const int32_t name##_ends = (from)[0] + (from)[6 * channels];                                 \
  const int32_t name##_middle = (from)[3 * channels];                                           \
  const int32_t name[4] = {(from)[0], name##_ends + name##_middle, name##_ends - name##_middle, \
                           (from)[6 * channels]}
#define MCG_MLA_FILTER_ROW(i)                       \
  to[2 * (i)] = (int16_t)a[i];                      \
  to[2 * (i) + 8] = (int16_t)(a[i] + c[i] + b[i]);  \
  to[2 * (i) + 16] = (int16_t)(a[i] + c[i] - b[i]); \
  to[2 * (i) + 24] = (int16_t)c[i]

/* Transforms one channel's filter into [padded][positions][2 channels], zeros where the input has
 * no channels. */
MCG_SHARED void mcg_winograd_mla_filter(const int8_t *weights, int32_t channels, int32_t padded,
                                        void *u) {
  int16_t *to = u;
  const int16_t *end = to + 2 * MCG_POSITIONS * padded;
  for (int32_t left = channels; left > 0; --left) {
    MCG_MLA_TAPS(a, weights);
    MCG_MLA_TAPS(b, weights + channels);
    MCG_MLA_TAPS(c, weights + 2 * channels);
    MCG_MLA_FILTER_ROW(0);
    MCG_MLA_FILTER_ROW(1);
    MCG_MLA_FILTER_ROW(2);
    MCG_MLA_FILTER_ROW(3);
    ++weights;
    to += 2 * MCG_POSITIONS;
  }
  for (; to != end; to += 2) {
    *to = 0;
  }
}

/* The products of four tiles and two channels, position by position; and the sum of those of all
 * positions before is added, which saves clearing accumulators.
 *
 * u is [padded][positions][2 channels], v [padded][positions][4 tiles], to [positions][2][4]. */
MCG_SHARED void mcg_winograd_mla_multiply(const void *u, const void *v, int32_t padded,
                                          int32_t *to) {
#if MCG_MLA
/* One channel of the input: 8 products in 14 instructions. */
#define MCG_MLA_PRODUCTS(u0, u1, v0, v1, v2, v3) \
  "ldrsh.w r10, [r8, #" u0                       \
  "]\n\t"                                        \
  "ldrsh.w r11, [r8, #" u1                       \
  "]\n\t"                                        \
  "ldrsh.w r12, [r9, #" v0                       \
  "]\n\t"                                        \
  "ldrsh.w lr, [r9, #" v1                        \
  "]\n\t"                                        \
  "mla r0, r12, r10, r0\n\t"                     \
  "mla r4, r12, r11, r4\n\t"                     \
  "mla r1, lr, r10, r1\n\t"                      \
  "mla r5, lr, r11, r5\n\t"                      \
  "ldrsh.w r12, [r9, #" v2                       \
  "]\n\t"                                        \
  "ldrsh.w lr, [r9, #" v3                        \
  "]\n\t"                                        \
  "mla r2, r12, r10, r2\n\t"                     \
  "mla r6, r12, r11, r6\n\t"                     \
  "mla r3, lr, r10, r3\n\t"                      \
  "mla r7, lr, r11, r7\n\t"
  register const void *r0 __asm__("r0") = u;
  register const void *r1 __asm__("r1") = v;
  register int32_t r2 __asm__("r2") = padded;
  register int32_t *r3 __asm__("r3") = to;
  /* On the stack: the end of v, to, its end, the ways back in v and u. */
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "mov r8, r0\n\t"
      "mov r9, r1\n\t"
      "add r0, r9, r2, lsl #7\n\t"
      "add r4, r3, #512\n\t"
      "lsl r5, r2, #7\n\t"
      "sub r5, #8\n\t"
      "lsl r6, r2, #6\n\t"
      "sub r6, #4\n\t"
      "push {r0, r3, r4, r5, r6}\n\t"
      "movs r0, #0\n\t"
      "movs r1, #0\n\t"
      "movs r2, #0\n\t"
      "movs r3, #0\n\t"
      "movs r4, #0\n\t"
      "movs r5, #0\n\t"
      "movs r6, #0\n\t"
      "movs r7, #0\n\t"
      ".balign 4\n"
      "1:\n\t"
      MCG_MLA_PRODUCTS("0", "2", "0", "2", "4", "6")
      MCG_MLA_PRODUCTS("64", "66", "128", "130", "132", "134")
      MCG_MLA_PRODUCTS("128", "130", "256", "258", "260", "262")
      MCG_MLA_PRODUCTS("192", "194", "384", "386", "388", "390")
      MCG_MLA_PRODUCTS("256", "258", "512", "514", "516", "518")
      MCG_MLA_PRODUCTS("320", "322", "640", "642", "644", "646")
      MCG_MLA_PRODUCTS("384", "386", "768", "770", "772", "774")
      MCG_MLA_PRODUCTS("448", "450", "896", "898", "900", "902")
      "ldr.w r12, [sp]\n\t"
      "add.w r9, r9, #1024\n\t"
      "add.w r8, r8, #512\n\t"
      "cmp r9, r12\n\t"
      "bne.w 1b\n\t"
      "ldr.w r12, [sp, #4]\n\t"
      "ldr.w r10, [sp, #12]\n\t"
      "ldr.w r11, [sp, #16]\n\t"
      "add.w lr, r9, #8\n\t"
      "str.w lr, [sp]\n\t"
      "stmia.w r12!, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t"
      "sub.w r9, r9, r10\n\t"
      "sub.w r8, r8, r11\n\t"
      "ldr.w r10, [sp, #8]\n\t"
      "str.w r12, [sp, #4]\n\t"
      "cmp r12, r10\n\t"
      "bne.w 1b\n\t"
      "add sp, #20\n\t"
      "pop {r7}"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  uint32_t sums[MCG_PRODUCTS] = {0};
  for (int32_t position = 0; position < MCG_POSITIONS; ++position) {
    for (int32_t channel = 0; channel < padded; ++channel) {
      const int16_t *filters = (const int16_t *)u + (channel * MCG_POSITIONS + position) * 2;
      const int16_t *tiles = (const int16_t *)v + (channel * MCG_POSITIONS + position) * MCG_TILES;
      for (int32_t n = 0; n < MCG_PRODUCTS; ++n) {
        sums[n] += (uint32_t)(filters[n / MCG_TILES] * tiles[n % MCG_TILES]);
      }
    }
    for (int32_t n = 0; n < MCG_PRODUCTS; ++n) {
      *to++ = (int32_t)sums[n];
    }
  }
#endif
}

MCG_SHARED void mcg_winograd_s8_mla(const mcg_winograd_s8_mla_params *p, const int8_t *input,
                                    const int8_t *weights, const int32_t *bias,
                                    const int32_t *multiplier, const int8_t *shift, int8_t *output,
                                    void *scratch) {
  const mcg_winograd_steps steps = {2, mcg_winograd_mla_pixels, mcg_winograd_mla_filter,
                                    mcg_winograd_mla_multiply};
  mcg_winograd(p, &steps, input, weights, bias, multiplier, shift, output, scratch);
}

#endif /* MCG_WINOGRAD_S8_MLA_H */
