/* SPDX-License-Identifier: Apache-2.0 */
/* Average over windows of an NHWC image by MVE, eight channels at a time, or four where their sums
 * do not fit 16 bits, rounded to nearest, ties away from zero. Padding takes no part.
 *
 * No window lies outside the image altogether, or has more than 4096 elements.
 */
#ifndef MCG_AVERAGE_POOL_2D_S8_MVE_H
#define MCG_AVERAGE_POOL_2D_S8_MVE_H

#include "mcg_average_pool_2d_s8.h"
#include "mcg_mve.h"

typedef mcg_average_pool_2d_s8_params mcg_average_pool_2d_s8_mve_params;

/* Four sums, divided by `count`. A quotient is the high half of a product with reciprocal, which is
 * 2^32 / count, rounded up. With magnitudes below 129 * count that is exact as long as
 * 129 * count^2 is below 2^32. */
MCG_INLINE int32x4_t mcg_mve_quotient(int32x4_t sum, int32_t count, uint32_t reciprocal) {
  const uint32x4_t size = vaddq_n_u32(vreinterpretq_u32_s32(vabsq_s32(sum)), (uint32_t)count / 2);
  const int32x4_t quotient =
      vreinterpretq_s32_u32(count > 1 ? vmulhq_u32(size, vdupq_n_u32(reciprocal)) : size);
  return vnegq_m_s32(quotient, quotient, vcmpltq_n_s32(sum, 0));
}

/* Sums of eight channels over one window. */
MCG_INLINE int16x8_t mcg_mve_sum_eight(const int8_t *row, int32_t pitch, int32_t rows,
                                       int32_t columns, int32_t channels, mve_pred16_t lanes) {
  int16x8_t sum = vdupq_n_s16(0);
  for (int32_t y = rows; y > 0; --y) {
    const int8_t *tap = row;
    for (int32_t x = columns; x > 0; --x) {
      sum = vaddq_s16(sum, vldrbq_z_s16(tap, lanes));
      tap += channels;
    }
    row += pitch;
  }
  return sum;
}

/* Sums of four channels over one window. */
MCG_INLINE int32x4_t mcg_mve_sum_four(const int8_t *row, int32_t pitch, int32_t rows,
                                      int32_t columns, int32_t channels, mve_pred16_t lanes) {
  int32x4_t sum = vdupq_n_s32(0);
  for (int32_t y = rows; y > 0; --y) {
    const int8_t *tap = row;
    for (int32_t x = columns; x > 0; --x) {
      sum = vaddq_s32(sum, vldrbq_z_s32(tap, lanes));
      tap += channels;
    }
    row += pitch;
  }
  return sum;
}

/* All channels of one window: `rows` times `columns` pixels from `first` on. */
MCG_INLINE void mcg_mve_average(const mcg_average_pool_2d_s8_params *p, const int8_t *first,
                                int32_t rows, int32_t columns, int8_t *output) {
  const int32_t count = rows * columns;
  const int32_t pitch = p->input_width * p->channels;
  const uint32_t reciprocal = count > 1 ? UINT32_MAX / (uint32_t)count + 1u : 0;
  if (p->filter_height * p->filter_width > 255) {
    for (int32_t left = p->channels; left > 0; left -= 4) {
      const mve_pred16_t lanes = vctp32q((uint32_t)left);
      int32x4_t mean = mcg_mve_sum_four(first, pitch, rows, columns, p->channels, lanes);
      mean = vmaxq_s32(mcg_mve_quotient(mean, count, reciprocal), vdupq_n_s32(p->output_min));
      vstrbq_p_s32(output, vminq_s32(mean, vdupq_n_s32(p->output_max)), lanes);
      first += 4;
      output += 4;
    }
    return;
  }
  for (int32_t left = p->channels; left > 0; left -= 8) {
    const mve_pred16_t lanes = vctp16q((uint32_t)left);
    const int16x8_t sum = mcg_mve_sum_eight(first, pitch, rows, columns, p->channels, lanes);
    const int32x4_t even = mcg_mve_quotient(vmovlbq_s16(sum), count, reciprocal);
    const int32x4_t odd = mcg_mve_quotient(vmovltq_s16(sum), count, reciprocal);
    int16x8_t mean = vmovntq_s32(vreinterpretq_s16_s32(even), odd);
    mean = vmaxq_s16(mean, vdupq_n_s16((int16_t)p->output_min));
    vstrbq_p_s16(output, vminq_s16(mean, vdupq_n_s16((int16_t)p->output_max)), lanes);
    first += 8;
    output += 8;
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
