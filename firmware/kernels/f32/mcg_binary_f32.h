/* SPDX-License-Identifier: Apache-2.0 */
/* What float32 kernels of two operands share: their broadcasting, and a clamp for those that have a
 * fused activation. */
#ifndef MCG_BINARY_F32_H
#define MCG_BINARY_F32_H

#include "mcg_broadcast.h"
#include "mcg_f32.h"

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
} mcg_binary_f32_params;

typedef struct {
  int32_t count[MCG_BROADCAST_LOOPS];
  int32_t stride1[MCG_BROADCAST_LOOPS];
  int32_t stride2[MCG_BROADCAST_LOOPS];
  float min;
  float max;
} mcg_clamped_f32_params;

#endif /* MCG_BINARY_F32_H */
