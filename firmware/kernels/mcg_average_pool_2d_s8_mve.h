/* Average over windows of an NHWC image by MVE, four channels at a time, rounded to nearest, ties
 * away from zero. Padding takes no part.
 *
 * No window lies outside the image altogether, or has more than 4096 elements.
 */
#ifndef MCG_AVERAGE_POOL_2D_S8_MVE_H
#define MCG_AVERAGE_POOL_2D_S8_MVE_H

#include "mcg_average_pool_2d_s8.h"
#include "mcg_mve.h"

typedef mcg_average_pool_2d_s8_params mcg_average_pool_2d_s8_mve_params;

/* All channels of one window: `rows` times `columns` pixels from `first` on. */
MCG_INLINE void mcg_mve_average(const mcg_average_pool_2d_s8_params *p, const int8_t *first,
                                int32_t rows, int32_t columns, int8_t *output) {
  const int32_t count = rows * columns;
  /* A quotient is the high half of a product with 2^32 / count, rounded up. With magnitudes below
   * 129 * count that is exact as long as 129 * count^2 is below 2^32. */
  const uint32_t reciprocal = count > 1 ? UINT32_MAX / (uint32_t)count + 1u : 0;
  for (int32_t left = p->channels; left > 0; left -= 4) {
    const mve_pred16_t lanes = vctp32q((uint32_t)left);
    const int8_t *row = first;
    int32x4_t sum = vdupq_n_s32(0);
    for (int32_t y = rows; y > 0; --y) {
      const int8_t *tap = row;
      for (int32_t x = columns; x > 0; --x) {
        sum = vaddq_s32(sum, vldrbq_z_s32(tap, lanes));
        tap += p->channels;
      }
      row += p->input_width * p->channels;
    }
    const uint32x4_t size = vaddq_n_u32(vreinterpretq_u32_s32(vabsq_s32(sum)), (uint32_t)count / 2);
    const int32x4_t quotient =
        vreinterpretq_s32_u32(count > 1 ? vmulhq_u32(size, vdupq_n_u32(reciprocal)) : size);
    const int32x4_t mean = vnegq_m_s32(quotient, quotient, vcmpltq_n_s32(sum, 0));
    const int32x4_t above = vmaxq_s32(mean, vdupq_n_s32(p->output_min));
    vstrbq_p_s32(output, vminq_s32(above, vdupq_n_s32(p->output_max)), lanes);
    first += 4;
    output += 4;
  }
}

MCG_INLINE void mcg_average_pool_2d_s8_mve(const mcg_average_pool_2d_s8_mve_params *p,
                                           const int8_t *input, int8_t *output) {
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t top = row * p->stride_h - p->pad_top;
      const int32_t y = mcg_max(top, 0);
      const int32_t rows = mcg_min(top + p->filter_height, p->input_height) - y;
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t left = column * p->stride_w - p->pad_left;
        const int32_t x = mcg_max(left, 0);
        const int32_t columns = mcg_min(left + p->filter_width, p->input_width) - x;
        mcg_mve_average(p, input + (y * p->input_width + x) * p->channels, rows, columns, output);
        output += p->channels;
      }
    }
    input += p->input_height * p->input_width * p->channels;
  }
}

#endif /* MCG_AVERAGE_POOL_2D_S8_MVE_H */
