/* SPDX-License-Identifier: Apache-2.0 */
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
 * Scratch holds the address of every tap (four bytes each), then the rows of the image that windows
 * of one row of output take, with their padding, and 16 bytes which are loaded but do not count. If
 * kept_rows is not 0, that many rows stay there for the next rows of output, and the output may
 * take the place of what has been copied; else `columns` windows of a row are made at a time. The
 * input's zero point is folded into the bias, so that it stands for padding.
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
  int32_t columns;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t kept_rows;
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

/* How the inputs of a group of channels lie. */
enum {
  MCG_MVE_WHOLE,   /* at least sixteen in one piece */
  MCG_MVE_PART,    /* fewer, in one piece */
  MCG_MVE_GATHERED /* some filters take the same one */
};

/* Inner products over the taps, added to the bias: a tap reads its inputs at its address + offset.
 * The two products of a pair of taps are added in 16 bits and then widened. The carry flag reports
 * a last tap without another. Written out because all eight vector registers are needed. */
#define MCG_MVE_DEPTHWISE_SUMS                  \
  "vldrw.32 %q[part0], [%[bias]], #16\n\t"      \
  "vldrw.32 %q[part1], [%[bias]], #16\n\t"      \
  "vldrw.32 %q[part2], [%[bias]], #16\n\t"      \
  "vldrw.32 %q[part3], [%[bias]], #16\n\t"      \
  "lsrs %[first], %[count], #1\n\t"             \
  "wls lr, %[first], 2f\n"                      \
  "1:\n\t"                                      \
  "ldrd %[first], %[second], [%[taps]], #8\n\t" \
  "add %[first], %[first], %[offset]\n\t"       \
  "add %[second], %[second], %[offset]\n\t"     \
  "vldrb.8 %q[odd], [%[first]]\n\t"             \
  "vldrb.8 %q[w], [%[weights]], #16\n\t"        \
  "vmullb.s8 %q[even], %q[odd], %q[w]\n\t"      \
  "vldrb.8 %q[x], [%[second]]\n\t"              \
  "vmullt.s8 %q[odd], %q[odd], %q[w]\n\t"       \
  "vldrb.8 %q[w], [%[weights]], #16\n\t"        \
  "vmullb.s8 %q[x], %q[x], %q[w]\n\t"           \
  "vadd.i16 %q[even], %q[even], %q[x]\n\t"      \
  "vldrb.8 %q[x], [%[second]]\n\t"              \
  "vmullt.s8 %q[x], %q[x], %q[w]\n\t"           \
  "vadd.i16 %q[odd], %q[odd], %q[x]\n\t"        \
  "vmovlb.s16 %q[x], %q[even]\n\t"              \
  "vadd.i32 %q[part0], %q[part0], %q[x]\n\t"    \
  "vmovlb.s16 %q[x], %q[odd]\n\t"               \
  "vadd.i32 %q[part1], %q[part1], %q[x]\n\t"    \
  "vmovlt.s16 %q[x], %q[even]\n\t"              \
  "vadd.i32 %q[part2], %q[part2], %q[x]\n\t"    \
  "vmovlt.s16 %q[x], %q[odd]\n\t"               \
  "vadd.i32 %q[part3], %q[part3], %q[x]\n\t"    \
  "le lr, 1b\n"                                 \
  "2:\n\t"                                      \
  "bcc 3f\n\t"                                  \
  "ldr %[first], [%[taps]]\n\t"                 \
  "add %[first], %[first], %[offset]\n\t"       \
  "vldrb.8 %q[odd], [%[first]]\n\t"             \
  "vldrb.8 %q[w], [%[weights]], #16\n\t"        \
  "vmullb.s8 %q[even], %q[odd], %q[w]\n\t"      \
  "vmullt.s8 %q[odd], %q[odd], %q[w]\n\t"       \
  "vmovlb.s16 %q[x], %q[even]\n\t"              \
  "vadd.i32 %q[part0], %q[part0], %q[x]\n\t"    \
  "vmovlb.s16 %q[x], %q[odd]\n\t"               \
  "vadd.i32 %q[part1], %q[part1], %q[x]\n\t"    \
  "vmovlt.s16 %q[x], %q[even]\n\t"              \
  "vadd.i32 %q[part2], %q[part2], %q[x]\n\t"    \
  "vmovlt.s16 %q[x], %q[odd]\n\t"               \
  "vadd.i32 %q[part3], %q[part3], %q[x]\n"      \
  "3:\n\t"

