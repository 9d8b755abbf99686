/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution with a single window, as streams have. Weights are [taps][channels]; the
 * taps of the input lie `step` bytes apart, with channels between them that others read. The
 * input's zero point is folded into the bias. */
#ifndef MCG_DEPTHWISE_SINGLE_S8_H
#define MCG_DEPTHWISE_SINGLE_S8_H

#include "mcg_filter_s8.h"

typedef struct {
  int32_t taps;
  int32_t channels;
  int32_t step; /* channels or more */
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
  int32_t fast; /* of mcg_depthwise_single_s8_dsp(): see mcg_filters there */
} mcg_depthwise_single_s8_params;

MCG_INLINE void mcg_depthwise_single_s8(const mcg_depthwise_single_s8_params *p,
                                        const int8_t *input, const int8_t *weights,
                                        const int32_t *bias, const int32_t *multiplier,
                                        const int8_t *shift, int8_t *output) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  for (int32_t channel = 0; channel < p->channels; ++channel) {
    const int8_t *x = input + channel;
    const int8_t *w = weights + channel;
    int32_t acc = bias[channel];
    for (int32_t tap = 0; tap < p->taps; ++tap) {
      acc += *x * *w;
      x += p->step;
      w += p->channels;
    }
    output[channel] = mcg_output(&stage, channel, acc);
  }
}

#endif /* MCG_DEPTHWISE_SINGLE_S8_H */
