/* SPDX-License-Identifier: Apache-2.0 */
/* Inner products of windows with filters by MVE, as int8 outputs.
 *
 * Weights are in groups of four channels: for the inputs that are left over when the depth is
 * divided by sixteen the weights of the first channel, of the second, third and fourth; then for
 * every sixteen inputs likewise. The channels beyond the last whole group follow, each in one
 * piece. Where the depth is no multiple of sixteen, as many bytes as it lacks follow the last
 * weights, for they are loaded (but do not count).
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
  if (rest > 0) {
    const int8x16_t inputs = vldrbq_z_s8(x, vctp8q((uint32_t)rest));
    a0 = vmladavq_s8(inputs, vldrbq_s8(weights));
    a1 = vmladavq_s8(inputs, vldrbq_s8(weights + rest));
    a2 = vmladavq_s8(inputs, vldrbq_s8(weights + 2 * rest));
    a3 = vmladavq_s8(inputs, vldrbq_s8(weights + 3 * rest));
    x += rest;
    weights += 4 * rest;
  }
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
  return mcg_mve_vector(a0, a1, a2, a3);
}

/* Inner products of two windows with four channels. */
typedef struct {
  int32x4_t first;
  int32x4_t second;
} mcg_mve_pair;

#if defined(__OPTIMIZE__)
/* What two windows make of sixteen weights of each of four channels, added to the accumulators or,
 * for the first, in their place; `next` follows every load of weights. The inputs are in q0, q1. */
#define MCG_MVE_BLOCK_4X2(vmladav, load, next)                                \
  load(q2) next vmladav " %[a0], q0, q2\n\t" load(q3) next vmladav            \
      " %[b0], q1, q2\n\t" vmladav " %[a1], q0, q3\n\t" load(q2) next vmladav \
      " %[b1], q1, q3\n\t" vmladav " %[a2], q0, q2\n\t" load(q3) next vmladav \
      " %[b2], q1, q2\n\t" vmladav " %[a3], q0, q3\n\t" vmladav " %[b3], q1, q3\n\t"
#define MCG_MVE_INPUTS_4X2       \
  "vldrb.8 q0, [%[x0]], #16\n\t" \
  "vldrb.8 q1, [%[x1]], #16\n\t"
#define MCG_MVE_LOAD(q) "vldrb.8 " #q ", [%[w]]\n\t"
#define MCG_MVE_LOAD_NEXT(q) "vldrb.8 " #q ", [%[w]], #16\n\t"
/* Two blocks, without a product directly behind the load of its factor, and with the second block's
 * loads between products of the first: both execute side by side. */
#define MCG_MVE_PRODUCT(sum, x, w) "vmladava.s8 %[" sum "], " x ", " w "\n\t"
#define MCG_MVE_TWO_BLOCKS_4X2                                                                    \
  "vldrb.8 q0, [%[x0]], #16\n\t" MCG_MVE_LOAD_NEXT(                                               \
      q2) "vldrb.8 q1, [%[x1]], #16\n\t" MCG_MVE_PRODUCT("a0", "q0", "q2") MCG_MVE_LOAD_NEXT(q3)  \
      MCG_MVE_PRODUCT("b0", "q1", "q2") MCG_MVE_LOAD_NEXT(q2) MCG_MVE_PRODUCT("a1", "q0", "q3")   \
          MCG_MVE_PRODUCT("b1", "q1", "q3") MCG_MVE_LOAD_NEXT(q3) MCG_MVE_PRODUCT(                \
              "a2", "q0", "q2") MCG_MVE_PRODUCT("b2", "q1", "q2") MCG_MVE_LOAD_NEXT(q2)           \
              MCG_MVE_PRODUCT("a3", "q0", "q3") "vldrb.8 q0, [%[x0]], #16\n\t" MCG_MVE_PRODUCT(   \
                  "b3", "q1", "q3") "vldrb.8 q1, [%[x1]], #16\n\t" MCG_MVE_PRODUCT("a0", "q0",    \
                                                                                   "q2")          \
                  MCG_MVE_LOAD_NEXT(q3) MCG_MVE_PRODUCT("b0", "q1", "q2") MCG_MVE_LOAD_NEXT(q2)   \
                      MCG_MVE_PRODUCT("a1", "q0", "q3") MCG_MVE_PRODUCT("b1", "q1", "q3")         \
                          MCG_MVE_LOAD_NEXT(q3) MCG_MVE_PRODUCT("a2", "q0", "q2")                 \
                              MCG_MVE_PRODUCT("b2", "q1", "q2") MCG_MVE_PRODUCT("a3", "q0", "q3") \
                                  MCG_MVE_PRODUCT("b3", "q1", "q3")

