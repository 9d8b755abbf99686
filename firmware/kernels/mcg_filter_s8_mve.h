/* Inner products of windows with filters by MVE, as int8 outputs.
 *
 * Weights are in groups of four channels: for every sixteen inputs the sixteen weights of the first
 * channel, of the second, third and fourth; then the rest of the inputs likewise. The channels
 * beyond the last whole group follow, each in one piece. Where the depth is no multiple of sixteen,
 * as many bytes as it lacks follow the last weights, for they are loaded (but do not count).
 *
 * The inner loops are written out in assembler because GCC does not find registers for them:
 * VMLADAVA accumulates in even registers only, of which there are eight.
 */
#ifndef MCG_FILTER_S8_MVE_H
#define MCG_FILTER_S8_MVE_H

#include "mcg_mve.h"

/* Inner products of one window with four channels. */
MCG_INLINE int32x4_t mcg_mve_dot_4x1(const int8_t *x, const int8_t *weights, int32_t depth) {
  int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
  const int32_t blocks = depth >> 4;
  const int32_t rest = depth & 15;
  if (blocks > 0) {
    __asm__ volatile(
        "dls lr, %[n]\n"
        "1:\n\t"
        "vldrb.8 q0, [%[x]], #16\n\t"
        "vldrb.8 q1, [%[w]], #16\n\t"
        "vmladava.s8 %[a0], q0, q1\n\t"
        "vldrb.8 q2, [%[w]], #16\n\t"
        "vmladava.s8 %[a1], q0, q2\n\t"
        "vldrb.8 q1, [%[w]], #16\n\t"
        "vmladava.s8 %[a2], q0, q1\n\t"
        "vldrb.8 q2, [%[w]], #16\n\t"
        "vmladava.s8 %[a3], q0, q2\n\t"
        "le lr, 1b"
        : [a0] "+Te"(a0), [a1] "+Te"(a1), [a2] "+Te"(a2), [a3] "+Te"(a3), [x] "+r"(x),
          [w] "+r"(weights)
        : [n] "r"(blocks)
        : "q0", "q1", "q2", "lr", "cc", "memory");
  }
  if (rest > 0) {
    const int8x16_t inputs = vldrbq_z_s8(x, vctp8q((uint32_t)rest));
    a0 = vmladavaq_s8(a0, inputs, vldrbq_s8(weights));
    a1 = vmladavaq_s8(a1, inputs, vldrbq_s8(weights + rest));
    a2 = vmladavaq_s8(a2, inputs, vldrbq_s8(weights + 2 * rest));
    a3 = vmladavaq_s8(a3, inputs, vldrbq_s8(weights + 3 * rest));
  }
  return mcg_mve_vector(a0, a1, a2, a3);
}

/* Inner products of two windows with four channels. */
typedef struct {
  int32x4_t first;
  int32x4_t second;
} mcg_mve_pair;

