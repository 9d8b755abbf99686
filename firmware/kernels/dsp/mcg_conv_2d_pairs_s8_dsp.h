/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_conv_2d_s8() of one group for cores with DSP instructions, four windows and two channels at a
 * time.
 *
 * For weights as mcg_pairs has them. scratch holds 8 pairs for every 4 bytes of depth, for each
 * group of windows, and if a pixel is not whole words, as many bytes as a window has, rounded up to
 * a multiple of 4, after that.
 */
#ifndef MCG_CONV_2D_PAIRS_S8_DSP_H
#define MCG_CONV_2D_PAIRS_S8_DSP_H

#include "mcg_conv_2d_s8_dsp.h"
#include "mcg_filter_pairs_s8_dsp.h"

typedef mcg_conv_2d_s8_dsp_params mcg_conv_2d_pairs_s8_dsp_params;

/* Appends a window that lies in the image, its first pixel at `from`. `rows` are its rows, and
 * `pitch` is from one to the next. */
MCG_INLINE void mcg_gather_whole(const mcg_widen_job *rows, const int8_t *from, int32_t row_bytes,
                                 int32_t pitch, mcg_windows *windows) {
  uint32_t *wide = windows->x + windows->count;
  if ((row_bytes & 3) == 0) {
    mcg_widen_rows(rows, from, wide);
    return;
  }
  int8_t *bytes = (int8_t *)(windows->x + windows->words * MCG_WINDOWS_STEP);
  int8_t *to = bytes;
  for (int32_t row = rows->rows; row > 0; --row) {
    int32_t at = 0;
    for (; at <= row_bytes - 4; at += 4) {
      memcpy(to + at, from + at, 4);
    }
    for (; at < row_bytes; ++at) {
      to[at] = from[at];
    }
    to += row_bytes;
    from += pitch;
  }
  /* Bytes after the last one meet weights of 0. */
  mcg_widen(bytes, windows->words, wide);
}

/* Widens a row of four neighbouring windows three pixels wide, `words` words to a pixel. */
MCG_SHARED void mcg_widen_neighbours(const int8_t *from, int32_t words, uint32_t *to) {
#if MCG_DSP
/* One word of a pixel: it is in up to three windows, as another tap of each. r5, r6 and r8 are
 * where taps 0 to 2 of window 0 go. */
#define MCG_NEIGHBOUR(word, stores) \
  "sxtb16.w r12, " word             \
  "\n\t"                            \
  "sxtb16.w " word ", " word ", ror #8\n\t" stores
#define MCG_NEIGHBOUR_AT(word, tap, even, odd) \
  "str.w r12, [" tap ", #" even                \
  "]\n\t"                                      \
  "str.w " word ", [" tap ", #" odd "]\n\t"
  register const int8_t *r0 __asm__("r0") = from;
  register int32_t r1 __asm__("r1") = words;
  register uint32_t *r2 __asm__("r2") = to;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "lsl r3, r1, #2\n\t" /* from one pixel to the next */
      "add r4, r3, r3, lsl #1\n\t"
      "add r4, r0\n\t" /* pixel 3 */
      "mov r5, r2\n\t"
      "add r6, r5, r1, lsl #5\n\t"
      "add r8, r6, r1, lsl #5\n\t"
      ".balign 4\n"
      "1:\n\t"
      "ldr.w r2, [r0]\n\t"
      "ldr.w r7, [r0, r3]\n\t"
      "ldr.w r9, [r0, r3, lsl #1]\n\t"
      "ldr.w r10, [r4]\n\t"
      "ldr.w r11, [r4, r3]\n\t"
      "ldr.w lr, [r4, r3, lsl #1]\n\t"
      MCG_NEIGHBOUR("r2", MCG_NEIGHBOUR_AT("r2", "r5", "0", "16"))
      MCG_NEIGHBOUR("r7", MCG_NEIGHBOUR_AT("r7", "r5", "4", "20")
                              MCG_NEIGHBOUR_AT("r7", "r6", "0", "16"))
      MCG_NEIGHBOUR("r9", MCG_NEIGHBOUR_AT("r9", "r5", "8", "24")
                              MCG_NEIGHBOUR_AT("r9", "r6", "4", "20")
                              MCG_NEIGHBOUR_AT("r9", "r8", "0", "16"))
      MCG_NEIGHBOUR("r10", MCG_NEIGHBOUR_AT("r10", "r5", "12", "28")
                               MCG_NEIGHBOUR_AT("r10", "r6", "8", "24")
                               MCG_NEIGHBOUR_AT("r10", "r8", "4", "20"))
      MCG_NEIGHBOUR("r11", MCG_NEIGHBOUR_AT("r11", "r6", "12", "28")
                               MCG_NEIGHBOUR_AT("r11", "r8", "8", "24"))
      MCG_NEIGHBOUR("lr", MCG_NEIGHBOUR_AT("lr", "r8", "12", "28"))
      "adds r0, #4\n\t"
      "adds r4, #4\n\t"
      "adds r5, #32\n\t"
      "adds r6, #32\n\t"
      "add.w r8, r8, #32\n\t"
      "subs r1, #1\n\t"
      "bne.w 1b\n\t"
      "pop {r7}"
      : "+r"(r0), "+r"(r1), "+r"(r2)
      :
      : "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  for (int32_t n = 0; n < MCG_WINDOWS; ++n) {
    mcg_widen(from + 4 * words * n, 3 * words, to + n);
  }
