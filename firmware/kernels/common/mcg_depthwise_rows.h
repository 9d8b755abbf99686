/* SPDX-License-Identifier: Apache-2.0 */
/* One channel of some rows of a depthwise convolution in assembly: the loop over windows that the
 * DSP and the MLA kernel share. They give it the code for one step of a filter.
 *
 * The channel lies in a plane, widened and with its padding; all steps are in bytes.
 */
#ifndef MCG_DEPTHWISE_ROWS_H
#define MCG_DEPTHWISE_ROWS_H

#include "mcg_requantize.h"

/* What the loop over windows knows. In assembly a pointer to `multiplier` reaches all of it; the
 * groups of fields are loaded together. */
typedef struct {
  int32_t bias;
  uintptr_t entry;
  const void *x; /* the next window's first tap */
  const void *weights;

  int32_t multiplier;
  int32_t right;
  int32_t zero_point;
  int8_t *output; /* the next one */
  int32_t output_step;

  uintptr_t pair_entry;
  const void *weights_end;
  int32_t tap_row_step;
  int32_t skipped; /* steps of the unrolled loops that their first round leaves out */
  int32_t columns_left;
  int32_t rows_left;
  int32_t columns;
  const void *row;
  int32_t row_step;
  int8_t *output_row;
  int32_t output_row_step;
} mcg_depthwise_job;

#if MCG_DSP || MCG_MLA
#define MCG_ROWS_FIELD(field) MCG_OFFSET(mcg_depthwise_job, field, multiplier)
#define MCG_DEPTHWISE_TO_8(to_8) to_8("r0", "r4", "r5", "r6") to_8("r1", "r4", "r5", "r6")
#define MCG_DEPTHWISE_FOUR_TO_8(to_8) \
  MCG_DEPTHWISE_TO_8(to_8) to_8("r2", "r4", "r5", "r6") to_8("r3", "r4", "r5", "r6")

/* All rows: windows in fours, then in twos. The last two may be one: then its neighbour goes to its
 * place before it is written.
 *
 * `four` and `two` are one step of the filter for so many windows. They take the accumulators in r0
 * to r3, the windows at r10 and the weights at r11; they leave the latter at those of the next step
 * and may use r4, r5, r6, r8, r9 and, from step to step, lr, which is tap_row_step at first.
 * `advance` is half the distance of windows. */
