/* SPDX-License-Identifier: Apache-2.0 */
/* A dense layer: weights [outputs][inputs], then one bias per output. */
#ifndef MCG_TRAIN_DENSE_H
#define MCG_TRAIN_DENSE_H

#include "mcg_train.h"

/* y[o] = (sum over i of x[i] * w[o][i]) + b[o], i ascending. */
static void mcg_train_dense_forward(const float *x, const float *weights, float *y, int32_t inputs,
                                    int32_t outputs) {
  const float *bias = weights + inputs * outputs;
  int32_t o = 0;
  for (; o + 4 <= outputs; o += 4) {
    float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    mcg_train_dot4(sums, x, weights + o * inputs, inputs, inputs);
    for (int32_t k = 0; k < 4; k++) y[o + k] = sums[k] + bias[o + k];
  }
  for (; o < outputs; o++) {
    y[o] = mcg_train_dot(0.0f, x, weights + o * inputs, inputs) + bias[o];
  }
}

/* Adds to dx[i] the sum over o of g[o] * w[o][i], o ascending. */
static void mcg_train_dense_input_gradient(const float *g, const float *weights, float *dx,
                                           int32_t inputs, int32_t outputs) {
  for (int32_t o = 0; o < outputs; o++) {
    if (g[o] != 0.0f) mcg_train_add_scaled(dx, weights + o * inputs, g[o], inputs);
  }
}

/* Adds g[o] * x[i] to the gradients of the weights, and g[o] to those of the biases. */
static void mcg_train_dense_gradient(const float *x, const float *g, float *gradient,
                                     int32_t inputs, int32_t outputs) {
  for (int32_t o = 0; o < outputs; o++) {
    if (g[o] != 0.0f) mcg_train_add_scaled(gradient + o * inputs, x, g[o], inputs);
  }
  mcg_train_add_to(gradient + inputs * outputs, g, outputs);
}

#endif
