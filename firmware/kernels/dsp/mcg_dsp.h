/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions of Cortex-M4, M7 and M33 that the DSP kernels are made of.
 *
 * One function per instruction, or per short run of them that a compiler does not find by itself.
 * Elsewhere the same is said in C, so that the kernels can be read, and tested on any computer.
 *
 * A "pair" is two int16 in one word, the lower half first. Four bytes b0 ... b3 in a word become
 * the pairs (b0, b2) and (b1, b3) in one instruction each. Products do not mind the order as long
 * as both factors have it, so neither weights nor inputs are ever brought into another one.
 */
#ifndef MCG_DSP_H
#define MCG_DSP_H

#include "mcg_requantize.h"

/* Four bytes at any address: LDR. */
MCG_INLINE uint32_t mcg_load_4(const int8_t *from) {
  uint32_t word;
  memcpy(&word, from, 4);
  return word;
}

MCG_INLINE int32_t mcg_low(uint32_t pair) { return (int16_t)pair; }

MCG_INLINE int32_t mcg_high(uint32_t pair) { return (int32_t)pair >> 16; }

/* A pair at any address. */
MCG_INLINE uint32_t mcg_load_pair(const int16_t *from) {
  uint32_t pair;
  memcpy(&pair, from, 4);
  return pair;
}

MCG_INLINE void mcg_store_pair(int16_t *to, uint32_t pair) { memcpy(to, &pair, 4); }

/* The low halves of two pairs as a pair. */
MCG_INLINE uint32_t mcg_pair(uint32_t low, uint32_t high) {
#if MCG_DSP
  uint32_t pair;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(low), "r"(high));
  return pair;
#else
  return (low & 0xFFFFu) | (high << 16);
#endif
}

/* The high halves of two pairs as a pair. */
MCG_INLINE uint32_t mcg_pair_of_highs(uint32_t low, uint32_t high) {
#if MCG_DSP
  uint32_t pair;
  __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(pair) : "r"(low), "r"(high));
  return pair;
#else
  return (low >> 16) | (high & 0xFFFF0000u);
#endif
}

/* Bytes 0 and 2 as a pair. */
MCG_INLINE uint32_t mcg_even_bytes(uint32_t word) {
#if MCG_DSP
  uint32_t pair;
  __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
  return pair;
#else
  return mcg_pair((uint32_t)(int8_t)word, (uint32_t)(int8_t)(word >> 16));
#endif
}

/* Bytes 1 and 3 as a pair. */
MCG_INLINE uint32_t mcg_odd_bytes(uint32_t word) {
#if MCG_DSP
  uint32_t pair;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
  return pair;
#else
  return mcg_even_bytes(word >> 8);
#endif
}

/* acc + a.low * b.low + a.high * b.high */
MCG_INLINE int32_t mcg_smlad(uint32_t a, uint32_t b, int32_t acc) {
#if MCG_DSP
  __asm__("smlad %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b));
  return acc;
#else
  return acc + mcg_low(a) * mcg_low(b) + mcg_high(a) * mcg_high(b);
#endif
}

/* Sums and differences of both halves, each modulo 2^16. */
MCG_INLINE uint32_t mcg_add_pairs(uint32_t a, uint32_t b) {
#if MCG_DSP
  uint32_t sum;
  __asm__("sadd16 %0, %1, %2" : "=r"(sum) : "r"(a), "r"(b));
  return sum;
#else
  return mcg_pair(a + b, (a >> 16) + (b >> 16));
#endif
}

MCG_INLINE uint32_t mcg_subtract_pairs(uint32_t a, uint32_t b) {
#if MCG_DSP
  uint32_t difference;
  __asm__("ssub16 %0, %1, %2" : "=r"(difference) : "r"(a), "r"(b));
  return difference;
#else
  return mcg_pair(a - b, (a >> 16) - (b >> 16));
#endif
}

/* The larger of each of four bytes. */
MCG_INLINE uint32_t mcg_max_bytes(uint32_t a, uint32_t b) {
#if MCG_DSP
  uint32_t larger;
  /* The difference sets a flag for each byte of a that is not smaller. */
  __asm__(
      "ssub8 %0, %1, %2\n\t"
      "sel %0, %1, %2"
      : "=&r"(larger)
      : "r"(a), "r"(b)
      : "cc");
  return larger;
#else
  uint32_t larger = 0;
  for (int32_t shift = 0; shift < 32; shift += 8) {
    const int32_t value = mcg_max((int8_t)(a >> shift), (int8_t)(b >> shift));
    larger |= (uint32_t)(uint8_t)value << shift;
  }
  return larger;
#endif
}

/* sum + bytes 0 and 2, as pairs. */
MCG_INLINE uint32_t mcg_add_even_bytes(uint32_t sum, uint32_t word) {
#if MCG_DSP
  __asm__("sxtab16 %0, %0, %1" : "+r"(sum) : "r"(word));
  return sum;
#else
  const int32_t low = (int8_t)word, high = (int8_t)(word >> 16);
  return mcg_pair(sum + (uint32_t)low, (sum >> 16) + (uint32_t)high);
#endif
}

/* sum + bytes 1 and 3, as pairs. */
MCG_INLINE uint32_t mcg_add_odd_bytes(uint32_t sum, uint32_t word) {
#if MCG_DSP
  __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(sum) : "r"(word));
  return sum;
#else
  return mcg_add_even_bytes(sum, word >> 8);
#endif
}

#endif /* MCG_DSP_H */
