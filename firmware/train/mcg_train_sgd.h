/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic gradient descent. */
#ifndef MCG_TRAIN_SGD_H
#define MCG_TRAIN_SGD_H

#include "mcg_train.h"

/* w = w - rate * (share * g); `share` is 1 over the samples of a batch. */
static inline void mcg_train_sgd(float *w, const float *g, float rate, float share, int32_t n) {
  for (int32_t i = 0; i < n; i++) w[i] = w[i] - rate * (share * g[i]);
}

/* With momentum: v = momentum * v - rate * (share * g), w = w + v. */
static inline void mcg_train_sgd_momentum(float *w, float *v, const float *g, float rate,
                                          float share, float momentum, int32_t n) {
  for (int32_t i = 0; i < n; i++) {
    v[i] = momentum * v[i] - rate * (share * g[i]);
    w[i] = w[i] + v[i];
  }
}

#endif
