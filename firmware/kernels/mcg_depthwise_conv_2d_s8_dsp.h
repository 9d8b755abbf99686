/* mcg_depthwise_conv_2d_s8() for cores with DSP instructions, and with several filters per channel.
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
 * scratch holds 4 planes and the weights of one channel: 16 * row_words * (rows of the image that a
 * stripe takes) + 4 * filter_rows * filter_words bytes.
 */
#ifndef MCG_DEPTHWISE_CONV_2D_S8_DSP_H
#define MCG_DEPTHWISE_CONV_2D_S8_DSP_H

#include "mcg_depthwise_rows.h"
#include "mcg_dsp.h"
#include "mcg_filter_s8.h"

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
  int32_t column_dilation;
  int32_t pad_rows; /* before the first row */
  int32_t pad_columns;
  int32_t channels;         /* of the input */
  int32_t depth_multiplier; /* channels of the output for each of the input */
  int32_t input_zero_point;
  int32_t narrow; /* 1: at most 3 columns, strides 1 or 2 along them, and fast */
  int32_t
      filter_words; /* pairs of weights per row: 2 if narrow, else filter_columns / 2, rounded up */
  int32_t row_words;   /* pairs per row of a plane: the columns that windows take, rounded up */
  int32_t stripe_rows; /* rows of the output that are made at a time */
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
  int32_t fast; /* see mcg_filters */
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

/* Splits the image's rows y and following, `rows` in all, into the planes of `lanes` channels.
 * image points to the first of these. Padding is in the planes already, but for rows that have held
 * others since: those outside are filled if there are several stripes. */
MCG_SHARED void mcg_split(const mcg_depthwise_conv_2d_s8_dsp_params *p, const int8_t *image,
                          int32_t y, int32_t rows, int32_t lanes, int16_t *to, int32_t plane) {
  const int32_t columns = 2 * p->row_words;
  const int32_t pixels = mcg_min(p->input_columns, columns - p->pad_columns);
  const int32_t fills = p->stripe_rows < p->output_rows;
  for (; rows > 0; --rows) {
    if (y >= 0 && y < p->input_rows) {
      const int8_t *row = image + y * p->input_row_step;
      int16_t *inside = to + p->pad_columns;
      if (lanes == MCG_PLANES) {
        mcg_split_row(row, pixels, p->input_column_step, inside, plane);
      } else {
        for (int32_t lane = 0; lane < lanes; ++lane) {
          for (int32_t column = 0; column < pixels; ++column) {
            inside[lane * plane + column] = row[column * p->input_column_step + lane];
          }
        }
      }
    } else if (fills) {
      for (int32_t lane = 0; lane < lanes; ++lane) {
        for (int32_t column = 0; column < columns; ++column) {
          to[lane * plane + column] = (int16_t)p->input_zero_point;
        }
      }
    }
    to += columns;
    ++y;
  }
}

/* The weights of one channel as pairs, row by row: taps (0, 1) and (1, 2) if narrow, else (0, 1),
 * (2, 3) and so on; taps beyond the filter count 0. */
MCG_INLINE void mcg_pair_weights(const mcg_depthwise_conv_2d_s8_dsp_params *p,
                                 const int8_t *weights, uint32_t *to) {
  const int32_t step = p->filter_column_step;
  for (int32_t row = 0; row < p->filter_rows; ++row) {
    if (p->narrow) {
      const uint32_t second = p->filter_columns > 1 ? (uint32_t)weights[step] : 0;
      const uint32_t third = p->filter_columns > 2 ? (uint32_t)weights[2 * step] : 0;
      *to++ = mcg_pair((uint32_t)weights[0], second);
      *to++ = mcg_pair(second, third);
    } else {
      for (int32_t tap = 0; tap < p->filter_columns; tap += 2) {
        const int32_t high = tap + 1 < p->filter_columns ? weights[(tap + 1) * step] : 0;
        *to++ = mcg_pair((uint32_t)weights[tap * step], (uint32_t)high);
      }
    }
    weights += p->filter_row_step;
  }
}

/* A pair of neighbouring taps, `step` columns apart. */
MCG_INLINE uint32_t mcg_taps(const int16_t *at, int32_t step) {
  return step == 1 ? mcg_load_pair(at) : mcg_pair((uint32_t)at[0], (uint32_t)at[step]);
}

/* Adds the products of `count` (1 or 4) neighbouring windows with a filter of any width to acc; x
 * points to the first window's first tap in the plane. */
