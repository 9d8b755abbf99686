/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of integer arrays whose type is a parameter. */
#ifndef MCG_INTEGERS_H
#define MCG_INTEGERS_H

#include "mcg_common.h"

/* Element `i` of int8_t, int16_t or int32_t, by its size in bytes. */
MCG_INLINE int32_t mcg_load_int(const void *array, int32_t i, int32_t bytes) {
  return bytes == 1   ? ((const int8_t *)array)[i]
         : bytes == 2 ? ((const int16_t *)array)[i]
                      : ((const int32_t *)array)[i];
}

/* Likewise; of a value that does not fit, the lowest bits are kept. */
MCG_INLINE void mcg_store_int(void *array, int32_t i, int32_t bytes, int32_t value) {
  if (bytes == 1) {
    ((int8_t *)array)[i] = (int8_t)value;
  } else if (bytes == 2) {
    ((int16_t *)array)[i] = (int16_t)value;
  } else {
    ((int32_t *)array)[i] = value;
  }
}

#endif /* MCG_INTEGERS_H */
