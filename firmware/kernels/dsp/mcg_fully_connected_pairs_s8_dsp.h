/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_fully_connected_s8() for cores with DSP instructions, four channels at a time, the weights of
 * two of them in one lane as in mcg_filter_pairs_s8_dsp.h.
 *
 * weights has for every four channels, and every four bytes of depth, the lanes of the first two
 * channels for bytes 0 and 2, those for bytes 1 and 3, and the same of the other two. bias has for
 * every four channels what their sums begin with: the first one's bias, that and 256 times the
 * second one's, and the same of the other two. factors has four multipliers and a word with their
 * shifts, as mcg_requantize_to_8() takes them, for every four channels, or once. If channels is not
 * a multiple of 4, the last four of all are made after those before. Up to three bytes after the
 * input are read, and count nothing.
 */
#ifndef MCG_FULLY_CONNECTED_PAIRS_S8_DSP_H
#define MCG_FULLY_CONNECTED_PAIRS_S8_DSP_H

#include "mcg_dsp.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t channels; /* 4 or more */
  int32_t per_channel;
  int32_t output_zero_point;
} mcg_fully_connected_pairs_s8_dsp_params;

/* The state of mcg_fully_connected_lanes(). */
typedef struct {
  const int32_t *bias;
  const int32_t *factors;
  int32_t factors_step; /* bytes */
  int32_t zero_point;
  int8_t *output;
  int8_t *output_end;
  const int8_t *x;
  const int8_t *blocks_end; /* of the words of x that go in eights */
  const int8_t *x_end;
  const uint32_t *weights;
} mcg_fully_connected_lanes_job;

