/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_depthwise_conv_2d_s8_dsp() for any filter.
 *
 * A row of the filter is cut into steps: three taps, then two each, so that all of them begin at a
 * pair of columns. Columns of a dilated filter never meet: those that do make planes of their own,
 * a phase. So the output may only be the input if nothing is dilated along the columns.
 *
 * scratch holds the planes and the weights of one channel: 4 * row_words * (rows of the image that
 * a stripe takes) bytes for each of up to 4 planes, and 12 * filter_rows * (filter_columns / 2, at
 * least 1) bytes.
 */
#ifndef MCG_DEPTHWISE_WIDE_S8_DSP_H
#define MCG_DEPTHWISE_WIDE_S8_DSP_H

#include "mcg_depthwise_conv_2d_s8_dsp.h"
#include "mcg_depthwise_rows.h"
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
  int32_t column_dilation; /* 1 if the stride is not */
  int32_t pad_rows;        /* before the first row */
  int32_t pad_columns;
  int32_t channels;         /* of the input */
  int32_t depth_multiplier; /* channels of the output for each of the input */
  int32_t input_zero_point;
  int32_t row_words;   /* pairs per row of a plane: the columns that the windows of a phase take */
  int32_t stripe_rows; /* rows of the output that are made at a time */
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
  int32_t fast; /* see mcg_filters */
} mcg_depthwise_wide_s8_dsp_params;

/* Three neighbouring taps of a filter, as the loop of mcg_depthwise_rows.h takes them. */
typedef struct {
  uint32_t first;  /* taps 0 and 1 */
  uint32_t second; /* taps 1 and 2 */
  int32_t next;    /* bytes from the first tap to that of the next step */
} mcg_wide_step;

/* The steps of a filter, but for its weights. Gives how many there are. */
MCG_INLINE int32_t mcg_wide_make_steps(const mcg_depthwise_wide_s8_dsp_params *p,
                                       mcg_wide_step *steps) {
  const int32_t row_step = 4 * p->row_words * p->row_dilation;
  int32_t count = 0, last = 0;
  for (int32_t row = 0; row < p->filter_rows; ++row) {
    for (int32_t tap = 0; tap == 0 || tap + 1 < p->filter_columns; tap += 2) {
      const int32_t at = row * row_step + 2 * tap;
      if (count > 0) {
        steps[count - 1].next = at - last;
      }
      steps[count].next = 0;
      last = at;
      ++count;
    }
  }
  return count;
}

/* The weights of one channel. A tap that the step before had, or beyond the filter, counts 0. */
MCG_INLINE void mcg_wide_take_weights(const mcg_depthwise_wide_s8_dsp_params *p,
                                      const int8_t *weights, mcg_wide_step *step) {
  const int32_t columns = p->filter_columns, next = p->filter_column_step;
  for (int32_t row = 0; row < p->filter_rows; ++row) {
    const int8_t *at = weights;
    uint32_t first = (uint32_t)at[0];
    for (int32_t tap = 0; tap == 0 || tap + 1 < columns; tap += 2) {
      const uint32_t second = tap + 1 < columns ? (uint32_t)at[next] : 0;
      const uint32_t third = tap + 2 < columns ? (uint32_t)at[2 * next] : 0;
      step->first = mcg_pair(first, second);
      step->second = mcg_pair(second, third);
      first = 0;
      at += 2 * next;
      ++step;
    }
    weights += p->filter_row_step;
  }
}

#if MCG_DSP
/* One step of four windows, 44 or 48 bytes, and of two windows, 28 bytes. Weights are
 * loaded with the way to the next step's first tap. */
#define MCG_WIDE_WEIGHTS "ldmia.w r11!, {r8, r9, lr}\n\t"
#define MCG_WIDE_NEXT "add.w r10, r10, lr\n\t"
#define MCG_WIDE_FOUR_STRIDE_1    \
  MCG_WIDE_WEIGHTS                \
  "ldmia.w r10, {r4, r5, r6}\n\t" \
  "smlad r0, r4, r8, r0\n\t"      \
  "smlabt r0, r5, r9, r0\n\t"     \
  "smlatb r1, r4, r8, r1\n\t"     \
  "smlad r1, r5, r9, r1\n\t"      \
  "smlad r2, r5, r8, r2\n\t"      \
  "smlabt r2, r6, r9, r2\n\t"     \
  "smlatb r3, r5, r8, r3\n\t"     \
  "smlad r3, r6, r9, r3\n\t" MCG_WIDE_NEXT
