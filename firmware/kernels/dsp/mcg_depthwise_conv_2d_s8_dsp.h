/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_depthwise_conv_2d_s8() for cores with DSP instructions, and with several filters per channel:
 * for filters of three rows and at most three columns, the latter without gaps and one or two
 * columns apart, and accumulators that mcg_requantize_to_8() takes. mcg_depthwise_wide_s8_dsp() has
 * no such limits.
 *
 * Four channels at a time, and a stripe of output rows at a time, the image is split into planes:
 * one channel each, widened to 16 bits, padding included. There neighbouring columns are pairs, so
 * that one instruction multiplies two taps, and nothing tests for the border. If one stripe is the
 * whole image, each channel is read before it is written: then the output may be the input, if it
 * is as large.
 *
 * Rows and columns are those of the planes. They may be the image's columns and rows: what is
 * longer should be the row. All steps are in bytes.
 *
 * scratch holds the planes and the weights of one channel: 4 * row_words * (rows of the image that
 * a stripe takes) bytes for each of up to 4 planes, and 24 bytes.
 */
#ifndef MCG_DEPTHWISE_CONV_2D_S8_DSP_H
#define MCG_DEPTHWISE_CONV_2D_S8_DSP_H

#include "mcg_dsp.h"

typedef struct {
  int32_t batches;
  int32_t input_bytes; /* of one batch */
  int32_t input_rows;
  int32_t input_columns;
  int32_t input_row_step;
  int32_t input_column_step;
  int32_t output_bytes; /* of one batch */
  int32_t output_rows;
  int32_t output_columns;
  int32_t output_row_step;
  int32_t output_column_step;
  int32_t filter_columns;
  int32_t filter_row_step;
  int32_t filter_column_step;
  int32_t row_stride;
  int32_t column_stride;
  int32_t row_dilation;
  int32_t pad_rows; /* before the first row */
  int32_t pad_columns;
  int32_t channels;         /* of the input */
  int32_t depth_multiplier; /* channels of the output for each of the input */
  int32_t input_zero_point;
  int32_t row_words;   /* pairs per row of a plane: the columns that windows take, rounded up */
  int32_t stripe_rows; /* rows of the output that are made at a time */
  int32_t output_zero_point;
} mcg_depthwise_conv_2d_s8_dsp_params;

#define MCG_PLANES 4
#define MCG_DEPTHWISE_TAP_ROWS 3

/* Splits one pixel into the planes of four channels, `plane` columns each. */
MCG_INLINE void mcg_split_pixel(const int8_t *from, int16_t *to, int32_t plane) {
  const uint32_t even = mcg_even_bytes(mcg_load_4(from));
  const uint32_t odd = mcg_odd_bytes(mcg_load_4(from));
  to[0] = (int16_t)even;
  to[plane] = (int16_t)odd;
  to[2 * plane] = (int16_t)(even >> 16);
  to[3 * plane] = (int16_t)(odd >> 16);
}

/* Splits one row of `pixels` pixels, `step` bytes apart, into the planes of four channels. */
MCG_INLINE void mcg_split_row(const int8_t *from, int32_t pixels, int32_t step, int16_t *to,
                              int32_t plane) {
  if (((uintptr_t)to & 3u) != 0) {
    mcg_split_pixel(from, to, plane);
    from += step;
    ++to;
    --pixels;
  }
#if MCG_DSP
  if (pixels > 1) {
    int16_t *second = to + plane, *third = second + plane, *fourth = third + plane;
    int32_t twos = pixels >> 1;
    uint32_t a, b, even, odd;
    __asm__ volatile(
        ".syntax unified\n"
        "1:\n\t"
        "ldr.w %[a], [%[from]]\n\t"
        "ldr.w %[b], [%[from], %[step]]\n\t"
        "add.w %[from], %[from], %[step], lsl #1\n\t"
        "sxtb16 %[even], %[a]\n\t"
        "sxtb16 %[odd], %[b]\n\t"
        "sxtb16 %[a], %[a], ror #8\n\t"
        "sxtb16 %[b], %[b], ror #8\n\t"
        "subs %[twos], #1\n\t"
        "str.w %[even], [%[first]], #4\n\t"
        "strh.w %[odd], [%[first], #-2]\n\t"
        "str.w %[a], [%[second]], #4\n\t"
        "strh.w %[b], [%[second], #-2]\n\t"
        "pkhtb %[odd], %[odd], %[even], asr #16\n\t"
        "pkhtb %[b], %[b], %[a], asr #16\n\t"
        "str.w %[odd], [%[third]], #4\n\t"
        "str.w %[b], [%[fourth]], #4\n\t"
        "bne 1b"
        : [from] "+r"(from), [first] "+r"(to), [second] "+r"(second), [third] "+r"(third),
          [fourth] "+r"(fourth), [twos] "+l"(twos), [a] "=&r"(a), [b] "=&r"(b), [even] "=&r"(even),
          [odd] "=&r"(odd)
        : [step] "r"(step)
        : "cc", "memory");
    pixels &= 1;
  }
#else
  for (; pixels > 1; pixels -= 2) {
    const uint32_t a = mcg_load_4(from);
    const uint32_t b = mcg_load_4(from + step);
    const uint32_t a_even = mcg_even_bytes(a), b_even = mcg_even_bytes(b);
    const uint32_t a_odd = mcg_odd_bytes(a), b_odd = mcg_odd_bytes(b);
    mcg_store_pair(to, mcg_pair(a_even, b_even));
    mcg_store_pair(to + plane, mcg_pair(a_odd, b_odd));
    mcg_store_pair(to + 2 * plane, mcg_pair_of_highs(a_even, b_even));
    mcg_store_pair(to + 3 * plane, mcg_pair_of_highs(a_odd, b_odd));
    from += 2 * step;
    to += 2;
  }
#endif
  if (pixels > 0) {
    mcg_split_pixel(from, to, plane);
  }
}

