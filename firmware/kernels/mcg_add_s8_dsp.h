/* mcg_add_s8() for cores with DSP instructions: ADD of two tensors of one shape.
 *
 * The operand with the larger scale comes first: at twice that scale it is half of itself, and
 * needs no multiplication. The output may be one of the operands.
 */
#ifndef MCG_ADD_S8_DSP_H
#define MCG_ADD_S8_DSP_H

#include "mcg_dsp.h"

typedef struct {
  int32_t count;
  int32_t zero_point1;
  int32_t zero_point2;
  int32_t doubled2; /* factors of the second operand and of the sum, see mcg_requantize_to_8() */
  int32_t right2;   /* 0: both scales are equal, and so are the factors */
  int32_t doubled;
  int32_t right;
  int32_t zero_point;
} mcg_add_s8_dsp_params;

MCG_SHARED void mcg_add_s8_dsp(const mcg_add_s8_dsp_params *p, const int8_t *input1,
                               const int8_t *input2, int8_t *output) {
  const int8_t *end = input1 + p->count;
  const int32_t zero1 = p->zero_point1;
  const int32_t zero2 = p->zero_point2;
  const int32_t doubled2 = p->doubled2;
  const int32_t right2 = p->right2;
  const int32_t doubled = p->doubled;
  const int32_t right = p->right;
  const int32_t zero = p->zero_point;
  /* Operands gain 20 bits; half of that is 19. */
  if (right2 == 0) {
    while (input1 != end) {
      const int32_t sum = *input1++ + *input2++ - zero1 - zero2;
      *output++ = (int8_t)mcg_requantize_to_8(sum * (INT32_C(1) << 19), doubled, right, zero);
    }
    return;
  }
  while (input1 != end) {
    const int32_t first = (*input1++ - zero1) * (INT32_C(1) << 19);
    const int32_t value = (*input2++ - zero2) * (INT32_C(1) << 20);
    const int32_t second = mcg_requantize_doubled(value, doubled2, right2);
    *output++ = (int8_t)mcg_requantize_to_8(first + second, doubled, right, zero);
  }
}

#endif /* MCG_ADD_S8_DSP_H */