/* Sixteen accumulators of bias and inner products over `count` taps. The pointers go on to the next
 * group of channels. */
MCG_INLINE mcg_mve_sixteen mcg_mve_depthwise_sums(const int32_t **bias, const int8_t **weights,
                                                  uintptr_t offset, const uintptr_t *taps,
                                                  int32_t count) {
  mcg_mve_sixteen sums;
  int8x16_t even, odd, x, w;
  uintptr_t first, second;
  __asm__ volatile(
      MCG_MVE_DEPTHWISE_SUMS
      : [part0] "=&w"(sums.part0), [part1] "=&w"(sums.part1), [part2] "=&w"(sums.part2),
        [part3] "=&w"(sums.part3), [even] "=&w"(even), [odd] "=&w"(odd), [x] "=&w"(x), [w] "=&w"(w),
        [first] "=&r"(first), [second] "=&r"(second), [taps] "+r"(taps), [weights] "+r"(*weights),
        [bias] "+r"(*bias)
      : [offset] "r"(offset), [count] "r"(count)
      : "lr", "cc", "memory");
  return sums;
}

/* The outputs of these sums of form MCG_MVE_UPWARD: here GCC does not find the registers either. */
MCG_INLINE int8x16_t mcg_mve_depthwise_upward(const int32_t **bias, const int8_t **weights,
                                              const int32_t **multiplier, const int8_t **shift,
                                              uintptr_t offset, const uintptr_t *taps,
                                              int32_t count) {
  int32x4_t part0, part1, part2, part3;
  int8x16_t even, odd, x, w;
  uintptr_t first, second;
  __asm__ volatile(
      MCG_MVE_DEPTHWISE_SUMS
      "vldrw.32 %q[even], [%[multiplier]], #16\n\t"
      "vqrdmulh.s32 %q[part0], %q[part0], %q[even]\n\t"
      "vldrw.32 %q[odd], [%[multiplier]], #16\n\t"
      "vqrdmulh.s32 %q[part1], %q[part1], %q[odd]\n\t"
      "vldrw.32 %q[x], [%[multiplier]], #16\n\t"
      "vqrdmulh.s32 %q[part2], %q[part2], %q[x]\n\t"
      "vldrw.32 %q[w], [%[multiplier]], #16\n\t"
      "vqrdmulh.s32 %q[part3], %q[part3], %q[w]\n\t"
      "vldrb.s32 %q[even], [%[shift]], #4\n\t"
      "vrshl.s32 %q[part0], %q[part0], %q[even]\n\t"
      "vldrb.s32 %q[odd], [%[shift]], #4\n\t"
      "vrshl.s32 %q[part1], %q[part1], %q[odd]\n\t"
      "vldrb.s32 %q[x], [%[shift]], #4\n\t"
      "vrshl.s32 %q[part2], %q[part2], %q[x]\n\t"
      "vldrb.s32 %q[w], [%[shift]], #4\n\t"
      "vrshl.s32 %q[part3], %q[part3], %q[w]\n\t"
      "vqmovunb.s32 %q[part0], %q[part0]\n\t"
      "vqmovunt.s32 %q[part0], %q[part2]\n\t"
      "vqmovunb.s32 %q[part1], %q[part1]\n\t"
      "vqmovunt.s32 %q[part1], %q[part3]\n\t"
      "vqmovnb.u16 %q[part0], %q[part0]\n\t"
      "vqmovnt.u16 %q[part0], %q[part1]\n\t"
      "movs %[first], #128\n\t"
      "vadd.i8 %q[part0], %q[part0], %[first]"
      : [part0] "=&w"(part0), [part1] "=&w"(part1), [part2] "=&w"(part2), [part3] "=&w"(part3),
        [even] "=&w"(even), [odd] "=&w"(odd), [x] "=&w"(x), [w] "=&w"(w), [first] "=&r"(first),
        [second] "=&r"(second), [taps] "+r"(taps), [weights] "+r"(*weights), [bias] "+r"(*bias),
        [multiplier] "+r"(*multiplier), [shift] "+l"(*shift)
      : [offset] "r"(offset), [count] "r"(count)
      : "lr", "cc", "memory");
  return vreinterpretq_s8_s32(part0);
}

