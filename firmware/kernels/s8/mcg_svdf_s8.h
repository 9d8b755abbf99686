/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF: every filter's newest feature is appended to its memory, which is weighed over time.
 *
 * feature_weights is [filters][inputs], with zeros up to a multiple of four filters; feature_bias
 * holds the input's zero point. The filters of a unit, `rank` of them, are added up; bias holds the
 * state's zero point. state is [batches][filters][memory], the newest feature last.
 */
#ifndef MCG_SVDF_S8_H
#define MCG_SVDF_S8_H

#include "mcg_four_rows_s8.h"

typedef struct {
  int32_t batches;
  int32_t inputs;
  int32_t feature_row; /* bytes of a row of weights */
  int32_t filters;
  int32_t rank;
  int32_t memory;
  int32_t feature_multiplier;
  int32_t feature_shift;
  int32_t state_zero_point;
  int32_t output_multiplier;
  int32_t output_shift;
  int32_t output_zero_point;
} mcg_svdf_s8_params;

/* The features of four filters, less the state's zero point. */
MCG_INLINE void mcg_svdf_features(const mcg_svdf_s8_params *p, mcg_four_rows four_rows,
                                  const int8_t *input, const int8_t *feature_weights,
                                  const int32_t *feature_bias, int32_t filter, int32_t *features) {
  four_rows(input, p->inputs, feature_weights + filter * p->feature_row, features);
  for (int32_t i = 0; i < 4; ++i) {
    features[i] = mcg_requantize(features[i] + feature_bias[filter + i], p->feature_multiplier,
                                 p->feature_shift);
  }
}

MCG_INLINE int8_t mcg_svdf_output(const mcg_svdf_s8_params *p, uint32_t sum) {
  const int32_t scaled = mcg_requantize((int32_t)sum, p->output_multiplier, p->output_shift);
  return (int8_t)mcg_clamp(scaled + p->output_zero_point, INT8_MIN, INT8_MAX);
}

/* Appends a feature to a filter's memory, whose oldest one goes; the memory times its weights. */
MCG_INLINE uint32_t mcg_svdf_s8_over_time(int8_t *state, const int8_t *weights, int32_t memory,
                                          int8_t feature) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < memory - 1; ++i) {
    const int8_t value = state[i + 1];
    state[i] = value;
    sum += (uint32_t)(value * weights[i]);
  }
  state[memory - 1] = feature;
  return sum + (uint32_t)(feature * weights[memory - 1]);
}

MCG_INLINE void mcg_svdf_s8_by(const mcg_svdf_s8_params *p, mcg_four_rows four_rows,
                               const int8_t *input, const int8_t *feature_weights,
                               const int32_t *feature_bias, const int8_t *time_weights,
                               const int32_t *bias, int8_t *output, int8_t *state) {
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int8_t *weights = time_weights;
    uint32_t sum = 0; /* of one unit */
    int32_t unit = 0, filters_left = p->rank;
    for (int32_t filter = 0; filter < p->filters; filter += 4) {
      int32_t features[4];
      mcg_svdf_features(p, four_rows, input, feature_weights, feature_bias, filter, features);
      for (int32_t i = 0; i < mcg_min(4, p->filters - filter); ++i) {
        /* The zero point is added after the clamp and may go round, as in the reference. */
        const int32_t feature = mcg_clamp(features[i], INT8_MIN, INT8_MAX) + p->state_zero_point;
        sum += mcg_svdf_s8_over_time(state, weights, p->memory, (int8_t)feature);
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

MCG_INLINE void mcg_svdf_s8(const mcg_svdf_s8_params *p, const int8_t *input,
                            const int8_t *feature_weights, const int32_t *feature_bias,
                            const int8_t *time_weights, const int32_t *bias, int8_t *output,
                            int8_t *state) {
  mcg_svdf_s8_by(p, mcg_four_rows_s8, input, feature_weights, feature_bias, time_weights, bias,
                 output, state);
}

#endif /* MCG_SVDF_S8_H */
