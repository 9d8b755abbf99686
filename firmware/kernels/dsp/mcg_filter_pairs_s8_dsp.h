/* SPDX-License-Identifier: Apache-2.0 */
/* Inner products of groups of four widened windows with two channels at a time, whose weights share
 * lanes.
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

/* What mcg_multiply_pairs() multiplies: groups of four windows with pairs of channels. */
typedef struct {
  const uint32_t *x; /* the first group, in one piece with the others */
  int32_t blocks;    /* bytes of a group's words that go in fours */
  int32_t singles;   /* bytes of its other words */
  const uint32_t *weights;
  const int32_t *factors;
  int32_t zero_point;
  int8_t *output; /* of window 0 of the first group */
  int32_t at1;    /* output of window 1, from that of window 0 */
  int32_t at2;
  int32_t at3;
  int32_t next; /* from a group's outputs to the next one's */
  int32_t groups_left;
  int32_t groups;
  int32_t back; /* from behind the last group's outputs to the first one's for the next pair */
  int8_t *output_end;
  const uint32_t *end;
  int32_t words; /* of a window */
} mcg_pairs_job;

/* Two channels at a time, up to output_end: so that a cache in front of the flash holds the weights
 * for all groups but the first. */
MCG_SHARED void mcg_multiply_pairs(const mcg_pairs_job *job) {
#if MCG_DSP
/* Two bytes of depth of two channels and four windows: 16 products in 14 instructions, 16 cycles.
 */
#define MCG_PAIRS_HALF(w, x0, x1, x2, x3) MCG_PAIRS_HALF_AND("", w, x0, x1, x2, x3)
#define MCG_PAIRS_HALF_AND(more, w, x0, x1, x2, x3) \
  "ldr.w r10, [r8, #" w                             \
  "]\n\t"                                           \
  "ldr.w r12, [r9, #" x0                            \
  "]\n\t"                                           \
  "ldr.w lr, [r9, #" x1 "]\n\t" more                \
  "sxtb16.w r11, r10\n\t"                           \
  "smlad r0, r12, r11, r0\n\t"                      \
  "smlad r4, r12, r10, r4\n\t"                      \
  "smlad r1, lr, r11, r1\n\t"                       \
  "smlad r5, lr, r10, r5\n\t"                       \
  "ldr.w r12, [r9, #" x2                            \
  "]\n\t"                                           \
  "ldr.w lr, [r9, #" x3                             \
  "]\n\t"                                           \
  "smlad r2, r12, r11, r2\n\t"                      \
  "smlad r6, r12, r10, r6\n\t"                      \
  "smlad r3, lr, r11, r3\n\t"                       \
  "smlad r7, lr, r10, r7\n\t"
/* The first word of a round also tells whether it is the last one: `end` is where that begins. */
#define MCG_PAIRS_WORD_0                                                                          \
  "ldr.w r11, [sp, %[end]]\n\t" MCG_PAIRS_HALF_AND("cmp.w r9, r11\n\t", "0", "0", "4", "8", "12") \
      MCG_PAIRS_HALF("4", "16", "20", "24", "28")
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
  "ldr.w r10, [lr, #12]\n\t"                                                       \
  "ldrb.w r11, [lr, #17]\n\t" to_8("r4", "r10", "r11", "r12")                      \
      to_8("r5", "r10", "r11", "r12") to_8("r6", "r10", "r11", "r12")              \
          to_8("r7", "r10", "r11", "r12")
#define MCG_PAIRS_FIELD(field) MCG_OFFSET(mcg_pairs_job, field, x)
  register const mcg_pairs_job *r0 __asm__("r0") = job;
  /* The job is copied to the stack, where its fields are reached without a register. r8 are the
   * weights, r9 a group's windows. */
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "sub sp, #64\n\t"
      "mov r9, sp\n\t"
      "ldm r0!, {r1, r2, r3, r4, r5, r6, r7, r8}\n\t"
      "stm.w r9!, {r1, r2, r3, r4, r5, r6, r7, r8}\n\t"
      "ldm r0, {r1, r2, r3, r4, r5, r6, r7}\n\t"
      "stm.w r9, {r1, r2, r3, r4, r5, r6, r7}\n\t"
      "ldr.w r8, [sp, %[weights]]\n\t"
      "ldr.w r9, [sp, %[x]]\n\t"
      ".balign 4\n"
      "1:\n\t" /* a group */
      "ldr.w r12, [sp, %[factors]]\n\t"
      "ldr.w lr, [sp, %[blocks]]\n\t"
      "ldr.w r0, [r12]\n\t"
      "ldr.w r4, [r12, #4]\n\t"
      "subs.w lr, lr, #128\n\t"
      "add.w r12, r9, lr\n\t"
      "mov r1, r0\n\t"
      "mov r2, r0\n\t"
      "mov r3, r0\n\t"
      "mov r5, r4\n\t"
      "mov r6, r4\n\t"
      "mov r7, r4\n\t"
      "blt.w 3f\n\t"
      "str.w r12, [sp, %[end]]\n\t"
      ".balign 4\n"
      "2:\n\t" MCG_PAIRS_WORD_0 MCG_PAIRS_WORDS_1_TO_3
      "add.w r9, r9, #128\n\t"
      "add.w r8, r8, #32\n\t"
      "bne.w 2b\n"
      "3:\n\t"
      "ldr.w lr, [sp, %[singles]]\n\t"
      "cmp.w lr, #0\n\t"
      "beq.w 5f\n\t"
      "sub.w lr, lr, #32\n\t"
      "add.w lr, r9, lr\n\t"
      "str.w lr, [sp, %[end]]\n\t"
      ".balign 4\n"
      "4:\n\t" MCG_PAIRS_WORD_0
      "add.w r9, r9, #32\n\t"
      "add.w r8, r8, #8\n\t"
      "bne.w 4b\n"
      "5:\n\t"
      "ldr.w lr, [sp, %[factors]]\n\t"
      "ldr.w r12, [sp, %[zero_point]]\n\t"
      "ldr.w r10, [lr, #8]\n\t"
      "ldrb.w r11, [lr, #16]\n\t"
      "subs r4, r4, r0\n\t"
      "subs r5, r5, r1\n\t"
      "subs r6, r6, r2\n\t"
      "subs r7, r7, r3\n\t"
      "asrs r4, r4, #8\n\t"
      "asrs r5, r5, #8\n\t"
      "asrs r6, r6, #8\n\t"
      "asrs r7, r7, #8\n\t"
      "cmn.w r12, #128\n\t"
      "bne.w 8f\n\t" MCG_PAIRS_TO_8(MCG_TO_8_FROM_LOWEST)
      "6:\n\t"
      "bfi r0, r4, #8, #8\n\t"
      "bfi r1, r5, #8, #8\n\t"
      "bfi r2, r6, #8, #8\n\t"
      "bfi r3, r7, #8, #8\n\t"
      "ldr.w r10, [sp, %[next]]\n\t"
      "ldr.w r11, [sp, %[groups_left]]\n\t"
      "ldr.w r4, [sp, %[output]]\n\t"
      "ldr.w r5, [sp, %[at1]]\n\t"
      "ldr.w r6, [sp, %[at2]]\n\t"
      "ldr.w r7, [sp, %[at3]]\n\t"
      "strh.w r3, [r4, r7]\n\t"
      "strh.w r2, [r4, r6]\n\t"
      "strh.w r1, [r4, r5]\n\t"
      "strh.w r0, [r4]\n\t"
      "add.w r4, r4, r10\n\t"
      "subs.w r11, r11, #1\n\t"
      "beq.n 7f\n\t"
      "str.w r4, [sp, %[output]]\n\t"
      "str.w r11, [sp, %[groups_left]]\n\t"
      "ldr.w r8, [sp, %[weights]]\n\t"
      "b.w 1b\n"
      "7:\n\t" /* the next pair */
      "ldr.w r9, [sp, %[x]]\n\t"
      "ldr.w r5, [sp, %[groups]]\n\t"
      "ldr.w r6, [sp, %[back]]\n\t"
      "ldr.w r7, [sp, %[output_end]]\n\t"
      "ldr.w r12, [sp, %[factors]]\n\t"
      "add.w r4, r4, r6\n\t"
      "str.w r4, [sp, %[output]]\n\t"
      "str.w r5, [sp, %[groups_left]]\n\t"
      "str.w r8, [sp, %[weights]]\n\t"
      "add.w r12, r12, #20\n\t"
      "str.w r12, [sp, %[factors]]\n\t"
      "cmp r4, r7\n\t"
      "bne.w 1b\n\t"
      "b.n 9f\n"
      "8:\n\t" MCG_PAIRS_TO_8(MCG_TO_8)
      "b.w 6b\n"
      "9:\n\t"
      "add sp, #64\n\t"
      "pop {r7}"
      : "+r"(r0)
      : [x] MCG_PAIRS_FIELD(x), [blocks] MCG_PAIRS_FIELD(blocks),
        [singles] MCG_PAIRS_FIELD(singles), [weights] MCG_PAIRS_FIELD(weights),
        [factors] MCG_PAIRS_FIELD(factors), [zero_point] MCG_PAIRS_FIELD(zero_point),
        [output] MCG_PAIRS_FIELD(output), [at1] MCG_PAIRS_FIELD(at1), [at2] MCG_PAIRS_FIELD(at2),
        [at3] MCG_PAIRS_FIELD(at3), [next] MCG_PAIRS_FIELD(next),
        [groups_left] MCG_PAIRS_FIELD(groups_left), [groups] MCG_PAIRS_FIELD(groups),
        [back] MCG_PAIRS_FIELD(back), [output_end] MCG_PAIRS_FIELD(output_end),
        [end] MCG_PAIRS_FIELD(end)
      : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  const int32_t at[MCG_WINDOWS] = {0, job->at1, job->at2, job->at3};
  const int32_t lanes = (job->blocks + job->singles) / (4 * MCG_WINDOWS);
  const uint32_t *weights = job->weights;
  const int32_t *factors = job->factors;
  for (int8_t *pair = job->output; pair != job->output_end; pair += 2) {
    const uint32_t right = (uint32_t)factors[4];
    const uint32_t *x = job->x;
    for (int32_t group = 0; group < job->groups; ++group) {
      int32_t a[MCG_WINDOWS], both[MCG_WINDOWS]; /* A, and A + 256 * B modulo 2^32 */
      for (int32_t n = 0; n < MCG_WINDOWS; ++n) {
        a[n] = factors[0];
        both[n] = factors[1];
      }
      for (int32_t i = 0; i < lanes; ++i) {
        for (int32_t n = 0; n < MCG_WINDOWS; ++n) {
          a[n] = mcg_smlad(*x, mcg_even_bytes(weights[i]), a[n]);
          both[n] = (int32_t)((uint32_t)both[n] + (uint32_t)mcg_smlad(*x, weights[i], 0));
          ++x;
        }
      }
      for (int32_t n = MCG_WINDOWS - 1; n >= 0; --n) {
        const int32_t b = (int32_t)((uint32_t)both[n] - (uint32_t)a[n]) >> 8;
        int8_t *output = pair + group * job->next + at[n];
        output[0] =
            (int8_t)mcg_requantize_to_8(a[n], factors[2], (int32_t)(right & 255u), job->zero_point);
        output[1] =
            (int8_t)mcg_requantize_to_8(b, factors[3], (int32_t)(right >> 8), job->zero_point);
      }
    }
    weights += lanes;
    factors += MCG_PAIR_FACTORS;
  }
#endif
}

