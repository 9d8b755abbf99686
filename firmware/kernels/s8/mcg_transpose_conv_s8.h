/* SPDX-License-Identifier: Apache-2.0 */
/* TRANSPOSE_CONV, int8: each output pixel sums the input pixels that reach it, times their weights
 * [channels, filter_height, filter_width, depth]. */
#ifndef MCG_TRANSPOSE_CONV_S8_H
#define MCG_TRANSPOSE_CONV_S8_H

#include "mcg_filter_s8.h"

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
  int32_t input_zero_point;
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
} mcg_transpose_conv_s8_params;

/* The sum for one output pixel and channel. y and x are its position with the padding. A filter row
 * meets the pixel if it is the first one that lies on an input row, or a stride later, and so on.
 */
MCG_INLINE int32_t mcg_transpose_conv_sum(const mcg_transpose_conv_s8_params *p,
                                          const int8_t *input, const int8_t *weights, int32_t y,
                                          int32_t x) {
  int32_t sum = 0;
  for (int32_t i = y % p->stride_h; i < p->filter_height && i <= y; i += p->stride_h) {
    const int32_t row = (y - i) / p->stride_h;
    if (row >= p->input_height) {
      continue;
    }
    for (int32_t j = x % p->stride_w; j < p->filter_width && j <= x; j += p->stride_w) {
      const int32_t column = (x - j) / p->stride_w;
      if (column >= p->input_width) {
        continue;
      }
      const int8_t *pixel = input + (row * p->input_width + column) * p->depth;
      const int8_t *tap = weights + (i * p->filter_width + j) * p->depth;
      for (int32_t k = 0; k < p->depth; ++k) {
        sum += (pixel[k] - p->input_zero_point) * tap[k];
      }
    }
  }
  return sum;
}

MCG_INLINE void mcg_transpose_conv_s8(const mcg_transpose_conv_s8_params *p, const int8_t *input,
                                      const int8_t *weights, const int32_t *bias,
                                      const int32_t *multiplier, const int8_t *shift,
                                      int8_t *output) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t filter_size = p->filter_height * p->filter_width * p->depth;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t y = 0; y < p->output_height; ++y) {
      for (int32_t x = 0; x < p->output_width; ++x) {
        for (int32_t channel = 0; channel < p->channels; ++channel) {
          const int32_t sum = mcg_transpose_conv_sum(p, input, weights + channel * filter_size,
                                                     y + p->pad_top, x + p->pad_left);
          *output++ = mcg_output(&stage, channel, sum + bias[channel]);
        }
      }
    }
    input += p->input_height * p->input_width * p->depth;
  }
}

#endif /* MCG_TRANSPOSE_CONV_S8_H */
