/* SPDX-License-Identifier: Apache-2.0 */
/* Adam (D. Kingma, J. Ba: Adam: A Method for Stochastic Optimization, 2015), in the order of
 * Keras's operations. Needs sqrtf of the C library, which is exact. */
#ifndef MCG_TRAIN_ADAM_H
#define MCG_TRAIN_ADAM_H

#include <math.h>

#include "mcg_train.h"

#define MCG_TRAIN_ADAM_BETA1 0.9f
#define MCG_TRAIN_ADAM_BETA2 0.999f
#define MCG_TRAIN_ADAM_EPSILON 1e-7f

typedef struct {
  float power1, power2; /* the betas to the power of the steps so far */
  float rate;           /* of this step */
} mcg_train_adam;

static inline void mcg_train_adam_forget(mcg_train_adam *adam) {
  adam->power1 = 1.0f;
  adam->power2 = 1.0f;
}

/* Before the updates of a step. */
static inline void mcg_train_adam_begin(mcg_train_adam *adam, float rate) {
  adam->power1 = adam->power1 * MCG_TRAIN_ADAM_BETA1;
  adam->power2 = adam->power2 * MCG_TRAIN_ADAM_BETA2;
  adam->rate = rate * sqrtf(1.0f - adam->power2) / (1.0f - adam->power1);
}

/* d = share * g, m = m + (1 - beta1) * (d - m), v = v + (1 - beta2) * (d * d - v),
 * w = w - rate * m / (sqrt(v) + epsilon); `share` is 1 over the samples of a batch. */
static inline void mcg_train_adam_update(const mcg_train_adam *adam, float *w, float *m, float *v,
                                         const float *g, float share, int32_t n) {
  for (int32_t i = 0; i < n; i++) {
    const float d = share * g[i];
    m[i] = m[i] + (1.0f - MCG_TRAIN_ADAM_BETA1) * (d - m[i]);
    v[i] = v[i] + (1.0f - MCG_TRAIN_ADAM_BETA2) * (d * d - v[i]);
    w[i] = w[i] - adam->rate * m[i] / (sqrtf(v[i]) + MCG_TRAIN_ADAM_EPSILON);
  }
}

#endif
