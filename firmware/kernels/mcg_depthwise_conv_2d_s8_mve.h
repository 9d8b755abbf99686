/* Depthwise 2-D convolution by MVE, sixteen channels at a time, any stride, dilation and padding,
 * up to eight filters per input channel.
 *
 * Input and output are NHWC. Output channels are in groups of sixteen. With one filter per channel
 * and at least sixteen channels the last group starts sixteen channels before the end, so that all
 * groups are full. Fewer channels are repeated if they divide sixteen, for windows next to each
 * other are then computed together; else the last group is filled up with zeros. Weights are
 * [group][tap][16]; no two of one channel may both be -128. Of the tables of bias, multipliers and
 * shifts, every group has its entries of channels 0, 4, 8 and 12 first, then of 1, 5, 9 and 13, and
 * so on, as products come out.
 *
 * The input's zero point is folded into the bias: taps outside the image read `channels` bytes of
 * it in scratch, which also holds two tables of taps, of four bytes per tap each, before them.
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
  int32_t filters;  /* per input channel */
  int32_t together; /* windows whose channels make up one group; 1 but with 8, 4, 2 or 1 channels */
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
} mcg_depthwise_conv_2d_s8_mve_params;

/* Accumulators of sixteen channels: those of channels 0, 4, 8 and 12, of 1, 5, 9 and 13, and so on.
 */
typedef struct {
  int32x4_t part0, part1, part2, part3;
} mcg_mve_sixteen;

/* How the inputs of a group of channels are loaded. */
enum {
  MCG_MVE_WHOLE,   /* sixteen in one piece */
  MCG_MVE_PART,    /* fewer, in one piece */
  MCG_MVE_GATHERED /* from several filters' one channel each */
};

/* Adds inner products over `pairs` pairs of taps: tap t reads its inputs at image + taps[t]. The
 * two products of a pair are added in 16 bits and then widened. Written out because all eight
 * vector registers are needed. */
#define MCG_MVE_DEPTHWISE_PAIRS(load_first, load_second)                               \
  __asm__ volatile(                                                                    \
      "vctp.8 %[lanes]\n\t"                                                            \
      "dls lr, %[pairs]\n"                                                             \
      "1:\n\t"                                                                         \
      "ldrd %[first], %[second], [%[taps]], #8\n\t"                                    \
      "add %[first], %[first], %[image]\n\t"                                           \
      "add %[second], %[second], %[image]\n\t" load_first                              \
      "vldrb.8 %q[w], [%[weights]], #16\n\t"                                           \
      "vmullb.s8 %q[even], %q[odd], %q[w]\n\t"                                         \
      "vmullt.s8 %q[odd], %q[odd], %q[w]\n\t" load_second                              \
      "vldrb.8 %q[w], [%[weights]], #16\n\t"                                           \
      "vmullb.s8 %q[x], %q[x], %q[w]\n\t"                                              \
      "vadd.i16 %q[even], %q[even], %q[x]\n\t" load_second                             \
      "vmullt.s8 %q[x], %q[x], %q[w]\n\t"                                              \
      "vadd.i16 %q[odd], %q[odd], %q[x]\n\t"                                           \
      "vmovlb.s16 %q[x], %q[even]\n\t"                                                 \
      "vadd.i32 %q[part0], %q[part0], %q[x]\n\t"                                       \
      "vmovlb.s16 %q[x], %q[odd]\n\t"                                                  \
      "vadd.i32 %q[part1], %q[part1], %q[x]\n\t"                                       \
      "vmovlt.s16 %q[x], %q[even]\n\t"                                                 \
      "vadd.i32 %q[part2], %q[part2], %q[x]\n\t"                                       \
      "vmovlt.s16 %q[x], %q[odd]\n\t"                                                  \
      "vadd.i32 %q[part3], %q[part3], %q[x]\n\t"                                       \
      "le lr, 1b"                                                                      \
      : [part0] "+w"(sums.part0), [part1] "+w"(sums.part1), [part2] "+w"(sums.part2),  \
        [part3] "+w"(sums.part3), [even] "=&w"(even), [odd] "=&w"(odd), [x] "=&w"(x),  \
        [w] "=&w"(w), [first] "=&r"(first), [second] "=&r"(second), [taps] "+r"(taps), \
        [weights] "+r"(weights)                                                        \
      : [image] "r"(image), [pairs] "r"(pairs), [lanes] "r"(lanes)                     \
      : "lr", "p0", "cc", "memory")

/* Adds two vectors of products of 16 bits: even channels and odd ones. */
MCG_INLINE void mcg_mve_widen(mcg_mve_sixteen *sums, int16x8_t even, int16x8_t odd) {
  sums->part0 = vaddq_s32(sums->part0, vmovlbq_s16(even));
  sums->part1 = vaddq_s32(sums->part1, vmovlbq_s16(odd));
  sums->part2 = vaddq_s32(sums->part2, vmovltq_s16(even));
  sums->part3 = vaddq_s32(sums->part3, vmovltq_s16(odd));
}

