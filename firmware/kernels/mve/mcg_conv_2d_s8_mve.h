/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution with any stride, dilation, padding and number of groups, by MVE.
 *
 * `batch` windows at a time are gathered in scratch, with the input's zero point outside the image;
 * so the folded bias holds at the border too. There are two ways. Where windows next to each other
 * are `shared`, the columns of the image that they take lie one after the other, each with all
 * pixels under the filter, so that every window is in one piece although it shares columns with its
 * neighbours; weights are ordered column by column. Else every window has its own copy, row by row.
 * Input and output are NHWC; the weights of each group are as mcg_filter_s8_mve.h has them.
 */
#ifndef MCG_CONV_2D_S8_MVE_H
#define MCG_CONV_2D_S8_MVE_H

#include "mcg_filter_s8_mve.h"

typedef struct {
  int32_t batches;
  int32_t input_height;
  int32_t input_width;
  int32_t input_channels;
  int32_t filter_height;
  int32_t filter_width;
  int32_t filter_channels; /* input channels of one group */
  int32_t output_height;
  int32_t output_width;
  int32_t output_channels;
  int32_t groups;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t input_zero_point;
  int32_t batch;  /* windows in scratch */
  int32_t shared; /* 1 if windows share columns; then they are of one row */
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
} mcg_conv_2d_s8_mve_params;

/* Copies `count` pieces of `bytes` bytes. */
MCG_INLINE void mcg_conv_2d_s8_mve_copy(int8_t *to, int32_t to_step, const int8_t *from,
                                        int32_t from_step, int32_t bytes, int32_t count) {
  for (int32_t done = 0; done < bytes; done += 16) {
    int8_t *target = to + done;
    const int8_t *source = from + done;
    __asm__ volatile(
        "vctp.8 %[lanes]\n\t"
        "wls lr, %[count], 2f\n"
        "1:\n\t"
        "vpstt\n\t"
        "vldrbt.u8 q0, [%[source]]\n\t"
        "vstrbt.8 q0, [%[target]]\n\t"
        "add %[source], %[source], %[from_step]\n\t"
        "add %[target], %[target], %[to_step]\n\t"
        "le lr, 1b\n"
        "2:"
        : [target] "+r"(target), [source] "+r"(source)
        : [lanes] "r"(bytes - done), [count] "r"(count), [from_step] "r"(from_step),
          [to_step] "r"(to_step)
        : "q0", "lr", "p0", "cc", "memory");
  }
}

/* Sets `count` pieces of `bytes` bytes. */
MCG_INLINE void mcg_conv_2d_s8_mve_set(int8_t *to, int32_t to_step, int32_t value, int32_t bytes,
                                       int32_t count) {
  for (; count > 0; --count) {
    mcg_mve_set(to, value, bytes);
    to += to_step;
  }
}

/* Gathers `count` columns next to each other, of which the first pixel is at (y, x). */
MCG_SHARED void mcg_conv_2d_s8_mve_gather_columns(const mcg_conv_2d_s8_mve_params *p,
                                                  const int8_t *image, int32_t y, int32_t x,
                                                  int32_t count, int8_t *to) {
  const int32_t bytes = p->filter_channels;
  const int32_t column = p->filter_height * bytes;
  const int32_t before = mcg_clamp(-x, 0, count);
  const int32_t end = mcg_clamp(p->input_width - x, before, count);
  for (int32_t tap = p->filter_height; tap > 0; --tap) {
    if (y < 0 || y >= p->input_height) {
      mcg_conv_2d_s8_mve_set(to, column, p->input_zero_point, bytes, count);
    } else {
      const int8_t *row = image + (y * p->input_width + x) * p->input_channels;
      mcg_conv_2d_s8_mve_set(to, column, p->input_zero_point, bytes, before);
      mcg_conv_2d_s8_mve_copy(to + before * column, column, row + before * p->input_channels,
                              p->input_channels, bytes, end - before);
      mcg_conv_2d_s8_mve_set(to + end * column, column, p->input_zero_point, bytes, count - end);
    }
    to += bytes;
    y += p->dilation_h;
  }
}

