/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 2-D convolution with one filter per channel, any stride, dilation and padding.
 *
 * Input and output are NHWC, weights [height][width][channels]. The input's zero point is folded
 * into the bias, so taps outside the image count as the zero point.
 */
#ifndef MCG_DEPTHWISE_CONV_2D_S8_H
#define MCG_DEPTHWISE_CONV_2D_S8_H

#include "mcg_filter_s8.h"

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
  int32_t input_zero_point;
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
} mcg_depthwise_conv_2d_s8_params;

/* Sums of products of the channels at `image` and `weights` and the following ones, `lanes` (1 or
 * 4) in all, for the window whose first tap is at (y, x). */
MCG_INLINE void mcg_depthwise_conv_2d_s8_sums(const mcg_depthwise_conv_2d_s8_params *p,
                                              const int8_t *image, const int8_t *weights, int32_t y,
                                              int32_t x, int32_t lanes, int32_t *acc) {
  int32_t acc0 = 0, acc1 = 0, acc2 = 0, acc3 = 0;
  for (int32_t tap_y = 0; tap_y < p->filter_height; ++tap_y) {
    const int32_t at_y = y + tap_y * p->dilation_h;
    const int32_t row_inside = at_y >= 0 && at_y < p->input_height;
    int32_t at = (at_y * p->input_width + x) * p->channels; /* may lie outside: not yet a pointer */
    for (int32_t tap_x = 0; tap_x < p->filter_width; ++tap_x) {
      const int32_t at_x = x + tap_x * p->dilation_w;
      if (row_inside && at_x >= 0 && at_x < p->input_width) {
        acc0 += image[at] * weights[0];
        if (lanes == 4) {
          acc1 += image[at + 1] * weights[1];
          acc2 += image[at + 2] * weights[2];
          acc3 += image[at + 3] * weights[3];
        }
      } else {
        acc0 += p->input_zero_point * weights[0];
        if (lanes == 4) {
          acc1 += p->input_zero_point * weights[1];
          acc2 += p->input_zero_point * weights[2];
          acc3 += p->input_zero_point * weights[3];
        }
      }
      weights += p->channels;
      at += p->dilation_w * p->channels;
    }
  }
  acc[0] = acc0;
  if (lanes == 4) {
    acc[1] = acc1;
    acc[2] = acc2;
    acc[3] = acc3;
  }
}

/* The same for a window that lies in the image: no tap needs a test. */
MCG_INLINE void mcg_depthwise_conv_2d_s8_inner_sums(const mcg_depthwise_conv_2d_s8_params *p,
                                                    const int8_t *first, const int8_t *weights,
                                                    int32_t *acc) {
  int32_t acc0 = 0, acc1 = 0, acc2 = 0, acc3 = 0;
  for (int32_t tap_y = p->filter_height; tap_y > 0; --tap_y) {
    const int8_t *tap = first;
    for (int32_t tap_x = p->filter_width; tap_x > 0; --tap_x) {
      acc0 += tap[0] * weights[0];
      acc1 += tap[1] * weights[1];
      acc2 += tap[2] * weights[2];
      acc3 += tap[3] * weights[3];
      weights += p->channels;
      tap += p->dilation_w * p->channels;
    }
    first += p->dilation_h * p->input_width * p->channels;
  }
  acc[0] = acc0;
  acc[1] = acc1;
  acc[2] = acc2;
  acc[3] = acc3;
}

MCG_INLINE void mcg_depthwise_conv_2d_s8(const mcg_depthwise_conv_2d_s8_params *p,
                                         const int8_t *MCG_RESTRICT input,
                                         const int8_t *MCG_RESTRICT weights,
                                         const int32_t *MCG_RESTRICT bias,
                                         const int32_t *MCG_RESTRICT multiplier,
                                         const int8_t *MCG_RESTRICT shift,
                                         int8_t *MCG_RESTRICT output) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t last_y = p->input_height - 1 - (p->filter_height - 1) * p->dilation_h;
  const int32_t last_x = p->input_width - 1 - (p->filter_width - 1) * p->dilation_w;
  const int32_t image_bytes = p->input_height * p->input_width * p->channels;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int8_t *image = input + batch * image_bytes;
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t y = row * p->stride_h - p->pad_top;
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t x = column * p->stride_w - p->pad_left;
        const int32_t inside = y >= 0 && y <= last_y && x >= 0 && x <= last_x;
        for (int32_t channel = 0; channel < p->channels;) {
          int32_t acc[4];
          const int32_t lanes = channel + 4 <= p->channels ? 4 : 1;
          if (lanes == 4 && inside) {
            const int8_t *first = image + (y * p->input_width + x) * p->channels + channel;
            mcg_depthwise_conv_2d_s8_inner_sums(p, first, weights + channel, acc);
          } else if (lanes == 4) {
            mcg_depthwise_conv_2d_s8_sums(p, image + channel, weights + channel, y, x, 4, acc);
          } else {
            mcg_depthwise_conv_2d_s8_sums(p, image + channel, weights + channel, y, x, 1, acc);
          }
          mcg_finish(&stage, channel, acc, 0, bias, lanes, output);
          output += lanes;
          channel += lanes;
        }
      }
    }
  }
}

#endif /* MCG_DEPTHWISE_CONV_2D_S8_H */
