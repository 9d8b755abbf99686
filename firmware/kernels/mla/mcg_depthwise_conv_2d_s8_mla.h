/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_depthwise_conv_2d_s8() for cores with MLA but no DSP instructions, and with several filters
 * per channel.
 *
 * One channel and a stripe of output rows at a time, the image goes into a plane of 32-bit words
 * with its padding, so that nothing tests for the border and one LDM loads three neighbours. A row
 * of the filter is cut into steps of three taps. Columns of a dilated filter never meet: those that
 * do make a plane of their own, a phase. If one stripe is the whole image, each channel is read
 * before it is written: then the output may be the input, if it is as large.
 *
 * Weights are [channels][filter_rows][filter_columns]. Rows and columns are those of the planes.
 * They may be the image's columns and rows. All steps are in bytes.
 *
 * scratch holds the plane and the steps: 4 * row_words * (rows of the image that a stripe takes) +
 * 16 * filter_rows * (filter_columns / 3, rounded up) bytes.
 */
#ifndef MCG_DEPTHWISE_CONV_2D_S8_MLA_H
#define MCG_DEPTHWISE_CONV_2D_S8_MLA_H

#include "mcg_depthwise_rows.h"
#include "mcg_filter_s8_mla.h"

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
  int32_t row_stride;
  int32_t column_stride;
  int32_t row_dilation;
  int32_t column_dilation; /* 1 if the stride is not */
  int32_t pad_rows;        /* before the first row */
  int32_t pad_columns;
  int32_t channels;         /* of the input */
  int32_t depth_multiplier; /* channels of the output for each of the input */
  int32_t input_zero_point;
  int32_t row_words; /* words per row of the plane: the columns that the windows of a phase take */
  int32_t stripe_rows; /* rows of the output that are made at a time */
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
  int32_t fast; /* see mcg_mla_filters */
} mcg_depthwise_conv_2d_s8_mla_params;

/* Three taps of a row of the filter. */
typedef struct {
  int32_t advance; /* bytes from where the last step left the plane to the first tap */
  int32_t weights[3];
} mcg_depthwise_step;

/* Which columns of the image go into a row of the plane, and from which column on. */
typedef struct {
  int32_t first;  /* in the image */
  int32_t before; /* in the plane */
  int32_t count;
} mcg_depthwise_columns;

/* Words by which a step moves on in the plane: it loads three at a time, and the last three without
 * moving. Steps in C stay. */
MCG_INLINE int32_t mcg_depthwise_moved(const mcg_depthwise_conv_2d_s8_mla_params *p) {
  return p->column_stride <= 2 ? 3 * p->column_stride : 0;
}

/* The steps of a filter, but for its weights. */
MCG_INLINE void mcg_depthwise_make_steps(const mcg_depthwise_conv_2d_s8_mla_params *p,
                                         mcg_depthwise_step *step) {
  int32_t at = 0;
  for (int32_t row = 0; row < p->filter_rows; ++row) {
    for (int32_t tap = 0; tap < p->filter_columns; tap += 3) {
      const int32_t first = row * p->row_dilation * p->row_words + tap;
      step->advance = 4 * (first - at);
      at = first + mcg_depthwise_moved(p);
      ++step;
    }
  }
}

/* The weights of one channel; taps beyond the filter count 0. */
MCG_INLINE void mcg_depthwise_take_weights(const mcg_depthwise_conv_2d_s8_mla_params *p,
                                           const int8_t *weights, mcg_depthwise_step *step) {
  for (int32_t row = p->filter_rows; row > 0; --row) {
    for (int32_t left = p->filter_columns; left > 0; left -= 3) {
      step->weights[0] = *weights++;
      step->weights[1] = left > 1 ? *weights++ : 0;
      step->weights[2] = left > 2 ? *weights++ : 0;
      ++step;
    }
  }
}

/* Puts the columns of one channel, the first of which is at `from`, into the plane. The image
 * begins `y` rows before the plane's first row, or after it if negative; padding is there already.
 */
MCG_INLINE void mcg_depthwise_fill_plane(const mcg_depthwise_conv_2d_s8_mla_params *p,
                                         const mcg_depthwise_columns *columns, const int8_t *from,
                                         int32_t y, int32_t rows, int32_t *to) {
  const int32_t step = p->column_dilation * p->input_column_step;
  const int32_t end = mcg_min(rows, p->input_rows - y);
  int32_t row = mcg_max(0, -y);
  from += (y + row) * p->input_row_step;
  to += row * p->row_words;
  for (; row < end; ++row) {
    const int8_t *pixel = from;
    int32_t *word = to;
    int32_t left = columns->count;
    for (; left >= 4; left -= 4) {
      const int8_t *third = pixel + 2 * step;
      const int32_t x0 = pixel[0], x1 = pixel[step], x2 = third[0], x3 = third[step];
      word[0] = x0;
      word[1] = x1;
      word[2] = x2;
      word[3] = x3;
      pixel = third + 2 * step;
      word += 4;
    }
    for (; left > 0; --left) {
      *word++ = *pixel;
      pixel += step;
    }
    from += p->input_row_step;
    to += p->row_words;
  }
}

