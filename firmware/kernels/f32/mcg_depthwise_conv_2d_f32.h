/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D, float32: strides, dilation, padding and depth multiplier; weights
 * [height, width, channels]. Four channels at a time where each input channel has one filter. */
#ifndef MCG_DEPTHWISE_CONV_2D_F32_H
#define MCG_DEPTHWISE_CONV_2D_F32_H

#include "mcg_f32.h"

typedef struct {
  int32_t batches;
  int32_t input_height;
  int32_t input_width;
  int32_t input_channels;
  int32_t filter_height;
  int32_t filter_width;
  int32_t output_height;
  int32_t output_width;
  int32_t depth_multiplier;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
  float output_min;
  float output_max;
} mcg_depthwise_conv_2d_f32_params;

/* One or four (`channels`) neighbouring channels of one output pixel; `image`, `weights` and `bias`
 * begin at the first of them. */
MCG_INLINE void mcg_depthwise_conv_2d_f32_pixel(const mcg_depthwise_conv_2d_f32_params *p,
                                                int32_t channels, const float *image,
                                                const float *weights, const float *bias,
                                                int32_t top, int32_t left, float *output) {
  const int32_t output_channels = p->input_channels * p->depth_multiplier;
  float sum0 = 0.0f, sum1 = 0.0f, sum2 = 0.0f, sum3 = 0.0f;
  for (int32_t i = 0; i < p->filter_height; ++i) {
    const int32_t y = top + i * p->dilation_h;
    if (y < 0 || y >= p->input_height) {
      continue;
    }
    for (int32_t j = 0; j < p->filter_width; ++j) {
      const int32_t x = left + j * p->dilation_w;
      if (x < 0 || x >= p->input_width) {
        continue;
      }
      const float *pixel = image + (y * p->input_width + x) * p->input_channels;
      const float *tap = weights + (i * p->filter_width + j) * output_channels;
      sum0 += pixel[0] * tap[0];
      if (channels == 4) {
        sum1 += pixel[1] * tap[1];
        sum2 += pixel[2] * tap[2];
        sum3 += pixel[3] * tap[3];
      }
    }
  }
  output[0] = mcg_clamp_f32(sum0 + bias[0], p->output_min, p->output_max);
  if (channels == 4) {
    output[1] = mcg_clamp_f32(sum1 + bias[1], p->output_min, p->output_max);
    output[2] = mcg_clamp_f32(sum2 + bias[2], p->output_min, p->output_max);
    output[3] = mcg_clamp_f32(sum3 + bias[3], p->output_min, p->output_max);
  }
}

MCG_INLINE void mcg_depthwise_conv_2d_f32(const mcg_depthwise_conv_2d_f32_params *p,
                                          const float *MCG_RESTRICT input, const float *weights,
                                          const float *bias, float *MCG_RESTRICT output) {
  const int32_t channels = p->input_channels * p->depth_multiplier;
  const int32_t in_fours = p->depth_multiplier == 1 ? channels - channels % 4 : 0;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_height; ++row) {
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t top = row * p->stride_h - p->pad_top;
        const int32_t left = column * p->stride_w - p->pad_left;
        for (int32_t k = 0; k < in_fours; k += 4) {
          mcg_depthwise_conv_2d_f32_pixel(p, 4, input + k, weights + k, bias + k, top, left,
                                          output + k);
        }
        for (int32_t k = in_fours; k < channels; ++k) {
          mcg_depthwise_conv_2d_f32_pixel(p, 1, input + k / p->depth_multiplier, weights + k,
                                          bias + k, top, left, output + k);
        }
        output += channels;
      }
    }
    input += p->input_height * p->input_width * p->input_channels;
  }
}

#endif /* MCG_DEPTHWISE_CONV_2D_F32_H */
