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
MCG_INLINE void mcg_add_scaled(const mcg_add_s8_dsp_params *p, int32_t factor1, int32_t factor2,
                               const int8_t *input1, const int8_t *input2, int8_t *output) {
  const int8_t *end = input1 + p->count;
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
    mcg_add_scaled(p, INT32_C(1) << 19, 1, input1, input2, output);
  } else {
    mcg_add_scaled(p, factor1, factor2, input1, input2, output);
  }
}

#endif /* MCG_ADD_S8_DSP_H */