#define MCG_DEPTHWISE_ROWS(four, four_bytes, two, two_bytes, advance) \
  __asm__ volatile(                                                                                \
      ".syntax unified\n\t"                                                                        \
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */        \
      "ldr lr, [r12, %[tap_row_step]]\n\t"                                                         \
      "ldr r7, [r12, %[weights_end]]\n\t"                                                          \
      "ldr r0, [r12, %[skipped]]\n\t"                                                              \
      "movs r1, #" four_bytes "\n\t"                                                               \
      "adr r2, 2f\n\t"                                                                             \
      "mla r1, r0, r1, r2\n\t"                                                                     \
      "str r1, [r12, %[entry]]\n\t"                                                                \
      "movs r1, #" two_bytes "\n\t"                                                                \
      "adr r2, 4f\n\t"                                                                             \
      "mla r1, r0, r1, r2\n\t"                                                                     \
      "str r1, [r12, %[pair_entry]]\n"                                                             \
      "0:\n\t" /* a row */                                                                         \
      "ldr r5, [r12, %[columns]]\n"                                                                \
      "1:\n\t"                                                                                     \
      "subs r5, #4\n\t"                                                                            \
      "blt 3f\n\t"                                                                                 \
      "str r5, [r12, %[columns_left]]\n\t"                                                         \
      "ldmdb r12, {r0, r4, r10, r11}\n\t" /* bias, entry, x, weights */                            \
      "add r5, r10, #8 * " advance "\n\t"                                                          \
      "str r5, [r12, %[x]]\n\t"                                                                    \
      "mov r1, r0\n\t"                                                                             \
      "mov r2, r0\n\t"                                                                             \
      "mov r3, r0\n\t"                                                                             \
      "mov pc, r4\n\t"                                                                             \
      ".balign 4\n"                                                                                \
      "2:\n\t" four four four MCG_CHECK_STEPS("2b", "3 * " four_bytes)                             \
      "cmp r11, r7\n\t"                                                                            \
      "bne 2b\n\t"                                                                                 \
      "ldm r12, {r4, r5, r6, r8, r9}\n\t" /* multiplier, right, zero point, output, its step */    \
      "cmn.w r6, #128\n\t" \
      "beq 6f\n\t" MCG_DEPTHWISE_FOUR_TO_8(MCG_TO_8) \
      "b 8f\n" \
      "6:\n\t" MCG_DEPTHWISE_FOUR_TO_8(MCG_TO_8_FROM_LOWEST) \
      "8:\n\t"                                                                                     \
      "strb r0, [r8]\n\t"                                                                          \
      "strb r1, [r8, r9]\n\t"                                                                      \
      "add r8, r8, r9, lsl #1\n\t"                                                                 \
      "strb r2, [r8]\n\t"                                                                          \
      "strb r3, [r8, r9]\n\t"                                                                      \
      "add r8, r8, r9, lsl #1\n\t"                                                                 \
      "str r8, [r12, %[output]]\n\t"                                                               \
      "ldr r5, [r12, %[columns_left]]\n\t"                                                         \
      "b 1b\n"                                                                                     \
      "3:\n\t"                                                                                     \
      "adds r5, #4\n\t"                                                                            \
      "ble 5f\n\t"                                                                                 \
      "str r5, [r12, %[columns_left]]\n\t"                                                         \
      "ldmdb r12, {r0, r4, r10, r11}\n\t"                                                          \
      "ldr r4, [r12, %[pair_entry]]\n\t"                                                           \
      "add r5, r10, #4 * " advance "\n\t"                                                          \
      "str r5, [r12, %[x]]\n\t"                                                                    \
      "mov r1, r0\n\t"                                                                             \
      "mov pc, r4\n\t"                                                                             \
      ".balign 4\n"                                                                                \
      "4:\n\t" two two two MCG_CHECK_STEPS("4b", "3 * " two_bytes)                                 \
      "cmp r11, r7\n\t"                                                                            \
      "bne 4b\n\t"                                                                                 \
      "ldm r12, {r4, r5, r6, r8, r9}\n\t"                                                          \
      MCG_DEPTHWISE_TO_8(MCG_TO_8)                                                                 \
      "ldr r5, [r12, %[columns_left]]\n\t"                                                         \
      "cmp r5, #1\n\t"                                                                             \
      "it eq\n\t"                                                                                  \
      "moveq r9, #0\n\t"                                                                           \
      "strb r1, [r8, r9]\n\t"                                                                      \
      "strb r0, [r8]\n\t"                                                                          \
      "add r8, r8, r9, lsl #1\n\t"                                                                 \
      "str r8, [r12, %[output]]\n\t"                                                               \
      "subs r5, #6\n\t" /* by 2, and by 4 as at 3 */                                               \
      "b 3b\n"                                                                                     \
      "5:\n\t"                                                                                     \
      "ldr r4, [r12, %[rows_left]]\n\t"                                                            \
      "subs r4, #1\n\t"                                                                            \
      "str r4, [r12, %[rows_left]]\n\t"                                                            \
      "beq 9f\n\t"                                                                                 \
      "ldrd r4, r5, [r12, %[row]]\n\t" /* row, row_step */                                         \
      "ldrd r8, r9, [r12, %[output_row]]\n\t" /* output_row, output_row_step */                    \
      "add r4, r5\n\t"                                                                             \
      "add r8, r9\n\t"                                                                             \
      "str r4, [r12, %[row]]\n\t"                                                                  \
      "str r4, [r12, %[x]]\n\t"                                                                    \
      "str r8, [r12, %[output_row]]\n\t"                                                           \
      "str r8, [r12, %[output]]\n\t"                                                               \
      "b 0b\n"                                                                                     \
      "9:\n\t"                                                                                     \
      "pop {r7}"                                                                                   \
      : "+r"(r12)                                                                                  \
      : [entry] MCG_ROWS_FIELD(entry), [x] MCG_ROWS_FIELD(x), [output] MCG_ROWS_FIELD(output),     \
        [pair_entry] MCG_ROWS_FIELD(pair_entry), [weights_end] MCG_ROWS_FIELD(weights_end),        \
        [tap_row_step] MCG_ROWS_FIELD(tap_row_step), [skipped] MCG_ROWS_FIELD(skipped),            \
        [columns_left] MCG_ROWS_FIELD(columns_left), [rows_left] MCG_ROWS_FIELD(rows_left),        \
        [columns] MCG_ROWS_FIELD(columns),                            \
        [row] MCG_ROWS_FIELD(row),                        \
        [output_row] MCG_ROWS_FIELD(output_row)                                                    \
      : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "cc", "memory")
#endif

#endif /* MCG_DEPTHWISE_ROWS_H */
