/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED, float32: rows of inputs times weights [channels, depth], four channels at a
 * time. */
#ifndef MCG_FULLY_CONNECTED_F32_H
#define MCG_FULLY_CONNECTED_F32_H

#include "mcg_f32.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t channels;
  float output_min;
  float output_max;
} mcg_fully_connected_f32_params;

/* One or four (`channels`) outputs of one row. */
MCG_INLINE void mcg_fully_connected_f32_outputs(const mcg_fully_connected_f32_params *p,
                                                int32_t channels, const float *input,
                                                const float *weights, const float *bias,
                                                float *output) {
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  mcg_add_products_f32(channels, input, weights, p->depth, p->depth, sum);
  for (int32_t k = 0; k < channels; ++k) {
    output[k] = mcg_clamp_f32(sum[k] + bias[k], p->output_min, p->output_max);
  }
}

MCG_INLINE void mcg_fully_connected_f32(const mcg_fully_connected_f32_params *p,
                                        const float *MCG_RESTRICT input, const float *weights,
                                        const float *bias, float *MCG_RESTRICT output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    int32_t channel = 0;
    for (; channel + 4 <= p->channels; channel += 4) {
      mcg_fully_connected_f32_outputs(p, 4, input, weights + channel * p->depth, bias + channel,
                                      output + channel);
    }
    for (; channel < p->channels; ++channel) {
      mcg_fully_connected_f32_outputs(p, 1, input, weights + channel * p->depth, bias + channel,
                                      output + channel);
    }
    input += p->depth;
    output += p->channels;
  }
}

#endif /* MCG_FULLY_CONNECTED_F32_H */