/* Gathers the window whose first pixel is at (y, x). */
MCG_SHARED void mcg_conv_2d_s8_mve_gather_window(const mcg_conv_2d_s8_mve_params *p,
                                                 const int8_t *image, int32_t y, int32_t x,
                                                 int8_t *to) {
  const int32_t bytes = p->filter_channels;
  const int32_t row_bytes = p->filter_width * bytes;
  /* Taps from `top` to `bottom`, `left` to `right` lie in the image. */
  const int32_t top =
      y < 0 ? mcg_min((p->dilation_h - 1 - y) / p->dilation_h, p->filter_height) : 0;
  const int32_t left =
      x < 0 ? mcg_min((p->dilation_w - 1 - x) / p->dilation_w, p->filter_width) : 0;
  const int32_t bottom =
      mcg_clamp((p->input_height - y + p->dilation_h - 1) / p->dilation_h, top, p->filter_height);
  const int32_t right =
      mcg_clamp((p->input_width - x + p->dilation_w - 1) / p->dilation_w, left, p->filter_width);
  if (bottom - top < p->filter_height || right - left < p->filter_width) {
    mcg_mve_set(to, p->input_zero_point, p->filter_height * row_bytes);
  }
  const int32_t pitch = p->input_width * p->input_channels;
  const int32_t one_piece = p->dilation_w == 1 && bytes == p->input_channels;
  const int32_t taps = one_piece ? right - left : 1;
  const int8_t *from =
      image + (y + top * p->dilation_h) * pitch + (x + left * p->dilation_w) * p->input_channels;
  to += top * row_bytes + left * bytes;
  for (int32_t tap = left; tap < right; tap += taps) {
    mcg_conv_2d_s8_mve_copy(to, row_bytes, from, p->dilation_h * pitch, taps * bytes, bottom - top);
    to += bytes;
    from += p->dilation_w * p->input_channels;
  }
}

/* All windows of an image with the filters of one group, whose first input is at `image`. */
MCG_INLINE void mcg_conv_2d_s8_mve_group(const mcg_conv_2d_s8_mve_params *p,
                                         const mcg_output_stage *stage, const int8_t *image,
                                         const int8_t *weights, const int32_t *bias, int8_t *output,
                                         int8_t *windows) {
  const int32_t column_bytes = p->filter_height * p->filter_channels;
  const int32_t depth = column_bytes * p->filter_width;
  const int32_t step = p->shared ? p->stride_w * column_bytes : depth;
  const int32_t total = p->output_height * p->output_width;
  int32_t row = 0, column = 0;
  for (int32_t done = 0; done < total;) {
    const int32_t count = mcg_min(p->batch, p->shared ? p->output_width - column : total - done);
    if (p->shared) {
      mcg_conv_2d_s8_mve_gather_columns(p, image, row * p->stride_h - p->pad_top,
                                        column * p->stride_w - p->pad_left,
                                        (count - 1) * p->stride_w + p->filter_width, windows);
      column += count;
      if (column == p->output_width) {
        column = 0;
        ++row;
      }
    } else {
      for (int32_t i = 0; i < count; ++i) {
        mcg_conv_2d_s8_mve_gather_window(p, image, row * p->stride_h - p->pad_top,
                                         column * p->stride_w - p->pad_left, windows + i * depth);
        if (++column == p->output_width) {
          column = 0;
          ++row;
        }
      }
    }
    mcg_mve_filter(stage, windows, step, count, depth, 0, weights, bias, output,
                   p->output_channels / p->groups, p->output_channels);
    output += count * p->output_channels;
    done += count;
  }
}

MCG_INLINE void mcg_conv_2d_s8_mve(const mcg_conv_2d_s8_mve_params *p, const int8_t *input,
                                   const int8_t *weights, const int32_t *bias,
                                   const int32_t *multiplier, const int8_t *shift, int8_t *output,
                                   void *scratch) {
  const int32_t channels = p->output_channels / p->groups;
  for (int32_t group = 0; group < p->groups; ++group) {
    const int32_t first = group * channels;
    const int32_t entry = p->per_channel ? first : 0;
    const mcg_output_stage stage = {
        multiplier + entry,   shift + entry, p->per_channel, p->scale_down,
        p->output_zero_point, p->output_min, p->output_max,
    };
    for (int32_t batch = 0; batch < p->batches; ++batch) {
      const int8_t *image = input + batch * p->input_height * p->input_width * p->input_channels;
      int8_t *made = output + batch * p->output_height * p->output_width * p->output_channels;
      mcg_conv_2d_s8_mve_group(p, &stage, image + group * p->filter_channels, weights, bias + first,
                               made + first, scratch);
    }
    weights += p->filter_height * p->filter_width * p->filter_channels * channels;
  }
}

#endif /* MCG_CONV_2D_S8_MVE_H */
