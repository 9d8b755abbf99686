/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_conv_direct_s8() for cores with DSP instructions, four windows and two channels at a time.
 *
 * For weights as mcg_pairs has them. scratch holds 8 pairs for every 4 bytes of depth, for each
 * group of windows.
 */
#ifndef MCG_CONV_DIRECT_PAIRS_S8_DSP_H
#define MCG_CONV_DIRECT_PAIRS_S8_DSP_H

#include "mcg_filter_pairs_s8_dsp.h"

typedef struct {
  int32_t batches;
  int32_t rows;
  int32_t columns;
  int32_t batch_step;
  int32_t row_step;
  int32_t column_step;
  int32_t depth;
  int32_t channels;
  int32_t output_zero_point;
  int32_t window_groups; /* that are multiplied with the same weights one after the other */
} mcg_conv_direct_pairs_s8_dsp_params;

MCG_SHARED void mcg_conv_direct_pairs_s8_dsp(const mcg_conv_direct_pairs_s8_dsp_params *p,
                                             const int8_t *input, const int32_t *weights,
                                             const int32_t *factors, int8_t *output,
                                             void *scratch) {
  const mcg_pairs filters = {(const uint32_t *)weights, factors, p->output_zero_point, p->channels};
  mcg_windows windows = {scratch, (p->depth + 3) >> 2, 0, output, p->channels, 0};
  const int32_t whole = (p->depth & 3) == 0;
  const mcg_widen_job four = {windows.words, MCG_WINDOWS, p->column_step - p->depth,
                              4 - 4 * MCG_WINDOWS_STEP * windows.words};
  int32_t rows = p->rows, columns = p->columns;
  int32_t left = p->batches * rows * columns;
  if (p->row_step == columns * p->column_step) { /* one long row */
    columns *= rows;
    rows = 1;
  }
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < rows; ++row) {
      const int8_t *window = input + batch * p->batch_step + row * p->row_step;
      for (int32_t column = 0; column < columns;) {
        int32_t count = 1;
        if (whole && windows.count == 0 && columns - column >= MCG_WINDOWS) {
          count = MCG_WINDOWS;
          mcg_widen_rows(&four, window, windows.x);
        } else {
          mcg_widen_all(window, p->depth, windows.x + windows.count);
        }
        window += count * p->column_step;
        column += count;
        left -= count;
        mcg_pairs_appended(&filters, p->window_groups, count, left, &windows);
      }
    }
  }
}

#endif /* MCG_CONV_DIRECT_PAIRS_S8_DSP_H */