MCG_INLINE void mcg_depthwise_sums(const mcg_depthwise_conv_2d_s8_dsp_params *p, const int16_t *x,
                                   const uint32_t *weights, int32_t count, int32_t step,
                                   int32_t *acc) {
  const int32_t stride = p->column_stride;
  int32_t acc0 = acc[0], acc1 = acc[1], acc2 = acc[2], acc3 = acc[3];
  for (int32_t row = 0; row < p->filter_rows; ++row) {
    const int16_t *at = x;
    int32_t left = p->filter_columns;
    for (; left > 1; left -= 2) {
      const uint32_t pair = *weights++;
      acc0 = mcg_smlad(mcg_taps(at, step), pair, acc0);
      if (count == 4) {
        acc1 = mcg_smlad(mcg_taps(at + stride, step), pair, acc1);
        acc2 = mcg_smlad(mcg_taps(at + 2 * stride, step), pair, acc2);
        acc3 = mcg_smlad(mcg_taps(at + 3 * stride, step), pair, acc3);
      }
      at += 2 * step;
    }
    if (left > 0) {
      const int32_t weight = mcg_low(*weights++);
      acc0 += at[0] * weight;
      if (count == 4) {
        acc1 += at[stride] * weight;
        acc2 += at[2 * stride] * weight;
        acc3 += at[3 * stride] * weight;
      }
    }
    x += 2 * p->row_words * p->row_dilation;
  }
  acc[0] = acc0;
  acc[1] = acc1;
  acc[2] = acc2;
  acc[3] = acc3;
}

#if MCG_DSP
/* One row of taps of four windows, 44 or 48 bytes, and of two windows, 28 bytes. r8 holds the
 * weights 0 and 1, r9 the weights 1 and 2. */
#define MCG_DEPTHWISE_WEIGHTS "ldrd r8, r9, [r11], #8\n\t"
#define MCG_DEPTHWISE_NEXT "add.w r10, r10, lr\n\t"
#define MCG_DEPTHWISE_FOUR_STRIDE_1 \
  MCG_DEPTHWISE_WEIGHTS             \
  "ldmia.w r10, {r4, r5, r6}\n\t"   \
  "smlad r0, r4, r8, r0\n\t"        \
  "smlabt r0, r5, r9, r0\n\t"       \
  "smlatb r1, r4, r8, r1\n\t"       \
  "smlad r1, r5, r9, r1\n\t"        \
  "smlad r2, r5, r8, r2\n\t"        \
  "smlabt r2, r6, r9, r2\n\t"       \
  "smlatb r3, r5, r8, r3\n\t"       \
  "smlad r3, r6, r9, r3\n\t" MCG_DEPTHWISE_NEXT
#define MCG_DEPTHWISE_TWO_STRIDE_1 \
  MCG_DEPTHWISE_WEIGHTS            \
  "ldrd r4, r5, [r10]\n\t"         \
  "smlad r0, r4, r8, r0\n\t"       \
  "smlabt r0, r5, r9, r0\n\t"      \
  "smlatb r1, r4, r8, r1\n\t"      \
  "smlad r1, r5, r9, r1\n\t" MCG_DEPTHWISE_NEXT
#define MCG_DEPTHWISE_FOUR_STRIDE_2 \
  MCG_DEPTHWISE_WEIGHTS             \
  "ldmia.w r10, {r4, r5, r6}\n\t"   \
  "smlad r0, r4, r8, r0\n\t"        \
  "smlabt r0, r5, r9, r0\n\t"       \
  "smlad r1, r5, r8, r1\n\t"        \
  "smlabt r1, r6, r9, r1\n\t"       \
  "ldrd r4, r5, [r10, #12]\n\t"     \
  "smlad r2, r6, r8, r2\n\t"        \
  "smlabt r2, r4, r9, r2\n\t"       \
  "smlad r3, r4, r8, r3\n\t"        \
  "smlabt r3, r5, r9, r3\n\t" MCG_DEPTHWISE_NEXT
#define MCG_DEPTHWISE_TWO_STRIDE_2 \
  MCG_DEPTHWISE_WEIGHTS            \
  "ldmia.w r10, {r4, r5, r6}\n\t"  \
  "smlad r0, r4, r8, r0\n\t"       \
  "smlabt r0, r5, r9, r0\n\t"      \
  "smlad r1, r5, r8, r1\n\t"       \
  "smlabt r1, r6, r9, r1\n\t" MCG_DEPTHWISE_NEXT
#endif

