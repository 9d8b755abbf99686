/* SPDX-License-Identifier: Apache-2.0 */
/* Average over windows of an NHWC image, rounded to nearest, ties away from zero.
 * Padding takes no part.
 *
 * No window lies outside the image altogether.
 */
#ifndef MCG_AVERAGE_POOL_2D_S8_H
#define MCG_AVERAGE_POOL_2D_S8_H

#include "mcg_common.h"

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
  int32_t pad_top;
  int32_t pad_left;
  int32_t padded; /* 1 if any window reaches outside the image */
  int32_t output_min;
  int32_t output_max;
} mcg_average_pool_2d_s8_params;

MCG_INLINE void mcg_average_pool_2d_s8(const mcg_average_pool_2d_s8_params *p,
                                       const int8_t *MCG_RESTRICT input,
                                       int8_t *MCG_RESTRICT output) {
  const int32_t image_bytes = p->input_height * p->input_width * p->channels;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int8_t *image = input + batch * image_bytes;
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t top = row * p->stride_h - p->pad_top;
      const int32_t y_start = mcg_max(top, 0);
      const int32_t y_end = mcg_min(top + p->filter_height, p->input_height);
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t left = column * p->stride_w - p->pad_left;
        const int32_t x_start = mcg_max(left, 0);
        const int32_t x_end = mcg_min(left + p->filter_width, p->input_width);
        for (int32_t channel = 0; channel < p->channels; ++channel) {
          /* Without padding the count is a constant, and the division a multiplication. */
          const int32_t count = p->padded ? (y_end - y_start) * (x_end - x_start)
                                          : p->filter_height * p->filter_width;
          const int8_t *tap = image + channel;
          int32_t sum = 0;
          for (int32_t y = y_start; y < y_end; ++y) {
            for (int32_t x = x_start; x < x_end; ++x) {
              sum += tap[(y * p->input_width + x) * p->channels];
            }
          }
          const int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
          *output++ = (int8_t)mcg_clamp(mean, p->output_min, p->output_max);
        }
      }
    }
  }
}

#endif /* MCG_AVERAGE_POOL_2D_S8_H */
