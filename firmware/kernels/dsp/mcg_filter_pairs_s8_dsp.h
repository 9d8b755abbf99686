/* SPDX-License-Identifier: Apache-2.0 */
/* Inner products of four widened windows with two channels at a time, whose weights share lanes.
 *
 * A lane holds a + 256 * b, a weight of each channel, in 16 bits. SMLAD of such lanes adds up
 * A + 256 * B, the sums of both channels; SXTB16 of the same word gives a, and so A. B is what is
 * left, divided by 256: exactly, if it fits into 24 bits. So two channels take the loads of one.
 */
#ifndef MCG_FILTER_PAIRS_S8_DSP_H
#define MCG_FILTER_PAIRS_S8_DSP_H

#include "mcg_filter_s8_dsp.h"

/* What all windows are multiplied with. weights has for each pair of channels, and every four bytes
 * of depth, the lanes of bytes 0 and 2, then those of bytes 1 and 3. factors has MCG_PAIR_FACTORS
 * numbers for each pair: the bias of a, that of a plus 256 times that of b, the multipliers, and
 * in one word the shifts, as mcg_requantize_to_8() takes them. If the number of channels is odd,
 * the last pair is made of the last two channels, of which one is in the pair before as well. */
typedef struct {
  const uint32_t *weights;
  const int32_t *factors;
  int32_t zero_point;
  int32_t channels;
} mcg_pairs;

#define MCG_PAIR_FACTORS 5

/* The state of mcg_multiply_pairs(). */
typedef struct {
  const uint32_t *blocks_end; /* of the windows' words that go in fours */
  const uint32_t *x_end;
  const uint32_t *x;
  const uint32_t *weights;
  const int32_t *factors;
  int32_t zero_point;
  int8_t *output; /* of window 0 */
  int8_t *output_end;
  int32_t at1; /* output of window 1, from that of window 0 */
  int32_t at2;
  int32_t at3;
} mcg_pairs_job;

