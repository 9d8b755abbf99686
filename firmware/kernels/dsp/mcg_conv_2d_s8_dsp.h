/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_conv_2d_s8() for cores with DSP instructions, four windows at a time.
 *
 * Weights are [channels][height][width][channels of a group], with three bytes after the last row
 * if the depth of a window is not a multiple of 4. scratch holds 8 pairs for every 4 bytes of
 * depth, and if the channels of a group are not a multiple of 4, as many bytes as a window has,
 * rounded up to a multiple of 4, after that.
 */
#ifndef MCG_CONV_2D_S8_DSP_H
#define MCG_CONV_2D_S8_DSP_H

#include "mcg_filter_s8_dsp.h"

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
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
  int32_t fast; /* see mcg_filters */
  int32_t
      window_groups; /* of mcg_conv_2d_pairs_s8_dsp(): groups of four windows to multiply at once */
} mcg_conv_2d_s8_dsp_params;

/* Where the next bytes of a window go: widened at once if all runs of them are whole words, else as
 * bytes first. */
typedef struct {
  uint32_t *x; /* NULL: as bytes */
  int8_t *bytes;
} mcg_gathered;

/* Appends a run of the image. */
MCG_INLINE void mcg_gather_inside(mcg_gathered *to, const int8_t *from, int32_t bytes) {
  if (to->x) {
    to->x = mcg_widen(from, bytes >> 2, to->x);
    return;
  }
  int8_t *out = to->bytes;
  const int8_t *end = from + bytes;
  const int8_t *words_end = from + (bytes & ~3);
  while (from != words_end) {
    memcpy(out, from, 4);
    out += 4;
    from += 4;
  }
  while (from != end) {
    *out++ = *from++;
  }
  to->bytes = out;
}

/* Appends a run of padding. */
MCG_INLINE void mcg_gather_outside(mcg_gathered *to, int32_t zero_point, int32_t bytes) {
  if (to->x) {
    const uint32_t pair = mcg_pair((uint32_t)zero_point, (uint32_t)zero_point);
    for (; bytes > 0; bytes -= 4) {
      to->x[0] = pair;
      to->x[MCG_WINDOWS] = pair;
      to->x += MCG_WINDOWS_STEP;
    }
    return;
  }
  for (; bytes > 0; --bytes) {
    *to->bytes++ = (int8_t)zero_point;
  }
}

/* Appends one row of a window: `row` points to the image row's first wanted channel, x is the
 * column of the first tap. */
MCG_INLINE void mcg_gather_row(const mcg_conv_2d_s8_dsp_params *p, const int8_t *row, int32_t x,
                               mcg_gathered *to) {
  if (p->dilation_w == 1 && p->groups == 1) {
    const int32_t depth = p->input_channels;
    const int32_t before = mcg_clamp(-x, 0, p->filter_width);
    const int32_t after = mcg_clamp(x + p->filter_width - p->input_width, 0, p->filter_width);
    const int32_t inside = p->filter_width - before - after;
    mcg_gather_outside(to, p->input_zero_point, before * depth);
    if (inside > 0) {
      mcg_gather_inside(to, row + (x + before) * depth, inside * depth);
    }
    mcg_gather_outside(to, p->input_zero_point, after * depth);
    return;
  }
  for (int32_t tap = 0; tap < p->filter_width; ++tap) {
    if (x >= 0 && x < p->input_width) {
      mcg_gather_inside(to, row + x * p->input_channels, p->filter_channels);
    } else {
      mcg_gather_outside(to, p->input_zero_point, p->filter_channels);
    }
    x += p->dilation_w;
  }
}

/* Appends the window whose first tap is at (y, x), from the image's channels `channel` and
 * following. */
MCG_SHARED void mcg_gather_window(const mcg_conv_2d_s8_dsp_params *p, const int8_t *image,
                                  int32_t y, int32_t x, int32_t channel, mcg_windows *windows) {
  const int32_t row_bytes = p->filter_width * p->filter_channels;
  const int32_t pitch = p->input_width * p->input_channels;
  uint32_t *wide = windows->x + windows->count;
  int8_t *bytes = (int8_t *)(windows->x + windows->words * MCG_WINDOWS_STEP);
  mcg_gathered to = {(p->filter_channels & 3) == 0 ? wide : NULL, bytes};
  const int32_t inside = y >= 0 && y + p->filter_height <= p->input_height && x >= 0 &&
                         x + p->filter_width <= p->input_width;
  if (inside && p->dilation_h == 1 && p->dilation_w == 1 && p->groups == 1) {
    const int8_t *row = image + y * pitch + x * p->input_channels;
    for (int32_t tap = p->filter_height; tap > 0; --tap) {
      mcg_gather_inside(&to, row, row_bytes);
      row += pitch;
    }
  } else {
    for (int32_t tap = p->filter_height; tap > 0; --tap) {
      if (y >= 0 && y < p->input_height) {
        mcg_gather_row(p, image + y * pitch + channel, x, &to);
      } else {
        mcg_gather_outside(&to, p->input_zero_point, row_bytes);
      }
      y += p->dilation_h;
    }
  }
  if (!to.x) {
    while (to.bytes != bytes + 4 * windows->words) {
      *to.bytes++ = 0; /* so that the weights there, which are the next row's, count nothing */
    }
    mcg_widen(bytes, windows->words, wide);
  }
}

MCG_SHARED void mcg_conv_2d_s8_dsp(const mcg_conv_2d_s8_dsp_params *p, const int8_t *input,
                                   const int8_t *weights, const int32_t *bias,
                                   const int32_t *multiplier, const int8_t *shift, int8_t *output,
                                   void *scratch) {
  const int32_t depth = p->filter_height * p->filter_width * p->filter_channels;
  const int32_t channels = p->output_channels / p->groups;
  const int32_t image_bytes = p->input_height * p->input_width * p->input_channels;
  for (int32_t group = 0; group < p->groups; ++group) {
    const int32_t first = group * channels;
    const int32_t entry = p->per_channel ? first : 0;
    const mcg_filters filters = {
        {multiplier + entry, shift + entry, p->per_channel, p->scale_down, p->output_zero_point,
         p->output_min, p->output_max},
        weights + first * depth,
        bias + first,
        depth,
        channels,
        p->fast,
    };
    mcg_windows windows = {scratch, (depth + 3) >> 2, 0, output + first, p->output_channels, 0};
    for (int32_t batch = 0; batch < p->batches; ++batch) {
      const int8_t *image = input + batch * image_bytes;
      for (int32_t row = 0; row < p->output_height; ++row) {
        const int32_t y = row * p->stride_h - p->pad_top;
        for (int32_t column = 0; column < p->output_width; ++column) {
          const int32_t x = column * p->stride_w - p->pad_left;
          mcg_gather_window(p, image, y, x, group * p->filter_channels, &windows);
          mcg_filter_appended(&filters, &windows);
        }
      }
    }
    if (windows.count > 0) {
      mcg_filter_windows(&filters, &windows);
    }
  }
}

#endif /* MCG_CONV_2D_S8_DSP_H */