/* What of an image goes into planes, and where. */
typedef struct {
  int32_t rows;
  int32_t row_step;
  int32_t columns;
  int32_t column_step;
  int32_t before; /* columns of padding */
  int32_t row_words;
  int32_t zero_point;
  int32_t fills; /* 1: rows outside the image are filled, as they may have held others */
} mcg_split_job;

/* Splits the image's rows y and following, `rows` in all, into the planes of `lanes` channels.
 * image points to the first of these. Padding is in the planes already, but for what `fills` says.
 * The planes must take a column of the image, or none where `before` is even and their end: so it
 * is if all windows are of one phase and at most two columns apart. */
MCG_INLINE void mcg_split(const mcg_split_job *job, const int8_t *image, int32_t y, int32_t rows,
                          int32_t lanes, int16_t *to, int32_t plane) {
  const int32_t columns = 2 * job->row_words;
  const int32_t pixels = mcg_min(job->columns, columns - job->before);
  for (; rows > 0; --rows) {
    if (y >= 0 && y < job->rows) {
      const int8_t *row = image + y * job->row_step;
      int16_t *inside = to + job->before;
      if (lanes == MCG_PLANES) {
        mcg_split_row(row, pixels, job->column_step, inside, plane);
      } else {
        for (int32_t lane = 0; lane < lanes; ++lane) {
          for (int32_t column = 0; column < pixels; ++column) {
            inside[lane * plane + column] = row[column * job->column_step + lane];
          }
        }
      }
    } else if (job->fills) {
      for (int32_t lane = 0; lane < lanes; ++lane) {
        for (int32_t column = 0; column < columns; ++column) {
          to[lane * plane + column] = (int16_t)job->zero_point;
        }
      }
    }
    to += columns;
    ++y;
  }
}

/* The weights of one channel as pairs, row by row: taps (0, 1) and (1, 2); taps beyond the filter
 * count 0. */
MCG_INLINE void mcg_pair_weights(const mcg_depthwise_conv_2d_s8_dsp_params *p,
                                 const int8_t *weights, uint32_t *to) {
  /* Where there is no tap the first one is read, and left out. */
  const int32_t second = p->filter_columns > 1 ? p->filter_column_step : 0;
  const int32_t third = p->filter_columns > 2 ? 2 * p->filter_column_step : 0;
  const uint32_t with_second = p->filter_columns > 1 ? ~UINT32_C(0) : 0xFFFFu;
  const uint32_t with_third = p->filter_columns > 2 ? ~UINT32_C(0) : 0xFFFFu;
  for (int32_t row = 0; row < MCG_DEPTHWISE_TAP_ROWS; ++row) {
    const uint32_t pair = mcg_pair((uint32_t)weights[0], (uint32_t)weights[second]) & with_second;
    *to++ = pair;
    *to++ = mcg_pair(pair >> 16, (uint32_t)weights[third]) & with_third;
    weights += p->filter_row_step;
  }
}

/* What the loop over the windows of one channel knows: what changes, from row to row or channel to
 * channel, and what does not. Groups of fields are loaded together. All steps are in bytes. */
