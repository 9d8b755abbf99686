/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_conv_2d_s8() for cores with MLA but no DSP instructions, two windows at a time.
 *
 * Windows are gathered into scratch and widened on the way, 4 bytes for every input of two windows
 * and up to a multiple of four of them; the input's zero point stands in for what lies outside the
 * image. Weights and biases of each group are as mcg_filter_s8_mla.h has them.
 */
#ifndef MCG_CONV_2D_S8_MLA_H
#define MCG_CONV_2D_S8_MLA_H

#include "mcg_filter_s8_mla.h"

typedef struct {
  int32_t batches;
  int32_t input_height;
  int32_t input_width;
  int32_t input_channels;
  int32_t filter_height;
  int32_t filter_width;
  int32_t filter_channels; /* input channels of one group */
  int32_t output_height;
  int32_t output_width;
  int32_t output_channels;
  int32_t groups;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t input_zero_point;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
  int32_t fast; /* see mcg_mla_filters */
} mcg_conv_2d_s8_mla_params;

/* The first or second window at `to`, whose first tap is at (y, x); `image` points to the first
 * wanted channel. */
MCG_SHARED void mcg_conv_2d_s8_mla_gather(const mcg_conv_2d_s8_mla_params *p, const int8_t *image,
                                          int32_t y, int32_t x, int32_t second, int32_t *to) {
  const int32_t depth = p->filter_channels;
  const int32_t pitch = p->input_width * p->input_channels;
  const int32_t one_piece = x >= 0 && x + p->filter_width <= p->input_width && p->dilation_w == 1 &&
                            depth == p->input_channels;
  for (int32_t tap_y = 0; tap_y < p->filter_height; ++tap_y) {
    const int8_t *row = image + y * pitch;
    if (y < 0 || y >= p->input_height) {
      to = mcg_mla_repeat(p->input_zero_point, p->filter_width * depth, second, to);
    } else if (one_piece) {
      to = mcg_mla_widen(row + x * depth, p->filter_width * depth, second, to);
    } else {
      int32_t at = x;
      for (int32_t tap_x = 0; tap_x < p->filter_width; ++tap_x) {
        to = at >= 0 && at < p->input_width
                 ? mcg_mla_widen(row + at * p->input_channels, depth, second, to)
                 : mcg_mla_repeat(p->input_zero_point, depth, second, to);
        at += p->dilation_w;
      }
    }
    y += p->dilation_h;
  }
}

/* All windows of all images with the filters of one group, whose first input is at `image`. */
MCG_INLINE void mcg_conv_2d_s8_mla_group(const mcg_conv_2d_s8_mla_params *p,
                                         const mcg_mla_filters *filters, const int8_t *image,
                                         int8_t *output, int32_t *windows) {
  int32_t count = 0;
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_height; ++row) {
      for (int32_t column = 0; column < p->output_width; ++column) {
        mcg_conv_2d_s8_mla_gather(p, image, row * p->stride_h - p->pad_top,
                                  column * p->stride_w - p->pad_left, count, windows);
        if (++count == 2) {
          mcg_mla_filter_windows(filters, windows, 2, output, p->output_channels);
          output += 2 * p->output_channels;
          count = 0;
        }
      }
    }
    image += p->input_height * p->input_width * p->input_channels;
  }
  if (count > 0) {
    mcg_mla_filter_windows(filters, windows, 1, output, p->output_channels);
  }
}

MCG_SHARED void mcg_conv_2d_s8_mla(const mcg_conv_2d_s8_mla_params *p, const int8_t *input,
                                   const int8_t *weights, const int32_t *bias,
                                   const int32_t *multiplier, const int8_t *shift, int8_t *output,
                                   void *scratch) {
  const int32_t depth = p->filter_height * p->filter_width * p->filter_channels;
  const int32_t channels = p->output_channels / p->groups;
  memset(scratch, 0, 4u * (size_t)((depth + 3) & ~3));
  for (int32_t group = 0; group < p->groups; ++group) {
    const int32_t first = group * channels;
    const mcg_mla_filters filters = {
        {multiplier + first, shift + first, 1, p->scale_down, p->output_zero_point, p->output_min,
         p->output_max},
        p->fast,
        weights + first * depth,
        bias + first,
        depth,
        channels,
    };
    mcg_conv_2d_s8_mla_group(p, &filters, input + group * p->filter_channels, output + first,
                             scratch);
  }
}

#endif /* MCG_CONV_2D_S8_MLA_H */