#define MCG_WIDE_TWO_STRIDE_1 \
  MCG_WIDE_WEIGHTS            \
  "ldrd r4, r5, [r10]\n\t"    \
  "smlad r0, r4, r8, r0\n\t"  \
  "smlabt r0, r5, r9, r0\n\t" \
  "smlatb r1, r4, r8, r1\n\t" \
  "smlad r1, r5, r9, r1\n\t" MCG_WIDE_NEXT
#define MCG_WIDE_FOUR_STRIDE_2    \
  MCG_WIDE_WEIGHTS                \
  "ldmia.w r10, {r4, r5, r6}\n\t" \
  "smlad r0, r4, r8, r0\n\t"      \
  "smlabt r0, r5, r9, r0\n\t"     \
  "smlad r1, r5, r8, r1\n\t"      \
  "smlabt r1, r6, r9, r1\n\t"     \
  "ldrd r4, r5, [r10, #12]\n\t"   \
  "smlad r2, r6, r8, r2\n\t"      \
  "smlabt r2, r4, r9, r2\n\t"     \
  "smlad r3, r4, r8, r3\n\t"      \
  "smlabt r3, r5, r9, r3\n\t" MCG_WIDE_NEXT
#define MCG_WIDE_TWO_STRIDE_2     \
  MCG_WIDE_WEIGHTS                \
  "ldmia.w r10, {r4, r5, r6}\n\t" \
  "smlad r0, r4, r8, r0\n\t"      \
  "smlabt r0, r5, r9, r0\n\t"     \
  "smlad r1, r5, r8, r1\n\t"      \
  "smlabt r1, r6, r9, r1\n\t" MCG_WIDE_NEXT
#endif

/* One channel of the job's rows. */
MCG_SHARED void mcg_wide_rows(const mcg_depthwise_wide_s8_dsp_params *p,
                              const mcg_output_stage *stage, int32_t channel,
                              mcg_depthwise_job *job) {
#if MCG_DSP
  register int32_t *r12 __asm__("r12") = &job->multiplier;
  if (p->fast && p->column_stride == 1) {
    MCG_DEPTHWISE_ROWS(MCG_WIDE_FOUR_STRIDE_1, "44", MCG_WIDE_TWO_STRIDE_1, "28", "1");
    return;
  }
  if (p->fast && p->column_stride == 2) {
    MCG_DEPTHWISE_ROWS(MCG_WIDE_FOUR_STRIDE_2, "48", MCG_WIDE_TWO_STRIDE_2, "28", "2");
    return;
  }
#endif
  const mcg_wide_step *end = job->weights_end;
  const int16_t *row = job->row;
  int8_t *output_row = job->output_row;
  for (int32_t rows = job->rows_left; rows > 0; --rows) {
    const int16_t *window = row;
    int8_t *output = output_row;
    for (int32_t columns = job->columns; columns > 0; --columns) {
      const int16_t *x = window;
      int32_t acc = job->bias;
      for (const mcg_wide_step *step = job->weights; step != end; ++step) {
        acc = mcg_smlad(mcg_load_pair(x), step->first, acc) + x[2] * mcg_high(step->second);
        x += step->next / 2;
      }
      *output = p->fast
                    ? (int8_t)mcg_requantize_to_8(acc, job->multiplier, job->right, job->zero_point)
                    : mcg_output(stage, channel, acc);
      window += p->column_stride;
      output += job->output_step;
    }
    row += job->row_step / 2;
    output_row += job->output_row_step;
  }
}

/* All channels of some rows of the output from `row` on, and of their columns from `phase` on in
 * steps of the dilation. */
