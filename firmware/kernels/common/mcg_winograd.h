/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of 3 x 3 with stride 1 by Winograd's F(2 x 2, 3 x 3) in integers: 16 products where
 * 36 are. What the DSP and the MLA kernel share.
 *
 * A tile is four outputs, two by two, from 16 pixels, four by four. Tiles and filters are
 * transformed alike, rows first and then columns, and multiplied position by position:
 *
 *   pixels    d0 - d2,  d1 + d2,       d2 - d1,       d1 - d3
 *   filter    g0,       g0 + g1 + g2,  g0 - g1 + g2,  g2
 *   outputs   2 m0 + m1 + m2,  m1 - m2 - 2 m3
 *
 * With Winograd's halves left out all are integers and outputs four times what they should be,
 * exactly, so that shifting them is exact as well. Pixels take at most 512 in magnitude, filters
 * 1152: both fit 16 bits.
 *
 * Weights are [channels][3][3][input channels]. There are two output channels or more, and four
 * input channels or more.
 *
 * stripe_tiles tiles, a multiple of 4, are transformed before any of their outputs is written, and
 * each filter once for all of them. With C input channels, rounded up to a multiple of 8, scratch
 * holds 32 * C + 12 bytes for each of these tiles, and 64 * C + 512 bytes. */
#ifndef MCG_WINOGRAD_H
#define MCG_WINOGRAD_H

#include "mcg_requantize.h"

typedef struct {
  int32_t batches;
  int32_t input_height;
  int32_t input_width;
  int32_t input_channels;
  int32_t output_height;
  int32_t output_width;
  int32_t output_channels;
  int32_t pad_top;
  int32_t pad_left;
  int32_t input_zero_point;
  int32_t output_zero_point;
  int32_t stripe_tiles;
} mcg_winograd_params;

#define MCG_POSITIONS 16 /* of a transformed tile: 4 * column + row */
#define MCG_TILES 4      /* that are multiplied at a time, with two channels */
#define MCG_PRODUCTS (2 * MCG_TILES)

/* Where the outputs of a tile go, in bytes from the image's first one, and on from that of its own;
 * 0 where it has no second column or row. */
typedef struct {
  int32_t at;
  int32_t to_right;
  int32_t to_below;
} mcg_winograd_tile;

/* Copies the pixels of a tile whose first is at (y, x), and the padding among them; `step` bytes
 * from one to the next. */
MCG_SHARED void mcg_winograd_copy(const mcg_winograd_params *p, const int8_t *image, int32_t y,
                                  int32_t x, int32_t step, int8_t *to) {
  const int32_t channels = p->input_channels;
  for (int32_t row = y; row < y + 4; ++row) {
    for (int32_t column = x; column < x + 4; ++column) {
      if (row >= 0 && row < p->input_height && column >= 0 && column < p->input_width) {
        memcpy(to, image + (row * p->input_width + column) * channels, (size_t)channels);
      } else {
        memset(to, (int)p->input_zero_point, (size_t)channels);
      }
      to += step;
    }
  }
}

/* How the sums of one channel become outputs. */
typedef struct {
  int32_t bias;
  int32_t multiplier;
  int32_t right;
  int32_t zero_point;
} mcg_winograd_stage;

MCG_INLINE int8_t mcg_winograd_output(const mcg_winograd_stage *stage, uint32_t sum) {
  const int32_t acc = ((int32_t)sum >> 2) + stage->bias;
  return (int8_t)mcg_requantize_to_8(acc, stage->multiplier, stage->right, stage->zero_point);
}

/* The outputs of one channel of four tiles, the last first: one that is not there goes to the place
 * of another, before that is written. The sums of a position
 * hold those before it. */