/* The same as mcg_mve_depthwise_sums() where lane i takes the input at places[i]. */
MCG_INLINE mcg_mve_sixteen mcg_mve_depthwise_gathered(const int32_t **bias, const int8_t **weights,
                                                      uintptr_t offset, const uintptr_t *taps,
                                                      int32_t count, uint8x16_t places) {
  mcg_mve_sixteen sums = {vldrwq_s32(*bias), vldrwq_s32(*bias + 4), vldrwq_s32(*bias + 8),
                          vldrwq_s32(*bias + 12)};
  for (; count > 0; --count) {
    const int8x16_t x = vldrbq_gather_offset_s8((const int8_t *)(offset + *taps++), places);
    const int8x16_t w = vldrbq_s8(*weights);
    const int16x8_t even = vmullbq_int_s8(x, w);
    const int16x8_t odd = vmulltq_int_s8(x, w);
    sums.part0 = vaddq_s32(sums.part0, vmovlbq_s16(even));
    sums.part1 = vaddq_s32(sums.part1, vmovlbq_s16(odd));
    sums.part2 = vaddq_s32(sums.part2, vmovltq_s16(even));
    sums.part3 = vaddq_s32(sums.part3, vmovltq_s16(odd));
    *weights += 16;
  }
  *bias += 16;
  return sums;
}

/* Sixteen accumulators as outputs, in the order of channels. The pointers go on to the next group.
 */
MCG_INLINE int8x16_t mcg_mve_depthwise_output(mcg_output_stage stage, mcg_mve_sixteen sums,
                                              const int32_t **multiplier, const int8_t **shift,
                                              int32_t form) {
  const int32_t *m = *multiplier;
  const int8_t *s = *shift;
  const int32x4_t part0 = mcg_mve_requantize(sums.part0, vldrwq_s32(m), vldrbq_s32(s), form);
  const int32x4_t part1 =
      mcg_mve_requantize(sums.part1, vldrwq_s32(m + 4), vldrbq_s32(s + 4), form);
  const int32x4_t part2 =
      mcg_mve_requantize(sums.part2, vldrwq_s32(m + 8), vldrbq_s32(s + 8), form);
  const int32x4_t part3 =
      mcg_mve_requantize(sums.part3, vldrwq_s32(m + 12), vldrbq_s32(s + 12), form);
  int16x8_t even = vqmovntq_s32(vqmovnbq_s32(vreinterpretq_s16_s32(part0), part0), part2);
  int16x8_t odd = vqmovntq_s32(vqmovnbq_s32(vreinterpretq_s16_s32(part1), part1), part3);
  even = vqaddq_n_s16(even, (int16_t)stage.zero_point);
  odd = vqaddq_n_s16(odd, (int16_t)stage.zero_point);
  int8x16_t values = vqmovntq_s16(vqmovnbq_s16(vreinterpretq_s8_s16(even), even), odd);
  values = vmaxq_s8(values, vdupq_n_s8((int8_t)stage.min));
  *multiplier += 16;
  *shift += 16;
  return vminq_s8(values, vdupq_n_s8((int8_t)stage.max));
}

/* All channels of one window, or of windows whose channels make up one group. Inputs are at
 * `offset` from where the taps say. */