/* The same for a single window, the first of its group: 15 cycles for 8 products. */
MCG_SHARED void mcg_multiply_window(const mcg_pairs_job *job) {
#if MCG_DSP
#define MCG_WINDOW_HALF(w, x)  \
  "ldr.w lr, [r3, #" w         \
  "]\n\t"                      \
  "ldr.w r0, [r9, #" x         \
  "]\n\t"                      \
  "sxtb16.w r7, lr\n\t"        \
  "smlad r11, r0, r7, r11\n\t" \
  "smlad r12, r0, lr, r12\n\t"
  register const mcg_pairs_job *r0 __asm__("r0") = job;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "ldr.w r1, [r0, %[x]]\n\t"
      "ldr.w r2, [r0, %[words]]\n\t"
      "ldr.w r3, [r0, %[weights]]\n\t"
      "ldr.w r4, [r0, %[factors]]\n\t"
      "ldr.w r5, [r0, %[output]]\n\t"
      "ldr.w r6, [r0, %[output_end]]\n\t"
      "ldr.w r8, [r0, %[zero_point]]\n\t"
      ".balign 4\n"
      "1:\n\t" /* a pair of channels: the sums are r11 and r12 */
      "ldr.w r11, [r4]\n\t"
      "ldr.w r12, [r4, #4]\n\t"
      "mov.w r9, r1\n\t"
      "lsrs.w r10, r2, #1\n\t" /* words go in twos */
      "bcc.n 2f\n\t" MCG_WINDOW_HALF("0", "0") MCG_WINDOW_HALF("4", "16")
      "add.w r3, r3, #8\n\t"
      "add.w r9, r9, #32\n\t"
      "cmp.w r10, #0\n\t"
      "beq.n 3f\n\t"
      ".balign 4\n"
      "2:\n\t" MCG_WINDOW_HALF("0", "0") MCG_WINDOW_HALF("4", "16") MCG_WINDOW_HALF("8", "32")
          MCG_WINDOW_HALF("12", "48")
      "add.w r3, r3, #16\n\t"
      "add.w r9, r9, #64\n\t"
      "subs.w r10, r10, #1\n\t"
      "bne.w 2b\n"
      "3:\n\t"
      "ldr.w r0, [r4, #8]\n\t"
      "ldrb.w r7, [r4, #16]\n\t"
      "subs.w r12, r12, r11\n\t"
      "asrs.w r12, r12, #8\n\t" MCG_TO_8("r11", "r0", "r7", "r8")
      "ldr.w r0, [r4, #12]\n\t"
      "ldrb.w r7, [r4, #17]\n\t" MCG_TO_8("r12", "r0", "r7", "r8")
      "bfi r11, r12, #8, #8\n\t"
      "strh.w r11, [r5], #2\n\t"
      "add.w r4, r4, #20\n\t"
      "cmp r5, r6\n\t"
      "bne.w 1b\n\t"
      "pop {r7}"
      : "+r"(r0)
      : [x] MCG_PAIRS_FIELD(x), [words] MCG_PAIRS_FIELD(words), [weights] MCG_PAIRS_FIELD(weights),
        [factors] MCG_PAIRS_FIELD(factors), [output] MCG_PAIRS_FIELD(output),
        [output_end] MCG_PAIRS_FIELD(output_end), [zero_point] MCG_PAIRS_FIELD(zero_point)
      : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
#else
  const uint32_t *weights = job->weights;
  const int32_t *factors = job->factors;
  for (int8_t *pair = job->output; pair != job->output_end; pair += 2) {
    const uint32_t right = (uint32_t)factors[4];
    int32_t a = factors[0], both = factors[1];
    for (int32_t i = 0; i < 2 * job->words; ++i) {
      const uint32_t x = job->x[MCG_WINDOWS * i];
      a = mcg_smlad(x, mcg_even_bytes(weights[i]), a);
      both = (int32_t)((uint32_t)both + (uint32_t)mcg_smlad(x, weights[i], 0));
    }
    const int32_t b = (int32_t)((uint32_t)both - (uint32_t)a) >> 8;
    pair[0] = (int8_t)mcg_requantize_to_8(a, factors[2], (int32_t)(right & 255u), job->zero_point);
    pair[1] = (int8_t)mcg_requantize_to_8(b, factors[3], (int32_t)(right >> 8), job->zero_point);
    weights += 2 * job->words;
    factors += MCG_PAIR_FACTORS;
  }
#endif
}

