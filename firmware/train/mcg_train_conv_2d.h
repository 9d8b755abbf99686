/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution: weights [output channel][row][column][input channel], then one bias per output
 * channel. A row of a filter and the pixels under it are contiguous alike. */
#ifndef MCG_TRAIN_CONV_2D_H
#define MCG_TRAIN_CONV_2D_H

#include "mcg_train.h"

/* y = (sum over rows, columns and input channels, ascending in this order, of x * w) + b. */
static void mcg_train_conv_2d_forward(const mcg_train_window *w, const float *x,
                                      const float *weights, float *y) {
  const int32_t channels = w->input_channels, step = w->filter_width * channels;
  const int32_t size = w->filter_height * step, outputs = w->output_channels;
  const float *bias = weights + outputs * size;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++, y += outputs) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      const int32_t count = (in.column_end - in.column) * channels, first = in.column * channels;
      int32_t o = 0;
      for (; o + 4 <= outputs; o += 4) {
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        for (int32_t ky = in.row; ky < in.row_end; ky++) {
          mcg_train_dot4(sums, x + ((in.y + ky) * w->input_width + in.x) * channels + first,
                         weights + o * size + ky * step + first, size, count);
        }
        for (int32_t k = 0; k < 4; k++) y[o + k] = sums[k] + bias[o + k];
      }
      for (; o < outputs; o++) {
        float sum = 0.0f;
        for (int32_t ky = in.row; ky < in.row_end; ky++) {
          sum = mcg_train_dot(sum, x + ((in.y + ky) * w->input_width + in.x) * channels + first,
                              weights + o * size + ky * step + first, count);
        }
        y[o] = sum + bias[o];
      }
    }
  }
}

/* Adds g * w to dx of every pixel, windows ascending, and output channels within each. */
static void mcg_train_conv_2d_input_gradient(const mcg_train_window *w, const float *g,
                                             const float *weights, float *dx) {
  const int32_t channels = w->input_channels, step = w->filter_width * channels;
  const int32_t size = w->filter_height * step;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      const int32_t count = (in.column_end - in.column) * channels, first = in.column * channels;
      for (int32_t o = 0; o < w->output_channels; o++) {
        const float each = *g++;
        if (each == 0.0f) continue;
        for (int32_t ky = in.row; ky < in.row_end; ky++) {
          mcg_train_add_scaled(dx + ((in.y + ky) * w->input_width + in.x) * channels + first,
                               weights + o * size + ky * step + first, each, count);
        }
      }
    }
  }
}

/* Adds the sum of g * x over windows, ascending, to the gradients of the weights, and the sum of g
 * to those of the biases. */
static void mcg_train_conv_2d_gradient(const mcg_train_window *w, const float *x, const float *g,
                                       float *gradient) {
  const int32_t channels = w->input_channels, step = w->filter_width * channels;
  const int32_t size = w->filter_height * step;
  float *bias = gradient + w->output_channels * size;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      const int32_t count = (in.column_end - in.column) * channels, first = in.column * channels;
      for (int32_t o = 0; o < w->output_channels; o++) {
        const float each = *g++;
        if (each == 0.0f) continue;
        bias[o] += each;
        for (int32_t ky = in.row; ky < in.row_end; ky++) {
          mcg_train_add_scaled(gradient + o * size + ky * step + first,
                               x + ((in.y + ky) * w->input_width + in.x) * channels + first, each,
                               count);
        }
      }
    }
  }
}

#endif