typedef struct {
  int32_t multiplier;
  int32_t right;
  int32_t zero_point;
  int32_t output_step;
  const void *fours_end; /* the first window of the row that is not made in fours */

  int32_t row_step;
  int32_t next_x;      /* from the end of a row of windows to the next one */
  int32_t next_output; /* likewise in the output */
  const void *end;     /* the row after the last one */

  int32_t rest; /* windows of a row that are not made in fours */
  int32_t bias;
  const uint32_t *weights;
  const void *x; /* the first window */
  int8_t *output;
  int32_t tap_row_step;
  int32_t columns;
} mcg_channel_job;

#if MCG_DSP
#define MCG_CHANNEL_LOAD_WEIGHTS(at0, at1) \
  "ldr.w r8, [r11, #" at0                  \
  "]\n\t"                                  \
  "ldr.w r9, [r11, #" at1 "]\n\t"
/* Columns 0 to 3, and 0 to 5, of a row. */
#define MCG_CHANNEL_LOAD_2(from) \
  "ldr.w r4, [" from             \
  "]\n\t"                        \
  "ldr.w r5, [" from ", #4]\n\t"
#define MCG_CHANNEL_LOAD_3(from) MCG_CHANNEL_LOAD_2(from) "ldr.w r6, [" from ", #8]\n\t"
#define MCG_CHANNEL_BIAS "ldr.w r0, [r12, %[bias]]\n\t"

/* Four windows one column apart. The first row of taps takes the bias. */
#define MCG_CHANNEL_FOUR_BY_1 \
  MCG_CHANNEL_BIAS MCG_CHANNEL_LOAD_WEIGHTS("0", "4") MCG_CHANNEL_LOAD_3("r10") \
  "smlatb r1, r4, r8, r0\n\t"                                                   \
  "smlad r2, r5, r8, r0\n\t"                                                    \
  "smlatb r3, r5, r8, r0\n\t"                                                   \
  "smlad r0, r4, r8, r0\n\t"                                                    \
  "smlabt r0, r5, r9, r0\n\t"                                                   \
  "smlad r1, r5, r9, r1\n\t"                                                    \
  "smlabt r2, r6, r9, r2\n\t"                                                   \
  "smlad r3, r6, r9, r3\n\t"                                                    \
  "add.w r6, r10, lr\n\t" MCG_CHANNEL_FOUR_BY_1_MORE("8", "12")                         \
  "add.w r6, r10, lr, lsl #1\n\t" MCG_CHANNEL_FOUR_BY_1_MORE("16", "20")
#define MCG_CHANNEL_FOUR_BY_1_MORE(at0, at1) \
  MCG_CHANNEL_LOAD_WEIGHTS(at0, at1)         \
  MCG_CHANNEL_LOAD_3("r6")                   \
  "smlad r0, r4, r8, r0\n\t"                 \
  "smlatb r1, r4, r8, r1\n\t"                \
  "smlad r2, r5, r8, r2\n\t"                 \
  "smlatb r3, r5, r8, r3\n\t"                \
  "smlabt r0, r5, r9, r0\n\t"                \
  "smlad r1, r5, r9, r1\n\t"                 \
  "smlabt r2, r6, r9, r2\n\t"                \
  "smlad r3, r6, r9, r3\n\t"

/* Two windows one column apart. */
#define MCG_CHANNEL_TWO_BY_1 \
  MCG_CHANNEL_BIAS MCG_CHANNEL_LOAD_WEIGHTS("0", "4") MCG_CHANNEL_LOAD_2("r10") \
  "smlatb r1, r4, r8, r0\n\t"                                                   \
  "smlad r0, r4, r8, r0\n\t"                                                    \
  "smlabt r0, r5, r9, r0\n\t"                                                   \
  "smlad r1, r5, r9, r1\n\t"                                                    \
  "add.w r6, r10, lr\n\t" MCG_CHANNEL_TWO_BY_1_MORE("8", "12")                          \
  "add.w r6, r10, lr, lsl #1\n\t" MCG_CHANNEL_TWO_BY_1_MORE("16", "20")
#define MCG_CHANNEL_TWO_BY_1_MORE(at0, at1) \
  MCG_CHANNEL_LOAD_WEIGHTS(at0, at1)        \
  MCG_CHANNEL_LOAD_2("r6")                  \
  "smlad r0, r4, r8, r0\n\t"                \
  "smlatb r1, r4, r8, r1\n\t"               \
  "smlabt r0, r5, r9, r0\n\t"               \
  "smlad r1, r5, r9, r1\n\t"

