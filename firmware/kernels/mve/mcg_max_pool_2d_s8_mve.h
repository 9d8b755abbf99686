/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum over windows of an NHWC image by MVE, sixteen channels at a time. Padding takes no part.
 *
 * No window lies outside the image altogether.
 */
#ifndef MCG_MAX_POOL_2D_S8_MVE_H
#define MCG_MAX_POOL_2D_S8_MVE_H

#include "mcg_max_pool_2d_s8.h"
#include "mcg_mve.h"

typedef mcg_max_pool_2d_s8_params mcg_max_pool_2d_s8_mve_params;

/* All channels of one window: `rows` times `columns` pixels from `first` on. */
MCG_INLINE void mcg_mve_maximum(const mcg_max_pool_2d_s8_params *p, const int8_t *first,
                                int32_t rows, int32_t columns, int8_t *output) {
  for (int32_t left = p->channels; left > 0; left -= 16) {
    const mve_pred16_t lanes = vctp8q((uint32_t)left);
    const int8_t *row = first;
    int8x16_t largest = vdupq_n_s8((int8_t)p->output_min);
    for (int32_t y = rows; y > 0; --y) {
      const int8_t *tap = row;
      for (int32_t x = columns; x > 0; --x) {
        largest = vmaxq_s8(largest, vldrbq_z_s8(tap, lanes));
        tap += p->channels;
      }
      row += p->input_width * p->channels;
    }
    vstrbq_p_s8(output, vminq_s8(largest, vdupq_n_s8((int8_t)p->output_max)), lanes);
    first += 16;
    output += 16;
  }
}

MCG_INLINE void mcg_max_pool_2d_s8_mve(const mcg_max_pool_2d_s8_mve_params *p, const int8_t *input,
                                       int8_t *output) {
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t top = row * p->stride_h - p->pad_top;
      const int32_t y = mcg_max(top, 0);
      const int32_t rows = mcg_min(top + p->filter_height, p->input_height) - y;
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t left = column * p->stride_w - p->pad_left;
        const int32_t x = mcg_max(left, 0);
        const int32_t columns = mcg_min(left + p->filter_width, p->input_width) - x;
        mcg_mve_maximum(p, input + (y * p->input_width + x) * p->channels, rows, columns, output);
        output += p->channels;
      }
    }
    input += p->input_height * p->input_width * p->channels;
  }
}

#endif /* MCG_MAX_POOL_2D_S8_MVE_H */