/* One channel of some rows of the output, for a narrow filter. */
MCG_SHARED void mcg_depthwise_rows(const mcg_depthwise_conv_2d_s8_dsp_params *p,
                                   mcg_depthwise_job *job) {
#if MCG_DSP
  register int32_t *r12 __asm__("r12") = &job->multiplier;
  if (p->column_stride == 1) {
    MCG_DEPTHWISE_ROWS(MCG_DEPTHWISE_FOUR_STRIDE_1, "44", MCG_DEPTHWISE_TWO_STRIDE_1, "28", "1");
  } else {
    MCG_DEPTHWISE_ROWS(MCG_DEPTHWISE_FOUR_STRIDE_2, "48", MCG_DEPTHWISE_TWO_STRIDE_2, "28", "2");
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

/* One channel of `rows` rows of the output, for any filter. */
MCG_SHARED void mcg_depthwise_any(const mcg_depthwise_conv_2d_s8_dsp_params *p,
                                  const mcg_output_stage *stage, int32_t channel,
                                  const int16_t *plane, const uint32_t *weights, int32_t bias,
                                  int8_t *output, int32_t rows) {
  for (; rows > 0; --rows) {
    const int16_t *x = plane;
    int8_t *to = output;
    for (int32_t left = p->output_columns; left > 0;) {
      int32_t acc[4] = {bias, bias, bias, bias};
      const int32_t count = left >= 4 ? 4 : 1;
      if (count == 1) {
        mcg_depthwise_sums(p, x, weights, 1, p->column_dilation, acc);
      } else if (p->column_dilation == 1) {
        mcg_depthwise_sums(p, x, weights, 4, 1, acc);
      } else {
        mcg_depthwise_sums(p, x, weights, 4, p->column_dilation, acc);
      }
      for (int32_t n = 0; n < count; ++n) {
        *to = p->fast ? (int8_t)mcg_requantize_to_8(acc[n], stage->multiplier[channel],
                                                    stage->shift[channel], stage->zero_point)
                      : mcg_output(stage, channel, acc[n]);
        to += p->output_column_step;
      }
      x += count * p->column_stride;
      left -= count;
    }
    plane += 2 * p->row_words * p->row_stride;
    output += p->output_row_step;
  }
}

MCG_SHARED void mcg_depthwise_conv_2d_s8_dsp(const mcg_depthwise_conv_2d_s8_dsp_params *p,
                                             const int8_t *input, const int8_t *weights,
                                             const int32_t *bias, const int32_t *multiplier,
                                             const int8_t *shift, int8_t *output, void *scratch) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t image_rows =
      (p->stripe_rows - 1) * p->row_stride + (p->filter_rows - 1) * p->row_dilation + 1;
  const int32_t plane = 2 * p->row_words * image_rows;
  const int32_t filters = p->depth_multiplier;
  int16_t *planes = scratch;
  uint32_t *pairs = (uint32_t *)scratch + MCG_PLANES * p->row_words * image_rows;
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
  const uint32_t padding = mcg_pair((uint32_t)p->input_zero_point, (uint32_t)p->input_zero_point);
  for (uint32_t *pair = scratch; pair != pairs; ++pair) {
    *pair = padding;
  }
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_rows; row += p->stripe_rows) {
      const int32_t rows = mcg_min(p->stripe_rows, p->output_rows - row);
      for (int32_t first = 0; first < p->channels; first += MCG_PLANES) {
        const int32_t lanes = mcg_min(MCG_PLANES, p->channels - first);
        mcg_split(p, input + first, row * p->row_stride - p->pad_rows, image_rows, lanes, planes,
                  plane);
        for (int32_t n = 0; n < lanes * filters; ++n) {
          const int32_t channel = first * filters + n;
          const int16_t *x = planes + n / filters * plane;
          int8_t *to = output + row * p->output_row_step + channel;
          mcg_pair_weights(p, weights + channel, pairs);
          if (p->narrow) {
            job.bias = bias[channel];
            job.multiplier = multiplier[channel];
            job.right = shift[channel];
            job.x = x;
            job.row = x;
            job.output = to;
            job.output_row = to;
            job.rows_left = rows;
            mcg_depthwise_rows(p, &job);
          } else {
            mcg_depthwise_any(p, &stage, channel, x, pairs, bias[channel], to, rows);
          }
        }
      }
    }
    input += p->input_bytes;
    output += p->output_bytes;
  }
}

#endif /* MCG_DEPTHWISE_CONV_2D_S8_DSP_H */
