/* SPDX-License-Identifier: Apache-2.0 */
/* What the DSP pools share: the windows of an NHWC image. No window lies outside the image
 * altogether. */
#ifndef MCG_POOL_2D_S8_DSP_H
#define MCG_POOL_2D_S8_DSP_H

#include "mcg_dsp.h"

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
  int32_t output_min;
  int32_t output_max;
} mcg_pool_2d_s8_dsp_params;

/* The part of a window that lies inside the image. */
typedef struct {
  const int8_t *first; /* its first pixel */
  int32_t rows;
  int32_t columns;
} mcg_pool_window;

MCG_INLINE mcg_pool_window mcg_window_at(const mcg_pool_2d_s8_dsp_params *p, const int8_t *image,
                                         int32_t row, int32_t column) {
  const int32_t top = row * p->stride_h - p->pad_top;
  const int32_t left = column * p->stride_w - p->pad_left;
  const int32_t y = mcg_max(top, 0);
  const int32_t x = mcg_max(left, 0);
  const mcg_pool_window window = {
      image + (y * p->input_width + x) * p->channels,
      mcg_min(top + p->filter_height, p->input_height) - y,
      mcg_min(left + p->filter_width, p->input_width) - x,
  };
  return window;
}

/* Calls pool(p, window, output) for all windows, output being that of the window's first channel.
 */
#define MCG_FOR_WINDOWS(p, input, output, pool)                                  \
  for (int32_t batch = 0; batch < (p)->batches; ++batch) {                       \
    for (int32_t row = 0; row < (p)->output_height; ++row) {                     \
      for (int32_t column = 0; column < (p)->output_width; ++column) {           \
        const mcg_pool_window window = mcg_window_at((p), (input), row, column); \
        pool((p), &window, (output));                                            \
        (output) += (p)->channels;                                               \
      }                                                                          \
    }                                                                            \
    (input) += (p)->input_height * (p)->input_width * (p)->channels;             \
  }

/* The bytes of four channels of a pixel, or of the `lanes` that are left. */
MCG_INLINE uint32_t mcg_load_lanes(const int8_t *from, int32_t lanes) {
  if (lanes == 4) {
    return mcg_load_4(from);
  }
  uint32_t word = 0;
  for (int32_t lane = 0; lane < lanes; ++lane) {
    word |= (uint32_t)(uint8_t)from[lane] << (8 * lane);
  }
  return word;
}

#endif /* MCG_POOL_2D_S8_DSP_H */
