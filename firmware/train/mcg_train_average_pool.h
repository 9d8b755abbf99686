/* SPDX-License-Identifier: Apache-2.0 */
/* The mean of the pixels under each window, of those inside the image. */
#ifndef MCG_TRAIN_AVERAGE_POOL_H
#define MCG_TRAIN_AVERAGE_POOL_H

#include "mcg_train.h"

/* The sum of the pixels, ascending, divided by their number. */
static void mcg_train_average_pool_forward(const mcg_train_window *w, const float *x, float *y) {
  const int32_t channels = w->input_channels;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++, y += channels) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      const float count = (float)((in.row_end - in.row) * (in.column_end - in.column));
      for (int32_t c = 0; c < channels; c++) y[c] = 0.0f;
      for (int32_t ky = in.row; ky < in.row_end; ky++) {
        for (int32_t kx = in.column; kx < in.column_end; kx++) {
          mcg_train_add_to(y, x + ((in.y + ky) * w->input_width + in.x + kx) * channels, channels);
        }
      }
      for (int32_t c = 0; c < channels; c++) y[c] /= count;
    }
  }
}

/* Adds g / count to every pixel of every window, windows ascending. */
static void mcg_train_average_pool_backward(const mcg_train_window *w, const float *g, float *dx) {
  const int32_t channels = w->input_channels;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++, g += channels) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      const float count = (float)((in.row_end - in.row) * (in.column_end - in.column));
      for (int32_t c = 0; c < channels; c++) {
        const float part = g[c] / count;
        if (part == 0.0f) continue;
        for (int32_t ky = in.row; ky < in.row_end; ky++) {
          for (int32_t kx = in.column; kx < in.column_end; kx++) {
            dx[((in.y + ky) * w->input_width + in.x + kx) * channels + c] += part;
          }
        }
      }
    }
  }
}

#endif
