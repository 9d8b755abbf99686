/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF with an int16 state and int16 weights over time; otherwise as mcg_svdf_s8(). */
#ifndef MCG_SVDF_S16_H
#define MCG_SVDF_S16_H

#include "mcg_svdf_s8.h"

typedef mcg_svdf_s8_params mcg_svdf_s16_params;

/* Appends a feature to a filter's memory, whose oldest one goes; the memory times its weights. */
MCG_INLINE uint32_t mcg_svdf_s16_over_time(int16_t *state, const int16_t *weights, int32_t memory,
                                           int16_t feature) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < memory - 1; ++i) {
    const int16_t value = state[i + 1];
    state[i] = value;
    sum += (uint32_t)(value * weights[i]); /* may go round, as in the reference */
  }
  state[memory - 1] = feature;
  return sum + (uint32_t)(feature * weights[memory - 1]);
}

MCG_INLINE void mcg_svdf_s16_by(const mcg_svdf_s8_params *p, mcg_four_rows four_rows,
                                const int8_t *input, const int8_t *feature_weights,
                                const int32_t *feature_bias, const int16_t *time_weights,
                                const int32_t *bias, int8_t *output, int16_t *state) {
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int16_t *weights = time_weights;
    uint32_t sum = 0; /* of one unit */
    int32_t unit = 0, filters_left = p->rank;
    for (int32_t filter = 0; filter < p->filters; filter += 4) {
      int32_t features[4];
      mcg_svdf_features(p, four_rows, input, feature_weights, feature_bias, filter, features);
      for (int32_t i = 0; i < mcg_min(4, p->filters - filter); ++i) {
        /* The zero point is added after the clamp and may go round, as in the reference. */
        const int32_t feature = mcg_clamp(features[i], INT16_MIN, INT16_MAX) + p->state_zero_point;
        sum += mcg_svdf_s16_over_time(state, weights, p->memory, (int16_t)feature);
        state += p->memory;
        weights += p->memory;
        if (--filters_left == 0) {
          *output++ = mcg_svdf_output(p, sum + (uint32_t)bias[unit++]);
          filters_left = p->rank;
          sum = 0;
        }
      }
    }
    input += p->inputs;
  }
}

MCG_INLINE void mcg_svdf_s16(const mcg_svdf_s8_params *p, const int8_t *input,
                             const int8_t *feature_weights, const int32_t *feature_bias,
                             const int16_t *time_weights, const int32_t *bias, int8_t *output,
                             int16_t *state) {
  mcg_svdf_s16_by(p, mcg_four_rows_s8, input, feature_weights, feature_bias, time_weights, bias,
                  output, state);
}

#endif /* MCG_SVDF_S16_H */