MCG_INLINE mcg_mve_pair mcg_mve_dot_4x2(const int8_t *x0, const int8_t *x1, const int8_t *weights,
                                        int32_t depth) {
  int32_t a0, a1, a2, a3, b0, b1, b2, b3;
  __asm__ volatile(
      "ands %[b3], %[n], #15\n\t" /* what is left over, where nothing is yet */
      "beq 1f\n\t"
      "vctp.8 %[b3]\n\t"
      "vpstt\n\t"
      "vldrbt.u8 q0, [%[x0]]\n\t"
      "vldrbt.u8 q1, [%[x1]]\n\t"
      "add %[x0], %[x0], %[b3]\n\t"
      "add %[x1], %[x1], %[b3]\n\t"
      MCG_MVE_BLOCK_4X2("vmladav.s8", MCG_MVE_LOAD, "add %[w], %[w], %[b3]\n\t")
      "lsrs %[n], %[n], #4\n\t"
      "beq 3f\n\t"
      "b 2f\n"
      "1:\n\t"
      MCG_MVE_INPUTS_4X2
      MCG_MVE_BLOCK_4X2("vmladav.s8", MCG_MVE_LOAD_NEXT, "")
      "lsr %[n], %[n], #4\n\t"
      "subs %[n], %[n], #1\n\t"
      "beq 3f\n"
      "2:\n\t" /* one if their number is odd, then two at a time */
      "tst %[n], #1\n\t"
      "beq 4f\n\t"
      MCG_MVE_INPUTS_4X2
      MCG_MVE_BLOCK_4X2("vmladava.s8", MCG_MVE_LOAD_NEXT, "")
      "subs %[n], %[n], #1\n\t"
      "beq 3f\n"
      "4:\n\t"
      MCG_MVE_TWO_BLOCKS_4X2
      "subs %[n], %[n], #2\n\t"
      "bne 4b\n"
      "3:"
      : [a0] "=&Te"(a0), [a1] "=&Te"(a1), [a2] "=&Te"(a2), [a3] "=&Te"(a3), [b0] "=&Te"(b0),
        [b1] "=&Te"(b1), [b2] "=&Te"(b2), [b3] "=&Te"(b3), [x0] "+r"(x0), [x1] "+r"(x1),
        [w] "+r"(weights), [n] "+r"(depth)
      :
      : "q0", "q1", "q2", "q3", "p0", "cc", "memory");
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
        "ldr lr, %[n]\n\t" /* a register more is too much where size counts */
        "dls lr, lr\n"
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
        : [n] "m"(blocks)
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

/* Requantizes four channels of two windows and stores them. */
MCG_INLINE void mcg_mve_store_pair(mcg_output_stage stage, mcg_mve_pair sums, int32x4_t multiplier,
                                   int32x4_t shift, int8_t *output, int32_t pitch, int32_t form) {
  const int32x4_t first = mcg_mve_requantize(sums.first, multiplier, shift, form);
  const int32x4_t second = mcg_mve_requantize(sums.second, multiplier, shift, form);
  /* Both side by side: every word has a channel of the first window and one of the second. */
  uint32x4_t values;
  if (form == MCG_MVE_UPWARD) {
    values = mcg_mve_narrow_upward(first, second);
  } else {
    int16x8_t both = vqmovnbq_s32(vreinterpretq_s16_s32(first), first);
    both = vqaddq_n_s16(vqmovntq_s32(both, second), (int16_t)stage.zero_point);
    both = vmaxq_s16(both, vdupq_n_s16((int16_t)stage.min));
    both = vminq_s16(both, vdupq_n_s16((int16_t)stage.max));
    values = vreinterpretq_u32_s16(both);
  }
  vstrbq_u32((uint8_t *)output, values);
  vstrbq_u32((uint8_t *)output + pitch, vshrq_n_u32(values, 16));
}

/* Four channels of all windows, two windows at a time. */
MCG_INLINE void mcg_mve_filter_group(mcg_output_stage stage, const int8_t *window, int32_t step,
                                     int32_t count, int32_t depth, const int8_t *weights,
                                     int32x4_t bias, int32x4_t multiplier, int32x4_t shift,
                                     int8_t *output, int32_t pitch, int32_t form) {
  for (; count >= 2; count -= 2) {
    mcg_mve_pair sums = mcg_mve_dot_4x2(window, window + step, weights, depth);
    sums.first = vaddq_s32(sums.first, bias);
    sums.second = vaddq_s32(sums.second, bias);
    mcg_mve_store_pair(stage, sums, multiplier, shift, output, pitch, form);
    window += 2 * step;
    output += 2 * pitch;
  }
  if (count > 0) {
    const int32x4_t sums = mcg_mve_dot_4x1(window, weights, depth);
    vstrbq_s32(output, mcg_mve_output(stage, vaddq_s32(sums, bias), multiplier, shift, form));
  }
}

/* One channel of all windows, four windows at a time. */
MCG_INLINE void mcg_mve_filter_channel(mcg_output_stage stage, const int8_t *window, int32_t step,
                                       int32_t count, int32_t depth, const int8_t *weights,
                                       int32_t bias, int32_t multiplier, int32_t shift,
                                       int8_t *output, int32_t pitch, int32_t form) {
  const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)pitch);
  for (; count > 0; count -= 4) {
    /* Windows beyond the last are taken to be the last. */
    const int8_t *x1 = window + (count > 1 ? step : 0);
    const int8_t *x2 = x1 + (count > 2 ? step : 0);
    const int8_t *x3 = x2 + (count > 3 ? step : 0);
    const int32x4_t sums = mcg_mve_dot_1x4(window, x1, x2, x3, weights, depth);
    const int32x4_t values = mcg_mve_output(stage, vaddq_n_s32(sums, bias), vdupq_n_s32(multiplier),
                                            vdupq_n_s32(shift), form);
    vstrbq_scatter_offset_p_s32(output, places, values, vctp32q((uint32_t)count));
    window = x3 + step;
    output += 4 * pitch;
  }
}