/* Four channels at a time, up to output_end. */
MCG_SHARED void mcg_fully_connected_lanes(mcg_fully_connected_lanes_job *job) {
#if MCG_DSP
#define MCG_LANES_PAIR(x, w, first, both) \
  "sxtb16.w r11, " w                      \
  "\n\t"                                  \
  "smlad " first ", " x ", r11, " first   \
  "\n\t"                                  \
  "smlad " both ", " x ", " w ", " both "\n\t"
/* Four inputs times four channels: 16 products in 19 instructions, 20 cycles. */
#define MCG_LANES_STEP(w0, w1, w2, w3, at)                                           \
  "ldr.w r4, [r12, #" w0                                                             \
  "]\n\t"                                                                            \
  "ldr.w r5, [r12, #" w1                                                             \
  "]\n\t"                                                                            \
  "ldr.w r6, [r12, #" w2                                                             \
  "]\n\t"                                                                            \
  "ldr.w r8, [r12, #" w3                                                             \
  "]\n\t"                                                                            \
  "ldr.w r9, [lr, #" at                                                              \
  "]\n\t"                                                                            \
  "sxtb16.w r10, r9\n\t"                                                             \
  "sxtb16.w r9, r9, ror #8\n\t" MCG_LANES_PAIR("r10", "r4", "r0", "r1")              \
      MCG_LANES_PAIR("r9", "r5", "r0", "r1") MCG_LANES_PAIR("r10", "r6", "r2", "r3") \
          MCG_LANES_PAIR("r9", "r8", "r2", "r3")
#define MCG_LANES_TO_8(acc, at, shift_at)                                              \
  "ldr.w r9, [r5, #" at                                                                \
  "]\n\t"                                                                              \
  "ldrb.w r10, [r5, #" shift_at "]\n\t" MCG_TO_8(acc, "r9", "r10", "r8") "strb.w " acc \
                                                                         ", [r11], #1\n\t"
#define MCG_LANES_FIELD(field) MCG_OFFSET(mcg_fully_connected_lanes_job, field, bias)
  register mcg_fully_connected_lanes_job *r4 __asm__("r4") = job;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4, r7}\n\t" /* r7 may be the frame pointer, which may not be named as clobbered */
      "ldr r12, [r4, %[weights]]\n"
      "1:\n\t"
      "ldr r5, [r4, %[bias]]\n\t"
      "ldr lr, [r4, %[x]]\n\t"
      "ldr r7, [r4, %[blocks_end]]\n\t"
      "ldm r5!, {r0, r1, r2, r3}\n\t"
      "str r5, [r4, %[bias]]\n\t"
      "cmp lr, r7\n\t"
      "beq 3f\n\t"
      ".balign 4\n"
      "2:\n\t" MCG_LANES_STEP("0", "4", "8", "12", "0") MCG_LANES_STEP("16", "20", "24", "28", "4") MCG_LANES_STEP("32", "36", "40", "44", "8") MCG_LANES_STEP("48", "52", "56", "60", "12") MCG_LANES_STEP("64", "68", "72", "76", "16") MCG_LANES_STEP("80", "84", "88", "92", "20") MCG_LANES_STEP("96", "100", "104", "108", "24") MCG_LANES_STEP("112", "116", "120", "124", "28")
      "add.w lr, lr, #32\n\t"
      "add.w r12, r12, #128\n\t"
      "cmp lr, r7\n\t"
      "bne.w 2b\n"
      "3:\n\t"
      "ldr r4, [sp]\n\t"
      "ldr r7, [r4, %[x_end]]\n\t"
      "cmp lr, r7\n\t"
      "beq 5f\n\t"
      ".balign 4\n"
      "4:\n\t"
      MCG_LANES_STEP("0", "4", "8", "12", "0")
      "add.w lr, lr, #4\n\t"
      "add.w r12, r12, #16\n\t"
      "cmp lr, r7\n\t"
      "bne.w 4b\n"
      "5:\n\t"
      "ldr r4, [sp]\n\t"
      "ldr r5, [r4, %[factors]]\n\t"
      "ldr r6, [r4, %[factors_step]]\n\t"
      "ldr.w r8, [r4, %[zero_point]]\n\t"
      "ldr.w r11, [r4, %[output]]\n\t"
      "subs r1, r1, r0\n\t"
      "subs r3, r3, r2\n\t"
      "asrs r1, r1, #8\n\t"
      "asrs r3, r3, #8\n\t"
      MCG_LANES_TO_8("r0", "0", "16") MCG_LANES_TO_8("r1", "4", "17")
      MCG_LANES_TO_8("r2", "8", "18") MCG_LANES_TO_8("r3", "12", "19")
      "adds r5, r5, r6\n\t"
      "str r5, [r4, %[factors]]\n\t"
      "str.w r11, [r4, %[output]]\n\t"
      "ldr r5, [r4, %[output_end]]\n\t"
      "cmp r11, r5\n\t"
      "bne.w 1b\n\t"
      "str r12, [r4, %[weights]]\n\t"
      "pop {r4, r7}"
      : "+r"(r4)
      : [bias] MCG_LANES_FIELD(bias), [factors] MCG_LANES_FIELD(factors),
        [factors_step] MCG_LANES_FIELD(factors_step), [zero_point] MCG_LANES_FIELD(zero_point),
        [output] MCG_LANES_FIELD(output), [output_end] MCG_LANES_FIELD(output_end),
        [x] MCG_LANES_FIELD(x), [blocks_end] MCG_LANES_FIELD(blocks_end),
        [x_end] MCG_LANES_FIELD(x_end), [weights] MCG_LANES_FIELD(weights)
      : "r0", "r1", "r2", "r3", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  while (job->output != job->output_end) {
    uint32_t sums[4]; /* A and A + 256 * B modulo 2^32, of two pairs */
    for (int32_t n = 0; n < 4; ++n) {
      sums[n] = (uint32_t)*job->bias++;
    }
    for (const int8_t *x = job->x; x != job->x_end; x += 4) {
      for (int32_t n = 0; n < 4; ++n) {
        const uint32_t lanes = *job->weights++, word = mcg_load_4(x);
        const uint32_t inputs = n & 1 ? mcg_odd_bytes(word) : mcg_even_bytes(word);
        uint32_t *sum = sums + (n & 2);
        sum[0] += (uint32_t)mcg_smlad(inputs, mcg_even_bytes(lanes), 0);
        sum[1] += (uint32_t)mcg_smlad(inputs, lanes, 0);
      }
    }
    for (int32_t n = 0; n < 4; ++n) {
      const int32_t both = (int32_t)(sums[n] - sums[n & 2]);
      const int32_t acc = n & 1 ? both >> 8 : (int32_t)sums[n];
      const uint32_t right = (uint32_t)job->factors[4] >> (8 * n) & 255u;
      *job->output++ =
          (int8_t)mcg_requantize_to_8(acc, job->factors[n], (int32_t)right, job->zero_point);
    }
    job->factors += job->factors_step / 4;
  }
#endif
}

MCG_SHARED void mcg_fully_connected_pairs_s8_dsp(const mcg_fully_connected_pairs_s8_dsp_params *p,
                                                 const int8_t *input, const int32_t *weights,
                                                 const int32_t *bias, const int32_t *factors,
                                                 int8_t *output) {
  const int32_t words = (p->depth + 3) >> 2;
  for (int32_t row = 0; row < p->rows; ++row) {
    mcg_fully_connected_lanes_job job = {
        .bias = bias,
        .factors = factors,
        .factors_step = p->per_channel ? 20 : 0,
        .zero_point = p->output_zero_point,
        .output = output,
        .output_end = output + (p->channels & ~3),
        .x = input,
        .blocks_end = input + 4 * (words & ~7),
        .x_end = input + 4 * words,
        .weights = (const uint32_t *)weights,
    };
    mcg_fully_connected_lanes(&job);
    if ((p->channels & 3) != 0) {
      job.output = output + p->channels - 4;
      job.output_end = output + p->channels;
      mcg_fully_connected_lanes(&job);
    }
    input += p->depth;
    output += p->channels;
  }
}

#endif /* MCG_FULLY_CONNECTED_PAIRS_S8_DSP_H */