MCG_INLINE void mcg_multiply_job(const mcg_pairs_job *job, int32_t count) {
  if (count == 1) {
    mcg_multiply_window(job);
  } else {
    mcg_multiply_pairs(job);
  }
}

/* All channels of `groups` groups of windows, the first of which is at x. Of a single group that is
 * not whole there are `count` windows. */
MCG_INLINE void mcg_multiply_groups(const mcg_pairs *f, const uint32_t *x, int32_t words,
                                    int32_t groups, int32_t count, int8_t *output,
                                    int32_t output_step) {
  const int32_t pairs = f->channels >> 1;
  mcg_pairs_job job = {
      .x = x,
      .blocks = 4 * MCG_WINDOWS_STEP * (words & ~3),
      .singles = 4 * MCG_WINDOWS_STEP * (words & 3),
      .weights = f->weights,
      .factors = f->factors,
      .zero_point = f->zero_point,
      .output = output,
      /* A window that is not there goes to the place of window 0, before that is written. */
      .at1 = count > 1 ? output_step : 0,
      .at2 = count > 2 ? 2 * output_step : 0,
      .at3 = count > 3 ? 3 * output_step : 0,
      .next = MCG_WINDOWS * output_step,
      .groups_left = groups,
      .groups = groups,
      .back = 2 - groups * MCG_WINDOWS * output_step,
      .output_end = output + 2 * pairs,
      .words = words,
  };
  mcg_multiply_job(&job, count);
  if ((f->channels & 1) != 0) {
    job.weights += 2 * words * pairs;
    job.factors += MCG_PAIR_FACTORS * pairs;
    job.output = output + f->channels - 2;
    job.output_end = output + f->channels;
    mcg_multiply_job(&job, count);
  }
}