MCG_INLINE void mcg_mve_filter_all(const mcg_output_stage *stage, const int8_t *windows,
                                   int32_t step, int32_t count, int32_t depth, int32_t base,
                                   const int8_t *weights, const int32_t *bias, int8_t *output,
                                   int32_t channels, int32_t pitch, int32_t form) {
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
                         form);
    weights += 4 * depth;
    bias += 4;
    output += 4;
  }
  for (; channels > 0; --channels) {
    mcg_mve_filter_channel(*stage, windows, step, count, depth, weights, *bias++ + base,
                           *multiplier, *shift, output++, pitch, form);
    multiplier += stage->per_channel;
    shift += stage->per_channel;
    weights += depth;
  }
}

/* One copy for all layers whose accumulators become outputs alike. */
#define MCG_MVE_FILTER(name, form)                                                                \
  MCG_SHARED void name(const mcg_output_stage *stage, const int8_t *windows, int32_t step,        \
                       int32_t count, int32_t depth, int32_t base, const int8_t *weights,         \
                       const int32_t *bias, int8_t *output, int32_t channels, int32_t pitch) {    \
    mcg_mve_filter_all(stage, windows, step, count, depth, base, weights, bias, output, channels, \
                       pitch, form);                                                              \
  }

MCG_MVE_FILTER(mcg_mve_filter_any, MCG_MVE_ANY)
MCG_MVE_FILTER(mcg_mve_filter_down, MCG_MVE_DOWN)
MCG_MVE_FILTER(mcg_mve_filter_upward, MCG_MVE_UPWARD)

/* `count` windows of `depth` inputs, `step` apart, with all channels. base is added to every
 * accumulator; bias already holds the input's zero point. The outputs of one window lie `pitch`
 * bytes after those of the one before. */
MCG_INLINE void mcg_mve_filter(const mcg_output_stage *stage, const int8_t *windows, int32_t step,
                               int32_t count, int32_t depth, int32_t base, const int8_t *weights,
                               const int32_t *bias, int8_t *output, int32_t channels,
                               int32_t pitch) {
  const int32_t form = mcg_mve_form(stage);
  if (form == MCG_MVE_UPWARD) {
    mcg_mve_filter_upward(stage, windows, step, count, depth, base, weights, bias, output, channels,
                          pitch);
  } else if (form == MCG_MVE_DOWN) {
    mcg_mve_filter_down(stage, windows, step, count, depth, base, weights, bias, output, channels,
                        pitch);
  } else {
    mcg_mve_filter_any(stage, windows, step, count, depth, base, weights, bias, output, channels,
                       pitch);
  }
}

#endif /* MCG_FILTER_S8_MVE_H */
