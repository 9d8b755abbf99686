/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF, float32: every filter's newest feature is appended to its memory, which is weighed over
 * time.
 *
 * feature_weights is [filters][inputs], with zeros up to a multiple of four filters. The filters of
 * a unit, `rank` of them, are added to its bias one after the other, as in the reference. state is
 * [batches][filters][memory], the newest feature last.
 */
#ifndef MCG_SVDF_F32_H
#define MCG_SVDF_F32_H

#include "mcg_f32.h"

enum {
  MCG_SVDF_NONE,
  MCG_SVDF_RELU,
  MCG_SVDF_RELU_N1_TO_1,
  MCG_SVDF_RELU6,
  MCG_SVDF_TANH,
  MCG_SVDF_SIGN_BIT
};

typedef struct {
  int32_t batches;
  int32_t inputs;
  int32_t filters;
  int32_t rank;
  int32_t memory;
  int32_t activation; /* MCG_SVDF_NONE ... */
} mcg_svdf_f32_params;

/* The clamp of a fused activation. Unlike in other ops, it makes a number of NaN. */
MCG_INLINE float mcg_svdf_f32_clamp(float value, float low, float high) {
  const float below = value < high ? value : high;
  return below > low ? below : low;
}

/* None is no clamp here. */
MCG_INLINE float mcg_svdf_f32_activation(int32_t activation, float value) {
  switch (activation) {
    case MCG_SVDF_RELU:
      return value > 0.0f ? value : 0.0f;
    case MCG_SVDF_RELU_N1_TO_1:
      return mcg_svdf_f32_clamp(value, -1.0f, 1.0f);
    case MCG_SVDF_RELU6:
      return mcg_svdf_f32_clamp(value, 0.0f, 6.0f);
    case MCG_SVDF_TANH:
      return tanhf(value);
    case MCG_SVDF_SIGN_BIT:
      return signbit(value) ? 1.0f : 0.0f;
    default:
      return value;
  }
}

/* Appends a feature to a filter's memory, whose oldest one goes; the memory times its weights. */
MCG_INLINE float mcg_svdf_f32_over_time(float *state, const float *weights, int32_t memory,
                                        float feature) {
  float sum = 0.0f;
  for (int32_t i = 0; i < memory - 1; ++i) {
    const float value = state[i + 1];
    state[i] = value;
    sum += value * weights[i];
  }
  state[memory - 1] = feature;
  return sum + feature * weights[memory - 1];
}

MCG_INLINE void mcg_svdf_f32(const mcg_svdf_f32_params *p, const float *input,
                             const float *feature_weights, const float *time_weights,
                             const float *bias, float *output, float *state) {
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const float *weights = time_weights;
    float sum = 0.0f; /* of one unit */
    int32_t unit = 0, filters_left = p->rank;
    for (int32_t filter = 0; filter < p->filters; filter += 4) {
      float features[4] = {0.0f, 0.0f, 0.0f, 0.0f};
      mcg_add_products_f32(4, input, feature_weights + filter * p->inputs, p->inputs, p->inputs,
                           features);
      for (int32_t i = 0; i < mcg_min(4, p->filters - filter); ++i) {
        if (filters_left == p->rank) {
          sum = bias[unit++];
        }
        sum += mcg_svdf_f32_over_time(state, weights, p->memory, features[i]);
        state += p->memory;
        weights += p->memory;
        if (--filters_left == 0) {
          *output++ = mcg_svdf_f32_activation(p->activation, sum);
          filters_left = p->rank;
        }
      }
    }
    input += p->inputs;
  }
}

#endif /* MCG_SVDF_F32_H */
