/* SPDX-License-Identifier: Apache-2.0 */
/* What the DSP convolutions share: windows widened to 16 bits, four at a time, and their inner
 * products with all filters.
 */
#ifndef MCG_FILTER_S8_DSP_H
#define MCG_FILTER_S8_DSP_H

#include "mcg_dsp.h"
#include "mcg_filter_s8.h"

/* Four windows side by side: for every four bytes of depth the even pairs of all four windows, then
 * their odd pairs. */
#define MCG_WINDOWS 4
#define MCG_WINDOWS_STEP (2 * MCG_WINDOWS) /* pairs per four bytes of depth */

/* What all windows are multiplied with. weights is [channels][depth]; three more bytes must be
 * readable after the last row if depth is not a multiple of 4.
 *
 * fast: 1 if stage.multiplier and stage.shift are what mcg_requantize_to_8() takes, one for each
 * channel, and outputs are clamped to -128 ... 127; 0 if mcg_output() makes the outputs. */
typedef struct {
  mcg_output_stage stage;
  const int8_t *weights;
  const int32_t *bias; /* holds the input's zero point */
  int32_t depth;
  int32_t channels;
  int32_t fast;
} mcg_filters;

/* Up to four windows on their way to the output. */
typedef struct {
  uint32_t *x;         /* the widened windows */
  int32_t words;       /* depth / 4, rounded up */
  int32_t count;       /* windows so far */
  int8_t *output;      /* of the first window */
  int32_t output_step; /* bytes from one window's outputs to the next one's */
  int32_t groups;      /* whole fours before these, where several are multiplied at once */
} mcg_windows;

/* Appends `words` words of bytes to one window. */
MCG_SHARED uint32_t *mcg_widen(const int8_t *from, int32_t words, uint32_t *to) {
#if MCG_DSP
#define MCG_WIDEN_WORD                  \
  "ldr %[word], [%[from]], #4\n\t"      \
  "sxtb16 %[even], %[word]\n\t"         \
  "sxtb16 %[word], %[word], ror #8\n\t" \
  "str %[word], [%[to], #16]\n\t"       \
  "str %[even], [%[to]], #32\n\t"
  uint32_t word, even;
  __asm__ volatile(
      ".syntax unified\n\t"
      "subs %[words], #4\n\t"
      "blt 2f\n"
      "1:\n\t" MCG_WIDEN_WORD MCG_WIDEN_WORD MCG_WIDEN_WORD MCG_WIDEN_WORD
      "subs %[words], #4\n\t"
      "bge 1b\n"
      "2:\n\t"
      "adds %[words], #4\n\t"
      "beq 4f\n"
      "3:\n\t" MCG_WIDEN_WORD
      "subs %[words], #1\n\t"
      "bne 3b\n"
      "4:"
      :
      [from] "+r"(from), [words] "+l"(words), [to] "+r"(to), [word] "=&r"(word), [even] "=&r"(even)
      :
      : "cc", "memory");
#else
  for (; words > 0; --words) {
    const uint32_t word = mcg_load_4(from);
    to[0] = mcg_even_bytes(word);
    to[MCG_WINDOWS] = mcg_odd_bytes(word);
    from += 4;
    to += MCG_WINDOWS_STEP;
  }
#endif
  return to;
}

/* Appends `bytes` bytes, and zeros up to a multiple of 4: so what the weights hold there, which is
 * the next row, counts nothing. */
MCG_INLINE void mcg_widen_all(const int8_t *from, int32_t bytes, uint32_t *to) {
  to = mcg_widen(from, bytes >> 2, to);
  if ((bytes & 3) != 0) {
    uint32_t word = 0;
    from += bytes & ~3;
    for (int32_t i = 0; i < (bytes & 3); ++i) {
      word |= (uint32_t)(uint8_t)from[i] << (8 * i);
    }
    to[0] = mcg_even_bytes(word);
    to[MCG_WINDOWS] = mcg_odd_bytes(word);
  }
}

/* acc[n] += the inner product of `words` words of weights with window n. */
MCG_INLINE void mcg_dot_windows(const uint32_t *x, int32_t words, const int8_t *weights,
                                int32_t *acc) {
  for (; words > 0; --words) {
    const uint32_t even = mcg_even_bytes(mcg_load_4(weights));
    const uint32_t odd = mcg_odd_bytes(mcg_load_4(weights));
    for (int32_t n = 0; n < MCG_WINDOWS; ++n) {
      acc[n] = mcg_smlad(x[n], even, acc[n]);
      acc[n] = mcg_smlad(x[MCG_WINDOWS + n], odd, acc[n]);
    }
    weights += 4;
    x += MCG_WINDOWS_STEP;
  }
}

