/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_fully_connected_s8() for cores with DSP instructions, four channels at a time.
 *
 * Rows of weights are padded with zeros to whole words. Those of four channels lie side by side, a
 * word of each in turn; after the last four channels the rows of the remaining ones follow each
 * other. Up to three bytes after the input are read, and count nothing.
 */
#ifndef MCG_FULLY_CONNECTED_S8_DSP_H
#define MCG_FULLY_CONNECTED_S8_DSP_H

#include "mcg_dsp.h"
#include "mcg_filter_s8.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t channels;
  int32_t per_channel;
  int32_t scale_down;
  int32_t output_zero_point;
  int32_t output_min;
  int32_t output_max;
  int32_t fast; /* see mcg_filters */
} mcg_fully_connected_s8_dsp_params;

/* The state of mcg_fully_connected_fours(). In assembly the first fields are loaded together. */
typedef struct {
  const int32_t *multiplier;
  const int8_t *shift;
  int32_t zero_point;
  int8_t *output;
  int8_t *output_end;
  const int32_t *bias;
  const int8_t *x;
  const int8_t *x_end;
  const int8_t *weights;
  int32_t skipped; /* steps of the unrolled loop that its first round leaves out */
  uintptr_t entry;
  int32_t per_channel; /* 0: one multiplier and one shift for all */
} mcg_fully_connected_job;

/* All channels that come in fours, one output row, requantized by mcg_requantize_to_8(). */
MCG_SHARED void mcg_fully_connected_fours(mcg_fully_connected_job *job) {
#if MCG_DSP
#define MCG_DENSE_CHANNEL(acc, w) \
  "sxtb16.w r11, " w              \
  "\n\t"                          \
  "smlad " acc ", r10, r11, " acc \
  "\n\t"                          \
  "sxtb16.w " w ", " w            \
  ", ror #8\n\t"                  \
  "smlad " acc ", r9, " w ", " acc "\n\t"
/* Four inputs times four channels: 16 products in 20 instructions, 80 bytes. */
#define MCG_DENSE_STEP                                                                      \
  "ldmia.w r12!, {r4, r5, r6, r8}\n\t"                                                      \
  "ldr.w r9, [lr], #4\n\t"                                                                  \
  "sxtb16.w r10, r9\n\t"                                                                    \
  "sxtb16.w r9, r9, ror #8\n\t" MCG_DENSE_CHANNEL("r0", "r4") MCG_DENSE_CHANNEL("r1", "r5") \
      MCG_DENSE_CHANNEL("r2", "r6") MCG_DENSE_CHANNEL("r3", "r8")
#define MCG_DENSE_FACTORS "ldr r9, [r5], #4\n\tldrb r10, [r6], #1\n\t"
#define MCG_DENSE_TO_8(acc) MCG_TO_8(acc, "r9", "r10", "r8") "strb " acc ", [r11], #1\n\t"
#define MCG_DENSE_FIELD(field) MCG_OFFSET(mcg_fully_connected_job, field, multiplier)
  register mcg_fully_connected_job *r4 __asm__("r4") = job;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4, r7}\n\t" /* r7 may be the frame pointer, which may not be named as clobbered */
      "ldr r7, [r4, %[x_end]]\n\t"
      "ldr r12, [r4, %[weights]]\n\t"
      "ldr r0, [r4, %[skipped]]\n\t"
      "movs r1, #80\n\t"
      "adr r2, 2f\n\t"
      "mla r0, r0, r1, r2\n\t"
      "str r0, [r4, %[entry]]\n"
      "1:\n\t"
      "ldr r5, [r4, %[bias]]\n\t"
      "ldr r6, [r4, %[entry]]\n\t"
      "ldmia r5!, {r0, r1, r2, r3}\n\t"
      "str r5, [r4, %[bias]]\n\t"
      "ldr lr, [r4, %[x]]\n\t"
      "mov pc, r6\n\t"
      ".balign 4\n"
      "2:\n\t" MCG_DENSE_STEP MCG_DENSE_STEP MCG_DENSE_STEP MCG_DENSE_STEP
      MCG_CHECK_STEPS("2b", "4 * 80")
      "cmp lr, r7\n\t"
      "bne 2b\n\t"
      "ldr r4, [sp]\n\t"
      "ldm r4, {r5, r6, r8, r11}\n\t" /* multiplier, shift, zero_point, output */
      "ldr r9, [r4, %[per_channel]]\n\t"
      "cmp r9, #0\n\t"
      "bne 3f\n\t" MCG_DENSE_FACTORS
      MCG_DENSE_TO_8("r0") MCG_DENSE_TO_8("r1") MCG_DENSE_TO_8("r2") MCG_DENSE_TO_8("r3")
      "b 4f\n"
      "3:\n\t"
      MCG_DENSE_FACTORS MCG_DENSE_TO_8("r0") MCG_DENSE_FACTORS MCG_DENSE_TO_8("r1")
      MCG_DENSE_FACTORS MCG_DENSE_TO_8("r2") MCG_DENSE_FACTORS MCG_DENSE_TO_8("r3")
      "strd r5, r6, [r4]\n"
      "4:\n\t"
      "str r11, [r4, %[output]]\n\t"
      "ldr r5, [r4, %[output_end]]\n\t"
      "cmp r11, r5\n\t"
      "bne 1b\n\t"
      "pop {r4, r7}"
      : "+r"(r4)
      : [output] MCG_DENSE_FIELD(output), [output_end] MCG_DENSE_FIELD(output_end),
        [bias] MCG_DENSE_FIELD(bias),
        [x] MCG_DENSE_FIELD(x), [x_end] MCG_DENSE_FIELD(x_end), [weights] MCG_DENSE_FIELD(weights),
        [skipped] MCG_DENSE_FIELD(skipped), [entry] MCG_DENSE_FIELD(entry),
        [per_channel] MCG_DENSE_FIELD(per_channel)
      : "r0", "r1", "r2", "r3", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  while (job->output != job->output_end) {
    int32_t acc[4];
    for (int32_t n = 0; n < 4; ++n) {
      acc[n] = *job->bias++;
    }
    for (const int8_t *x = job->x; x != job->x_end; x += 4) {
      for (int32_t n = 0; n < 4; ++n) {
        const uint32_t word = mcg_load_4(job->weights);
        acc[n] = mcg_smlad(mcg_even_bytes(mcg_load_4(x)), mcg_even_bytes(word), acc[n]);
        acc[n] = mcg_smlad(mcg_odd_bytes(mcg_load_4(x)), mcg_odd_bytes(word), acc[n]);
        job->weights += 4;
      }
    }
    for (int32_t n = 0; n < 4; ++n) {
      *job->output++ =
          (int8_t)mcg_requantize_to_8(acc[n], *job->multiplier, *job->shift, job->zero_point);
      job->multiplier += job->per_channel;
      job->shift += job->per_channel;
    }
  }
