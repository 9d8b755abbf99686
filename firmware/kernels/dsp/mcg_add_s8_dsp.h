/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_add_s8() for cores with SMMLAR or SMLAL: ADD and SUB of two tensors of one shape.
 *
 * The operand with the larger scale comes first: at twice that scale it is half of itself, and
 * needs no rounding. The output may be one of the operands.
 */
#ifndef MCG_ADD_S8_DSP_H
#define MCG_ADD_S8_DSP_H

#include "mcg_requantize.h"

typedef struct {
  int32_t count;
  int32_t zero_point1;
  int32_t zero_point2;
  int32_t factor1;  /* 2^19, as operands gain 20 bits; negative if this one is subtracted */
  int32_t factor2;  /* the same if both scales are equal, else 1 or -1 */
  int32_t doubled2; /* factors of the second operand and of the sum, see mcg_requantize_to_8() */
  int32_t right2;   /* 0: both scales are equal */
  int32_t doubled;
  int32_t right;
  int32_t zero_point;
} mcg_add_s8_dsp_params;

/* factor1 and factor2 are those of the parameters: constants leave more registers. */
MCG_INLINE void mcg_add_scaled(const mcg_add_s8_dsp_params *p, int32_t count, int32_t factor1,
                               int32_t factor2, const int8_t *input1, const int8_t *input2,
                               int8_t *output) {
  const int8_t *end = input1 + count;
  const int32_t zero1 = p->zero_point1, zero2 = p->zero_point2, zero = p->zero_point;
  const int32_t doubled2 = p->doubled2, right2 = p->right2;
  const int32_t doubled = p->doubled, right = p->right;
  while (input1 != end) {
    const int32_t first = (*input1++ - zero1) * factor1;
    const int32_t value = (*input2++ - zero2) * (INT32_C(1) << 20);
    const int32_t second = mcg_requantize_doubled(value, doubled2, right2) * factor2;
    *output++ = (int8_t)mcg_requantize_to_8(first + second, doubled, right, zero);
  }
}

#if MCG_DSP
/* Four bytes of both operands in r4 and r5, byte after byte into r6. r8 and r9 are the zero points,
 * negative, r10 and r11 the second operand's factors, r12 and lr those of the sum, r7 its zero. */
#define MCG_ADD_BYTE(ror, last) \
  "sxtab r3, r9, r5" ror        \
  "\n\t"                        \
  "lsls r3, r3, #20\n\t"        \
  "smmlar r3, r3, r10, r3\n\t"  \
  "sxtab r0, r8, r4" ror        \
  "\n\t"                        \
  "add r3, r3, r3, asr #31\n\t" \
  "asrs r3, r3, r11\n\t"        \
  "adc r3, r3, r0, lsl #19\n\t" \
  "smmlar r3, r3, r12, r3\n\t"  \
  "add r3, r3, r3, asr #31\n\t" \
  "asrs r3, r3, lr\n\t"         \
  "adc r3, r3, r7\n\t"          \
  "ssat r3, #8, r3\n\t" last

/* Words of sums of operands of different scales. */
MCG_SHARED void mcg_add_words(const mcg_add_s8_dsp_params *p, int32_t words, const int8_t *input1,
                              const int8_t *input2, int8_t *output) {
  const int32_t fields[9] = {-p->zero_point1, -p->zero_point2, p->doubled2, p->right2, p->doubled,
                             p->right,        p->zero_point,   words,       0};
  register const int32_t *r0 __asm__("r0") = fields;
  register const int8_t *r1 __asm__("r1") = input1;
  register const int8_t *r2 __asm__("r2") = input2;
  register int8_t *r3 __asm__("r3") = output;
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r7}\n\t" /* possibly the frame pointer, which may not be named as clobbered */
      "ldm r0, {r8, r9, r10, r11, r12, lr}\n\t"
      "ldr r7, [r0, #24]\n\t"
      "ldr r4, [r0, #28]\n\t"
      "add r4, r1, r4, lsl #2\n\t"
      "push {r3, r4}\n" /* output, and the end of the first operand */
      "1:\n\t"
      "ldr.w r4, [r1], #4\n\t"
      "ldr.w r5, [r2], #4\n\t"
      MCG_ADD_BYTE("", "mov r6, r3\n\t") MCG_ADD_BYTE(", ror #8", "bfi r6, r3, #8, #8\n\t")
          MCG_ADD_BYTE(", ror #16", "bfi r6, r3, #16, #8\n\t")
              MCG_ADD_BYTE(", ror #24", "bfi r6, r3, #24, #8\n\t")
      "ldrd r0, r3, [sp]\n\t"
      "str r6, [r0], #4\n\t"
      "str r0, [sp]\n\t"
      "cmp r1, r3\n\t"
      "bne 1b\n\t"
      "add sp, #8\n\t"
      "pop {r7}"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}
#endif

MCG_SHARED void mcg_add_s8_dsp(const mcg_add_s8_dsp_params *p, const int8_t *input1,
                               const int8_t *input2, int8_t *output) {
  const int32_t factor1 = p->factor1, factor2 = p->factor2;
  if (p->right2 == 0) {
    const int8_t *end = input1 + p->count;
    const int32_t base = -p->zero_point1 * factor1 - p->zero_point2 * factor2;
    const int32_t doubled = p->doubled, right = p->right, zero = p->zero_point;
    while (input1 != end) {
      const int32_t sum = base + *input1++ * factor1 + *input2++ * factor2;
      *output++ = (int8_t)mcg_requantize_to_8(sum, doubled, right, zero);
    }
  } else if (factor1 > 0 && factor2 > 0) {
#if MCG_DSP
    const int32_t words = p->count >> 2;
    if (words > 0) {
      mcg_add_words(p, words, input1, input2, output);
    }
    mcg_add_scaled(p, p->count & 3, INT32_C(1) << 19, 1, input1 + 4 * words, input2 + 4 * words,
                   output + 4 * words);
#else
    mcg_add_scaled(p, p->count, INT32_C(1) << 19, 1, input1, input2, output);
#endif
  } else {
    mcg_add_scaled(p, p->count, factor1, factor2, input1, input2, output);
  }
}

#endif /* MCG_ADD_S8_DSP_H */