/* sums plus the inner products over `count` taps, in `lanes` channels. */
MCG_INLINE mcg_mve_sixteen mcg_mve_depthwise_sums(mcg_mve_sixteen sums, uintptr_t image,
                                                  const uintptr_t *taps, int32_t count,
                                                  const int8_t *weights, int32_t lanes,
                                                  int32_t load, uint8x16_t places) {
  const int32_t pairs = load == MCG_MVE_GATHERED ? 0 : count >> 1;
  if (pairs > 0) {
    int8x16_t even, odd, x, w;
    uintptr_t first, second;
    if (load == MCG_MVE_WHOLE) {
      MCG_MVE_DEPTHWISE_PAIRS("vldrb.8 %q[odd], [%[first]]\n\t", "vldrb.8 %q[x], [%[second]]\n\t");
    } else {
      MCG_MVE_DEPTHWISE_PAIRS("vpst\n\tvldrbt.u8 %q[odd], [%[first]]\n\t",
                              "vpst\n\tvldrbt.u8 %q[x], [%[second]]\n\t");
    }
  }
  for (int32_t left = count - 2 * pairs; left > 0; --left) {
    const int8_t *from = (const int8_t *)(image + *taps++);
    const int8x16_t w = vldrbq_s8(weights);
    const int8x16_t x = load == MCG_MVE_WHOLE ? vldrbq_s8(from)
                        : load == MCG_MVE_PART
                            ? vldrbq_z_s8(from, vctp8q((uint32_t)lanes))
                            : vldrbq_gather_offset_z_s8(from, places, vctp8q((uint32_t)lanes));
    mcg_mve_widen(&sums, vmullbq_int_s8(x, w), vmulltq_int_s8(x, w));
    weights += 16;
  }
  return sums;
}

/* Sixteen accumulators as outputs, in the order of channels. multiplier and shift point to the
 * entries of this group of channels. */
MCG_INLINE int8x16_t mcg_mve_depthwise_output(const mcg_output_stage *stage, mcg_mve_sixteen sums,
                                              const int32_t *multiplier, const int8_t *shift,
                                              int32_t scale_down) {
  const int32x4_t part0 =
      mcg_mve_requantize(sums.part0, vldrwq_s32(multiplier), vldrbq_s32(shift), scale_down);
  const int32x4_t part1 =
      mcg_mve_requantize(sums.part1, vldrwq_s32(multiplier + 4), vldrbq_s32(shift + 4), scale_down);
  const int32x4_t part2 =
      mcg_mve_requantize(sums.part2, vldrwq_s32(multiplier + 8), vldrbq_s32(shift + 8), scale_down);
  const int32x4_t part3 = mcg_mve_requantize(sums.part3, vldrwq_s32(multiplier + 12),
                                             vldrbq_s32(shift + 12), scale_down);
  int16x8_t even = vqmovntq_s32(vqmovnbq_s32(vreinterpretq_s16_s32(part0), part0), part2);
  int16x8_t odd = vqmovntq_s32(vqmovnbq_s32(vreinterpretq_s16_s32(part1), part1), part3);
  even = vqaddq_n_s16(even, (int16_t)stage->zero_point);
  odd = vqaddq_n_s16(odd, (int16_t)stage->zero_point);
  int8x16_t values = vqmovntq_s16(vqmovnbq_s16(vreinterpretq_s8_s16(even), even), odd);
  values = vmaxq_s8(values, vdupq_n_s8((int8_t)stage->min));
  return vminq_s8(values, vdupq_n_s8((int8_t)stage->max));
}