MCG_SHARED void mcg_winograd_outputs(const mcg_winograd_stage *stage, const int32_t *sums,
                                     const mcg_winograd_tile *tiles, int8_t *output) {
#if MCG_DSP
/* The sums of a column of positions, the last of those before it in `before`: of the first output's
 * rows in lr, of the second's in r6. The column's own last one goes to `last`. */
#define MCG_WINOGRAD_SUMS(p0, p1, p2, p3, last) \
  "ldr.w r4, [r1, #" p0                         \
  "]\n\t"                                       \
  "ldr.w r5, [r1, #" p1                         \
  "]\n\t"                                       \
  "ldr.w r6, [r1, #" p2                         \
  "]\n\t"                                       \
  "ldr.w " last ", [r1, #" p3 "]\n\t"
#define MCG_WINOGRAD_COLUMN(p0, p1, p2, p3, before, last) \
  MCG_WINOGRAD_SUMS(p0, p1, p2, p3, last)                 \
  "add.w lr, r4, r6\n\t"                                  \
  "sub.w r6, r6, r4\n\t"                                  \
  "sub.w r5, r5, " last                                   \
  "\n\t"                                                  \
  "sub.w lr, lr, " before                                 \
  ", lsl #1\n\t"                                          \
  "add.w r6, r6, r5, lsl #1\n\t"
  register const mcg_winograd_stage *r0 __asm__("r0") = stage;
  register const int32_t *r1 __asm__("r1") = sums + MCG_TILES - 1;
  register const mcg_winograd_tile *r2 __asm__("r2") = tiles + MCG_TILES;
  register int8_t *r3 __asm__("r3") = output;
  /* The outputs are in r9, here; r10, to the right; r11, below; r12, the corner. */
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "sub r4, r2, #48\n\t"
      "push {r4}\n\t"
      ".balign 4\n"
      "1:\n\t" MCG_WINOGRAD_SUMS("0", "32", "64", "96", "r7")
      "add.w r9, r4, r6\n\t"
      "sub.w r11, r6, r4\n\t"
      "sub.w r5, r5, r7\n\t"
      "add.w r11, r11, r5, lsl #1\n\t"
      MCG_WINOGRAD_COLUMN("128", "160", "192", "224", "r7", "r8")
      "mov r10, lr\n\t"
      "mov r12, r6\n\t"
      "add.w r9, lr, r9, lsl #1\n\t"
      "add.w r11, r6, r11, lsl #1\n\t"
      MCG_WINOGRAD_COLUMN("256", "288", "320", "352", "r8", "r7")
      "add.w r9, r9, lr\n\t"
      "sub.w r10, r10, lr\n\t"
      "add.w r11, r11, r6\n\t"
      "sub.w r12, r12, r6\n\t"
      MCG_WINOGRAD_COLUMN("384", "416", "448", "480", "r7", "r8")
      "sub.w r10, r10, lr, lsl #1\n\t"
      "sub.w r12, r12, r6, lsl #1\n\t"
      "ldm.w r0, {r4, r5, r6, r7}\n\t" /* bias, multiplier, right, zero point */
      "add.w r9, r4, r9, asr #2\n\t"
      "add.w r10, r4, r10, asr #2\n\t"
      "add.w r11, r4, r11, asr #2\n\t"
      "add.w r12, r4, r12, asr #2\n\t"
      MCG_TO_8("r9", "r5", "r6", "r7") MCG_TO_8("r10", "r5", "r6", "r7")
      MCG_TO_8("r11", "r5", "r6", "r7") MCG_TO_8("r12", "r5", "r6", "r7")
      "ldmdb.w r2!, {r4, r8, lr}\n\t" /* at, to_right, to_below */
      "add.w r4, r4, r3\n\t"
      "add.w lr, lr, r4\n\t"
      "sub.w r1, r1, #4\n\t"
      "ldr.w r5, [sp]\n\t"
      "strb.w r12, [lr, r8]\n\t"
      "strb.w r11, [lr]\n\t"
      "strb.w r10, [r4, r8]\n\t"
      "strb.w r9, [r4]\n\t"
      "cmp r2, r5\n\t"
      "bne.w 1b\n\t"
      "pop {r4, r7}"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
#define MCG_SUM(position) ((uint32_t)s[MCG_PRODUCTS * (position)])
/* The sums of the first output's rows of a column, and those of the second's. */
#define MCG_FIRST(column) \
  (MCG_SUM(4 * (column)) + MCG_SUM(4 * (column) + 2) - 2u * MCG_SUM(4 * (column) - 1))
#define MCG_SECOND(column)                             \
  (MCG_SUM(4 * (column) + 2) - MCG_SUM(4 * (column)) + \
   2u * (MCG_SUM(4 * (column) + 1) - MCG_SUM(4 * (column) + 3)))
  for (int32_t n = MCG_TILES - 1; n >= 0; --n) {
    const int32_t *s = sums + n;
    const mcg_winograd_tile tile = tiles[n];
    int8_t *to = output + tile.at;
    const uint32_t a0 = MCG_SUM(0) + MCG_SUM(2), a1 = MCG_FIRST(1), a2 = MCG_FIRST(2),
                   a3 = MCG_FIRST(3);
    const uint32_t b0 = MCG_SECOND(0), b1 = MCG_SECOND(1), b2 = MCG_SECOND(2), b3 = MCG_SECOND(3);
    /* All of them first, as a compiler cannot know that outputs do not lie over the stage. */
    const int8_t corner = mcg_winograd_output(stage, b1 - b2 - 2u * b3);
    const int8_t below = mcg_winograd_output(stage, 2u * b0 + b1 + b2);
    const int8_t right = mcg_winograd_output(stage, a1 - a2 - 2u * a3);
    const int8_t here = mcg_winograd_output(stage, 2u * a0 + a1 + a2);
    to[tile.to_below + tile.to_right] = corner;
    to[tile.to_below] = below;
    to[tile.to_right] = right;
    to[0] = here;
  }
#undef MCG_SUM
#undef MCG_FIRST
#undef MCG_SECOND
#endif
}

