/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D, float32: groups, strides, dilation and padding; weights [channels, height, width,
 * depth]. Four output channels of a group at a time, so that each input is loaded once for them. */
#ifndef MCG_CONV_2D_F32_H
#define MCG_CONV_2D_F32_H

#include "mcg_f32.h"

typedef struct {
  int32_t batches;
  int32_t input_height;
  int32_t input_width;
  int32_t input_channels;
  int32_t filter_height;
  int32_t filter_width;
  int32_t filter_channels;
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
  float output_min;
  float output_max;
} mcg_conv_2d_f32_params;

/* One or four (`rows`) channels of one output pixel. `image` begins at the group's first channel;
 * top and left are where the window begins, perhaps outside the image. */
MCG_INLINE void mcg_conv_2d_f32_pixel(const mcg_conv_2d_f32_params *p, int32_t rows,
                                      const float *image, const float *weights, const float *bias,
                                      int32_t top, int32_t left, float *output) {
  const int32_t filter_row = p->filter_width * p->filter_channels;
  const int32_t filter_size = p->filter_height * filter_row;
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int32_t i = 0; i < p->filter_height; ++i) {
    const int32_t y = top + i * p->dilation_h;
    if (y < 0 || y >= p->input_height) {
      continue;
    }
    if (p->dilation_w == 1 && p->groups == 1) {
      /* A row of the window lies in one piece. */
      const int32_t first = mcg_max(-left, 0);
      const int32_t last = mcg_min(p->input_width - left, p->filter_width);
      if (first < last) {
        mcg_add_products_f32(rows, image + (y * p->input_width + left + first) * p->input_channels,
                             weights + i * filter_row + first * p->filter_channels, filter_size,
                             (last - first) * p->filter_channels, sum);
      }
      continue;
    }
    for (int32_t j = 0; j < p->filter_width; ++j) {
      const int32_t x = left + j * p->dilation_w;
      if (x >= 0 && x < p->input_width) {
        mcg_add_products_f32(rows, image + (y * p->input_width + x) * p->input_channels,
                             weights + i * filter_row + j * p->filter_channels, filter_size,
                             p->filter_channels, sum);
      }
    }
  }
  for (int32_t k = 0; k < rows; ++k) {
    output[k] = mcg_clamp_f32(sum[k] + bias[k], p->output_min, p->output_max);
  }
}

MCG_INLINE void mcg_conv_2d_f32(const mcg_conv_2d_f32_params *p, const float *MCG_RESTRICT input,
                                const float *weights, const float *bias,
                                float *MCG_RESTRICT output) {
  const int32_t filter_size = p->filter_height * p->filter_width * p->filter_channels;
  const int32_t group_channels = p->output_channels / p->groups;
  const int32_t image_size = p->input_height * p->input_width * p->input_channels;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_height; ++row) {
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t top = row * p->stride_h - p->pad_top;
        const int32_t left = column * p->stride_w - p->pad_left;
        for (int32_t group = 0; group < p->groups; ++group) {
          const float *image = input + group * p->filter_channels;
          const int32_t end = (group + 1) * group_channels;
          int32_t channel = group * group_channels;
          for (; channel + 4 <= end; channel += 4) {
            mcg_conv_2d_f32_pixel(p, 4, image, weights + channel * filter_size, bias + channel, top,
                                  left, output + channel);
          }
          for (; channel < end; ++channel) {
            mcg_conv_2d_f32_pixel(p, 1, image, weights + channel * filter_size, bias + channel, top,
                                  left, output + channel);
          }
        }
        output += p->output_channels;
      }
    }
    input += image_size;
  }
}

#endif /* MCG_CONV_2D_F32_H */
