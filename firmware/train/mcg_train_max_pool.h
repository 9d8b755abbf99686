/* SPDX-License-Identifier: Apache-2.0 */
/* The largest pixel under each window; of equal ones the first. */
#ifndef MCG_TRAIN_MAX_POOL_H
#define MCG_TRAIN_MAX_POOL_H

#include "mcg_train.h"

static void mcg_train_max_pool_forward(const mcg_train_window *w, const float *x, float *y) {
  const int32_t channels = w->input_channels;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++, y += channels) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      const float *first = x + ((in.y + in.row) * w->input_width + in.x + in.column) * channels;
      for (int32_t c = 0; c < channels; c++) y[c] = first[c];
      for (int32_t ky = in.row; ky < in.row_end; ky++) {
        for (int32_t kx = in.column; kx < in.column_end; kx++) {
          const float *pixel = x + ((in.y + ky) * w->input_width + in.x + kx) * channels;
          for (int32_t c = 0; c < channels; c++) {
            if (pixel[c] > y[c]) y[c] = pixel[c];
          }
        }
      }
    }
  }
}

/* Adds g to the first pixel of every window that is its maximum, windows ascending. */
static void mcg_train_max_pool_backward(const mcg_train_window *w, const float *x, const float *y,
                                        const float *g, float *dx) {
  const int32_t channels = w->input_channels;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++, y += channels, g += channels) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      for (int32_t c = 0; c < channels; c++) {
        if (g[c] == 0.0f) continue;
        int32_t ky = in.row, kx = in.column, at;
        for (;;) {
          at = ((in.y + ky) * w->input_width + in.x + kx) * channels + c;
          if (x[at] == y[c]) {
            dx[at] += g[c];
            break;
          }
          if (++kx < in.column_end) continue;
          kx = in.column;
          if (++ky >= in.row_end) break; /* not a number: it has no place */
        }
      }
    }
  }
}

#endif
