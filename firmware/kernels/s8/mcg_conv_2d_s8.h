/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution with any stride, dilation, padding and number of groups.
 *
 * Every window is gathered into scratch (filter_height * filter_width * filter_channels bytes), the
 * input's zero point standing in for what lies outside the image; so the folded bias holds at the
 * border too. Input and output are NHWC, weights [channels][height][width][channels of a group].
 */
#ifndef MCG_CONV_2D_S8_H
#define MCG_CONV_2D_S8_H

#include "mcg_filter_s8.h"

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
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
} mcg_conv_2d_s8_params;

/* One row of a window: `row` points to the image row's first wanted channel, `x` is the column of
 * the first tap. */
MCG_INLINE void mcg_conv_2d_s8_gather_row(const mcg_conv_2d_s8_params *p, const int8_t *row,
                                          int32_t x, int8_t *window) {
  if (p->dilation_w == 1 && p->groups == 1) {
    const int32_t depth = p->input_channels;
    const int32_t before = mcg_clamp(-x, 0, p->filter_width);
    const int32_t after = mcg_clamp(x + p->filter_width - p->input_width, 0, p->filter_width);
    const int32_t inside = p->filter_width - before - after;
    if (before > 0) {
      memset(window, p->input_zero_point, (size_t)(before * depth));
    }
    if (inside > 0) {
      memcpy(window + before * depth, row + (x + before) * depth, (size_t)(inside * depth));
    }
    if (after > 0) {
      memset(window + (before + inside) * depth, p->input_zero_point, (size_t)(after * depth));
    }
    return;
  }
  for (int32_t tap = 0; tap < p->filter_width; ++tap) {
    if (x >= 0 && x < p->input_width) {
      memcpy(window, row + x * p->input_channels, (size_t)p->filter_channels);
    } else {
      memset(window, p->input_zero_point, (size_t)p->filter_channels);
    }
    window += p->filter_channels;
    x += p->dilation_w;
  }
}

/* The window whose first tap is at (y, x), from the image's channels `channel` and following. */
MCG_INLINE void mcg_conv_2d_s8_gather(const mcg_conv_2d_s8_params *p, const int8_t *image,
                                      int32_t y, int32_t x, int32_t channel, int8_t *window) {
  const int32_t bytes = p->filter_width * p->filter_channels;
  for (int32_t tap = 0; tap < p->filter_height; ++tap) {
    if (y >= 0 && y < p->input_height) {
      const int8_t *row = image + y * p->input_width * p->input_channels + channel;
      mcg_conv_2d_s8_gather_row(p, row, x, window);
    } else {
      memset(window, p->input_zero_point, (size_t)bytes);
    }
    window += bytes;
    y += p->dilation_h;
  }
}

MCG_INLINE void mcg_conv_2d_s8(const mcg_conv_2d_s8_params *p, const int8_t *input,
                               const int8_t *weights, const int32_t *bias,
                               const int32_t *multiplier, const int8_t *shift, int8_t *output,
                               void *scratch) {
  int8_t *window = scratch;
  const int32_t depth = p->filter_height * p->filter_width * p->filter_channels;
  const int32_t channels = p->output_channels / p->groups;
  const int32_t image_bytes = p->input_height * p->input_width * p->input_channels;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int8_t *image = input + batch * image_bytes;
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t y = row * p->stride_h - p->pad_top;
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t x = column * p->stride_w - p->pad_left;
        for (int32_t group = 0; group < p->groups; ++group) {
          const int32_t first = group * channels;
          const int32_t entry = p->per_channel ? first : 0;
          const mcg_output_stage stage = {
              multiplier + entry,   shift + entry, p->per_channel, p->scale_down,
              p->output_zero_point, p->output_min, p->output_max,
          };
          mcg_conv_2d_s8_gather(p, image, y, x, group * p->filter_channels, window);
          mcg_filter_window(&stage, window, depth, 0, weights + first * depth, bias + first, output,
                            channels);
          output += channels;
        }
      }
    }
  }
}

#endif /* MCG_CONV_2D_S8_H */
