/* SPDX-License-Identifier: Apache-2.0 */
/* What float32 kernels share.
 *
 * Every sum runs in the reference's order, with a product and an addition per step, so that it is
 * equal bit for bit where the compiler does not fuse the two (-std=c99, or -ffp-contract=off).
 */
#ifndef MCG_F32_H
#define MCG_F32_H

#include <float.h>
#include <math.h>

#include "mcg_common.h"

/* A fused activation. As in the reference, NaN stays NaN, and none at all is -FLT_MAX to FLT_MAX.
 */
MCG_INLINE float mcg_clamp_f32(float value, float low, float high) {
  const float above = value < low ? low : value;
  return above > high ? high : above;
}

/* Adds to sum[k], for one or four rows of weights that are `step` elements apart, the products of
 * `depth` inputs and the row's weights. `rows` is a constant where this is inlined. */
MCG_INLINE void mcg_add_products_f32(int32_t rows, const float *input, const float *weights,
                                     int32_t step, int32_t depth, float *sum) {
  if (rows == 1) {
    float sum0 = sum[0];
    for (int32_t i = 0; i < depth; ++i) {
      sum0 += input[i] * weights[i];
    }
    sum[0] = sum0;
    return;
  }
  const float *weights1 = weights + step;
  const float *weights2 = weights1 + step;
  const float *weights3 = weights2 + step;
  float sum0 = sum[0], sum1 = sum[1], sum2 = sum[2], sum3 = sum[3];
  for (int32_t i = 0; i < depth; ++i) {
    const float value = input[i];
    sum0 += value * weights[i];
    sum1 += value * weights1[i];
    sum2 += value * weights2[i];
    sum3 += value * weights3[i];
  }
  sum[0] = sum0;
  sum[1] = sum1;
  sum[2] = sum2;
  sum[3] = sum3;
}

/* The largest of a row of numbers. */
MCG_INLINE float mcg_row_max_f32(const float *input, int32_t count) {
  float largest = -FLT_MAX;
  for (int32_t i = 0; i < count; ++i) {
    largest = largest < input[i] ? input[i] : largest;
  }
  return largest;
}

#endif /* MCG_F32_H */
