/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_lstm_s8() with the products of cores with DSP instructions. */
#ifndef MCG_LSTM_S8_DSP_H
#define MCG_LSTM_S8_DSP_H

#include "mcg_four_rows_s8_dsp.h"
#include "mcg_lstm_s8.h"

typedef mcg_lstm_s8_params mcg_lstm_s8_dsp_params;

MCG_INLINE void mcg_lstm_s8_dsp(const mcg_lstm_s8_params *p, const int8_t *input,
                                const int8_t *input_weights, const int32_t *input_bias,
                                const int8_t *recurrent_weights, const int32_t *recurrent_bias,
                                const int16_t *table, int8_t *output, int8_t *hidden_state,
                                int16_t *cell_state) {
  mcg_lstm_s8_by(p, mcg_four_rows_s8_dsp, input, input_weights, input_bias, recurrent_weights,
                 recurrent_bias, table, output, hidden_state, cell_state);
}

#endif /* MCG_LSTM_S8_DSP_H */