/* The state of mcg_filter_fast(). In assembly a pointer to `multiplier` reaches all of it; the
 * groups of fields are loaded together. */
typedef struct {
  const int8_t *weights;
  const uint32_t *x_end;
  int32_t surplus; /* bytes that are read after a row of weights */
  int8_t *output_end;
  int32_t skipped; /* steps of the unrolled loop that its first round leaves out */
  uintptr_t to_8;
  const int32_t *bias;
  uintptr_t entry;
  const uint32_t *x;

  const int32_t *multiplier;
  const int8_t *shift;
  int32_t zero_point;
  int8_t *output; /* of window 0 */
  int32_t at1;    /* output of window 1, from that of window 0 */
  int32_t at2;
  int32_t at3;
} mcg_filter_job;

/* All channels of four windows, requantized by mcg_requantize_to_8(). */
MCG_INLINE void mcg_filter_fast(mcg_filter_job *job) {
#if MCG_DSP
/* Four weights times four bytes of four windows: 16 products in 13 instructions, 52 bytes. */
#define MCG_FILTER_STEP               \
  "ldr.w r9, [r11], #4\n\t"           \
  "ldmia.w lr!, {r4, r5, r6, r8}\n\t" \
  "sxtb16.w r10, r9\n\t"              \
  "smlad r1, r4, r10, r1\n\t"         \
  "smlad r2, r5, r10, r2\n\t"         \
  "smlad r3, r6, r10, r3\n\t"         \
  "smlad r12, r8, r10, r12\n\t"       \
  "ldmia.w lr!, {r4, r5, r6, r8}\n\t" \
  "sxtb16.w r10, r9, ror #8\n\t"      \
  "smlad r1, r4, r10, r1\n\t"         \
  "smlad r2, r5, r10, r2\n\t"         \
  "smlad r3, r6, r10, r3\n\t"         \
  "smlad r12, r8, r10, r12\n\t"
#define MCG_FILTER_TO_8(to_8)                                                             \
  to_8("r12", "lr", "r4", "r6") to_8("r3", "lr", "r4", "r6") to_8("r2", "lr", "r4", "r6") \
      to_8("r1", "lr", "r4", "r6")
/* Offsets from the job, and from where r0 points later. */
#define MCG_FILTER_FIELD(field) MCG_OFFSET(mcg_filter_job, field, weights)
#define MCG_FILTER_LATER(field) MCG_OFFSET(mcg_filter_job, field, multiplier)
  register mcg_filter_job *r0 __asm__("r0") = job;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "ldr r11, [r0, %[weights]]\n\t"
      "ldr r7, [r0, %[x_end]]\n\t"
      "ldr r1, [r0, %[skipped]]\n\t"
      "movs r2, #52\n\t"
      "adr r3, 2f\n\t"
      "mla r1, r1, r2, r3\n\t"
      "str r1, [r0, %[entry]]\n\t"
      "add r0, %[multiplier]\n\t"
      "ldr r1, [r0, %[zero_point]]\n\t"
      "adr.w r2, 3f + 1\n\t" /* Thumb code has odd addresses */
      "adr.w r3, 4f + 1\n\t"
      "cmn r1, #128\n\t"
      "it ne\n\t"
      "movne r2, r3\n\t"
      "str r2, [r0, %[to_8]]\n\t"
      "b 1f\n\t"
      ".balign 4\n"
      "2:\n\t" MCG_FILTER_STEP MCG_FILTER_STEP MCG_FILTER_STEP MCG_FILTER_STEP
      MCG_CHECK_STEPS("2b", "4 * 52")
      "cmp lr, r7\n\t"
      "bne 2b\n\t"
      /* multiplier, shift, zero_point, output, at1, at2 */
      "ldmia r0, {r4, r5, r6, r8, r9, r10}\n\t"
      "ldr lr, [r4], #4\n\t"
      "str r4, [r0]\n\t"
      "ldrb r4, [r5], #1\n\t"
      "str r5, [r0, #4]\n\t"
      "ldr r5, [r0, %[at3]]\n\t"
      "ldr pc, [r0, %[to_8]]\n"
      "3:\n\t" MCG_FILTER_TO_8(MCG_TO_8_FROM_LOWEST)
      "b 5f\n"
      "4:\n\t" MCG_FILTER_TO_8(MCG_TO_8)
      "5:\n\t"
      "strb r12, [r8, r5]\n\t"
      "strb r3, [r8, r10]\n\t"
      "strb r2, [r8, r9]\n\t"
      "strb r1, [r8], #1\n\t"
      "str r8, [r0, %[output]]\n\t"
      "ldrd r5, r6, [r0, %[surplus]]\n\t" /* surplus, output_end */
      "sub r11, r5\n\t"
      "cmp r8, r6\n\t"
      "beq 6f\n"
      "1:\n\t"
      "ldmdb r0, {r4, r10, lr}\n\t" /* bias, entry, x */
      "ldr r1, [r4], #4\n\t"
      "str r4, [r0, %[bias]]\n\t"
      "mov r2, r1\n\t"
      "mov r3, r1\n\t"
      "mov r12, r1\n\t"
      "mov pc, r10\n"
      "6:\n\t"
      "pop {r7}"
      : "+r"(r0)
      : [weights] MCG_FILTER_FIELD(weights), [x_end] MCG_FILTER_FIELD(x_end),
        [skipped] MCG_FILTER_FIELD(skipped), [entry] MCG_FILTER_FIELD(entry),
        [multiplier] MCG_FILTER_FIELD(multiplier), [at3] MCG_FILTER_LATER(at3),
        [output] MCG_FILTER_LATER(output), [surplus] MCG_FILTER_LATER(surplus),
        [bias] MCG_FILTER_LATER(bias), [zero_point] MCG_FILTER_LATER(zero_point),
        [to_8] MCG_FILTER_LATER(to_8)
      : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  const int32_t words = (int32_t)(job->x_end - job->x) / MCG_WINDOWS_STEP;
  for (; job->output != job->output_end; ++job->output) {
    const int32_t bias = *job->bias++;
    const int32_t multiplier = *job->multiplier++;
    const int32_t right = *job->shift++;
    int32_t acc[MCG_WINDOWS] = {bias, bias, bias, bias};
    mcg_dot_windows(job->x, words, job->weights, acc);
    job->weights += 4 * words - job->surplus;
    job->output[job->at3] = (int8_t)mcg_requantize_to_8(acc[3], multiplier, right, job->zero_point);
    job->output[job->at2] = (int8_t)mcg_requantize_to_8(acc[2], multiplier, right, job->zero_point);
    job->output[job->at1] = (int8_t)mcg_requantize_to_8(acc[1], multiplier, right, job->zero_point);
    job->output[0] = (int8_t)mcg_requantize_to_8(acc[0], multiplier, right, job->zero_point);
  }
#endif
}

