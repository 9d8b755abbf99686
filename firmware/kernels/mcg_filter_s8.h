/* What convolutions and fully connected layers share: from accumulators to int8 outputs, and the
 * inner products of one window with all filters. */
#ifndef MCG_FILTER_S8_H
#define MCG_FILTER_S8_H

#include "mcg_common.h"

/* How accumulators become int8 outputs. per_channel: 1 if multiplier and shift hold one entry per
 * channel, 0 if they hold one for all. scale_down: 1 if mcg_requantize_down() may be used. */
typedef struct {
  const int32_t *multiplier;
  const int8_t *shift;
  int32_t per_channel;
  int32_t scale_down;
  int32_t zero_point;
  int32_t min;
  int32_t max;
} mcg_output_stage;

/* One accumulator to one int8 output of the given channel. */
MCG_INLINE int8_t mcg_output(const mcg_output_stage *stage, int32_t channel, int32_t acc) {
  const int32_t entry = stage->per_channel ? channel : 0;
  const int32_t multiplier = stage->multiplier[entry];
  const int32_t shift = stage->shift[entry];
  const int32_t scaled = stage->scale_down ? mcg_requantize_down(acc, multiplier, shift)
                                           : mcg_requantize(acc, multiplier, shift);
  return (int8_t)mcg_clamp(scaled + stage->zero_point, stage->min, stage->max);
}

/* Inner products of one window with every row of weights, as int8 outputs.
 * weights is [channels][depth]; bias already holds the input's zero point; base is added to every
 * accumulator. Four rows at a time, so that each input is loaded once for four weights. */
MCG_SHARED void mcg_filter_window(const mcg_output_stage *restrict stage,
                                  const int8_t *restrict window, int32_t depth, int32_t base,
                                  const int8_t *restrict weights, const int32_t *restrict bias,
                                  int8_t *restrict output, int32_t channels) {
  for (int32_t channel = 0; channel < channels; channel += 4) {
    const int32_t rows = mcg_min(4, channels - channel);
    int32_t acc[4] = {0, 0, 0, 0};
    if (rows == 4) {
      const int8_t *w0 = weights;
      const int8_t *w1 = w0 + depth;
      const int8_t *w2 = w1 + depth;
      const int8_t *w3 = w2 + depth;
      int32_t acc0 = 0, acc1 = 0, acc2 = 0, acc3 = 0;
      for (int32_t i = 0; i < depth; ++i) {
        const int32_t value = window[i];
        acc0 += value * w0[i];
        acc1 += value * w1[i];
        acc2 += value * w2[i];
        acc3 += value * w3[i];
      }
      acc[0] = acc0;
      acc[1] = acc1;
      acc[2] = acc2;
      acc[3] = acc3;
      weights = w3 + depth;
    } else {
      for (int32_t row = 0; row < rows; ++row) {
        for (int32_t i = 0; i < depth; ++i) {
          acc[row] += window[i] * *weights++;
        }
      }
    }
    for (int32_t row = 0; row < rows; ++row) {
      const int32_t sum = acc[row] + base + bias[channel + row];
      output[channel + row] = mcg_output(stage, channel + row, sum);
    }
  }
}

#endif /* MCG_FILTER_S8_H */
