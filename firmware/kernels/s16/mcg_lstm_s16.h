/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM over a sequence with int16 inputs and hidden state, otherwise as mcg_lstm_s8(): sums of 64
 * bits, requantized with a single rounding. All zero points are 0, so there is one bias,
 * [units][4].
 */
#ifndef MCG_LSTM_S16_H
#define MCG_LSTM_S16_H

#include "mcg_filter_s16.h"
#include "mcg_lstm_s8.h"

typedef mcg_lstm_s8_params mcg_lstm_s16_params;

/* The gates of a unit before their activation, in Q3.12. */
MCG_INLINE void mcg_lstm_s16_gates(const mcg_lstm_s16_params *p, const int16_t *input,
                                   const int16_t *hidden, const int8_t *input_weights,
                                   const int64_t *bias, const int8_t *recurrent_weights,
                                   int32_t *gates) {
  int64_t sums[4], recurrent[4];
  mcg_filter_rows_s16(input, p->inputs, input_weights, 4, sums);
  mcg_filter_rows_s16(hidden, p->units, recurrent_weights, 4, recurrent);
  for (int32_t i = 0; i < 4; ++i) {
    const int32_t from_input =
        mcg_requantize_wide(sums[i] + bias[i], p->input_multiplier[i], p->input_shift[i]);
    const int32_t from_hidden =
        mcg_requantize_wide(recurrent[i], p->recurrent_multiplier[i], p->recurrent_shift[i]);
    gates[i] = mcg_clamp_s16(mcg_clamp_s16(from_input) + mcg_clamp_s16(from_hidden));
  }
}

MCG_INLINE void mcg_lstm_s16(const mcg_lstm_s16_params *p, const int16_t *input,
                             const int8_t *input_weights, const int64_t *bias,
                             const int8_t *recurrent_weights, const int16_t *table, int16_t *output,
                             int16_t *hidden_state, int16_t *cell_state) {
  const mcg_sigmoid_input q3_12 = {3, 0};
  const mcg_sigmoid_input to_tanh = {p->tanh_multiplier, p->tanh_right};
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int16_t *x = input + batch * p->input_strides[0];
    int16_t *y = output + batch * p->output_strides[0];
    const int16_t *hidden = hidden_state;
    for (int32_t step = 0; step < p->steps; ++step) {
      for (int32_t unit = 0; unit < p->units; ++unit) {
        int32_t gates[4];
        mcg_lstm_s16_gates(p, x, hidden, input_weights + unit * 4 * p->inputs, bias + 4 * unit,
                           recurrent_weights + unit * 4 * p->units, gates);
        const int32_t cell = mcg_lstm_cell(
            p, cell_state[unit], mcg_sigmoid_q15(table, q3_12, gates[0]),
            mcg_sigmoid_q15(table, q3_12, gates[1]), mcg_tanh_q15(table, q3_12, gates[2]));
        cell_state[unit] = (int16_t)cell;
        const int32_t product =
            mcg_tanh_q15(table, to_tanh, cell) * mcg_sigmoid_q15(table, q3_12, gates[3]);
        y[unit] =
            (int16_t)mcg_clamp_s16(mcg_requantize(product, p->hidden_multiplier, p->hidden_shift));
      }
      hidden = y;
      x += p->input_strides[1];
      y += p->output_strides[1];
    }
    memcpy(hidden_state, hidden, (size_t)p->units * sizeof(int16_t));
    hidden_state += p->units;
    cell_state += p->units;
  }
}

#endif /* MCG_LSTM_S16_H */