#endif
}

MCG_SHARED void mcg_conv_2d_pairs_s8_dsp(const mcg_conv_2d_pairs_s8_dsp_params *p,
                                         const int8_t *input, const int32_t *weights,
                                         const int32_t *factors, int8_t *output, void *scratch) {
  const int32_t depth = p->filter_height * p->filter_width * p->filter_channels;
  const int32_t pitch = p->input_width * p->input_channels;
  const int32_t image_bytes = p->input_height * pitch;
  const int32_t row_bytes = p->filter_width * p->filter_channels;
  const int32_t pixel_words = p->filter_channels >> 2;
  const mcg_pairs filters = {(const uint32_t *)weights, factors, p->output_zero_point,
                             p->output_channels};
  const mcg_widen_job rows = {row_bytes >> 2, p->filter_height, pitch - row_bytes, 0};
  mcg_windows windows = {scratch, (depth + 3) >> 2, 0, output, p->output_channels, 0};
  const int32_t dense = p->dilation_h == 1 && p->dilation_w == 1;
  const int32_t neighbours =
      p->filter_width == 3 && p->stride_w == 1 && (p->filter_channels & 3) == 0;
  int32_t left = p->batches * p->output_height * p->output_width;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int8_t *image = input + batch * image_bytes;
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t y = row * p->stride_h - p->pad_top;
      const int8_t *first = image + y * pitch;
      const int32_t inside = dense && y >= 0 && y + p->filter_height <= p->input_height;
      /* The columns of the last window inside, and of the last that begins four inside. */
      const int32_t last = inside ? p->input_width - p->filter_width : -1;
      const int32_t last_four = neighbours ? last - (MCG_WINDOWS - 1) : -1;
      int32_t x = -p->pad_left;
      const int32_t end = x + p->output_width * p->stride_w;
      while (x != end) {
        int32_t count = 1;
        if (x >= 0 && x <= last_four && windows.count == 0 && end - x >= MCG_WINDOWS) {
          const int8_t *from = first + x * p->input_channels;
          uint32_t *to = windows.x;
          for (int32_t tap = p->filter_height; tap > 0; --tap) {
            mcg_widen_neighbours(from, pixel_words, to);
            from += pitch;
            to += 3 * pixel_words * MCG_WINDOWS_STEP;
          }
          count = MCG_WINDOWS;
        } else if (x >= 0 && x <= last) {
          mcg_gather_whole(&rows, first + x * p->input_channels, row_bytes, pitch, &windows);
        } else {
          mcg_gather_window(p, image, y, x, 0, &windows);
        }
        x += count * p->stride_w;
        left -= count;
        mcg_pairs_appended(&filters, p->window_groups, count, left, &windows);
      }
    }
  }
}

#endif /* MCG_CONV_2D_PAIRS_S8_DSP_H */
