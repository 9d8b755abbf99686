/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_mul_s8() for cores with SMMLAR or SMLAL, where nothing but int8 clamps the output. */
#ifndef MCG_MUL_S8_DSP_H
#define MCG_MUL_S8_DSP_H

#include "mcg_broadcast.h"
#include "mcg_requantize.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  int32_t zero_point1;
  int32_t zero_point2;
  int32_t doubled; /* factors of the product, see mcg_requantize_to_8() */
  int32_t right;
  int32_t zero_point;
} mcg_mul_s8_dsp_params;

MCG_SHARED void mcg_mul_s8_dsp(const mcg_mul_s8_dsp_params *p, const int8_t *input1,
                               const int8_t *input2, int8_t *output) {
  const int32_t zero1 = p->zero_point1, zero2 = p->zero_point2, zero = p->zero_point;
  const int32_t doubled = p->doubled, right = p->right;
  MCG_FOR_BROADCAST(p, i1, i2, {
    const int32_t product = (input1[i1] - zero1) * (input2[i2] - zero2);
    *output++ = (int8_t)mcg_requantize_to_8(product, doubled, right, zero);
  })
}

#endif /* MCG_MUL_S8_DSP_H */