/* Four windows two columns apart: nine columns. */
#define MCG_CHANNEL_FOUR_BY_2 \
  MCG_CHANNEL_BIAS MCG_CHANNEL_LOAD_WEIGHTS("0", "4") MCG_CHANNEL_LOAD_3("r10") \
  "ldr.w r3, [r10, #12]\n\t"                                                    \
  "smlad r1, r5, r8, r0\n\t"                                                    \
  "smlad r2, r6, r8, r0\n\t"                                                    \
  "smlabt r1, r6, r9, r1\n\t"                                                   \
  "smlabt r2, r3, r9, r2\n\t"                                                   \
  "smlad r3, r3, r8, r0\n\t"                                                    \
  "smlad r0, r4, r8, r0\n\t"                                                    \
  "ldr.w r4, [r10, #16]\n\t"                                                    \
  "smlabt r0, r5, r9, r0\n\t"                                                   \
  "smlabt r3, r4, r9, r3\n\t"                                                   \
  "add.w r10, r10, lr\n\t" MCG_CHANNEL_FOUR_BY_2_MORE("8", "12")                        \
  "add.w r10, r10, lr\n\t" MCG_CHANNEL_FOUR_BY_2_MORE("16", "20")                       \
  "sub.w r10, r10, lr, lsl #1\n\t"
#define MCG_CHANNEL_FOUR_BY_2_MORE(at0, at1) \
  MCG_CHANNEL_LOAD_WEIGHTS(at0, at1)         \
  MCG_CHANNEL_LOAD_3("r10")                  \
  "smlad r0, r4, r8, r0\n\t"                 \
  "smlabt r0, r5, r9, r0\n\t"                \
  "smlad r1, r5, r8, r1\n\t"                 \
  "smlabt r1, r6, r9, r1\n\t"                \
  "smlad r2, r6, r8, r2\n\t"                 \
  "ldr.w r4, [r10, #12]\n\t"                 \
  "ldr.w r5, [r10, #16]\n\t"                 \
  "smlabt r2, r4, r9, r2\n\t"                \
  "smlad r3, r4, r8, r3\n\t"                 \
  "smlabt r3, r5, r9, r3\n\t"

/* Two windows two columns apart. */
#define MCG_CHANNEL_TWO_BY_2 \
  MCG_CHANNEL_BIAS MCG_CHANNEL_LOAD_WEIGHTS("0", "4") MCG_CHANNEL_LOAD_3("r10") \
  "smlad r1, r5, r8, r0\n\t"                                                    \
  "smlad r0, r4, r8, r0\n\t"                                                    \
  "smlabt r0, r5, r9, r0\n\t"                                                   \
  "smlabt r1, r6, r9, r1\n\t"                                                   \
  "add.w r6, r10, lr\n\t" MCG_CHANNEL_TWO_BY_2_MORE("8", "12")                          \
  "add.w r6, r10, lr, lsl #1\n\t" MCG_CHANNEL_TWO_BY_2_MORE("16", "20")
#define MCG_CHANNEL_TWO_BY_2_MORE(at0, at1) \
  MCG_CHANNEL_LOAD_WEIGHTS(at0, at1)        \
  MCG_CHANNEL_LOAD_3("r6")                  \
  "smlad r0, r4, r8, r0\n\t"                \
  "smlabt r0, r5, r9, r0\n\t"               \
  "smlad r1, r5, r8, r1\n\t"                \
  "smlabt r1, r6, r9, r1\n\t"

#define MCG_CHANNEL_TO_8(to_8) to_8("r0", "r4", "r5", "r6") to_8("r1", "r4", "r5", "r6")
#define MCG_CHANNEL_FOUR_TO_8(to_8) \
  MCG_CHANNEL_TO_8(to_8) to_8("r2", "r4", "r5", "r6") to_8("r3", "r4", "r5", "r6")
#define MCG_CHANNEL_FIELD(field) MCG_OFFSET(mcg_channel_job, field, multiplier)

/* All rows: windows in fours, then in twos. Of the last two the second may be none: then it goes to
 * the place of the first before that is written. r10 is at a window's first tap, r11 at the
 * weights, r7 at the output; lr is the way to the next row of taps, r12 the job. `advance` is half
 * the distance of windows. */
