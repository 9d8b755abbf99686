/* Depthwise 2-D convolution by MVE, sixteen channels at a time, any stride, dilation and padding, up to
 * eight filters per input channel.
 *
 * Input and output are NHWC. Weights are in groups of sixteen output channels, [group][tap][16]. With one
 * filter per channel and at least sixteen channels the last group starts sixteen channels before the
 * end, so that all groups are full; else it is filled up with zeros. No two weights of one channel may
 * both be -128.
 *
 * The input's zero point is folded into the bias: taps outside the image read `channels` bytes of it in
 * scratch, which also holds two tables of taps, of four bytes per tap each, before them.
 */
#ifndef MCG_DEPTHWISE_CONV_2D_S8_MVE_H
#define MCG_DEPTHWISE_CONV_2D_S8_MVE_H

#include "mcg_mve.h"

typedef struct {
  int32_t batches;
  int32_t input_height;
  int32_t input_width;
  int32_t input_channels;
  int32_t filter_height;
  int32_t filter_width;
  int32_t output_height;
  int32_t output_width;
  int32_t filters; /* per input channel */
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
} mcg_depthwise_conv_2d_s8_mve_params;

/* Accumulators of sixteen channels: lane i of part[k] is channel 4 * i + k. */
typedef struct {
  int32x4_t part[4];
} mcg_mve_sixteen;

/* Adds products of 16 bits: even channels and odd ones. */
MCG_INLINE void mcg_mve_widen(mcg_mve_sixteen *sums, int16x8_t even, int16x8_t odd) {
  sums->part[0] = vaddq_s32(sums->part[0], vmovlbq_s16(even));
  sums->part[1] = vaddq_s32(sums->part[1], vmovlbq_s16(odd));
  sums->part[2] = vaddq_s32(sums->part[2], vmovltq_s16(even));
  sums->part[3] = vaddq_s32(sums->part[3], vmovltq_s16(odd));
}

/* Sixteen inputs: from consecutive addresses, or (gathered) those at `places` of the wanted lanes. */
MCG_INLINE int8x16_t mcg_mve_inputs(const int8_t *from, int32_t gathered, uint8x16_t places,
                                    mve_pred16_t lanes) {
  return gathered ? vldrbq_gather_offset_z_s8(from, places, lanes) : vldrbq_s8(from);
}

/* Adds the inner products of a window: tap t reads its inputs at image + taps[t]. Two products of 16
 * bits are added before they are widened. */
MCG_INLINE void mcg_mve_depthwise_sums(mcg_mve_sixteen *sums, uintptr_t image,
                                       const uintptr_t *taps, int32_t count, const int8_t *weights,
                                       int32_t gathered, uint8x16_t places, mve_pred16_t lanes) {
  for (; count >= 2; count -= 2) {
    const int8_t *first = (const int8_t *)(image + taps[0]);
    const int8_t *second = (const int8_t *)(image + taps[1]);
    int8x16_t weight = vldrbq_s8(weights);
    int8x16_t value = mcg_mve_inputs(first, gathered, places, lanes);
    int16x8_t even = vmullbq_int_s8(value, weight);
    int16x8_t odd = vmulltq_int_s8(value, weight);
    weight = vldrbq_s8(weights + 16);
    value = mcg_mve_inputs(second, gathered, places, lanes);
    even = vaddq_s16(even, vmullbq_int_s8(value, weight));
    odd = vaddq_s16(odd, vmulltq_int_s8(value, weight));
    mcg_mve_widen(sums, even, odd);
    taps += 2;
    weights += 32;
  }
  if (count > 0) {
    const int8_t *last = (const int8_t *)(image + taps[0]);
    const int8x16_t weight = vldrbq_s8(weights);
    const int8x16_t value = mcg_mve_inputs(last, gathered, places, lanes);
    mcg_mve_widen(sums, vmullbq_int_s8(value, weight), vmulltq_int_s8(value, weight));
  }
}

/* Every fourth entry of a table from `from` on: of four, or (part) of those that there are. */
MCG_INLINE int32x4_t mcg_mve_fourths(const int32_t *from, int32_t part, mve_pred16_t lanes) {
  const uint32x4_t places = vidupq_n_u32(0, 4);
  return part ? vldrwq_gather_shifted_offset_z_s32(from, places, lanes)
              : vldrwq_gather_shifted_offset_s32(from, places);
}

