/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_depthwise_single_s8() by MVE, for sixteen channels or more: the single window of
 * mcg_depthwise_conv_2d_s8_mve(), read where it lies. Weights, bias, multipliers and shifts are as
 * there. Scratch holds the address of every tap.
 */
#ifndef MCG_DEPTHWISE_SINGLE_S8_MVE_H
#define MCG_DEPTHWISE_SINGLE_S8_MVE_H

#include "mcg_depthwise_conv_2d_s8_mve.h"

typedef struct {
  int32_t taps;
  int32_t channels; /* 16 or more */
  int32_t step;     /* bytes from a tap to the next */
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
} mcg_depthwise_single_s8_mve_params;

MCG_INLINE void mcg_mve_depthwise_single(const mcg_depthwise_single_s8_mve_params *p,
                                         const int8_t *input, const int8_t *weights,
                                         mcg_output_stage stage, const int32_t *bias,
                                         int8_t *output, uintptr_t *taps, int32_t form) {
  for (int32_t tap = 0; tap < p->taps; ++tap) {
    taps[tap] = (uintptr_t)input;
    input += p->step;
  }
  mcg_mve_depthwise_window(stage, 0, taps, p->taps, weights, bias, output, p->channels, 1,
                           MCG_MVE_WHOLE, form);
}

/* One copy for each way to requantize that a model needs. */
#define MCG_MVE_SINGLE(name, form)                                                                \
  MCG_SHARED void name(const mcg_depthwise_single_s8_mve_params *p, const int8_t *input,          \
                       const int8_t *weights, const mcg_output_stage *stage, const int32_t *bias, \
                       int8_t *output, uintptr_t *taps) {                                         \
    mcg_mve_depthwise_single(p, input, weights, *stage, bias, output, taps, form);                \
  }

MCG_MVE_SINGLE(mcg_mve_depthwise_single_upward, MCG_MVE_UPWARD)
MCG_MVE_SINGLE(mcg_mve_depthwise_single_down, MCG_MVE_DOWN)
MCG_MVE_SINGLE(mcg_mve_depthwise_single_any, MCG_MVE_ANY)

MCG_INLINE void mcg_depthwise_single_s8_mve(const mcg_depthwise_single_s8_mve_params *p,
                                            const int8_t *input, const int8_t *weights,
                                            const int32_t *bias, const int32_t *multiplier,
                                            const int8_t *shift, int8_t *output, void *scratch) {
  const mcg_output_stage stage = {
      multiplier, shift, 1, p->scale_down, p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t form = mcg_mve_form(&stage);
  MCG_MVE_DEPTHWISE_BY_FORM(form, mcg_mve_depthwise_single)
  (p, input, weights, &stage, bias, output, scratch);
}

#endif /* MCG_DEPTHWISE_SINGLE_S8_MVE_H */
