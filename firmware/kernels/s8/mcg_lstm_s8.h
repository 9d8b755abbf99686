/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM over a sequence: int8 inputs and hidden state, int16 cell state.
 *
 * Weights and biases of the four gates of a unit lie side by side, in the order forget, input,
 * cell, output: input_weights is [units][4][inputs], recurrent_weights [units][4][units], the
 * biases are [units][4] and hold the zero points. A step's hidden state is computed right in the
 * output; the state tensors carry it and the cells on to the next inference.
 */
#ifndef MCG_LSTM_S8_H
#define MCG_LSTM_S8_H

#include "mcg_four_rows_s8.h"
#include "mcg_sigmoid_table.h"

typedef struct {
  int32_t batches;
  int32_t steps;
  int32_t inputs;
  int32_t units;
  int32_t input_row;         /* bytes of a row of weights */
  int32_t recurrent_row;     /* likewise */
  int32_t input_strides[2];  /* from one batch to the next, from one step to the next */
  int32_t output_strides[2]; /* likewise */
  int32_t input_multiplier[4];
  int32_t input_shift[4];
  int32_t recurrent_multiplier[4];
  int32_t recurrent_shift[4];
  int32_t cell_multiplier[2]; /* of forget gate times cell, and of input gate times cell gate */
  int32_t cell_shift[2];
  int32_t cell_clip; /* 0: none */
  int32_t tanh_multiplier;
  int32_t tanh_right;
  int32_t hidden_multiplier;
  int32_t hidden_shift;
  int32_t hidden_zero_point;
} mcg_lstm_s8_params;

MCG_INLINE int32_t mcg_clamp_s16(int32_t value) { return mcg_clamp(value, INT16_MIN, INT16_MAX); }

/* One gate of a unit before its activation, in Q3.12; sums are of the inputs and of the hidden
 * state. */
MCG_INLINE int32_t mcg_lstm_gate(const mcg_lstm_s8_params *p, int32_t gate, const int32_t *sums,
                                 const int32_t *recurrent_sums, const int32_t *input_bias,
                                 const int32_t *recurrent_bias) {
  const int32_t from_input = mcg_requantize(sums[gate] + input_bias[gate],
                                            p->input_multiplier[gate], p->input_shift[gate]);
  const int32_t from_hidden =
      mcg_requantize(recurrent_sums[gate] + recurrent_bias[gate], p->recurrent_multiplier[gate],
                     p->recurrent_shift[gate]);
  return mcg_clamp_s16(mcg_clamp_s16(from_input) + mcg_clamp_s16(from_hidden));
}

/* The new cell from the old one and the gates after their activation. */
MCG_INLINE int32_t mcg_lstm_cell(const mcg_lstm_s8_params *p, int32_t cell, int32_t forget_gate,
                                 int32_t input_gate, int32_t cell_gate) {
  const int32_t kept =
      mcg_clamp_s16(mcg_requantize(forget_gate * cell, p->cell_multiplier[0], p->cell_shift[0]));
  const int32_t added = mcg_clamp_s16(
      mcg_requantize(input_gate * cell_gate, p->cell_multiplier[1], p->cell_shift[1]));
  const int32_t sum = mcg_clamp_s16(kept + added);
  return p->cell_clip > 0 ? mcg_clamp(sum, -p->cell_clip, p->cell_clip) : sum;
}

MCG_INLINE void mcg_lstm_s8_by(const mcg_lstm_s8_params *p, mcg_four_rows four_rows,
                               const int8_t *input, const int8_t *input_weights,
                               const int32_t *input_bias, const int8_t *recurrent_weights,
                               const int32_t *recurrent_bias, const int16_t *table, int8_t *output,
                               int8_t *hidden_state, int16_t *cell_state) {
  const mcg_sigmoid_input q3_12 = {3, 0};
  const mcg_sigmoid_input to_tanh = {p->tanh_multiplier, p->tanh_right};
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int8_t *x = input + batch * p->input_strides[0];
    int8_t *y = output + batch * p->output_strides[0];
    const int8_t *hidden = hidden_state;
    for (int32_t step = 0; step < p->steps; ++step) {
      for (int32_t unit = 0; unit < p->units; ++unit) {
        int32_t sums[4], recurrent[4];
        four_rows(x, p->inputs, input_weights + unit * 4 * p->input_row, sums);
        four_rows(hidden, p->units, recurrent_weights + unit * 4 * p->recurrent_row, recurrent);
        const int32_t *ib = input_bias + 4 * unit, *rb = recurrent_bias + 4 * unit;
        const int32_t cell = mcg_lstm_cell(
            p, cell_state[unit],
            mcg_sigmoid_q15(table, q3_12, mcg_lstm_gate(p, 0, sums, recurrent, ib, rb)),
            mcg_sigmoid_q15(table, q3_12, mcg_lstm_gate(p, 1, sums, recurrent, ib, rb)),
            mcg_tanh_q15(table, q3_12, mcg_lstm_gate(p, 2, sums, recurrent, ib, rb)));
        cell_state[unit] = (int16_t)cell;
        const int32_t opened =
            mcg_sigmoid_q15(table, q3_12, mcg_lstm_gate(p, 3, sums, recurrent, ib, rb));
        const int32_t product = mcg_tanh_q15(table, to_tanh, cell) * opened;
        const int32_t value = mcg_requantize(product, p->hidden_multiplier, p->hidden_shift);
        y[unit] = (int8_t)mcg_clamp(value + p->hidden_zero_point, INT8_MIN, INT8_MAX);
      }
      hidden = y;
      x += p->input_strides[1];
      y += p->output_strides[1];
    }
    memcpy(hidden_state, hidden, (size_t)p->units);
    hidden_state += p->units;
    cell_state += p->units;
  }
}

MCG_INLINE void mcg_lstm_s8(const mcg_lstm_s8_params *p, const int8_t *input,
                            const int8_t *input_weights, const int32_t *input_bias,
                            const int8_t *recurrent_weights, const int32_t *recurrent_bias,
                            const int16_t *table, int8_t *output, int8_t *hidden_state,
                            int16_t *cell_state) {
  mcg_lstm_s8_by(p, mcg_four_rows_s8, input, input_weights, input_bias, recurrent_weights,
                 recurrent_bias, table, output, hidden_state, cell_state);
}

#endif /* MCG_LSTM_S8_H */