/* The accumulators of `count` channels as outputs. */
MCG_INLINE void mcg_mve_depthwise_output(const mcg_output_stage *stage,
                                         const mcg_mve_sixteen *sums, int32_t channel,
                                         int32_t count, int8_t *output, int32_t part,
                                         int32_t scale_down) {
  const uint32x4_t places = vidupq_n_u32(0, 4);
  int32x4_t scaled[4];
  for (int32_t k = 0; k < 4; ++k) {
    const mve_pred16_t lanes = vctp32q((uint32_t)((count - k + 3) >> 2));
    const int8_t *shifts = stage->shift + channel + k;
    int32x4_t multiplier, shift;
    if (stage->per_channel) {
      multiplier = mcg_mve_fourths(stage->multiplier + channel + k, part, lanes);
      shift = part ? vldrbq_gather_offset_z_s32(shifts, places, lanes)
                   : vldrbq_gather_offset_s32(shifts, places);
    } else {
      multiplier = vdupq_n_s32(stage->multiplier[0]);
      shift = vdupq_n_s32(stage->shift[0]);
    }
    scaled[k] = mcg_mve_requantize(sums->part[k], multiplier, shift, scale_down);
  }
  /* Narrowing puts the lanes back into the order of channels. */
  int16x8_t even = vqmovnbq_s32(vreinterpretq_s16_s32(scaled[0]), scaled[0]);
  int16x8_t odd = vqmovnbq_s32(vreinterpretq_s16_s32(scaled[1]), scaled[1]);
  even = vqaddq_n_s16(vqmovntq_s32(even, scaled[2]), (int16_t)stage->zero_point);
  odd = vqaddq_n_s16(vqmovntq_s32(odd, scaled[3]), (int16_t)stage->zero_point);
  int8x16_t values = vqmovntq_s16(vqmovnbq_s16(vreinterpretq_s8_s16(even), even), odd);
  values = vmaxq_s8(values, vdupq_n_s8((int8_t)stage->min));
  values = vminq_s8(values, vdupq_n_s8((int8_t)stage->max));
  if (part) {
    vstrbq_p_s8(output, values, vctp8q((uint32_t)count));
  } else {
    vstrbq_s8(output, values);
  }
}

/* All channels of the window at `image`. part: groups may be partial, or inputs be gathered. */
MCG_INLINE void mcg_mve_depthwise_window(const mcg_depthwise_conv_2d_s8_mve_params *p,
                                         const mcg_output_stage *stage, uintptr_t image,
                                         const uintptr_t *taps, const int8_t *weights,
                                         const int32_t *bias, int8_t *output, int32_t part,
                                         int32_t scale_down) {
  const int32_t taps_count = p->filter_height * p->filter_width;
  const int32_t channels = p->input_channels * p->filters;
  for (int32_t done = 0; done < channels; done += 16) {
    const int32_t channel = part ? done : mcg_min(done, channels - 16);
    const int32_t count = part ? mcg_min(channels - channel, 16) : 16;
    int32_t from = channel;
    uint8x16_t places = vidupq_n_u8(0, 1);
    if (part && p->filters > 1) {
      /* Lane i reads channel (rest + i) / filters: by a product, exact as filters is at most 8. */
      from = channel / p->filters;
      const int32_t rest = channel - from * p->filters;
      const int32_t reciprocal = (255 + p->filters) / p->filters;
      places = vmulhq_u8(vaddq_n_u8(places, (uint8_t)rest), vdupq_n_u8((uint8_t)reciprocal));
    }
    mcg_mve_sixteen sums;
    for (int32_t k = 0; k < 4; ++k) {
      const mve_pred16_t lanes = vctp32q((uint32_t)((count - k + 3) >> 2));
      sums.part[k] = mcg_mve_fourths(bias + channel + k, part, lanes);
    }
    mcg_mve_depthwise_sums(&sums, image + (uintptr_t)from, taps, taps_count, weights, part, places,
                           vctp8q((uint32_t)count));
    mcg_mve_depthwise_output(stage, &sums, channel, count, output + channel, part, scale_down);
    weights += 16 * taps_count;
  }
}

/* Where each tap of the window at (y, x) of the image reads, less `at`, the window's own address:
 * those outside the image read the row of zero points. */
MCG_INLINE void mcg_mve_depthwise_taps(const mcg_depthwise_conv_2d_s8_mve_params *p, int32_t y,
                                       int32_t x, uintptr_t outside, uintptr_t *taps) {
  for (int32_t tap_y = 0; tap_y < p->filter_height; ++tap_y) {
    const int32_t down = tap_y * p->dilation_h;
    for (int32_t tap_x = 0; tap_x < p->filter_width; ++tap_x) {
      const int32_t right = tap_x * p->dilation_w;
      const int32_t inside = y + down >= 0 && y + down < p->input_height && x + right >= 0 &&
                             x + right < p->input_width;
      *taps++ = inside ? (uintptr_t)((down * p->input_width + right) * p->input_channels)
                       : outside;
    }
  }
}

