/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution of int16 with int8 weights, any stride, dilation, padding and number of groups.
 *
 * Every window is gathered into scratch (filter_height * filter_width * filter_channels numbers),
 * zeros standing in for what lies outside the image. Input and output are NHWC, weights
 * [channels][height][width][channels of a group].
 */
#ifndef MCG_CONV_2D_S16_H
#define MCG_CONV_2D_S16_H

#include "mcg_filter_s16.h"

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
  int32_t per_channel;
  int32_t wide;
  int32_t output_min;
  int32_t output_max;
} mcg_conv_2d_s16_params;

/* The window whose first tap is at (y, x), from the image's channels `channel` and following. */
MCG_INLINE void mcg_conv_2d_s16_gather(const mcg_conv_2d_s16_params *p, const int16_t *image,
                                       int32_t y, int32_t x, int32_t channel, int16_t *window) {
  const size_t bytes = (size_t)p->filter_channels * sizeof(int16_t);
  for (int32_t tap_y = 0; tap_y < p->filter_height; ++tap_y) {
    const int32_t at_y = y + tap_y * p->dilation_h;
    for (int32_t tap_x = 0; tap_x < p->filter_width; ++tap_x) {
      const int32_t at_x = x + tap_x * p->dilation_w;
      if (at_y >= 0 && at_y < p->input_height && at_x >= 0 && at_x < p->input_width) {
        const int32_t at = (at_y * p->input_width + at_x) * p->input_channels + channel;
        memcpy(window, image + at, bytes);
      } else {
        memset(window, 0, bytes);
      }
      window += p->filter_channels;
    }
  }
}

MCG_INLINE void mcg_conv_2d_s16(const mcg_conv_2d_s16_params *p, const int16_t *input,
                                const int8_t *weights, const int64_t *bias,
                                const int32_t *multiplier, const int8_t *shift, int16_t *output,
                                void *scratch) {
  const mcg_output_stage_s16 stage = {
      bias, multiplier, shift, p->per_channel, p->wide, p->output_min, p->output_max,
  };
  int16_t *window = scratch;
  const int32_t depth = p->filter_height * p->filter_width * p->filter_channels;
  const int32_t channels = p->output_channels / p->groups;
  const int32_t image_size = p->input_height * p->input_width * p->input_channels;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int16_t *image = input + batch * image_size;
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t y = row * p->stride_h - p->pad_top;
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t x = column * p->stride_w - p->pad_left;
        for (int32_t group = 0; group < p->groups; ++group) {
          const int32_t first = group * channels;
          mcg_conv_2d_s16_gather(p, image, y, x, group * p->filter_channels, window);
          mcg_filter_window_s16(&stage, window, depth, weights + first * depth, output, first,
                                channels);
          output += channels;
        }
      }
    }
  }
}

#endif /* MCG_CONV_2D_S16_H */
