/* SPDX-License-Identifier: Apache-2.0 */
/* A depthwise convolution: weights [row][column][output channel], then one bias per output channel.
 * Input channel c makes the output channels from c * multiplier on. */
#ifndef MCG_TRAIN_DEPTHWISE_H
#define MCG_TRAIN_DEPTHWISE_H

#include "mcg_train.h"

/* y = (sum over rows and columns, ascending in this order, of x * w) + b. */
static void mcg_train_depthwise_forward(const mcg_train_window *w, const float *x,
                                        const float *weights, float *y) {
  const int32_t channels = w->input_channels, outputs = w->output_channels;
  const int32_t multiplier = outputs / channels;
  const float *bias = weights + w->filter_height * w->filter_width * outputs;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++, y += outputs) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      for (int32_t o = 0; o < outputs; o++) y[o] = 0.0f;
      for (int32_t ky = in.row; ky < in.row_end; ky++) {
        for (int32_t kx = in.column; kx < in.column_end; kx++) {
          const float *pixel = x + ((in.y + ky) * w->input_width + in.x + kx) * channels;
          const float *filter = weights + (ky * w->filter_width + kx) * outputs;
          int32_t o = 0;
          for (int32_t c = 0; c < channels; c++) {
            for (int32_t m = 0; m < multiplier; m++, o++) y[o] += pixel[c] * filter[o];
          }
        }
      }
      mcg_train_add_to(y, bias, outputs);
    }
  }
}

/* Adds g * w to dx of every pixel, windows ascending, and a channel's filters within each. */
static void mcg_train_depthwise_input_gradient(const mcg_train_window *w, const float *g,
                                               const float *weights, float *dx) {
  const int32_t channels = w->input_channels, outputs = w->output_channels;
  const int32_t multiplier = outputs / channels;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++, g += outputs) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      for (int32_t ky = in.row; ky < in.row_end; ky++) {
        for (int32_t kx = in.column; kx < in.column_end; kx++) {
          float *pixel = dx + ((in.y + ky) * w->input_width + in.x + kx) * channels;
          const float *filter = weights + (ky * w->filter_width + kx) * outputs;
          int32_t o = 0;
          for (int32_t c = 0; c < channels; c++) {
            for (int32_t m = 0; m < multiplier; m++, o++) pixel[c] += g[o] * filter[o];
          }
        }
      }
    }
  }
}

/* Adds the sum of x * g over windows, ascending, to the gradients of the weights, and the sum of g
 * to those of the biases. */
static void mcg_train_depthwise_gradient(const mcg_train_window *w, const float *x, const float *g,
                                         float *gradient) {
  const int32_t channels = w->input_channels, outputs = w->output_channels;
  const int32_t multiplier = outputs / channels;
  float *bias = gradient + w->filter_height * w->filter_width * outputs;
  for (int32_t oy = 0; oy < w->output_height; oy++) {
    for (int32_t ox = 0; ox < w->output_width; ox++, g += outputs) {
      const mcg_train_inside in = mcg_train_find(w, oy, ox);
      for (int32_t ky = in.row; ky < in.row_end; ky++) {
        for (int32_t kx = in.column; kx < in.column_end; kx++) {
          const float *pixel = x + ((in.y + ky) * w->input_width + in.x + kx) * channels;
          float *filter = gradient + (ky * w->filter_width + kx) * outputs;
          int32_t o = 0;
          for (int32_t c = 0; c < channels; c++) {
            for (int32_t m = 0; m < multiplier; m++, o++) filter[o] += pixel[c] * g[o];
          }
        }
      }
      mcg_train_add_to(bias, g, outputs);
    }
  }
}

#endif
