/* SPDX-License-Identifier: Apache-2.0 */
/* What float32 kernels of one operand share. */
#ifndef MCG_UNARY_F32_H
#define MCG_UNARY_F32_H

#include "mcg_f32.h"

typedef struct {
  int32_t count;
} mcg_unary_f32_params;

#endif /* MCG_UNARY_F32_H */
