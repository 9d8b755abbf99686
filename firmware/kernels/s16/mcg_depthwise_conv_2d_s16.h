/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 2-D convolution of int16 with int8 weights, one filter per channel, any stride,
 * dilation and padding. Input and output are NHWC, weights [height][width][channels]. */
#ifndef MCG_DEPTHWISE_CONV_2D_S16_H
#define MCG_DEPTHWISE_CONV_2D_S16_H

#include "mcg_filter_s16.h"

typedef struct {
  int32_t batches;
  int32_t input_height;
  int32_t input_width;
  int32_t channels;
  int32_t filter_height;
  int32_t filter_width;
  int32_t output_height;
  int32_t output_width;
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
} mcg_depthwise_conv_2d_s16_params;

/* The sum of products of one channel, for the window whose first tap is at (y, x). Taps outside the
 * image count as 0. */
MCG_INLINE int64_t mcg_depthwise_conv_2d_s16_sum(const mcg_depthwise_conv_2d_s16_params *p,
                                                 const int16_t *image, const int8_t *weights,
                                                 int32_t y, int32_t x) {
  int64_t sum = 0;
  for (int32_t tap_y = 0; tap_y < p->filter_height; ++tap_y) {
    const int32_t at_y = y + tap_y * p->dilation_h;
    const int8_t *row = weights + tap_y * p->filter_width * p->channels;
    if (at_y < 0 || at_y >= p->input_height) {
      continue;
    }
    for (int32_t tap_x = 0; tap_x < p->filter_width; ++tap_x) {
      const int32_t at_x = x + tap_x * p->dilation_w;
      if (at_x >= 0 && at_x < p->input_width) {
        sum += (int32_t)image[(at_y * p->input_width + at_x) * p->channels] * *row;
      }
      row += p->channels;
    }
  }
  return sum;
}

MCG_INLINE void mcg_depthwise_conv_2d_s16(const mcg_depthwise_conv_2d_s16_params *p,
                                          const int16_t *input, const int8_t *weights,
                                          const int64_t *bias, const int32_t *multiplier,
                                          const int8_t *shift, int16_t *output) {
  const mcg_output_stage_s16 stage = {
      bias, multiplier, shift, p->per_channel, p->wide, p->output_min, p->output_max,
  };
  const int32_t image_size = p->input_height * p->input_width * p->channels;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int16_t *image = input + batch * image_size;
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t y = row * p->stride_h - p->pad_top;
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t x = column * p->stride_w - p->pad_left;
        for (int32_t channel = 0; channel < p->channels; ++channel) {
          const int64_t sum =
              mcg_depthwise_conv_2d_s16_sum(p, image + channel, weights + channel, y, x);
          *output++ = mcg_output_s16(&stage, channel, sum);
        }
      }
    }
  }
}

#endif /* MCG_DEPTHWISE_CONV_2D_S16_H */
