/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a row of bytes, as every kernel does that moves values. */
#ifndef MCG_COPY_ROW_H
#define MCG_COPY_ROW_H

#include "mcg_common.h"

/* Rows that are no shorter are worth a call. */
#define MCG_COPY_WORTH 16

/* Words, one or more, eight at a time: half the instructions of a C library's memcpy(). */
MCG_SHARED void mcg_copy_words(uint8_t *to, const uint8_t *from, int32_t words) {
#if defined(__ARM_ARCH)
  __asm__ volatile(
      ".syntax unified\n\t"
      "subs %[words], #8\n\t"
      "bmi 2f\n"
      "1:\n\t"
      "ldmia %[from]!, {r3, r4, r5, r6}\n\t"
      "stmia %[to]!, {r3, r4, r5, r6}\n\t"
      "ldmia %[from]!, {r3, r4, r5, r6}\n\t"
      "stmia %[to]!, {r3, r4, r5, r6}\n\t"
      "subs %[words], #8\n\t"
      "bpl 1b\n"
      "2:\n\t"
      "adds %[words], #4\n\t"
      "bmi 3f\n\t"
      "ldmia %[from]!, {r3, r4, r5, r6}\n\t"
      "stmia %[to]!, {r3, r4, r5, r6}\n\t"
      "subs %[words], #4\n"
      "3:\n\t"
      "adds %[words], #4\n\t"
      "beq 5f\n"
      "4:\n\t"
      "ldmia %[from]!, {r3}\n\t"
      "stmia %[to]!, {r3}\n\t"
      "subs %[words], #1\n\t"
      "bne 4b\n"
      "5:"
      : [to] "+l"(to), [from] "+l"(from), [words] "+l"(words)
      :
      : "r3", "r4", "r5", "r6", "cc", "memory");
#else
  memcpy(to, from, (size_t)words * 4);
#endif
}

/* A row of bytes. The two places do not overlap. */
MCG_INLINE void mcg_copy_row(uint8_t *to, const uint8_t *from, int32_t bytes) {
  const uintptr_t odd = ((uintptr_t)to | (uintptr_t)from | (uintptr_t)bytes) & 3u;
  if (bytes >= MCG_COPY_WORTH && odd == 0) {
    mcg_copy_words(to, from, bytes >> 2);
  } else {
    memcpy(to, from, (size_t)bytes);
  }
}

#endif /* MCG_COPY_ROW_H */
