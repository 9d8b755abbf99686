/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_depthwise_conv_2d_s8() for cores with DSP instructions, and with several filters per channel:
 * for filters of at most three columns without gaps, one or two columns apart, and accumulators
 * that mcg_requantize_to_8() takes. mcg_depthwise_wide_s8_dsp() has no such limits.
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
 * a stripe takes) bytes for each of up to 4 planes, and 8 * filter_rows bytes.
 */
#ifndef MCG_DEPTHWISE_CONV_2D_S8_DSP_H
#define MCG_DEPTHWISE_CONV_2D_S8_DSP_H

#include "mcg_depthwise_rows.h"
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
  int32_t filter_rows;
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
 */
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
  const int32_t step = p->filter_column_step;
  for (int32_t row = 0; row < p->filter_rows; ++row) {
    const uint32_t second = p->filter_columns > 1 ? (uint32_t)weights[step] : 0;
    const uint32_t third = p->filter_columns > 2 ? (uint32_t)weights[2 * step] : 0;
    *to++ = mcg_pair((uint32_t)weights[0], second);
    *to++ = mcg_pair(second, third);
    weights += p->filter_row_step;
  }
}

#if MCG_DSP
/* One step of four windows, 44 or 48 bytes, and of two windows, 28 bytes. `weights` loads weights 0
 * and 1 into r8, 1 and 2 into r9, and may load lr, the way to the next step's first tap. */
#define MCG_DEPTHWISE_WEIGHTS "ldrd r8, r9, [r11], #8\n\t"
#define MCG_DEPTHWISE_NEXT "add.w r10, r10, lr\n\t"
#define MCG_DEPTHWISE_FOUR_STRIDE_1(weights) \
  weights                                    \
      "ldmia.w r10, {r4, r5, r6}\n\t"        \
      "smlad r0, r4, r8, r0\n\t"             \
      "smlabt r0, r5, r9, r0\n\t"            \
      "smlatb r1, r4, r8, r1\n\t"            \
      "smlad r1, r5, r9, r1\n\t"             \
      "smlad r2, r5, r8, r2\n\t"             \
      "smlabt r2, r6, r9, r2\n\t"            \
      "smlatb r3, r5, r8, r3\n\t"            \
      "smlad r3, r6, r9, r3\n\t" MCG_DEPTHWISE_NEXT
#define MCG_DEPTHWISE_TWO_STRIDE_1(weights) \
  weights                                   \
      "ldrd r4, r5, [r10]\n\t"              \
      "smlad r0, r4, r8, r0\n\t"            \
      "smlabt r0, r5, r9, r0\n\t"           \
      "smlatb r1, r4, r8, r1\n\t"           \
      "smlad r1, r5, r9, r1\n\t" MCG_DEPTHWISE_NEXT
#define MCG_DEPTHWISE_FOUR_STRIDE_2(weights) \
  weights                                    \
      "ldmia.w r10, {r4, r5, r6}\n\t"        \
      "smlad r0, r4, r8, r0\n\t"             \
      "smlabt r0, r5, r9, r0\n\t"            \
      "smlad r1, r5, r8, r1\n\t"             \
      "smlabt r1, r6, r9, r1\n\t"            \
      "ldrd r4, r5, [r10, #12]\n\t"          \
      "smlad r2, r6, r8, r2\n\t"             \
      "smlabt r2, r4, r9, r2\n\t"            \
      "smlad r3, r4, r8, r3\n\t"             \
      "smlabt r3, r5, r9, r3\n\t" MCG_DEPTHWISE_NEXT
#define MCG_DEPTHWISE_TWO_STRIDE_2(weights) \
  weights                                   \
      "ldmia.w r10, {r4, r5, r6}\n\t"       \
      "smlad r0, r4, r8, r0\n\t"            \
      "smlabt r0, r5, r9, r0\n\t"           \
      "smlad r1, r5, r8, r1\n\t"            \
      "smlabt r1, r6, r9, r1\n\t" MCG_DEPTHWISE_NEXT
