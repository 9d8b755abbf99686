/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_depthwise_single_s8() for cores with DSP instructions, four channels at a time.
 *
 * weights has all that four channels take, one after the other: their biases; a word for every tap,
 * a byte for each channel; their multipliers and a word with their shifts, as mcg_requantize_to_8()
 * takes them. Then come the next four channels. input and output begin at whole words, as does
 * every tap.
 */
#ifndef MCG_DEPTHWISE_SINGLE_S8_DSP_H
#define MCG_DEPTHWISE_SINGLE_S8_DSP_H

#include "mcg_dsp.h"

typedef struct {
  int32_t taps;
  int32_t channels; /* a multiple of 4 */
  int32_t step;     /* bytes from a tap to the next */
  int32_t output_zero_point;
} mcg_depthwise_single_s8_dsp_params;

/* The state of mcg_depthwise_fours(). */
typedef struct {
  int32_t step;
  int32_t taps;
  const int8_t *x;
  const int32_t *weights;
  int32_t zero_point;
  int32_t rewind; /* bytes from behind the last tap to the first one of the next four channels */
  int8_t *output;
  int8_t *output_end;
} mcg_depthwise_fours_job;

/* Four channels at a time, up to output_end. */
MCG_INLINE void mcg_depthwise_fours(mcg_depthwise_fours_job *job) {
#if MCG_DSP
/* A word of x and one of weights: four products in eight instructions. */
#define MCG_FOURS_TAP(x, w)   \
  "sxtb16.w r9, " x           \
  "\n\t"                      \
  "sxtb16.w r7, " w           \
  "\n\t"                      \
  "smlabb r0, r9, r7, r0\n\t" \
  "smlatt r2, r9, r7, r2\n\t" \
  "sxtb16.w " x ", " x        \
  ", ror #8\n\t"              \
  "sxtb16.w " w ", " w        \
  ", ror #8\n\t"              \
  "smlabb r1, " x ", " w      \
  ", r1\n\t"                  \
  "smlatt r3, " x ", " w ", r3\n\t"
#define MCG_FOURS_FIELD(field) MCG_OFFSET(mcg_depthwise_fours_job, field, step)
  register mcg_depthwise_fours_job *r4 __asm__("r4") = job;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4, r7}\n\t" /* r7 may be the frame pointer, which may not be named as clobbered */
      "ldr.w lr, [r4, %[x]]\n\t"
      "ldr.w r12, [r4, %[weights]]\n"
      "1:\n\t"
      "ldr r4, [sp]\n\t"
      "ldm.w r12!, {r0, r1, r2, r3}\n\t"
      "ldrd r10, r11, [r4, %[step]]\n\t"
      "subs.w r11, r11, #2\n\t"
      "blt 3f\n\t"
      ".balign 4\n"
      "2:\n\t"
      "ldr.w r4, [lr]\n\t"
      "ldr.w r5, [lr, r10]\n\t"
      "ldrd r6, r8, [r12], #8\n\t"
      "add.w lr, lr, r10, lsl #1\n\t"
      MCG_FOURS_TAP("r4", "r6") MCG_FOURS_TAP("r5", "r8")
      "subs.w r11, r11, #2\n\t"
      "bge.w 2b\n"
      "3:\n\t"
      "adds.w r11, r11, #1\n\t"
      "bne 4f\n\t"
      "ldr.w r4, [lr]\n\t"
      "ldr.w r6, [r12], #4\n\t"
      "add.w lr, lr, r10\n\t"
      MCG_FOURS_TAP("r4", "r6")
      "4:\n\t"
      "ldr.w r9, [sp]\n\t"
      "ldm.w r12!, {r4, r5, r6, r8, r11}\n\t"
      "ldrd r7, r10, [r9, %[zero_point]]\n\t"
      MCG_TO_8("r0", "r4", "r11", "r7")
      "lsrs.w r11, r11, #8\n\t"
      MCG_TO_8("r1", "r5", "r11", "r7")
      "lsrs.w r11, r11, #8\n\t"
      MCG_TO_8("r2", "r6", "r11", "r7")
      "lsrs.w r11, r11, #8\n\t"
      MCG_TO_8("r3", "r8", "r11", "r7")
      "ldrd r4, r5, [r9, %[output]]\n\t"
      "bfi r0, r1, #8, #8\n\t"
      "bfi r0, r2, #16, #8\n\t"
      "bfi r0, r3, #24, #8\n\t"
      "sub.w lr, lr, r10\n\t"
      "str.w r0, [r4], #4\n\t"
      "str.w r4, [r9, %[output]]\n\t"
      "cmp r4, r5\n\t"
      "bne.w 1b\n\t"
      "pop {r4, r7}"
      : "+r"(r4)
      : [step] MCG_FOURS_FIELD(step), [x] MCG_FOURS_FIELD(x), [weights] MCG_FOURS_FIELD(weights),
        [zero_point] MCG_FOURS_FIELD(zero_point), [output] MCG_FOURS_FIELD(output)
      : "r0", "r1", "r2", "r3", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  while (job->output != job->output_end) {
    int32_t acc[4];
    memcpy(acc, job->weights, sizeof acc);
    job->weights += 4;
    for (int32_t tap = 0; tap < job->taps; ++tap) {
      const uint32_t inputs = mcg_load_4(job->x), weights = (uint32_t)*job->weights++;
      const uint32_t even = mcg_even_bytes(inputs), odd = mcg_odd_bytes(inputs);
      acc[0] += mcg_low(even) * mcg_low(mcg_even_bytes(weights));
      acc[1] += mcg_low(odd) * mcg_low(mcg_odd_bytes(weights));
      acc[2] += mcg_high(even) * mcg_high(mcg_even_bytes(weights));
      acc[3] += mcg_high(odd) * mcg_high(mcg_odd_bytes(weights));
      job->x += job->step;
    }
    for (int32_t n = 0; n < 4; ++n) {
      const int32_t right = (int32_t)((uint32_t)job->weights[4] >> (8 * n) & 255u);
      *job->output++ = (int8_t)mcg_requantize_to_8(acc[n], job->weights[n], right, job->zero_point);
    }
    job->weights += 5;
    job->x -= job->rewind;
  }
#endif
}

MCG_SHARED void mcg_depthwise_single_s8_dsp(const mcg_depthwise_single_s8_dsp_params *p,
                                            const int8_t *input, const int32_t *weights,
                                            int8_t *output) {
  mcg_depthwise_fours_job job = {
      .step = p->step,
      .taps = p->taps,
      .x = input,
      .weights = weights,
      .zero_point = p->output_zero_point,
      .rewind = p->taps * p->step - 4,
      .output = output,
      .output_end = output + p->channels,
  };
  mcg_depthwise_fours(&job);
}

#endif /* MCG_DEPTHWISE_SINGLE_S8_DSP_H */
