/* SPDX-License-Identifier: Apache-2.0 */
/* Average, maximum or root of the mean square over windows of an NHWC image, float32. Padding takes
 * no part. No window lies outside the image altogether. */
#ifndef MCG_POOL_2D_F32_H
#define MCG_POOL_2D_F32_H

#include "mcg_f32.h"

#define MCG_POOL_AVERAGE 0
#define MCG_POOL_MAX 1
#define MCG_POOL_L2 2

typedef struct {
  int32_t pool; /* MCG_POOL_… */
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
  int32_t pad_top;
  int32_t pad_left;
  float output_min;
  float output_max;
} mcg_pool_2d_f32_params;

/* What a window of `rows` by `columns` pixels, whose first is `tap`, gives in one channel. */
MCG_INLINE float mcg_pool_2d_f32_window(const mcg_pool_2d_f32_params *p, const float *tap,
                                        int32_t rows, int32_t columns) {
  float value = p->pool == MCG_POOL_MAX ? -FLT_MAX : 0.0f;
  for (int32_t y = 0; y < rows; ++y) {
    for (int32_t x = 0; x < columns; ++x) {
      const float pixel = tap[(y * p->input_width + x) * p->channels];
      if (p->pool == MCG_POOL_MAX) {
        value = value < pixel ? pixel : value;
      } else {
        value += p->pool == MCG_POOL_L2 ? pixel * pixel : pixel;
      }
    }
  }
  if (p->pool == MCG_POOL_MAX) {
    return value;
  }
  const float mean = value / (float)(rows * columns);
  return p->pool == MCG_POOL_L2 ? sqrtf(mean) : mean;
}

MCG_INLINE void mcg_pool_2d_f32(const mcg_pool_2d_f32_params *p, const float *MCG_RESTRICT input,
                                float *MCG_RESTRICT output) {
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t top = row * p->stride_h - p->pad_top;
      const int32_t y_start = mcg_max(top, 0);
      const int32_t y_end = mcg_min(top + p->filter_height, p->input_height);
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t left = column * p->stride_w - p->pad_left;
        const int32_t x_start = mcg_max(left, 0);
        const int32_t x_end = mcg_min(left + p->filter_width, p->input_width);
        const float *first = input + (y_start * p->input_width + x_start) * p->channels;
        for (int32_t channel = 0; channel < p->channels; ++channel) {
          const float value =
              mcg_pool_2d_f32_window(p, first + channel, y_end - y_start, x_end - x_start);
          *output++ = mcg_clamp_f32(value, p->output_min, p->output_max);
        }
      }
    }
    input += p->input_height * p->input_width * p->channels;
  }
}

#endif /* MCG_POOL_2D_F32_H */