#if defined(__OPTIMIZE__)
MCG_INLINE mcg_mve_pair mcg_mve_dot_4x2(const int8_t *x0, const int8_t *x1, const int8_t *weights,
                                        int32_t depth) {
  int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
  int32_t blocks = depth >> 4;
  int32_t rest = depth & 15;
  if (blocks > 0) {
    __asm__ volatile(
        "1:\n\t"
        "vldrb.8 q0, [%[x0]], #16\n\t"
        "vldrb.8 q1, [%[x1]], #16\n\t"
        "vldrb.8 q2, [%[w]], #16\n\t"
        "vmladava.s8 %[a0], q0, q2\n\t"
        "vldrb.8 q3, [%[w]], #16\n\t"
        "vmladava.s8 %[b0], q1, q2\n\t"
        "vmladava.s8 %[a1], q0, q3\n\t"
        "vldrb.8 q2, [%[w]], #16\n\t"
        "vmladava.s8 %[b1], q1, q3\n\t"
        "vmladava.s8 %[a2], q0, q2\n\t"
        "vldrb.8 q3, [%[w]], #16\n\t"
        "vmladava.s8 %[b2], q1, q2\n\t"
        "subs %[n], %[n], #1\n\t"
        "vmladava.s8 %[a3], q0, q3\n\t"
        "vmladava.s8 %[b3], q1, q3\n\t"
        "bne 1b"
        : [a0] "+Te"(a0), [a1] "+Te"(a1), [a2] "+Te"(a2), [a3] "+Te"(a3), [b0] "+Te"(b0),
          [b1] "+Te"(b1), [b2] "+Te"(b2), [b3] "+Te"(b3), [x0] "+r"(x0), [x1] "+r"(x1),
          [w] "+r"(weights), [n] "+r"(blocks)
        :
        : "q0", "q1", "q2", "q3", "cc", "memory");
  }
  if (rest > 0) {
    __asm__ volatile(
        "vctp.8 %[n]\n\t"
        "vpstt\n\t"
        "vldrbt.u8 q0, [%[x0]]\n\t"
        "vldrbt.u8 q1, [%[x1]]\n\t"
        "vldrb.8 q2, [%[w]]\n\t"
        "add %[w], %[w], %[n]\n\t"
        "vmladava.s8 %[a0], q0, q2\n\t"
        "vldrb.8 q3, [%[w]]\n\t"
        "vmladava.s8 %[b0], q1, q2\n\t"
        "add %[w], %[w], %[n]\n\t"
        "vmladava.s8 %[a1], q0, q3\n\t"
        "vldrb.8 q2, [%[w]]\n\t"
        "vmladava.s8 %[b1], q1, q3\n\t"
        "add %[w], %[w], %[n]\n\t"
        "vmladava.s8 %[a2], q0, q2\n\t"
        "vldrb.8 q3, [%[w]]\n\t"
        "vmladava.s8 %[b2], q1, q2\n\t"
        "vmladava.s8 %[a3], q0, q3\n\t"
        "vmladava.s8 %[b3], q1, q3"
        : [a0] "+Te"(a0), [a1] "+Te"(a1), [a2] "+Te"(a2), [a3] "+Te"(a3), [b0] "+Te"(b0),
          [b1] "+Te"(b1), [b2] "+Te"(b2), [b3] "+Te"(b3), [w] "+r"(weights)
        : [x0] "r"(x0), [x1] "r"(x1), [n] "r"(rest)
        : "q0", "q1", "q2", "q3", "cc", "memory");
  }
  const mcg_mve_pair sums = {mcg_mve_vector(a0, a1, a2, a3), mcg_mve_vector(b0, b1, b2, b3)};
  return sums;
}
#else /* unoptimized code keeps registers for itself */
MCG_INLINE mcg_mve_pair mcg_mve_dot_4x2(const int8_t *x0, const int8_t *x1, const int8_t *weights,
                                        int32_t depth) {
  const mcg_mve_pair sums = {mcg_mve_dot_4x1(x0, weights, depth),
                             mcg_mve_dot_4x1(x1, weights, depth)};
  return sums;
}
#endif

/* Inner products of four windows with one channel, whose weights lie in one piece. */
MCG_INLINE int32x4_t mcg_mve_dot_1x4(const int8_t *x0, const int8_t *x1, const int8_t *x2,
                                     const int8_t *x3, const int8_t *weights, int32_t depth) {
  int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0;
  const int32_t blocks = depth >> 4;
  const int32_t rest = depth & 15;
  if (blocks > 0) {
    __asm__ volatile(
        "dls lr, %[n]\n"
        "1:\n\t"
        "vldrb.8 q0, [%[w]], #16\n\t"
        "vldrb.8 q1, [%[x0]], #16\n\t"
        "vmladava.s8 %[a0], q0, q1\n\t"
        "vldrb.8 q2, [%[x1]], #16\n\t"
        "vmladava.s8 %[a1], q0, q2\n\t"
        "vldrb.8 q1, [%[x2]], #16\n\t"
        "vmladava.s8 %[a2], q0, q1\n\t"
        "vldrb.8 q2, [%[x3]], #16\n\t"
        "vmladava.s8 %[a3], q0, q2\n\t"
        "le lr, 1b"
        : [a0] "+Te"(a0), [a1] "+Te"(a1), [a2] "+Te"(a2), [a3] "+Te"(a3), [x0] "+r"(x0),
          [x1] "+r"(x1), [x2] "+r"(x2), [x3] "+r"(x3), [w] "+r"(weights)
        : [n] "r"(blocks)
        : "q0", "q1", "q2", "lr", "cc", "memory");
  }
  if (rest > 0) {
    const mve_pred16_t lanes = vctp8q((uint32_t)rest);
    const int8x16_t row = vldrbq_s8(weights);
    a0 = vmladavaq_s8(a0, row, vldrbq_z_s8(x0, lanes));
    a1 = vmladavaq_s8(a1, row, vldrbq_z_s8(x1, lanes));
    a2 = vmladavaq_s8(a2, row, vldrbq_z_s8(x2, lanes));
    a3 = vmladavaq_s8(a3, row, vldrbq_z_s8(x3, lanes));
  }
  return mcg_mve_vector(a0, a1, a2, a3);
}

/* Four channels of all windows, two windows at a time. */
MCG_INLINE void mcg_mve_filter_group(mcg_output_stage stage, const int8_t *window, int32_t step,
                                     int32_t count, int32_t depth, const int8_t *weights,
                                     int32x4_t bias, int32x4_t multiplier, int32x4_t shift,
                                     int8_t *output, int32_t pitch, int32_t scale_down) {
  for (; count >= 2; count -= 2) {
    const mcg_mve_pair sums = mcg_mve_dot_4x2(window, window + step, weights, depth);
    const int32x4_t first =
        mcg_mve_output(stage, vaddq_s32(sums.first, bias), multiplier, shift, scale_down);
    const int32x4_t second =
        mcg_mve_output(stage, vaddq_s32(sums.second, bias), multiplier, shift, scale_down);
    vstrbq_s32(output, first);
    vstrbq_s32(output + pitch, second);
    window += 2 * step;
    output += 2 * pitch;
  }
  if (count > 0) {
    const int32x4_t sums = mcg_mve_dot_4x1(window, weights, depth);
    vstrbq_s32(output, mcg_mve_output(stage, vaddq_s32(sums, bias), multiplier, shift, scale_down));
  }
}

