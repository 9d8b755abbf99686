/* 2-D convolution with any stride, dilation, padding and number of groups, by MVE.
 *
 * `batch` windows at a time are gathered into scratch (batch * filter_height *
 * filter_width * filter_channels bytes), the input's zero point standing in for what lies outside the image; so the
 * folded bias holds at the border too. Input and output are NHWC; the weights of each group are as
 * mcg_filter_s8_mve.h has them.
 */
#ifndef MCG_CONV_2D_S8_MVE_H
#define MCG_CONV_2D_S8_MVE_H

#include "mcg_filter_s8_mve.h"

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
  int32_t batch; /* windows in scratch */
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
} mcg_conv_2d_s8_mve_params;

/* The window whose first tap is at (y, x); `image` points to the first wanted channel. */
MCG_SHARED void mcg_conv_2d_s8_mve_gather(const mcg_conv_2d_s8_mve_params *p, const int8_t *image,
                                          int32_t y, int32_t x, int8_t *window) {
  const int32_t depth = p->filter_channels;
  const int32_t row_bytes = p->filter_width * depth;
  const int32_t one_piece = x >= 0 && x + p->filter_width <= p->input_width &&
                            p->dilation_w == 1 && depth == p->input_channels;
  for (int32_t tap_y = 0; tap_y < p->filter_height; ++tap_y) {
    if (y < 0 || y >= p->input_height) {
      mcg_mve_set(window, p->input_zero_point, row_bytes);
      window += row_bytes;
    } else if (one_piece) {
      mcg_mve_copy(window, image + (y * p->input_width + x) * p->input_channels, row_bytes);
      window += row_bytes;
    } else {
      int32_t at = x;
      for (int32_t tap_x = 0; tap_x < p->filter_width; ++tap_x) {
        if (at >= 0 && at < p->input_width) {
          mcg_mve_copy(window, image + (y * p->input_width + at) * p->input_channels, depth);
        } else {
          mcg_mve_set(window, p->input_zero_point, depth);
        }
        window += depth;
        at += p->dilation_w;
      }
    }
    y += p->dilation_h;
  }
}

/* All windows of all images with the filters of one group. */
MCG_INLINE void mcg_conv_2d_s8_mve_group(const mcg_conv_2d_s8_mve_params *p,
                                         const mcg_output_stage *stage, const int8_t *image,
                                         const int8_t *weights, const int32_t *bias,
                                         int8_t *output, int8_t *windows) {
  const int32_t depth = p->filter_height * p->filter_width * p->filter_channels;
  const int32_t total = p->batches * p->output_height * p->output_width;
  int32_t row = 0, column = 0;
  for (int32_t left = total; left > 0;) {
    const int32_t count = mcg_min(p->batch, left);
    for (int32_t i = 0; i < count; ++i) {
      mcg_conv_2d_s8_mve_gather(p, image, row * p->stride_h - p->pad_top,
                                column * p->stride_w - p->pad_left, windows + i * depth);
      if (++column == p->output_width) {
        column = 0;
        if (++row == p->output_height) {
          row = 0;
          image += p->input_height * p->input_width * p->input_channels;
        }
      }
    }
    mcg_mve_filter(stage, windows, depth, count, depth, 0, weights, bias, output,
                   p->output_channels / p->groups, p->output_channels);
    output += count * p->output_channels;
    left -= count;
  }
}

MCG_INLINE void mcg_conv_2d_s8_mve(const mcg_conv_2d_s8_mve_params *p, const int8_t *input,
                                   const int8_t *weights, const int32_t *bias,
                                   const int32_t *multiplier, const int8_t *shift, int8_t *output,
                                   void *scratch) {
  const int32_t channels = p->output_channels / p->groups;
  for (int32_t group = 0; group < p->groups; ++group) {
    const int32_t first = group * channels;
    const int32_t entry = p->per_channel ? first : 0;
    const mcg_output_stage stage = {
        multiplier + entry,   shift + entry, p->per_channel, p->scale_down,
        p->output_zero_point, p->output_min, p->output_max,
    };
    mcg_conv_2d_s8_mve_group(p, &stage, input + group * p->filter_channels, weights, bias + first,
                             output + first, scratch);
    weights += p->filter_height * p->filter_width * p->filter_channels * channels;
  }
}

#endif /* MCG_CONV_2D_S8_MVE_H */
