/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of training share: windows, and sums along rows.
 *
 * All arithmetic is float32, rounded after every product and every sum (-ffp-contract=off, as in
 * ISO C), and every sum has one order, which the comments state: the reference on the host takes
 * the same, and gives the same bits. Gradients of zero are left out, which changes no bit of finite
 * numbers. */
#ifndef MCG_TRAIN_H
#define MCG_TRAIN_H

#include <stdint.h>

/* Where the windows of a convolution or pool lie. */
typedef struct {
  int32_t input_height, input_width, input_channels;
  int32_t output_height, output_width, output_channels;
  int32_t filter_height, filter_width;
  int32_t stride_height, stride_width;
  int32_t pad_top, pad_left;
} mcg_train_window;

/* What of a window lies inside the image: rows and columns of the filter, from … to before …, and
 * the pixel under the filter's first one, which may lie outside. */
typedef struct {
  int32_t row, row_end, column, column_end;
  int32_t y, x;
} mcg_train_inside;

static inline mcg_train_inside mcg_train_find(const mcg_train_window *w, int32_t oy, int32_t ox) {
  mcg_train_inside in;
  in.y = oy * w->stride_height - w->pad_top;
  in.x = ox * w->stride_width - w->pad_left;
  in.row = in.y < 0 ? -in.y : 0;
  in.column = in.x < 0 ? -in.x : 0;
  in.row_end =
      w->input_height - in.y < w->filter_height ? w->input_height - in.y : w->filter_height;
  in.column_end = w->input_width - in.x < w->filter_width ? w->input_width - in.x : w->filter_width;
  return in;
}

/* y[i] += a * x[i] */
static inline void mcg_train_add_scaled(float *y, const float *x, float a, int32_t n) {
  for (; n >= 4; n -= 4, x += 4, y += 4) {
    const float p0 = a * x[0], p1 = a * x[1], p2 = a * x[2], p3 = a * x[3];
    y[0] += p0;
    y[1] += p1;
    y[2] += p2;
    y[3] += p3;
  }
  for (; n > 0; n--) *y++ += a * *x++;
}

/* y[i] += x[i] */
static inline void mcg_train_add_to(float *y, const float *x, int32_t n) {
  for (int32_t i = 0; i < n; i++) y[i] += x[i];
}

/* Goes on with the sums of four rows of weights, `step` apart, times x: i ascending in each. */
static inline void mcg_train_dot4(float *sums, const float *x, const float *weights, int32_t step,
                                  int32_t n) {
  const float *w0 = weights, *w1 = w0 + step, *w2 = w1 + step, *w3 = w2 + step;
  float s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
  for (int32_t i = 0; i < n; i++) {
    const float v = x[i];
    s0 += v * w0[i];
    s1 += v * w1[i];
    s2 += v * w2[i];
    s3 += v * w3[i];
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

/* The same for one row. */
static inline float mcg_train_dot(float sum, const float *x, const float *w, int32_t n) {
  for (int32_t i = 0; i < n; i++) sum += x[i] * w[i];
  return sum;
}

#endif