#if MCG_MLA
/* One step of four windows, 64 or 68 bytes, and of two windows, 40 bytes. r8, r9 and lr hold the
 * weights. */
#define MCG_DEPTHWISE_STEP             \
  "ldmia.w r11!, {r4, r8, r9, lr}\n\t" \
  "add.w r10, r10, r4\n\t"             \
  "ldmia.w r10!, {r4, r5, r6}\n\t"     \
  "mla r0, r4, r8, r0\n\t"             \
  "mla r0, r5, r9, r0\n\t"             \
  "mla r0, r6, lr, r0\n\t"
#define MCG_DEPTHWISE_FOUR_BY_1   \
  MCG_DEPTHWISE_STEP              \
  "mla r1, r5, r8, r1\n\t"        \
  "mla r1, r6, r9, r1\n\t"        \
  "mla r2, r6, r8, r2\n\t"        \
  "ldmia.w r10, {r4, r5, r6}\n\t" \
  "mla r1, r4, lr, r1\n\t"        \
  "mla r2, r4, r9, r2\n\t"        \
  "mla r2, r5, lr, r2\n\t"        \
  "mla r3, r4, r8, r3\n\t"        \
  "mla r3, r5, r9, r3\n\t"        \
  "mla r3, r6, lr, r3\n\t"
#define MCG_DEPTHWISE_TWO_BY_1 \
  MCG_DEPTHWISE_STEP           \
  "mla r1, r5, r8, r1\n\t"     \
  "mla r1, r6, r9, r1\n\t"     \
  "ldr.w r4, [r10]\n\t"        \
  "mla r1, r4, lr, r1\n\t"
#define MCG_DEPTHWISE_FOUR_BY_2    \
  MCG_DEPTHWISE_STEP               \
  "mla r1, r6, r8, r1\n\t"         \
  "ldmia.w r10!, {r4, r5, r6}\n\t" \
  "mla r1, r4, r9, r1\n\t"         \
  "mla r1, r5, lr, r1\n\t"         \
  "mla r2, r5, r8, r2\n\t"         \
  "mla r2, r6, r9, r2\n\t"         \
  "ldmia.w r10, {r4, r5, r6}\n\t"  \
  "mla r2, r4, lr, r2\n\t"         \
  "mla r3, r4, r8, r3\n\t"         \
  "mla r3, r5, r9, r3\n\t"         \
  "mla r3, r6, lr, r3\n\t"
#define MCG_DEPTHWISE_TWO_BY_2     \
  MCG_DEPTHWISE_STEP               \
  "mla r1, r6, r8, r1\n\t"         \
  "ldmia.w r10!, {r4, r5, r6}\n\t" \
  "mla r1, r4, r9, r1\n\t"         \
  "mla r1, r5, lr, r1\n\t"
#endif

/* One channel of the job's rows. */
MCG_SHARED void mcg_depthwise_mla_rows(const mcg_depthwise_conv_2d_s8_mla_params *p,
                                       const mcg_output_stage *stage, mcg_mla_scales at,
                                       mcg_depthwise_job *job) {
#if MCG_MLA
  register int32_t *r12 __asm__("r12") = &job->multiplier;
  if (p->fast && p->column_stride == 1) {
    MCG_DEPTHWISE_ROWS(MCG_DEPTHWISE_FOUR_BY_1, "64", MCG_DEPTHWISE_TWO_BY_1, "40", "2");
    return;
  }
  if (p->fast && p->column_stride == 2) {
    MCG_DEPTHWISE_ROWS(MCG_DEPTHWISE_FOUR_BY_2, "68", MCG_DEPTHWISE_TWO_BY_2, "40", "4");
    return;
  }
#endif
  const int32_t moved = mcg_depthwise_moved(p);
  const int32_t *row = job->row;
  const mcg_depthwise_step *end = job->weights_end;
  int8_t *output_row = job->output_row;
  for (int32_t rows = job->rows_left; rows > 0; --rows) {
    const int32_t *window = row;
    int8_t *output = output_row;
    for (int32_t columns = job->columns; columns > 0; --columns) {
      const int32_t *x = window;
      int32_t acc = job->bias;
      for (const mcg_depthwise_step *step = job->weights; step != end; ++step) {
        x += step->advance / 4;
        acc += x[0] * step->weights[0] + x[1] * step->weights[1] + x[2] * step->weights[2];
        x += moved;
      }
      *output = p->fast
                    ? (int8_t)mcg_requantize_to_8(acc, job->multiplier, job->right, job->zero_point)
                    : mcg_mla_slow_output(stage, at, acc);
      window += p->column_stride;
      output += job->output_step;
    }
    row += job->row_step / 4;
    output_row += job->output_row_step;
  }
}