/* All channels of the window at `image`. */
MCG_INLINE void mcg_mve_depthwise_window(const mcg_output_stage *stage, uintptr_t image,
                                         const uintptr_t *taps, int32_t taps_count,
                                         const int8_t *weights, const int32_t *bias, int8_t *output,
                                         int32_t channels, int32_t filters, int32_t load,
                                         int32_t scale_down) {
  const int32_t *multiplier = stage->multiplier;
  const int8_t *shift = stage->shift;
  for (int32_t left = channels; left > 0; left -= 16) {
    uint8x16_t places = vdupq_n_u8(0);
    uintptr_t from = image;
    if (load == MCG_MVE_GATHERED) {
      /* Lane i reads channel (rest + i) / filters: by a product, exact as filters is at most 8. */
      const int32_t channel = channels - left;
      const int32_t first = channel / filters;
      const int32_t reciprocal = (255 + filters) / filters;
      places = vmulhq_u8(vaddq_n_u8(vidupq_n_u8(0, 1), (uint8_t)(channel - first * filters)),
                         vdupq_n_u8((uint8_t)reciprocal));
      from += (uintptr_t)first;
    } else if (load == MCG_MVE_WHOLE && left < 16) {
      from += (uintptr_t)(left - 16);
      output += left - 16;
    }
    mcg_mve_sixteen sums = {vldrwq_s32(bias), vldrwq_s32(bias + 4), vldrwq_s32(bias + 8),
                            vldrwq_s32(bias + 12)};
    sums = mcg_mve_depthwise_sums(sums, from, taps, taps_count, weights, left, load, places);
    const int8x16_t values = mcg_mve_depthwise_output(stage, sums, multiplier, shift, scale_down);
    if (load == MCG_MVE_WHOLE) {
      vstrbq_s8(output, values);
    } else {
      vstrbq_p_s8(output, values, vctp8q((uint32_t)left));
    }
    weights += 16 * taps_count;
    bias += 16;
    multiplier += 16;
    shift += 16;
    output += 16;
    image += load == MCG_MVE_GATHERED ? 0 : 16;
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
      *taps++ = inside ? (uintptr_t)((down * p->input_width + right) * p->input_channels) : outside;
    }
  }
}

MCG_INLINE void mcg_mve_depthwise(const mcg_depthwise_conv_2d_s8_mve_params *p, const int8_t *input,
                                  const int8_t *weights, const int32_t *bias,
                                  const int32_t *multiplier, const int8_t *shift, int8_t *output,
                                  void *scratch, int32_t load, int32_t scale_down) {
  const mcg_output_stage stage = {
      multiplier, shift, 1, scale_down, p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t taps = p->filter_height * p->filter_width;
  const int32_t channels = p->input_channels * p->filters;
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
      const int32_t rows_inside = y >= 0 && y <= last_y;
      int32_t x = -p->pad_left;
      uintptr_t at = (uintptr_t)input + (uintptr_t)((y * p->input_width + x) * p->input_channels);
      for (int32_t left = p->output_width; left > 0;) {
        const uintptr_t *table = inner;
        int32_t windows = 1;
        if (!rows_inside || x < 0 || x > last_x) {
          mcg_mve_depthwise_taps(p, y, x, (uintptr_t)zeros - at, border);
          table = border;
        } else if (load == MCG_MVE_PART && left >= p->together && x + p->together - 1 <= last_x) {
          windows = p->together;
        }
        mcg_mve_depthwise_window(&stage, at, table, taps, weights, bias, output, windows * channels,
                                 p->filters, load, scale_down);
        left -= windows;
        output += windows * channels;
        x += windows * p->stride_w;
        at += (uintptr_t)(windows * p->stride_w * p->input_channels);
      }
    }
    input += p->input_height * p->input_width * p->input_channels;
  }
}

/* One copy for each way to load and to requantize that a model needs. */
#define MCG_MVE_DEPTHWISE(name, load, scale_down)                                             \
  MCG_SHARED void name(const mcg_depthwise_conv_2d_s8_mve_params *p, const int8_t *input,     \
                       const int8_t *weights, const int32_t *bias, const int32_t *multiplier, \
                       const int8_t *shift, int8_t *output, void *scratch) {                  \
    mcg_mve_depthwise(p, input, weights, bias, multiplier, shift, output, scratch, load,      \
                      scale_down);                                                            \
  }

MCG_MVE_DEPTHWISE(mcg_mve_depthwise_whole_down, MCG_MVE_WHOLE, 1)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_whole_any, MCG_MVE_WHOLE, 0)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_part_down, MCG_MVE_PART, 1)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_part_any, MCG_MVE_PART, 0)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_gathered_down, MCG_MVE_GATHERED, 1)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_gathered_any, MCG_MVE_GATHERED, 0)

MCG_INLINE void mcg_depthwise_conv_2d_s8_mve(const mcg_depthwise_conv_2d_s8_mve_params *p,
                                             const int8_t *input, const int8_t *weights,
                                             const int32_t *bias, const int32_t *multiplier,
                                             const int8_t *shift, int8_t *output, void *scratch) {
  void (*run)(const mcg_depthwise_conv_2d_s8_mve_params *, const int8_t *, const int8_t *,
              const int32_t *, const int32_t *, const int8_t *, int8_t *, void *);
  if (p->filters > 1) {
    run = p->scale_down ? mcg_mve_depthwise_gathered_down : mcg_mve_depthwise_gathered_any;
  } else if (p->input_channels < 16) {
    run = p->scale_down ? mcg_mve_depthwise_part_down : mcg_mve_depthwise_part_any;
  } else {
    run = p->scale_down ? mcg_mve_depthwise_whole_down : mcg_mve_depthwise_whole_any;
  }
  run(p, input, weights, bias, multiplier, shift, output, scratch);
}

#endif /* MCG_DEPTHWISE_CONV_2D_S8_MVE_H */