/* How a kernel transforms and multiplies: `size` bytes hold what is multiplied at a time, which are
 * side by side for four tiles, and for two channels of filters. `padded` input channels are a
 * multiple of 8. */
typedef struct {
  int32_t size;
  void (*pixels)(const int8_t *from, int32_t step, int32_t row_step, int32_t channels, void *to);
  void (*filter)(const int8_t *weights, int32_t channels, int32_t padded, void *to);
  void (*multiply)(const void *u, const void *v, int32_t padded, int32_t *to);
} mcg_winograd_steps;

MCG_INLINE void mcg_winograd(const mcg_winograd_params *p, const mcg_winograd_steps *steps,
                             const int8_t *input, const int8_t *weights, const int32_t *bias,
                             const int32_t *multiplier, const int8_t *shift, int8_t *output,
                             void *scratch) {
  const int32_t channels = p->input_channels;
  const int32_t pitch = p->input_width * channels;
  const int32_t output_pitch = p->output_width * p->output_channels;
  const int32_t padded = (channels + 7) & ~7;
  const int32_t across = (p->output_width + 1) / 2;
  const int32_t all = across * ((p->output_height + 1) / 2);
  const int32_t four = 2 * MCG_TILES * MCG_POSITIONS * padded; /* bytes of four transformed tiles */
  uint8_t *v = scratch;
  uint8_t *u = v + p->stripe_tiles / MCG_TILES * four;
  int32_t *sums = (int32_t *)(u + 4 * MCG_POSITIONS * padded);
  mcg_winograd_tile *tiles = (mcg_winograd_tile *)(sums + MCG_POSITIONS * MCG_PRODUCTS);
  int8_t *copy = (int8_t *)u; /* 16 pixels, before there are filters */
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t first = 0; first < all; first += p->stripe_tiles) {
      const int32_t count = mcg_min(p->stripe_tiles, all - first);
      const int32_t fours = (count + MCG_TILES - 1) / MCG_TILES;
      for (int32_t n = 0; n < MCG_TILES * fours; ++n) {
        if (n >= count) { /* the place of another, which is written later */
          tiles[n] = (mcg_winograd_tile){tiles[n & -MCG_TILES].at, 0, 0};
          continue;
        }
        const int32_t row = (first + n) / across * 2, column = (first + n) % across * 2;
        const int32_t y = row - p->pad_top, x = column - p->pad_left;
        uint8_t *to = v + n / MCG_TILES * four + n % MCG_TILES * steps->size;
        const int32_t below = p->input_height - 4 - y, right = p->input_width - 4 - x;
        /* Words of the last pixel may reach beyond the image. */
        if (y >= 0 && x >= 0 && below >= 0 && right >= 0 &&
            below + right >= (channels & 3 ? 1 : 0)) {
          steps->pixels(input + y * pitch + x * channels, channels, pitch, channels, to);
        } else {
          mcg_winograd_copy(p, input, y, x, padded, copy);
          steps->pixels(copy, padded, 4 * padded, channels, to);
        }
        tiles[n] = (mcg_winograd_tile){
            row * output_pitch + column * p->output_channels,
            column + 1 < p->output_width ? p->output_channels : 0,
            row + 1 < p->output_height ? output_pitch : 0,
        };
      }
      for (int32_t next = 0; next < p->output_channels; next += 2) {
        /* Two channels, of an odd number the last two again. */
        const int32_t channel = mcg_min(next, p->output_channels - 2);
        for (int32_t n = 0; n < 2; ++n) {
          steps->filter(weights + (channel + n) * 9 * channels, channels, padded,
                        u + n * steps->size);
        }
        for (int32_t n = 0; n < fours; ++n) {
          steps->multiply(u, v + n * four, padded, sums);
          for (int32_t c = channel; c < channel + 2; ++c) {
            const mcg_winograd_stage stage = {bias[c], multiplier[c], shift[c],
                                              p->output_zero_point};
            mcg_winograd_outputs(&stage, sums + (c - channel) * MCG_TILES, tiles + n * MCG_TILES,
                                 output + c);
          }
        }
      }
    }
    input += p->input_height * pitch;
    output += p->output_height * output_pitch;
  }
}

#endif /* MCG_WINOGRAD_H */
