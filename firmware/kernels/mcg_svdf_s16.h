/* SVDF with an int16 state and int16 weights over time; otherwise as mcg_svdf_s8(). */
#ifndef MCG_SVDF_S16_H
#define MCG_SVDF_S16_H

#include "mcg_svdf_s8.h"

typedef mcg_svdf_s8_params mcg_svdf_s16_params;

MCG_INLINE void mcg_svdf_s16_by(const mcg_svdf_s8_params *p, mcg_four_rows four_rows,
                                const int8_t *input, const int8_t *feature_weights,
                                const int32_t *feature_bias, const int16_t *time_weights,
                                const int32_t *bias, int8_t *output, int16_t *state) {
  const int32_t memory = p->memory;
  memmove(state, state + 1, (size_t)(p->batches * p->filters * memory - 1) * sizeof *state);
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t filter = 0; filter < p->filters; filter += 4) {
      int32_t features[4];
      mcg_svdf_features(p, four_rows, input, feature_weights, feature_bias, filter, features);
      for (int32_t i = 0; i < mcg_min(4, p->filters - filter); ++i) {
        const int32_t feature = mcg_clamp(features[i], INT16_MIN, INT16_MAX);
        state[(filter + i) * memory + memory - 1] = (int16_t)(feature + p->state_zero_point);
      }
    }
    const int16_t *weights = time_weights;
    for (int32_t unit = 0; unit < p->filters / p->rank; ++unit) {
      uint32_t sum = (uint32_t)bias[unit]; /* may go round, as in the reference */
      for (int32_t i = 0; i < p->rank * memory; ++i) {
        sum += (uint32_t)(*weights++ * *state++);
      }
      *output++ = mcg_svdf_output(p, sum);
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