#endif
}

MCG_SHARED void mcg_fully_connected_s8_dsp(const mcg_fully_connected_s8_dsp_params *p,
                                           const int8_t *input, const int8_t *weights,
                                           const int32_t *bias, const int32_t *multiplier,
                                           const int8_t *shift, int8_t *output) {
  const mcg_output_stage stage = {
      multiplier,           shift,         p->per_channel, p->scale_down,
      p->output_zero_point, p->output_min, p->output_max,
  };
  const int32_t words = (p->depth + 3) >> 2;
  const int32_t fours = p->channels & ~3;
  for (int32_t row = 0; row < p->rows; ++row) {
    int32_t channel = 0;
    if (p->fast && fours > 0) {
      mcg_fully_connected_job job = {
          .multiplier = multiplier,
          .shift = shift,
          .zero_point = p->output_zero_point,
          .output = output,
          .output_end = output + fours,
          .bias = bias,
          .x = input,
          .x_end = input + 4 * words,
          .weights = weights,
          .skipped = -words & 3,
          .per_channel = p->per_channel,
      };
      mcg_fully_connected_fours(&job);
      channel = fours;
    }
    for (; channel < p->channels; ++channel) {
      const int32_t step = channel < fours ? 16 : 4;
      const int8_t *w = weights + (channel < fours ? (channel & ~3) * 4 * words + (channel & 3) * 4
                                                   : channel * 4 * words);
      int32_t acc = bias[channel];
      for (int32_t word = 0; word < words; ++word) {
        const uint32_t x = mcg_load_4(input + 4 * word);
        acc = mcg_smlad(mcg_even_bytes(x), mcg_even_bytes(mcg_load_4(w)), acc);
        acc = mcg_smlad(mcg_odd_bytes(x), mcg_odd_bytes(mcg_load_4(w)), acc);
        w += step;
      }
      const int32_t entry = p->per_channel ? channel : 0;
      output[channel] = p->fast ? (int8_t)mcg_requantize_to_8(acc, multiplier[entry], shift[entry],
                                                              stage.zero_point)
                                : mcg_output(&stage, channel, acc);
    }
    input += p->depth;
    output += p->channels;
  }
}

#endif /* MCG_FULLY_CONNECTED_S8_DSP_H */