MCG_INLINE void mcg_wide_phase(const mcg_depthwise_wide_s8_dsp_params *p, const int8_t *input,
                               const int8_t *weights, const int32_t *bias,
                               const mcg_output_stage *stage, int32_t row, int32_t phase,
                               int8_t *output, int16_t *planes, mcg_wide_step *steps,
                               mcg_depthwise_job *job) {
  const int32_t dilation = p->column_dilation, filters = p->depth_multiplier;
  const int32_t rows = mcg_min(p->stripe_rows, p->output_rows - row);
  const int32_t image_rows =
      (p->stripe_rows - 1) * p->row_stride + (p->filter_rows - 1) * p->row_dilation + 1;
  const int32_t plane = 2 * p->row_words * image_rows;
  int32_t column = phase - p->pad_columns, before = 0;
  for (; column < 0; column += dilation) {
    ++before;
  }
  const mcg_split_job split = {
      .rows = p->input_rows,
      .row_step = p->input_row_step,
      .columns = (p->input_columns - column + dilation - 1) / dilation,
      .column_step = dilation * p->input_column_step,
      .before = before,
      .row_words = p->row_words,
      .zero_point = p->input_zero_point,
      .fills = 0,
  };
  /* A phase, or windows three columns apart, may take nothing but padding. */
  const int32_t takes_image = split.columns > 0 && before < 2 * p->row_words;
  const uint32_t padding = mcg_pair((uint32_t)p->input_zero_point, (uint32_t)p->input_zero_point);
  for (uint32_t *pair = (uint32_t *)planes; pair != (uint32_t *)steps; ++pair) {
    *pair = padding;
  }
  input += column * p->input_column_step;
  output += row * p->output_row_step + phase * p->output_column_step;
  job->columns = (p->output_columns - phase + dilation - 1) / dilation;
  for (int32_t first = 0; first < p->channels; first += MCG_PLANES) {
    const int32_t lanes = mcg_min(MCG_PLANES, p->channels - first);
    if (takes_image) {
      mcg_split(&split, input + first, row * p->row_stride - p->pad_rows, image_rows, lanes, planes,
                plane);
    }
    for (int32_t n = 0; n < lanes * filters; ++n) {
      const int32_t channel = first * filters + n;
      const int32_t entry = p->per_channel || p->fast ? channel : 0;
      mcg_wide_take_weights(p, weights + channel, steps);
      job->bias = bias[channel];
      job->multiplier = stage->multiplier[entry];
      job->right = stage->shift[entry];
      job->x = job->row = planes + n / filters * plane;
      job->output = job->output_row = output + channel;
      job->rows_left = rows;
      mcg_wide_rows(p, stage, channel, job);
    }
  }
}

MCG_SHARED void mcg_depthwise_wide_s8_dsp(const mcg_depthwise_wide_s8_dsp_params *p,
                                          const int8_t *input, const int8_t *weights,
                                          const int32_t *bias, const int32_t *multiplier,
                                          const int8_t *shift, int8_t *output, void *scratch) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t image_rows =
      (p->stripe_rows - 1) * p->row_stride + (p->filter_rows - 1) * p->row_dilation + 1;
  mcg_wide_step *steps = (mcg_wide_step *)((uint32_t *)scratch + mcg_min(MCG_PLANES, p->channels) *
                                                                     p->row_words * image_rows);
  const int32_t count = mcg_wide_make_steps(p, steps);
  mcg_depthwise_job job = {
      .weights = steps,
      .zero_point = p->output_zero_point,
      .output_step = p->column_dilation * p->output_column_step,
      .weights_end = steps + count,
      .skipped = (3 - count % 3) % 3,
      .row_step = 4 * p->row_words * p->row_stride,
      .output_row_step = p->output_row_step,
  };
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_rows; row += p->stripe_rows) {
      for (int32_t phase = 0; phase < mcg_min(p->column_dilation, p->output_columns); ++phase) {
        mcg_wide_phase(p, input, weights, bias, &stage, row, phase, output, scratch, steps, &job);
      }
    }
    input += p->input_bytes;
    output += p->output_bytes;
  }
}

#endif /* MCG_DEPTHWISE_WIDE_S8_DSP_H */