#endif

/* One channel of some rows of the output, step by step through the rows of the filter. */
MCG_SHARED void mcg_depthwise_rows(const mcg_depthwise_conv_2d_s8_dsp_params *p,
                                   mcg_depthwise_job *job) {
#if MCG_DSP
  register int32_t *r12 __asm__("r12") = &job->multiplier;
  if (p->column_stride == 1) {
    MCG_DEPTHWISE_ROWS(MCG_DEPTHWISE_FOUR_STRIDE_1(MCG_DEPTHWISE_WEIGHTS), "44",
                       MCG_DEPTHWISE_TWO_STRIDE_1(MCG_DEPTHWISE_WEIGHTS), "28", "1");
  } else {
    MCG_DEPTHWISE_ROWS(MCG_DEPTHWISE_FOUR_STRIDE_2(MCG_DEPTHWISE_WEIGHTS), "48",
                       MCG_DEPTHWISE_TWO_STRIDE_2(MCG_DEPTHWISE_WEIGHTS), "28", "2");
  }
#else
  for (; job->rows_left > 0; --job->rows_left) {
    for (int32_t column = 0; column < job->columns; ++column) {
      const int16_t *x = (const int16_t *)job->row + column * p->column_stride;
      int32_t acc = job->bias;
      for (const uint32_t *w = job->weights; w != job->weights_end; w += 2) {
        acc = mcg_smlad(mcg_load_pair(x), w[0], acc) + x[2] * mcg_high(w[1]);
        x += job->tap_row_step / 2;
      }
      job->output_row[column * job->output_step] =
          (int8_t)mcg_requantize_to_8(acc, job->multiplier, job->right, job->zero_point);
    }
    job->row = (const int16_t *)job->row + job->row_step / 2;
    job->output_row += job->output_row_step;
  }
#endif
}

MCG_SHARED void mcg_depthwise_conv_2d_s8_dsp(const mcg_depthwise_conv_2d_s8_dsp_params *p,
                                             const int8_t *input, const int8_t *weights,
                                             const int32_t *bias, const int32_t *multiplier,
                                             const int8_t *shift, int8_t *output, void *scratch) {
  const int32_t image_rows =
      (p->stripe_rows - 1) * p->row_stride + (p->filter_rows - 1) * p->row_dilation + 1;
  const int32_t plane = 2 * p->row_words * image_rows;
  const int32_t filters = p->depth_multiplier;
  int16_t *planes = scratch;
  uint32_t *pairs =
      (uint32_t *)scratch + mcg_min(MCG_PLANES, p->channels) * p->row_words * image_rows;
  mcg_depthwise_job job = {
      .weights = pairs,
      .zero_point = p->output_zero_point,
      .output_step = p->output_column_step,
      .weights_end = pairs + 2 * p->filter_rows,
      .tap_row_step = 4 * p->row_words * p->row_dilation,
      .skipped = (3 - p->filter_rows % 3) % 3,
      .columns = p->output_columns,
      .row_step = 4 * p->row_words * p->row_stride,
      .output_row_step = p->output_row_step,
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
        mcg_split(&split, input + first, row * p->row_stride - p->pad_rows, image_rows, lanes,
                  planes, plane);
        for (int32_t n = 0; n < lanes * filters; ++n) {
          const int32_t channel = first * filters + n;
          const int16_t *x = planes + n / filters * plane;
          int8_t *to = output + row * p->output_row_step + channel;
          mcg_pair_weights(p, weights + channel, pairs);
          job.bias = bias[channel];
          job.multiplier = multiplier[channel];
          job.right = shift[channel];
          job.x = x;
          job.row = x;
          job.output = to;
          job.output_row = to;
          job.rows_left = rows;
          mcg_depthwise_rows(p, &job);
        }
      }
    }
    input += p->input_bytes;
    output += p->output_bytes;
  }
}

#endif /* MCG_DEPTHWISE_CONV_2D_S8_DSP_H */