#define MCG_CHANNEL_LOOP(four, two, advance) \
  __asm__ volatile(                                                                                \
      ".syntax unified\n\t"                                                                        \
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */        \
      "ldr.w r10, [r12, %[x]]\n\t"                                                                 \
      "ldr.w r11, [r12, %[weights]]\n\t"                                                           \
      "ldr.w lr, [r12, %[tap_row_step]]\n\t"                                                       \
      "ldr.w r7, [r12, %[output]]\n\t"                                                             \
      "ldr.w r9, [r12, %[fours_end]]\n\t"                                                          \
      ".balign 4\n"                                                                                \
      "1:\n\t" /* a row */                                                                         \
      "cmp r10, r9\n\t"                                                                            \
      "beq.w 5f\n\t"                                                                               \
      ".balign 4\n"                                                                                \
      "2:\n\t" four                                                                                \
      "ldm.w r12, {r4, r5, r6, r8, r9}\n\t" /* multiplier to fours_end */                          \
      "cmn.w r6, #128\n\t"                                                                         \
      "bne 3f\n\t" MCG_CHANNEL_FOUR_TO_8(MCG_TO_8_FROM_LOWEST)                                     \
      "b 4f\n"                                                                                     \
      "3:\n\t" MCG_CHANNEL_FOUR_TO_8(MCG_TO_8)                                                     \
      "4:\n\t"                                                                                     \
      "add.w r4, r7, r8, lsl #1\n\t"                                                               \
      "strb.w r0, [r7]\n\t"                                                                        \
      "strb.w r1, [r7, r8]\n\t"                                                                    \
      "strb.w r2, [r4]\n\t"                                                                        \
      "strb.w r3, [r4, r8]\n\t"                                                                    \
      "add.w r7, r4, r8, lsl #1\n\t"                                                               \
      "add.w r10, r10, #8 * " advance "\n\t"                                                       \
      "cmp r10, r9\n\t"                                                                            \
      "bne.w 2b\n"                                                                                 \
      "5:\n\t"                                                                                     \
      "ldr.w r3, [r12, %[rest]]\n\t"                                                               \
      "cmp r3, #0\n\t"                                                                             \
      "beq.w 7f\n\t"                                                                               \
      ".balign 4\n"                                                                                \
      "6:\n\t" two                                                                                 \
      "ldm.w r12, {r4, r5, r6, r8}\n\t"                                                            \
      MCG_CHANNEL_TO_8(MCG_TO_8)                                                                   \
      "cmp r3, #1\n\t"                                                                             \
      "it eq\n\t"                                                                                  \
      "moveq r8, #0\n\t"                                                                           \
      "add.w r10, r10, #4 * " advance "\n\t"                                                       \
      "strb.w r1, [r7, r8]\n\t"                                                                    \
      "strb.w r0, [r7]\n\t"                                                                        \
      "add.w r7, r7, r8, lsl #1\n\t"                                                               \
      "subs r3, #2\n\t"                                                                            \
      "bgt.w 6b\n"                                                                                 \
      "7:\n\t"                                                                                     \
      "add.w r4, r12, %[fours_end]\n\t"                                                            \
      "ldm.w r4, {r0, r1, r2, r3, r5}\n\t" /* fours_end to end */                                  \
      "add.w r9, r0, r1\n\t"                                                                       \
      "str.w r9, [r4]\n\t"                                                                         \
      "add.w r10, r10, r2\n\t"                                                                     \
      "add.w r7, r7, r3\n\t"                                                                       \
      "cmp r10, r5\n\t"                                                                            \
      "bne.w 1b\n\t"                                                                               \
      "pop {r7}"                                                                                   \
      : "+r"(r12)                                                                                  \
      : [x] MCG_CHANNEL_FIELD(x), [weights] MCG_CHANNEL_FIELD(weights),                            \
        [tap_row_step] MCG_CHANNEL_FIELD(tap_row_step), [output] MCG_CHANNEL_FIELD(output),        \
        [fours_end] MCG_CHANNEL_FIELD(fours_end), [rest] MCG_CHANNEL_FIELD(rest),                  \
        [bias] MCG_CHANNEL_FIELD(bias)                                                             \
      : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "cc", "memory")
#endif

