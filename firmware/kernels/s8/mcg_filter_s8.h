/* SPDX-License-Identifier: Apache-2.0 */
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

/* Accumulators of `count` channels from `channel` on, less their biases, as outputs. */
MCG_INLINE void mcg_finish(const mcg_output_stage *stage, int32_t channel, const int32_t *sums,
                           int32_t base, const int32_t *bias, int32_t count, int8_t *output) {
  const int32_t *multiplier = stage->multiplier + (stage->per_channel ? channel : 0);
  const int8_t *shift = stage->shift + (stage->per_channel ? channel : 0);
  const int32_t zero_point = stage->zero_point, low = stage->min, high = stage->max;
  /* One loop for each way, for the sake of registers. */
  if (stage->scale_down) {
    for (int32_t i = 0; i < count; ++i) {
      const int32_t acc = sums[i] + base + bias[channel + i];
      const int32_t scaled = mcg_requantize_down(acc, *multiplier, *shift) + zero_point;
      output[i] = (int8_t)mcg_clamp(scaled, low, high);
      multiplier += stage->per_channel;
      shift += stage->per_channel;
    }
  } else {
    for (int32_t i = 0; i < count; ++i) {
      const int32_t acc = sums[i] + base + bias[channel + i];
      const int32_t scaled = mcg_requantize(acc, *multiplier, *shift) + zero_point;
      output[i] = (int8_t)mcg_clamp(scaled, low, high);
      multiplier += stage->per_channel;
      shift += stage->per_channel;
    }
  }
}

/* Inner products of one window with `rows` (1, 2 or 4) rows of weights. */
MCG_INLINE void mcg_filter_rows(const int8_t *MCG_RESTRICT window, int32_t depth,
                                const int8_t *MCG_RESTRICT weights, int32_t rows, int32_t *sums) {
  /* The index counts up to 0, so that it is its own loop counter. */
  const int8_t *x = window + depth;
  const int8_t *w0 = weights + depth;
  const int8_t *w1 = w0 + depth;
  const int8_t *w2 = w1 + (rows > 2 ? depth : 0);
  const int8_t *w3 = w2 + (rows > 2 ? depth : 0);
  int32_t acc0 = 0, acc1 = 0, acc2 = 0, acc3 = 0;
  int32_t i = -depth;
#if MCG_SMALL_CORE && defined(__OPTIMIZE__)
  if (rows == 2) {
    /* Four inputs a round, after those beyond whole fours. GCC compares the index with 0 although
     * adding has set the flags. */
    int32_t value, weight, left = depth & 3;
#define MCG_FILTER_INPUT                 \
  "ldrsb %[value], [%[x], %[i]]\n\t"     \
  "ldrsb %[weight], [%[w0], %[i]]\n\t"   \
  "muls %[weight], %[value]\n\t"         \
  "adds %[acc0], %[acc0], %[weight]\n\t" \
  "ldrsb %[weight], [%[w1], %[i]]\n\t"   \
  "muls %[weight], %[value]\n\t"         \
  "adds %[acc1], %[acc1], %[weight]\n\t" \
  "adds %[i], #1\n\t"
    for (; left > 0; --left) {
      __asm__ volatile(".syntax unified\n\t" MCG_FILTER_INPUT
                       : [acc0] "+l"(acc0), [acc1] "+l"(acc1), [i] "+l"(i), [value] "=&l"(value),
                         [weight] "=&l"(weight)
                       : [x] "l"(x), [w0] "l"(w0), [w1] "l"(w1)
                       : "cc", "memory");
    }
    if (i < 0) {
      __asm__ volatile(
          ".syntax unified\n"
          "1:\n\t" MCG_FILTER_INPUT MCG_FILTER_INPUT MCG_FILTER_INPUT MCG_FILTER_INPUT "bne 1b"
          : [acc0] "+l"(acc0), [acc1] "+l"(acc1), [i] "+l"(i), [value] "=&l"(value),
            [weight] "=&l"(weight)
          : [x] "l"(x), [w0] "l"(w0), [w1] "l"(w1)
          : "cc", "memory");
    }
#undef MCG_FILTER_INPUT
  }
#endif
  for (; i < 0; ++i) {
    const int32_t value = x[i];
    acc0 += value * w0[i];
    if (rows > 1) {
      acc1 += value * w1[i];
    }
    if (rows > 2) {
      acc2 += value * w2[i];
      acc3 += value * w3[i];
    }
  }
  sums[0] = acc0;
  sums[1] = acc1;
  sums[2] = acc2;
  sums[3] = acc3;
}

/* Rows of weights at a time: each input is loaded once for all of them, as long as all accumulators
 * are in registers. */
#define MCG_FILTER_ROWS (MCG_SMALL_CORE ? 2 : 4)

/* Inner products of one window with every row of weights, as int8 outputs.
 * weights is [channels][depth]; bias already holds the input's zero point; base is added to every
 * accumulator. */
MCG_SHARED void mcg_filter_window(const mcg_output_stage *MCG_RESTRICT stage,
                                  const int8_t *MCG_RESTRICT window, int32_t depth, int32_t base,
                                  const int8_t *MCG_RESTRICT weights,
                                  const int32_t *MCG_RESTRICT bias, int8_t *MCG_RESTRICT output,
                                  int32_t channels) {
  int32_t sums[4];
  int32_t channel = 0;
  while (channel < channels) {
    int32_t rows = MCG_FILTER_ROWS;
    if (channel + rows <= channels) {
      mcg_filter_rows(window, depth, weights, MCG_FILTER_ROWS, sums);
    } else {
      rows = 1;
      mcg_filter_rows(window, depth, weights, 1, sums);
    }
    weights += rows * depth;
    mcg_finish(stage, channel, sums, base, bias, rows, output);
    output += rows;
    channel += rows;
  }
}

#endif /* MCG_FILTER_S8_H */