/* The outputs of all windows that have been appended, which are then none. */
MCG_SHARED void mcg_multiply_appended(const mcg_pairs *f, mcg_windows *windows) {
  const int32_t step = windows->output_step;
  uint32_t *x = windows->x - windows->groups * windows->words * MCG_WINDOWS_STEP;
  /* Whole groups at once, and then what may be left. */
  for (int32_t groups = windows->groups; groups > 0 || windows->count > 0;) {
    const int32_t count = groups > 0 ? MCG_WINDOWS : windows->count;
    mcg_multiply_groups(f, groups > 0 ? x : windows->x, windows->words, mcg_max(groups, 1), count,
                        windows->output, step);
    windows->output += mcg_max(groups, 1) * count * step;
    if (groups == 0) {
      windows->count = 0;
    }
    groups = 0;
  }
  windows->x = x;
  windows->groups = 0;
}

/* Counts windows that have been appended; where the scratch then holds `most` groups, or no window
 * is left, gives the outputs of all windows. windows->x is the group that windows are appended to.
 */
MCG_INLINE void mcg_pairs_appended(const mcg_pairs *f, int32_t most, int32_t count, int32_t left,
                                   mcg_windows *windows) {
  windows->count += count;
  if (windows->count == MCG_WINDOWS) {
    windows->count = 0;
    windows->x += windows->words * MCG_WINDOWS_STEP;
    ++windows->groups;
  }
  if (windows->groups == most || left == 0) {
    mcg_multiply_appended(f, windows);
  }
}

