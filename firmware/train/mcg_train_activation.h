/* SPDX-License-Identifier: Apache-2.0 */
/* ReLU and ReLU6, in place; sums of branches. */
#ifndef MCG_TRAIN_ACTIVATION_H
#define MCG_TRAIN_ACTIVATION_H

#include "mcg_train.h"

static inline void mcg_train_relu_forward(float *y, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = y[i] > 0.0f ? y[i] : 0.0f;
}

static inline void mcg_train_relu6_forward(float *y, int32_t n) {
  mcg_train_relu_forward(y, n);
  for (int32_t i = 0; i < n; i++) y[i] = y[i] < 6.0f ? y[i] : 6.0f;
}

/* g where the activation let its input through, by its output y. */
static inline void mcg_train_relu_backward(const float *y, float *g, int32_t n) {
  for (int32_t i = 0; i < n; i++) g[i] = y[i] > 0.0f ? g[i] : 0.0f;
}

static inline void mcg_train_relu6_backward(const float *y, float *g, int32_t n) {
  for (int32_t i = 0; i < n; i++) g[i] = y[i] > 0.0f && y[i] < 6.0f ? g[i] : 0.0f;
}

static inline void mcg_train_add_forward(const float *a, const float *b, float *y, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

#endif