MCG_INLINE void mcg_mve_depthwise_window(mcg_output_stage stage, uintptr_t offset,
                                         const uintptr_t *taps, int32_t taps_count,
                                         const int8_t *weights, const int32_t *bias, int8_t *output,
                                         int32_t channels, int32_t filters, int32_t load,
                                         int32_t form) {
  const int32_t *multiplier = stage.multiplier;
  const int8_t *shift = stage.shift;
  for (int32_t left = channels; left > 0; left -= 16) {
    int8x16_t values;
    if (load == MCG_MVE_GATHERED) {
      /* Lane i reads channel (rest + i) / filters: by a product, exact as filters is at most 8. */
      const int32_t channel = channels - left;
      const int32_t first = channel / filters;
      const int32_t reciprocal = (255 + filters) / filters;
      const uint8x16_t places =
          vmulhq_u8(vaddq_n_u8(vidupq_n_u8(0, 1), (uint8_t)(channel - first * filters)),
                    vdupq_n_u8((uint8_t)reciprocal));
      const mcg_mve_sixteen sums = mcg_mve_depthwise_gathered(
          &bias, &weights, offset + (uintptr_t)first, taps, taps_count, places);
      values = mcg_mve_depthwise_output(stage, sums, &multiplier, &shift, form);
    } else {
      if (load == MCG_MVE_WHOLE && left < 16) {
        offset += (uintptr_t)(left - 16);
        output += left - 16;
      }
      if (form == MCG_MVE_UPWARD) {
        values = mcg_mve_depthwise_upward(&bias, &weights, &multiplier, &shift, offset, taps,
                                          taps_count);
      } else {
        const mcg_mve_sixteen sums =
            mcg_mve_depthwise_sums(&bias, &weights, offset, taps, taps_count);
        values = mcg_mve_depthwise_output(stage, sums, &multiplier, &shift, form);
      }
      offset += 16;
    }
    if (load == MCG_MVE_WHOLE) {
      vstrbq_s8(output, values);
    } else {
      vstrbq_p_s8(output, values, vctp8q((uint32_t)left));
    }
    output += 16;
  }
}

/* Copies `pixels` pixels of row y from column x on, some of which may lie outside the image. */
MCG_SHARED void mcg_mve_depthwise_copy(const mcg_depthwise_conv_2d_s8_mve_params *p,
                                       const int8_t *image, int32_t y, int32_t x, int32_t pixels,
                                       int8_t *to) {
  const int32_t channels = p->input_channels;
  if (y < 0 || y >= p->input_height) {
    mcg_mve_set(to, p->input_zero_point, pixels * channels);
    return;
  }
  const int32_t before = mcg_clamp(-x, 0, pixels);
  const int32_t inside = mcg_clamp(p->input_width - x - before, 0, pixels - before);
  mcg_mve_set(to, p->input_zero_point, before * channels);
  to += before * channels;
  mcg_mve_copy(to, image + (y * p->input_width + x + before) * channels, inside * channels);
  to += inside * channels;
  mcg_mve_set(to, p->input_zero_point, (pixels - before - inside) * channels);
}

MCG_INLINE void mcg_mve_depthwise(const mcg_depthwise_conv_2d_s8_mve_params *p, const int8_t *input,
                                  const int8_t *weights, const int32_t *bias,
                                  const int32_t *multiplier, const int8_t *shift, int8_t *output,
                                  void *scratch, int32_t load, int32_t form) {
  const mcg_output_stage stage = {
      multiplier, shift, 1, 1, p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t taps_count = p->filter_height * p->filter_width;
  const int32_t channels = p->input_channels * p->filters;
  const int32_t pixels = (p->columns - 1) * p->stride_w + (p->filter_width - 1) * p->dilation_w + 1;
  const int32_t pitch = pixels * p->input_channels;
  const int32_t step = p->together * p->stride_w * p->input_channels;
  uintptr_t *taps = scratch;
  int8_t *rows = (int8_t *)(taps + taps_count);
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    int32_t known = 0; /* rows from the padding's first on that have been copied and are kept */
    for (int32_t row = 0; row < p->output_height; ++row) {
      for (int32_t column = 0; column < p->output_width; column += p->columns) {
        uintptr_t *tap = taps;
        for (int32_t tap_y = 0; tap_y < p->filter_height; ++tap_y) {
          const int32_t y = row * p->stride_h + tap_y * p->dilation_h;
          int8_t *copy = rows + (p->kept_rows ? y % p->kept_rows : tap_y) * pitch;
          if (y >= known) {
            mcg_mve_depthwise_copy(p, input, y - p->pad_top, column * p->stride_w - p->pad_left,
                                   pixels, copy);
            known = p->kept_rows ? y + 1 : 0;
          }
          for (int32_t tap_x = 0; tap_x < p->filter_width; ++tap_x) {
            *tap++ = (uintptr_t)copy;
            copy += p->dilation_w * p->input_channels;
          }
        }
        const int32_t last = mcg_min(p->columns, p->output_width - column);
        uintptr_t offset = 0;
        for (int32_t left = last; left > 0; left -= p->together) {
          const int32_t windows = mcg_min(left, p->together);
          mcg_mve_depthwise_window(stage, offset, taps, taps_count, weights, bias, output,
                                   windows * channels, p->filters, load, form);
          output += windows * channels;
          offset += (uintptr_t)step;
        }
      }
    }
    input += p->input_height * p->input_width * p->input_channels;
  }
}

