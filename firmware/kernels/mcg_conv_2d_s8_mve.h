/* 2-D convolution with any stride, dilation, padding and number of groups, by MVE.
 *
 * `batch` windows at a time are gathered into scratch (batch * filter_height *
 * filter_width * filter_channels bytes), the input's zero point standing in for what lies outside
 * the image; so the folded bias holds at the border too. Input and output are NHWC; the weights of
 * each group are as mcg_filter_s8_mve.h has them.
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

/* A window: of which image, and where in the output. */
typedef struct {
  const int8_t *image; /* its first wanted channel */
  int32_t row;
  int32_t column;
} mcg_conv_2d_s8_mve_place;

/* A window of which every tap has to be looked at; its first tap is at (y, x). */
MCG_INLINE int8_t *mcg_conv_2d_s8_mve_gather_border(const mcg_conv_2d_s8_mve_params *p,
                                                    const int8_t *image, int32_t y, int32_t x,
                                                    int8_t *window) {
  for (int32_t tap_y = 0; tap_y < p->filter_height; ++tap_y) {
    int32_t at = x;
    for (int32_t tap_x = 0; tap_x < p->filter_width; ++tap_x) {
      if (y >= 0 && y < p->input_height && at >= 0 && at < p->input_width) {
        mcg_mve_copy(window, image + (y * p->input_width + at) * p->input_channels,
                     p->filter_channels);
      } else {
        mcg_mve_set(window, p->input_zero_point, p->filter_channels);
      }
      window += p->filter_channels;
      at += p->dilation_w;
    }
    y += p->dilation_h;
  }
  return window;
}

/* `count` windows from `place` on. Gives the place after them. */
MCG_SHARED mcg_conv_2d_s8_mve_place mcg_conv_2d_s8_mve_gather(const mcg_conv_2d_s8_mve_params *p,
                                                              mcg_conv_2d_s8_mve_place place,
                                                              int32_t count, int8_t *window) {
  const int32_t pitch = p->input_width * p->input_channels;
  const int32_t row_bytes = p->filter_width * p->filter_channels;
  const int32_t one_piece = p->dilation_w == 1 && p->filter_channels == p->input_channels;
  const int32_t last_y = p->input_height - 1 - (p->filter_height - 1) * p->dilation_h;
  const int32_t last_x = p->input_width - p->filter_width;
  for (; count > 0; --count) {
    const int32_t y = place.row * p->stride_h - p->pad_top;
    const int32_t x = place.column * p->stride_w - p->pad_left;
    if (one_piece && y >= 0 && y <= last_y && x >= 0 && x <= last_x) {
      const int8_t *from = place.image + y * pitch + x * p->input_channels;
      for (int32_t tap_y = p->filter_height; tap_y > 0; --tap_y) {
        mcg_mve_copy(window, from, row_bytes);
        window += row_bytes;
        from += p->dilation_h * pitch;
      }
    } else {
      window = mcg_conv_2d_s8_mve_gather_border(p, place.image, y, x, window);
    }
    if (++place.column == p->output_width) {
      place.column = 0;
      if (++place.row == p->output_height) {
        place.row = 0;
        place.image += p->input_height * pitch;
      }
    }
  }
  return place;
}

/* All windows of all images with the filters of one group, whose first input is at `image`. */
MCG_INLINE void mcg_conv_2d_s8_mve_group(const mcg_conv_2d_s8_mve_params *p,
                                         const mcg_output_stage *stage, const int8_t *image,
                                         const int8_t *weights, const int32_t *bias, int8_t *output,
                                         int8_t *windows) {
  const int32_t depth = p->filter_height * p->filter_width * p->filter_channels;
  mcg_conv_2d_s8_mve_place place = {image, 0, 0};
  int32_t left = p->batches * p->output_height * p->output_width;
  while (left > 0) {
    const int32_t count = mcg_min(p->batch, left);
    place = mcg_conv_2d_s8_mve_gather(p, place, count, windows);
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
