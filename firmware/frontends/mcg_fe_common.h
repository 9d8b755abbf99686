/* SPDX-License-Identifier: Apache-2.0 */
/* What all front ends share. A front end K has
 *
 *   mcg_fe_K         its configuration: constant, in flash
 *   mcg_fe_K_state   what it keeps between pushes; its arrays are declared beside the configuration
 *
 *   void mcg_fe_K_reset(const mcg_fe_K *fe, mcg_fe_K_state *state);
 *   uint32_t mcg_fe_K_push(const mcg_fe_K *fe, mcg_fe_K_state *state, const void *frames,
 *                          uint32_t count, void *row, int *ready);
 *
 * push takes frames until a row is complete or none are left, and returns how many it took. *ready
 * says whether `row` was completed; until then `row` has to be the same memory in every call, as it
 * may be filled bit by bit. Frames and row are aligned as their types.
 */
#ifndef MCG_FE_COMMON_H
#define MCG_FE_COMMON_H

#include <stdint.h>
#include <string.h>

#include "mcg_compiler.h"

/* C99 leaves these to the implementation; front ends rely on them. */
typedef char mcg_fe_assert_shift_32[((int32_t)-3 >> 1) == -2 ? 1 : -1];
typedef char mcg_fe_assert_shift_64[((int64_t)-3 >> 1) == -2 ? 1 : -1];
typedef char mcg_fe_assert_wrapping[(int32_t)UINT32_MAX == -1 ? 1 : -1];

#if defined(__GNUC__)
#define MCG_FE_FUNCTION static __attribute__((unused))
#else
#define MCG_FE_FUNCTION static
#endif

/* The type of a sensor's values. */
enum { MCG_FE_INT8, MCG_FE_UINT8, MCG_FE_INT16, MCG_FE_UINT16, MCG_FE_INT32, MCG_FE_FLOAT32 };

/* Value number `at`, in float32. */
MCG_INLINE float mcg_fe_value(const void *values, uint32_t at, uint8_t type) {
  switch (type) {
    case MCG_FE_INT8:
      return (float)((const int8_t *)values)[at];
    case MCG_FE_UINT8:
      return (float)((const uint8_t *)values)[at];
    case MCG_FE_INT16:
      return (float)((const int16_t *)values)[at];
    case MCG_FE_UINT16:
      return (float)((const uint16_t *)values)[at];
    case MCG_FE_INT32:
      return (float)((const int32_t *)values)[at];
    default:
      return ((const float *)values)[at];
  }
}

#endif /* MCG_FE_COMMON_H */
