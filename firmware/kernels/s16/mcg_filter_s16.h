/* SPDX-License-Identifier: Apache-2.0 */
/* What convolutions and fully connected layers of int16 inputs and int8 weights share: inner
 * products, and the way from accumulators to int16 outputs. All zero points are 0. */
#ifndef MCG_FILTER_S16_H
#define MCG_FILTER_S16_H

#include "mcg_common.h"

/* How accumulators become int16 outputs. per_channel: 1 if multiplier and shift hold one entry per
 * channel, 0 if they hold one for all. wide: 1 if accumulators have 64 bits and multipliers 15, 0
 * if both have 32. */
typedef struct {
  const int64_t *bias;
  const int32_t *multiplier;
  const int8_t *shift;
  int32_t per_channel;
  int32_t wide;
  int32_t min;
  int32_t max;
} mcg_output_stage_s16;

/* value * multiplier * 2^(shift - 15), rounded to nearest, ties up. 0 <= multiplier < 2^15,
 * |value| < 2^47; shift is -31 to 7. */
MCG_INLINE int32_t mcg_requantize_wide(int64_t value, int32_t multiplier, int32_t shift) {
  const int32_t right = 15 - shift;
  return (int32_t)((value * multiplier + (INT64_C(1) << (right - 1))) >> right);
}

/* A sum of products to the output of the given channel. */
MCG_INLINE int16_t mcg_output_s16(const mcg_output_stage_s16 *stage, int32_t channel, int64_t sum) {
  const int32_t entry = stage->per_channel ? channel : 0;
  const int32_t multiplier = stage->multiplier[entry];
  const int32_t shift = stage->shift[entry];
  const int64_t acc = sum + stage->bias[channel];
  const int32_t scaled = stage->wide ? mcg_requantize_wide(acc, multiplier, shift)
                                     : mcg_requantize((int32_t)acc, multiplier, shift);
  return (int16_t)mcg_clamp(scaled, stage->min, stage->max);
}

/* So many products of int16 and int8 add up to at most 2^30. */
#define MCG_FILTER_BLOCK_S16 256

/* Inner products of one window with `rows` (1 or 4) rows of weights, [rows][depth]. */
MCG_INLINE void mcg_filter_rows_s16(const int16_t *window, int32_t depth, const int8_t *weights,
                                    int32_t rows, int64_t *sums) {
  const int8_t *w1 = weights + (rows > 1 ? depth : 0);
  const int8_t *w2 = w1 + (rows > 1 ? depth : 0);
  const int8_t *w3 = w2 + (rows > 1 ? depth : 0);
  sums[0] = sums[1] = sums[2] = sums[3] = 0;
  for (int32_t start = 0; start < depth; start += MCG_FILTER_BLOCK_S16) {
    const int32_t end = mcg_min(start + MCG_FILTER_BLOCK_S16, depth);
    int32_t acc0 = 0, acc1 = 0, acc2 = 0, acc3 = 0;
    for (int32_t i = start; i < end; ++i) {
      const int32_t value = window[i];
      acc0 += value * weights[i];
      if (rows > 1) {
        acc1 += value * w1[i];
        acc2 += value * w2[i];
        acc3 += value * w3[i];
      }
    }
    sums[0] += acc0;
    sums[1] += acc1;
    sums[2] += acc2;
    sums[3] += acc3;
  }
}

/* Inner products of one window with every row of weights [channels][depth], as outputs of the
 * channels from `first` on. */
MCG_SHARED void mcg_filter_window_s16(const mcg_output_stage_s16 *stage, const int16_t *window,
                                      int32_t depth, const int8_t *weights, int16_t *output,
                                      int32_t first, int32_t channels) {
  int64_t sums[4];
  int32_t channel = 0;
  while (channel < channels) {
    int32_t rows = 4;
    if (channel + rows <= channels) {
      mcg_filter_rows_s16(window, depth, weights, 4, sums);
    } else {
      rows = 1;
      mcg_filter_rows_s16(window, depth, weights, 1, sums);
    }
    for (int32_t i = 0; i < rows; ++i) {
      output[channel + i] = mcg_output_s16(stage, first + channel + i, sums[i]);
    }
    weights += rows * depth;
    channel += rows;
  }
}

#endif /* MCG_FILTER_S16_H */