/* All channels of four windows, requantized by mcg_output(). */
MCG_INLINE void mcg_filter_any(const mcg_filters *f, const mcg_filter_job *job, int32_t words) {
  const int8_t *weights = job->weights;
  int8_t *output = job->output;
  for (int32_t channel = 0; channel < f->channels; ++channel) {
    const int32_t at[MCG_WINDOWS] = {0, job->at1, job->at2, job->at3};
    const int32_t bias = f->bias[channel];
    int32_t acc[MCG_WINDOWS] = {bias, bias, bias, bias};
    mcg_dot_windows(job->x, words, weights, acc);
    for (int32_t n = MCG_WINDOWS - 1; n >= 0; --n) {
      output[at[n]] = mcg_output(&f->stage, channel, acc[n]);
    }
    ++output;
    weights += f->depth;
  }
}

/* The outputs of all windows, which are then none. */
MCG_SHARED void mcg_filter_windows(const mcg_filters *f, mcg_windows *windows) {
  const int32_t words = windows->words;
  const int32_t step = windows->output_step;
  mcg_filter_job job = {
      .weights = f->weights,
      .x_end = windows->x + words * MCG_WINDOWS_STEP,
      .surplus = 4 * words - f->depth,
      .output_end = windows->output + f->channels,
      .skipped = -words & 3,
      .bias = f->bias,
      .x = windows->x,
      .multiplier = f->stage.multiplier,
      .shift = f->stage.shift,
      .zero_point = f->stage.zero_point,
      .output = windows->output,
      /* A window that is not there goes to the place of window 0, before that is written. */
      .at1 = windows->count > 1 ? step : 0,
      .at2 = windows->count > 2 ? 2 * step : 0,
      .at3 = windows->count > 3 ? 3 * step : 0,
  };
  if (f->fast) {
    mcg_filter_fast(&job);
  } else {
    mcg_filter_any(f, &job, words);
  }
  windows->output += windows->count * step;
  windows->count = 0;
}

/* Counts a window that has been appended. */
MCG_INLINE void mcg_filter_appended(const mcg_filters *f, mcg_windows *windows) {
  if (++windows->count == MCG_WINDOWS) {
    mcg_filter_windows(f, windows);
  }
}

#endif /* MCG_FILTER_S8_DSP_H */
