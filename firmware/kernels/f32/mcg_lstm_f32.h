/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM over a sequence, float32.
 *
 * Weights and biases of the four gates of a unit lie side by side, in the order forget, input,
 * cell, output: input_weights is [units][4][inputs], recurrent_weights [units][4][units], bias
 * [units][4]. A step's hidden state is computed right in the output; the state tensors carry it and
 * the cells on to the next inference.
 */
#ifndef MCG_LSTM_F32_H
#define MCG_LSTM_F32_H

#include "mcg_logistic_f32.h"

typedef struct {
  int32_t batches;
  int32_t steps;
  int32_t inputs;
  int32_t units;
  int32_t input_strides[2];  /* elements from one batch to the next, from one step to the next */
  int32_t output_strides[2]; /* likewise */
  float cell_clip;           /* 0: none */
} mcg_lstm_f32_params;

/* The gates of a unit before their activation. */
MCG_INLINE void mcg_lstm_f32_gates(const mcg_lstm_f32_params *p, const float *input,
                                   const float *hidden, const float *input_weights,
                                   const float *bias, const float *recurrent_weights,
                                   float *gates) {
  float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  float recurrent[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  mcg_add_products_f32(4, input, input_weights, p->inputs, p->inputs, sums);
  mcg_add_products_f32(4, hidden, recurrent_weights, p->units, p->units, recurrent);
  for (int32_t i = 0; i < 4; ++i) {
    gates[i] = mcg_clamp_f32(sums[i] + bias[i], -FLT_MAX, FLT_MAX) +
               mcg_clamp_f32(recurrent[i], -FLT_MAX, FLT_MAX);
  }
}

/* As in the reference, a clip makes a number of NaN. */
MCG_INLINE float mcg_lstm_f32_clip(float cell, float clip) {
  const float below = cell < clip ? cell : clip;
  return below < -clip ? -clip : below;
}

MCG_INLINE void mcg_lstm_f32(const mcg_lstm_f32_params *p, const float *input,
                             const float *input_weights, const float *bias,
                             const float *recurrent_weights, float *output, float *hidden_state,
                             float *cell_state) {
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const float *x = input + batch * p->input_strides[0];
    float *y = output + batch * p->output_strides[0];
    const float *hidden = hidden_state;
    for (int32_t step = 0; step < p->steps; ++step) {
      for (int32_t unit = 0; unit < p->units; ++unit) {
        float gates[4];
        mcg_lstm_f32_gates(p, x, hidden, input_weights + unit * 4 * p->inputs, bias + 4 * unit,
                           recurrent_weights + unit * 4 * p->units, gates);
        float cell = mcg_sigmoid_f32(gates[0]) * cell_state[unit] +
                     mcg_sigmoid_f32(gates[1]) * tanhf(gates[2]);
        if (p->cell_clip > 0.0f) {
          cell = mcg_lstm_f32_clip(cell, p->cell_clip);
        }
        cell_state[unit] = cell;
        y[unit] = tanhf(cell) * mcg_sigmoid_f32(gates[3]);
      }
      hidden = y;
      x += p->input_strides[1];
      y += p->output_strides[1];
    }
    memcpy(hidden_state, hidden, (size_t)p->units * sizeof(float));
    hidden_state += p->units;
    cell_state += p->units;
  }
}

#endif /* MCG_LSTM_F32_H */
