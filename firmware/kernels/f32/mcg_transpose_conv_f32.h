/* SPDX-License-Identifier: Apache-2.0 */
/* TRANSPOSE_CONV, float32: each output pixel sums the input pixels that reach it, times their
 * weights [channels, filter_height, filter_width, depth]. */
#ifndef MCG_TRANSPOSE_CONV_F32_H
#define MCG_TRANSPOSE_CONV_F32_H

#include "mcg_f32.h"

typedef struct {
  int32_t batches;
  int32_t input_height;
  int32_t input_width;
  int32_t depth;
  int32_t filter_height;
  int32_t filter_width;
  int32_t output_height;
  int32_t output_width;
  int32_t channels;
  int32_t stride_h;
  int32_t stride_w;
  int32_t pad_top;
  int32_t pad_left;
  float output_min;
  float output_max;
} mcg_transpose_conv_f32_params;

/* The first input row or column whose window of `filter` reaches position `at`. */
MCG_INLINE int32_t mcg_first_reaching(int32_t at, int32_t filter, int32_t stride) {
  return at < filter ? 0 : (at - filter) / stride + 1;
}

/* One or four (`channels`) channels of the output pixel at (y, x), counted with the padding. */
MCG_INLINE void mcg_transpose_conv_f32_pixel(const mcg_transpose_conv_f32_params *p,
                                             int32_t channels, const float *input,
                                             const float *weights, const float *bias, int32_t y,
                                             int32_t x, float *output) {
  const int32_t filter_size = p->filter_height * p->filter_width * p->depth;
  const int32_t first_row = mcg_first_reaching(y, p->filter_height, p->stride_h);
  const int32_t first_column = mcg_first_reaching(x, p->filter_width, p->stride_w);
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int32_t row = first_row; row < p->input_height && row * p->stride_h <= y; ++row) {
    for (int32_t column = first_column; column < p->input_width && column * p->stride_w <= x;
         ++column) {
      const int32_t tap = (y - row * p->stride_h) * p->filter_width + (x - column * p->stride_w);
      mcg_add_products_f32(channels, input + (row * p->input_width + column) * p->depth,
                           weights + tap * p->depth, filter_size, p->depth, sum);
    }
  }
  for (int32_t k = 0; k < channels; ++k) {
    output[k] = mcg_clamp_f32(sum[k] + bias[k], p->output_min, p->output_max);
  }
}

MCG_INLINE void mcg_transpose_conv_f32(const mcg_transpose_conv_f32_params *p,
                                       const float *MCG_RESTRICT input, const float *weights,
                                       const float *bias, float *MCG_RESTRICT output) {
  const int32_t filter_size = p->filter_height * p->filter_width * p->depth;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_height; ++row) {
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t y = row + p->pad_top;
        const int32_t x = column + p->pad_left;
        int32_t channel = 0;
        for (; channel + 4 <= p->channels; channel += 4) {
          mcg_transpose_conv_f32_pixel(p, 4, input, weights + channel * filter_size, bias + channel,
                                       y, x, output + channel);
        }
        for (; channel < p->channels; ++channel) {
          mcg_transpose_conv_f32_pixel(p, 1, input, weights + channel * filter_size, bias + channel,
                                       y, x, output + channel);
        }
        output += p->channels;
      }
    }
    input += p->input_height * p->input_width * p->depth;
  }
}

#endif /* MCG_TRANSPOSE_CONV_F32_H */