/* One channel of some rows of the output. */
MCG_SHARED void mcg_depthwise_channel(const mcg_depthwise_conv_2d_s8_dsp_params *p,
                                      mcg_channel_job *job) {
#if MCG_DSP
  register mcg_channel_job *r12 __asm__("r12") = job;
  if (p->column_stride == 1) {
    MCG_CHANNEL_LOOP(MCG_CHANNEL_FOUR_BY_1, MCG_CHANNEL_TWO_BY_1, "1");
  } else {
    MCG_CHANNEL_LOOP(MCG_CHANNEL_FOUR_BY_2, MCG_CHANNEL_TWO_BY_2, "2");
  }
#else
  const int16_t *row = job->x;
  int8_t *output = job->output;
  for (; row != job->end; row += job->row_step / 2) {
    for (int32_t column = 0; column < job->columns; ++column) {
      const int16_t *x = row + column * p->column_stride;
      int32_t acc = job->bias;
      for (const uint32_t *w = job->weights; w != job->weights + 2 * MCG_DEPTHWISE_TAP_ROWS;
           w += 2) {
        acc = mcg_smlad(mcg_load_pair(x), w[0], acc) + x[2] * mcg_high(w[1]);
        x += job->tap_row_step / 2;
      }
      *output = (int8_t)mcg_requantize_to_8(acc, job->multiplier, job->right, job->zero_point);
      output += job->output_step;
    }
    output += job->next_output;
  }
#endif
}

MCG_SHARED void mcg_depthwise_conv_2d_s8_dsp(const mcg_depthwise_conv_2d_s8_dsp_params *p,
                                             const int8_t *input, const int8_t *weights,
                                             const int32_t *bias, const int32_t *multiplier,
                                             const int8_t *shift, int8_t *output, void *scratch) {
  const int32_t image_rows =
      (p->stripe_rows - 1) * p->row_stride + (MCG_DEPTHWISE_TAP_ROWS - 1) * p->row_dilation + 1;
  const int32_t plane = 2 * p->row_words * image_rows;
  const int32_t filters = p->depth_multiplier;
  const int32_t fours = p->output_columns & ~3, rest = p->output_columns & 3;
  const int32_t row_step = 4 * p->row_words * p->row_stride;
  int16_t *planes = scratch;
  uint32_t *pairs =
      (uint32_t *)scratch + mcg_min(MCG_PLANES, p->channels) * p->row_words * image_rows;
  mcg_channel_job job = {
      .zero_point = p->output_zero_point,
      .output_step = p->output_column_step,
      .row_step = row_step,
      .next_x = row_step - 2 * p->column_stride * (fours + ((rest + 1) & ~1)),
#if MCG_DSP
      .next_output = p->output_row_step - (fours + (rest & ~1)) * p->output_column_step,
#else
      .next_output = p->output_row_step - p->output_columns * p->output_column_step,
#endif
      .rest = rest,
      .weights = pairs,
      .tap_row_step = 4 * p->row_words * p->row_dilation,
      .columns = p->output_columns,
  };
  const mcg_split_job split = {
      .rows = p->input_rows,
      .row_step = p->input_row_step,
      .columns = p->input_columns,
      .column_step = p->input_column_step,
      .before = p->pad_columns,
      .row_words = p->row_words,
      .zero_point = p->input_zero_point,
      .fills = p->stripe_rows < p->output_rows,
  };
  const uint32_t padding = mcg_pair((uint32_t)p->input_zero_point, (uint32_t)p->input_zero_point);
  for (uint32_t *pair = scratch; pair != pairs; ++pair) {
    *pair = padding;
  }
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_rows; row += p->stripe_rows) {
      const int32_t rows = mcg_min(p->stripe_rows, p->output_rows - row);
      for (int32_t first = 0; first < p->channels; first += MCG_PLANES) {
        const int32_t lanes = mcg_min(MCG_PLANES, p->channels - first);
        int32_t channel = first * filters;
        mcg_split(&split, input + first, row * p->row_stride - p->pad_rows, image_rows, lanes,
                  planes, plane);
        for (int32_t lane = 0; lane < lanes; ++lane) {
          const int16_t *x = planes + lane * plane;
          for (int32_t n = 0; n < filters; ++n) {
            mcg_pair_weights(p, weights + channel, pairs);
            job.bias = bias[channel];
            job.multiplier = multiplier[channel];
            job.right = shift[channel];
            job.x = x;
            job.end = x + rows * row_step / 2;
            job.fours_end = x + fours * p->column_stride;
            job.output = output + row * p->output_row_step + channel;
            mcg_depthwise_channel(p, &job);
            ++channel;
          }
        }
      }
    }
    input += p->input_bytes;
    output += p->output_bytes;
  }
}

#endif /* MCG_DEPTHWISE_CONV_2D_S8_DSP_H */