/* Two channels at a time, up to output_end. */
MCG_SHARED void mcg_multiply_pairs(mcg_pairs_job *job) {
#if MCG_DSP
/* Two bytes of depth of two channels and four windows: 16 products in 14 instructions, 16 cycles.
 */
#define MCG_PAIRS_HALF(w, x0, x1, x2, x3) \
  "ldr.w r10, [r8, #" w                   \
  "]\n\t"                                 \
  "ldr.w r12, [r9, #" x0                  \
  "]\n\t"                                 \
  "ldr.w lr, [r9, #" x1                   \
  "]\n\t"                                 \
  "sxtb16.w r11, r10\n\t"                 \
  "smlad r0, r12, r11, r0\n\t"            \
  "smlad r4, r12, r10, r4\n\t"            \
  "smlad r1, lr, r11, r1\n\t"             \
  "smlad r5, lr, r10, r5\n\t"             \
  "ldr.w r12, [r9, #" x2                  \
  "]\n\t"                                 \
  "ldr.w lr, [r9, #" x3                   \
  "]\n\t"                                 \
  "smlad r2, r12, r11, r2\n\t"            \
  "smlad r6, r12, r10, r6\n\t"            \
  "smlad r3, lr, r11, r3\n\t"             \
  "smlad r7, lr, r10, r7\n\t"
#define MCG_PAIRS_WORD_0 \
  MCG_PAIRS_HALF("0", "0", "4", "8", "12") MCG_PAIRS_HALF("4", "16", "20", "24", "28")
#define MCG_PAIRS_WORDS_1_TO_3                    \
  MCG_PAIRS_HALF("8", "32", "36", "40", "44")     \
  MCG_PAIRS_HALF("12", "48", "52", "56", "60")    \
  MCG_PAIRS_HALF("16", "64", "68", "72", "76")    \
  MCG_PAIRS_HALF("20", "80", "84", "88", "92")    \
  MCG_PAIRS_HALF("24", "96", "100", "104", "108") \
  MCG_PAIRS_HALF("28", "112", "116", "120", "124")
#define MCG_PAIRS_TO_8(to_8) \
  to_8("r0", "r10", "r11", "r12") to_8("r1", "r10", "r11", "r12")                  \
      to_8("r2", "r10", "r11", "r12") to_8("r3", "r10", "r11", "r12")              \
  "ldr.w r10, [r9, #12]\n\t"                                                       \
  "ldrb.w r11, [r9, #17]\n\t" to_8("r4", "r10", "r11", "r12")                      \
      to_8("r5", "r10", "r11", "r12") to_8("r6", "r10", "r11", "r12")              \
          to_8("r7", "r10", "r11", "r12")
#define MCG_PAIRS_FIELD(field) MCG_OFFSET(mcg_pairs_job, field, blocks_end)
  register mcg_pairs_job *r0 __asm__("r0") = job;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "ldr r1, [r0, %[blocks_end]]\n\t"
      "ldr r2, [r0, %[x_end]]\n\t"
      "ldr r8, [r0, %[weights]]\n\t"
      "push {r0, r1, r2}\n\t"
      ".balign 4\n"
      "1:\n\t" /* a pair of channels */
      "ldr.w r12, [sp]\n\t"
      "ldr.w r10, [r12, %[factors]]\n\t"
      "ldr.w r9, [r12, %[x]]\n\t"
      "ldr.w r0, [r10]\n\t"
      "ldr.w r4, [r10, #4]\n\t"
      "ldr.w r12, [sp, #4]\n\t"
      "mov r1, r0\n\t"
      "mov r2, r0\n\t"
      "mov r3, r0\n\t"
      "mov r5, r4\n\t"
      "mov r6, r4\n\t"
      "mov r7, r4\n\t"
      "cmp r9, r12\n\t"
      "beq 3f\n\t"
      ".balign 4\n"
      "2:\n\t" MCG_PAIRS_WORD_0 MCG_PAIRS_WORDS_1_TO_3
      "ldr.w r12, [sp, #4]\n\t"
      "add.w r9, r9, #128\n\t"
      "add.w r8, r8, #32\n\t"
      "cmp r9, r12\n\t"
      "bne.w 2b\n"
      "3:\n\t"
      "ldr.w r12, [sp, #8]\n\t"
      "cmp r9, r12\n\t"
      "beq 5f\n\t"
      ".balign 4\n"
      "4:\n\t" MCG_PAIRS_WORD_0
      "ldr.w r12, [sp, #8]\n\t"
      "add.w r9, r9, #32\n\t"
      "add.w r8, r8, #8\n\t"
      "cmp r9, r12\n\t"
      "bne.w 4b\n"
      "5:\n\t"
      "ldr.w lr, [sp]\n\t"
      "ldr.w r9, [lr, %[factors]]\n\t"
      "ldr.w r12, [lr, %[zero_point]]\n\t"
      "ldr.w r10, [r9, #8]\n\t"
      "ldrb.w r11, [r9, #16]\n\t"
      "subs r4, r4, r0\n\t"
      "subs r5, r5, r1\n\t"
      "subs r6, r6, r2\n\t"
      "subs r7, r7, r3\n\t"
      "asrs r4, r4, #8\n\t"
      "asrs r5, r5, #8\n\t"
      "asrs r6, r6, #8\n\t"
      "asrs r7, r7, #8\n\t"
      "cmn r12, #128\n\t"
      "beq 6f\n\t" MCG_PAIRS_TO_8(MCG_TO_8)
      "b 7f\n"
      "6:\n\t" MCG_PAIRS_TO_8(MCG_TO_8_FROM_LOWEST)
      "7:\n\t"
      "bfi r0, r4, #8, #8\n\t"
      "bfi r1, r5, #8, #8\n\t"
      "bfi r2, r6, #8, #8\n\t"
      "bfi r3, r7, #8, #8\n\t"
      "ldr.w r4, [lr, %[output]]\n\t"
      "ldr.w r5, [lr, %[at1]]\n\t"
      "ldr.w r6, [lr, %[at2]]\n\t"
      "ldr.w r7, [lr, %[at3]]\n\t"
      "ldr.w r12, [lr, %[output_end]]\n\t"
      "add.w r9, r9, #20\n\t"
      "str.w r9, [lr, %[factors]]\n\t"
      "strh r3, [r4, r7]\n\t"
      "strh r2, [r4, r6]\n\t"
      "strh r1, [r4, r5]\n\t"
      "strh r0, [r4]\n\t"
      "adds r4, #2\n\t"
      "str.w r4, [lr, %[output]]\n\t"
      "cmp r4, r12\n\t"
      "bne.w 1b\n\t"
      "str r8, [lr, %[weights]]\n\t"
      "add sp, #12\n\t"
      "pop {r7}"
      : "+r"(r0)
      : [blocks_end] MCG_PAIRS_FIELD(blocks_end), [x_end] MCG_PAIRS_FIELD(x_end),
        [x] MCG_PAIRS_FIELD(x), [weights] MCG_PAIRS_FIELD(weights),
        [factors] MCG_PAIRS_FIELD(factors), [zero_point] MCG_PAIRS_FIELD(zero_point),
        [output] MCG_PAIRS_FIELD(output), [output_end] MCG_PAIRS_FIELD(output_end),
        [at1] MCG_PAIRS_FIELD(at1), [at2] MCG_PAIRS_FIELD(at2), [at3] MCG_PAIRS_FIELD(at3)
      : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  for (; job->output != job->output_end; job->output += 2) {
    const int32_t *factors = job->factors;
    const uint32_t right = (uint32_t)factors[4];
    const int32_t at[MCG_WINDOWS] = {0, job->at1, job->at2, job->at3};
    int32_t a[MCG_WINDOWS], both[MCG_WINDOWS]; /* A, and A + 256 * B modulo 2^32 */
    for (int32_t n = 0; n < MCG_WINDOWS; ++n) {
      a[n] = factors[0];
      both[n] = factors[1];
    }
    for (const uint32_t *x = job->x; x != job->x_end; x += MCG_WINDOWS) {
      const uint32_t lanes = *job->weights++;
      for (int32_t n = 0; n < MCG_WINDOWS; ++n) {
        a[n] = mcg_smlad(x[n], mcg_even_bytes(lanes), a[n]);
        both[n] = (int32_t)((uint32_t)both[n] + (uint32_t)mcg_smlad(x[n], lanes, 0));
      }
    }
    for (int32_t n = MCG_WINDOWS - 1; n >= 0; --n) {
      const int32_t b = (int32_t)((uint32_t)both[n] - (uint32_t)a[n]) >> 8;
      int8_t *output = job->output + at[n];
      output[0] =
          (int8_t)mcg_requantize_to_8(a[n], factors[2], (int32_t)(right & 255u), job->zero_point);
      output[1] =
          (int8_t)mcg_requantize_to_8(b, factors[3], (int32_t)(right >> 8), job->zero_point);
    }
    job->factors += MCG_PAIR_FACTORS;
  }
#endif
}

/* The outputs of all windows, which are then none. */
MCG_INLINE void mcg_multiply_windows(const mcg_pairs *f, mcg_windows *windows) {
  const int32_t words = windows->words;
  const int32_t step = windows->output_step;
  mcg_pairs_job job = {
      .blocks_end = windows->x + (words & ~3) * MCG_WINDOWS_STEP,
      .x_end = windows->x + words * MCG_WINDOWS_STEP,
      .x = windows->x,
      .weights = f->weights,
      .factors = f->factors,
      .zero_point = f->zero_point,
      .output = windows->output,
      .output_end = windows->output + (f->channels & ~1),
      /* A window that is not there goes to the place of window 0, before that is written. */
      .at1 = windows->count > 1 ? step : 0,
      .at2 = windows->count > 2 ? 2 * step : 0,
      .at3 = windows->count > 3 ? 3 * step : 0,
  };
  mcg_multiply_pairs(&job);
  if ((f->channels & 1) != 0) {
    job.output = windows->output + f->channels - 2;
    job.output_end = windows->output + f->channels;
    mcg_multiply_pairs(&job);
  }
  windows->output += windows->count * step;
  windows->count = 0;
}

#endif /* MCG_FILTER_PAIRS_S8_DSP_H */