MCG_INLINE void mcg_mve_depthwise(const mcg_depthwise_conv_2d_s8_mve_params *p,
                                  const int8_t *input, const int8_t *weights, const int32_t *bias,
                                  const int32_t *multiplier, const int8_t *shift, int8_t *output,
                                  void *scratch, int32_t part, int32_t scale_down) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t taps = p->filter_height * p->filter_width;
  const int32_t last_y = p->input_height - 1 - (p->filter_height - 1) * p->dilation_h;
  const int32_t last_x = p->input_width - 1 - (p->filter_width - 1) * p->dilation_w;
  uintptr_t *inner = scratch; /* taps of windows that lie in the image, and of one that does not */
  uintptr_t *border = inner + taps;
  int8_t *zeros = (int8_t *)(border + taps);
  mcg_mve_set(zeros, p->input_zero_point, p->input_channels);
  for (int32_t tap = 0; tap < taps; ++tap) {
    const int32_t down = tap / p->filter_width * p->dilation_h;
    const int32_t right = tap % p->filter_width * p->dilation_w;
    inner[tap] = (uintptr_t)((down * p->input_width + right) * p->input_channels);
  }
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    for (int32_t row = 0; row < p->output_height; ++row) {
      const int32_t y = row * p->stride_h - p->pad_top;
      for (int32_t column = 0; column < p->output_width; ++column) {
        const int32_t x = column * p->stride_w - p->pad_left;
        const uintptr_t at =
            (uintptr_t)input + (uintptr_t)((y * p->input_width + x) * p->input_channels);
        const uintptr_t *table = inner;
        if (y < 0 || y > last_y || x < 0 || x > last_x) {
          mcg_mve_depthwise_taps(p, y, x, (uintptr_t)zeros - at, border);
          table = border;
        }
        mcg_mve_depthwise_window(p, &stage, at, table, weights, bias, output, part, scale_down);
        output += p->input_channels * p->filters;
      }
    }
    input += p->input_height * p->input_width * p->input_channels;
  }
}

/* One copy each for whole groups and for others, and for the short requantization and the other. */
MCG_SHARED void mcg_mve_depthwise_whole_down(const mcg_depthwise_conv_2d_s8_mve_params *p,
                                             const int8_t *input, const int8_t *weights,
                                             const int32_t *bias, const int32_t *multiplier,
                                             const int8_t *shift, int8_t *output, void *scratch) {
  mcg_mve_depthwise(p, input, weights, bias, multiplier, shift, output, scratch, 0, 1);
}

MCG_SHARED void mcg_mve_depthwise_whole_any(const mcg_depthwise_conv_2d_s8_mve_params *p,
                                            const int8_t *input, const int8_t *weights,
                                            const int32_t *bias, const int32_t *multiplier,
                                            const int8_t *shift, int8_t *output, void *scratch) {
  mcg_mve_depthwise(p, input, weights, bias, multiplier, shift, output, scratch, 0, 0);
}

MCG_SHARED void mcg_mve_depthwise_part_any(const mcg_depthwise_conv_2d_s8_mve_params *p,
                                           const int8_t *input, const int8_t *weights,
                                           const int32_t *bias, const int32_t *multiplier,
                                           const int8_t *shift, int8_t *output, void *scratch) {
  mcg_mve_depthwise(p, input, weights, bias, multiplier, shift, output, scratch, 1, 0);
}

MCG_INLINE void mcg_depthwise_conv_2d_s8_mve(const mcg_depthwise_conv_2d_s8_mve_params *p,
                                             const int8_t *input, const int8_t *weights,
                                             const int32_t *bias, const int32_t *multiplier,
                                             const int8_t *shift, int8_t *output, void *scratch) {
  if (p->filters > 1 || p->input_channels < 16) {
    mcg_mve_depthwise_part_any(p, input, weights, bias, multiplier, shift, output, scratch);
  } else if (p->scale_down) {
    mcg_mve_depthwise_whole_down(p, input, weights, bias, multiplier, shift, output, scratch);
  } else {
    mcg_mve_depthwise_whole_any(p, input, weights, bias, multiplier, shift, output, scratch);
  }
}

#endif /* MCG_DEPTHWISE_CONV_2D_S8_MVE_H */