/* Widens rows of `words` words into one window after the other, or row after row into one window.
 * The skips are bytes from behind a row to the next one, and likewise where it goes. */
typedef struct {
  int32_t words;
  int32_t rows;
  int32_t skip;
  int32_t to_skip;
} mcg_widen_job;

MCG_SHARED void mcg_widen_rows(const mcg_widen_job *job, const int8_t *from, uint32_t *to) {
#if MCG_DSP
#define MCG_WIDEN_PAIR(word, even, odd) \
  "sxtb16.w r9, " word                  \
  "\n\t"                                \
  "sxtb16.w " word ", " word            \
  ", ror #8\n\t"                        \
  "str.w r9, [r2, #" even               \
  "]\n\t"                               \
  "str.w " word ", [r2, #" odd "]\n\t"
  register const mcg_widen_job *r0 __asm__("r0") = job;
  register const int8_t *r1 __asm__("r1") = from;
  register uint32_t *r2 __asm__("r2") = to;
  __asm__ volatile(
      ".syntax unified\n\t"
      "ldr r10, [r0, #8]\n\t"
      "ldr r11, [r0, #12]\n\t"
      "ldr r12, [r0]\n\t"
      "ldr r0, [r0, #4]\n"
      "1:\n\t"
      "subs.w r3, r12, #4\n\t"
      "blt 3f\n\t"
      ".balign 4\n"
      "2:\n\t"
      "ldr.w r4, [r1]\n\t"
      "ldr.w r5, [r1, #4]\n\t"
      "ldr.w r6, [r1, #8]\n\t"
      "ldr.w r8, [r1, #12]\n\t"
      "adds r1, #16\n\t" MCG_WIDEN_PAIR("r4", "0", "16") MCG_WIDEN_PAIR("r5", "32", "48")
          MCG_WIDEN_PAIR("r6", "64", "80") MCG_WIDEN_PAIR("r8", "96", "112")
      "adds r2, #128\n\t"
      "subs r3, #4\n\t"
      "bge 2b\n"
      "3:\n\t"
      "adds r3, #4\n\t"
      "beq 5f\n"
      "4:\n\t"
      "ldr.w r4, [r1], #4\n\t" MCG_WIDEN_PAIR("r4", "0", "16")
      "adds r2, #32\n\t"
      "subs r3, #1\n\t"
      "bne 4b\n"
      "5:\n\t"
      "add r1, r10\n\t"
      "add r2, r11\n\t"
      "subs r0, #1\n\t"
      "bne 1b"
      : "+r"(r0), "+r"(r1), "+r"(r2)
      :
      : "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "cc", "memory");
#else
  for (int32_t row = 0; row < job->rows; ++row) {
    to = mcg_widen(from, job->words, to) + job->to_skip / 4;
    from += 4 * job->words + job->skip;
  }
#endif
}

#endif /* MCG_FILTER_PAIRS_S8_DSP_H */
