/* SPDX-License-Identifier: Apache-2.0 */
/* Losses of one sample: outputs from the last layer's values, the loss, and its gradient by these
 * values, in the place of the targets. */
#ifndef MCG_TRAIN_LOSS_H
#define MCG_TRAIN_LOSS_H

#include "mcg_train.h"
#include "mcg_train_maths.h"

/* Probabilities p of logits y, their sum 1. */
static inline void mcg_train_softmax(const float *y, float *p, int32_t n, float *most,
                                     float *total) {
  float largest = y[0], sum = 0.0f;
  for (int32_t i = 1; i < n; i++) {
    if (y[i] > largest) largest = y[i];
  }
  for (int32_t i = 0; i < n; i++) {
    p[i] = mcg_train_exp(y[i] - largest);
    sum += p[i];
  }
  for (int32_t i = 0; i < n; i++) p[i] = p[i] / sum;
  *most = largest;
  *total = sum;
}

/* Cross entropy with a softmax: -(sum of t * ln p). `g` holds the targets t, then the gradient. */
static inline float mcg_train_softmax_loss(const float *y, float *p, float *g, int32_t n) {
  float most, total, loss = 0.0f;
  mcg_train_softmax(y, p, n, &most, &total);
  const float spread = mcg_train_log(total);
  for (int32_t i = 0; i < n; i++) {
    if (g[i] != 0.0f) loss += g[i] * (spread - (y[i] - most));
    g[i] = p[i] - g[i];
  }
  return loss;
}

static inline float mcg_train_sigmoid(float y) {
  const float e = mcg_train_exp(y > 0.0f ? -y : y);
  return (y >= 0.0f ? 1.0f : e) / (1.0f + e);
}

/* The mean over the outputs of the cross entropy with a sigmoid: max(y, 0) - y * t + ln(1 +
 * e^-|y|). */
static inline float mcg_train_sigmoid_loss(const float *y, float *p, float *g, int32_t n) {
  const float share = 1.0f / (float)n;
  float loss = 0.0f;
  for (int32_t i = 0; i < n; i++) {
    const float e = mcg_train_exp(y[i] > 0.0f ? -y[i] : y[i]);
    float each = (y[i] > 0.0f ? y[i] : 0.0f) - y[i] * g[i];
    each = each + mcg_train_log(1.0f + e);
    loss += each;
    p[i] = mcg_train_sigmoid(y[i]);
    g[i] = (p[i] - g[i]) * share;
  }
  return loss * share;
}

/* The mean over the outputs of the squared error. */
static inline float mcg_train_mse_loss(const float *y, float *p, float *g, int32_t n) {
  const float share = 1.0f / (float)n;
  float loss = 0.0f;
  for (int32_t i = 0; i < n; i++) {
    const float difference = y[i] - g[i];
    loss += difference * difference;
    p[i] = y[i];
    g[i] = (difference + difference) * share;
  }
  return loss * share;
}

#endif