/* All channels of some rows of the output from `row` on, and of their columns from `phase` on in
 * steps of the dilation. */
MCG_INLINE void mcg_depthwise_mla_phase(const mcg_depthwise_conv_2d_s8_mla_params *p,
                                        const int8_t *input, const int8_t *weights,
                                        const int32_t *bias, const mcg_output_stage *stage,
                                        int32_t row, int32_t rows, int32_t phase, int8_t *output,
                                        int32_t *plane, mcg_depthwise_step *steps,
                                        mcg_depthwise_job *job) {
  const int32_t dilation = p->column_dilation;
  const int32_t image_rows =
      (rows - 1) * p->row_stride + (p->filter_rows - 1) * p->row_dilation + 1;
  mcg_depthwise_columns columns = {phase - p->pad_columns, 0, 0};
  for (; columns.first < 0; columns.first += dilation) {
    ++columns.before;
  }
  columns.count = mcg_min(p->row_words - columns.before,
                          (p->input_columns - columns.first + dilation - 1) / dilation);
  for (int32_t *word = plane; word != (int32_t *)steps; ++word) {
    *word = p->input_zero_point;
  }
  const int8_t *from = input + columns.first * p->input_column_step;
  const int32_t filters = p->depth_multiplier, taps = p->filter_rows * p->filter_columns;
  mcg_mla_scales at = {stage->multiplier, stage->shift};
  output += row * p->output_row_step + phase * p->output_column_step;
  job->columns = (p->output_columns - phase + dilation - 1) / dilation;
  for (int32_t channel = 0; channel < p->channels; ++channel) {
    mcg_depthwise_fill_plane(p, &columns, from, row * p->row_stride - p->pad_rows, image_rows,
                             plane + columns.before);
    ++from;
    for (int32_t n = 0; n < filters; ++n) {
      mcg_depthwise_take_weights(p, weights, steps);
      weights += taps;
      job->bias = *bias++;
      job->multiplier = *at.multiplier;
      job->right = *at.shift;
      job->x = plane;
      job->row = plane;
      job->output = output;
      job->output_row = output;
      job->rows_left = rows;
      mcg_depthwise_mla_rows(p, stage, at, job);
      ++output;
      ++at.multiplier;
      ++at.shift;
    }
  }
}

MCG_SHARED void mcg_depthwise_conv_2d_s8_mla(const mcg_depthwise_conv_2d_s8_mla_params *p,
                                             const int8_t *input, const int8_t *weights,
                                             const int32_t *bias, const int32_t *multiplier,
                                             const int8_t *shift, int8_t *output, void *scratch) {
  const mcg_output_stage stage = {
      multiplier, shift, 1, p->scale_down, p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t image_rows =
      (p->stripe_rows - 1) * p->row_stride + (p->filter_rows - 1) * p->row_dilation + 1;
  const int32_t count = p->filter_rows * ((p->filter_columns + 2) / 3);
  int32_t *plane = scratch;
  mcg_depthwise_step *steps = (mcg_depthwise_step *)(plane + p->row_words * image_rows);
  mcg_depthwise_job job = {
      .weights = steps,
      .zero_point = p->output_zero_point,
      .output_step = p->column_dilation * p->output_column_step,
      .weights_end = steps + count,
      .skipped = (3 - count % 3) % 3,
      .row_step = 4 * p->row_words * p->row_stride,
      .output_row_step = p->output_row_step,
  };
  mcg_depthwise_make_steps(p, steps);
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_rows; row += p->stripe_rows) {
      const int32_t rows = mcg_min(p->stripe_rows, p->output_rows - row);
      for (int32_t phase = 0; phase < mcg_min(p->column_dilation, p->output_columns); ++phase) {
        mcg_depthwise_mla_phase(p, input, weights, bias, &stage, row, rows, phase, output, plane,
                                steps, &job);
      }
    }
    input += p->input_bytes;
    output += p->output_bytes;
  }
}

#endif /* MCG_DEPTHWISE_CONV_2D_S8_MLA_H */