/* One channel of all windows, four windows at a time. */
MCG_INLINE void mcg_mve_filter_channel(mcg_output_stage stage, const int8_t *window, int32_t step,
                                       int32_t count, int32_t depth, const int8_t *weights,
                                       int32_t bias, int32_t multiplier, int32_t shift,
                                       int8_t *output, int32_t pitch, int32_t scale_down) {
  const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)pitch);
  for (; count > 0; count -= 4) {
    /* Windows beyond the last are taken to be the last. */
    const int8_t *x1 = window + (count > 1 ? step : 0);
    const int8_t *x2 = x1 + (count > 2 ? step : 0);
    const int8_t *x3 = x2 + (count > 3 ? step : 0);
    const int32x4_t sums = mcg_mve_dot_1x4(window, x1, x2, x3, weights, depth);
    const int32x4_t values = mcg_mve_output(stage, vaddq_n_s32(sums, bias), vdupq_n_s32(multiplier),
                                            vdupq_n_s32(shift), scale_down);
    vstrbq_scatter_offset_p_s32(output, places, values, vctp32q((uint32_t)count));
    window = x3 + step;
    output += 4 * pitch;
  }
}

MCG_INLINE void mcg_mve_filter_all(const mcg_output_stage *stage, const int8_t *windows,
                                   int32_t step, int32_t count, int32_t depth, int32_t base,
                                   const int8_t *weights, const int32_t *bias, int8_t *output,
                                   int32_t channels, int32_t pitch, int32_t scale_down) {
  const int32_t *multiplier = stage->multiplier;
  const int8_t *shift = stage->shift;
  for (; channels >= 4; channels -= 4) {
    int32x4_t multipliers, shifts;
    if (stage->per_channel) {
      multipliers = vldrwq_s32(multiplier);
      shifts = vldrbq_s32(shift);
      multiplier += 4;
      shift += 4;
    } else {
      multipliers = vdupq_n_s32(*multiplier);
      shifts = vdupq_n_s32(*shift);
    }
    mcg_mve_filter_group(*stage, windows, step, count, depth, weights,
                         vaddq_n_s32(vldrwq_s32(bias), base), multipliers, shifts, output, pitch,
                         scale_down);
    weights += 4 * depth;
    bias += 4;
    output += 4;
  }
  for (; channels > 0; --channels) {
    mcg_mve_filter_channel(*stage, windows, step, count, depth, weights, *bias++ + base,
                           *multiplier, *shift, output++, pitch, scale_down);
    multiplier += stage->per_channel;
    shift += stage->per_channel;
    weights += depth;
  }
}

/* One copy for all layers whose requantization is the short one, and one for all others. */
MCG_SHARED void mcg_mve_filter_down(const mcg_output_stage *stage, const int8_t *windows,
                                    int32_t step, int32_t count, int32_t depth, int32_t base,
                                    const int8_t *weights, const int32_t *bias, int8_t *output,
                                    int32_t channels, int32_t pitch) {
  mcg_mve_filter_all(stage, windows, step, count, depth, base, weights, bias, output, channels,
                     pitch, 1);
}

MCG_SHARED void mcg_mve_filter_any(const mcg_output_stage *stage, const int8_t *windows,
                                   int32_t step, int32_t count, int32_t depth, int32_t base,
                                   const int8_t *weights, const int32_t *bias, int8_t *output,
                                   int32_t channels, int32_t pitch) {
  mcg_mve_filter_all(stage, windows, step, count, depth, base, weights, bias, output, channels,
                     pitch, 0);
}

/* `count` windows of `depth` inputs, `step` apart, with all channels. base is added to every
 * accumulator; bias already holds the input's zero point. The outputs of one window lie `pitch`
 * bytes after those of the one before. */
MCG_INLINE void mcg_mve_filter(const mcg_output_stage *stage, const int8_t *windows, int32_t step,
                               int32_t count, int32_t depth, int32_t base, const int8_t *weights,
                               const int32_t *bias, int8_t *output, int32_t channels,
                               int32_t pitch) {
  if (stage->scale_down) {
    mcg_mve_filter_down(stage, windows, step, count, depth, base, weights, bias, output, channels,
                        pitch);
  } else {
    mcg_mve_filter_any(stage, windows, step, count, depth, base, weights, bias, output, channels,
                       pitch);
  }
}

#endif /* MCG_FILTER_S8_MVE_H */