/* One copy for each way to load and to requantize that a model needs. */
#define MCG_MVE_DEPTHWISE(name, load, form)                                                     \
  MCG_SHARED void name(const mcg_depthwise_conv_2d_s8_mve_params *p, const int8_t *input,       \
                       const int8_t *weights, const int32_t *bias, const int32_t *multiplier,   \
                       const int8_t *shift, int8_t *output, void *scratch) {                    \
    mcg_mve_depthwise(p, input, weights, bias, multiplier, shift, output, scratch, load, form); \
  }

MCG_MVE_DEPTHWISE(mcg_mve_depthwise_whole_upward, MCG_MVE_WHOLE, MCG_MVE_UPWARD)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_whole_down, MCG_MVE_WHOLE, MCG_MVE_DOWN)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_whole_any, MCG_MVE_WHOLE, MCG_MVE_ANY)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_part_upward, MCG_MVE_PART, MCG_MVE_UPWARD)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_part_down, MCG_MVE_PART, MCG_MVE_DOWN)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_part_any, MCG_MVE_PART, MCG_MVE_ANY)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_gathered_down, MCG_MVE_GATHERED, MCG_MVE_DOWN)
MCG_MVE_DEPTHWISE(mcg_mve_depthwise_gathered_any, MCG_MVE_GATHERED, MCG_MVE_ANY)

/* Which of them for a form. */
#define MCG_MVE_DEPTHWISE_BY_FORM(form, name) \
  ((form) == MCG_MVE_UPWARD ? name##_upward : (form) == MCG_MVE_DOWN ? name##_down : name##_any)

MCG_INLINE void mcg_depthwise_conv_2d_s8_mve(const mcg_depthwise_conv_2d_s8_mve_params *p,
                                             const int8_t *input, const int8_t *weights,
                                             const int32_t *bias, const int32_t *multiplier,
                                             const int8_t *shift, int8_t *output, void *scratch) {
  const mcg_output_stage stage = {
      multiplier, shift, 1, p->scale_down, p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t form = mcg_mve_form(&stage);
  void (*run)(const mcg_depthwise_conv_2d_s8_mve_params *, const int8_t *, const int8_t *,
              const int32_t *, const int32_t *, const int8_t *, int8_t *, void *);
  if (p->filters > 1) {
    run = form == MCG_MVE_ANY ? mcg_mve_depthwise_gathered_any : mcg_mve_depthwise_gathered_down;
  } else if (p->input_channels < 16) {
    run = MCG_MVE_DEPTHWISE_BY_FORM(form, mcg_mve_depthwise_part);
  } else {
    run = MCG_MVE_DEPTHWISE_BY_FORM(form, mcg_mve_depthwise_whole);
  }
  run(p, input, weights, bias, multiplier, shift, output, scratch);
}

#endif /* MCG_DEPTHWISE_CONV_2D_S8_MVE_H */
