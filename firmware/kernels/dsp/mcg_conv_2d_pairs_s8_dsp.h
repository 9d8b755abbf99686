/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_conv_2d_s8() of one group for cores with DSP instructions, four windows and two channels at a
 * time.
 *
 * For weights as mcg_pairs has them. scratch is that of mcg_conv_2d_s8_dsp().
 */
#ifndef MCG_CONV_2D_PAIRS_S8_DSP_H
#define MCG_CONV_2D_PAIRS_S8_DSP_H

#include "mcg_conv_2d_s8_dsp.h"
#include "mcg_filter_pairs_s8_dsp.h"

typedef mcg_conv_2d_s8_dsp_params mcg_conv_2d_pairs_s8_dsp_params;

MCG_SHARED void mcg_conv_2d_pairs_s8_dsp(const mcg_conv_2d_pairs_s8_dsp_params *p,
                                         const int8_t *input, const int32_t *weights,
                                         const int32_t *factors, int8_t *output, void *scratch) {
  const int32_t depth = p->filter_height * p->filter_width * p->filter_channels;
  const int32_t image_bytes = p->input_height * p->input_width * p->input_channels;
  const mcg_pairs filters = {(const uint32_t *)weights, factors, p->output_zero_point,
                             p->output_channels};
  mcg_windows windows = {scratch, (depth + 3) >> 2, 0, output, p->output_channels};
  int32_t left = p->batches * p->output_height * p->output_width;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    const int8_t *image = input + batch * image_bytes;
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t y = row * p->stride_h - p->pad_top;
      for (int32_t column = 0; column < p->output_width; ++column) {
        mcg_gather_window(p, image, y, column * p->stride_w - p->pad_left, 0, &windows);
        --left;
        if (++windows.count == MCG_WINDOWS || left == 0) {
          mcg_multiply_windows(&filters, &windows);
        }
      }
    }
  }
}

#endif /* MCG_CONV_2D_PAIRS_S8_DSP_H */
