/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN, SUM and AVERAGE_POOL_2D over a whole image, int8, of which some rows come at a time.
 * scratch holds the sums, 4 * channels bytes, and keeps them from the first call to the last one,
 * which makes the output.
 *
 * With `count` the sums are divided by it, rounded to nearest, ties away from zero; without, they
 * are requantized. */
#ifndef MCG_MEAN_ROWS_S8_H
#define MCG_MEAN_ROWS_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t pixels; /* that come with this call */
  int32_t channels;
  int32_t first; /* 1: sums begin with bias */
  int32_t last;  /* 1: make the output */
  int32_t bias;
  int32_t count;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
  int32_t output_min;
  int32_t output_max;
} mcg_mean_rows_s8_params;

MCG_INLINE void mcg_mean_rows_s8(const mcg_mean_rows_s8_params *p, const int8_t *input,
                                 int8_t *output, void *scratch) {
  int32_t *sums = scratch;
  if (p->first) {
    for (int32_t channel = 0; channel < p->channels; ++channel) {
      sums[channel] = p->bias;
    }
  }
  for (int32_t pixel = 0; pixel < p->pixels; ++pixel) {
    for (int32_t channel = 0; channel < p->channels; ++channel) {
      sums[channel] += *input++;
    }
  }
  if (p->last) {
    for (int32_t channel = 0; channel < p->channels; ++channel) {
      const int32_t sum = sums[channel];
      int32_t mean;
      if (p->count) {
        mean = (sum > 0 ? sum + p->count / 2 : sum - p->count / 2) / p->count;
      } else {
        mean = mcg_requantize(sum, p->multiplier, p->shift) + p->zero_point;
      }
      *output++ = (int8_t)mcg_clamp(mean, p->output_min, p->output_max);
    }
  }
}

#endif /* MCG_MEAN_ROWS_S8_H */
