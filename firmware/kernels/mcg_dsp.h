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

#include <stddef.h>

#include "mcg_common.h"

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#define MCG_DSP 1
#else
#define MCG_DSP 0
#endif

#if MCG_DSP
/* mcg_requantize_to_8() in assembly, on the registers given as strings. The shift leaves the last
 * bit that it drops in the carry flag, which is the rounding; one less for negatives turns ties
 * upwards into ties away from zero. */
#define MCG_TO_8(acc, doubled, right, zero)    \
  "smmlar " acc ", " acc ", " doubled ", " acc \
  "\n\t"                                       \
  "add " acc ", " acc ", " acc ", asr #31\n\t" MCG_TO_8_LAST(acc, right, zero)

/* The same where zero is -128: negatives become -128 whichever way their ties go. */
#define MCG_TO_8_FROM_LOWEST(acc, doubled, right, zero) \
  "smmlar " acc ", " acc ", " doubled ", " acc "\n\t" MCG_TO_8_LAST(acc, right, zero)

#define MCG_TO_8_LAST(acc, right, zero) \
  "asrs " acc ", " acc ", " right       \
  "\n\t"                                \
  "adc " acc ", " acc ", " zero         \
  "\n\t"                                \
  "ssat " acc ", #8, " acc "\n\t"

/* Stops the assembler if the code since a label has not the bytes that entries into it count on. */
#define MCG_CHECK_STEPS(label, bytes) \
  ".if . - " label " - (" bytes       \
  ")\n\t"                             \
  ".error \"the steps have another size\"\n\t.endif\n\t"

/* An operand: the offset of a field from another one. */
#define MCG_OFFSET(type, field, base) "i"((int)offsetof(type, field) - (int)offsetof(type, base))
#endif

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

/* mcg_requantize_down() with the factors of mcg_requantize_to_8(), see there. */
MCG_INLINE int32_t mcg_requantize_doubled(int32_t value, int32_t doubled, int32_t right) {
#if MCG_DSP
  __asm__(
      "smmlar %0, %0, %1, %0\n\t"
      "add %0, %0, %0, asr #31\n\t"
      "asrs %0, %0, %2\n\t"
      "adc %0, %0, #0"
      : "+r"(value)
      : "r"(doubled), "r"(right)
      : "cc");
  return value;
#else
  const int32_t product = value + (int32_t)(((int64_t)value * doubled + (INT64_C(1) << 31)) >> 32);
  return (((product + (product >> 31)) >> (right - 1)) + 1) >> 1;
#endif
}

/* From an accumulator to an int8 output: product, shift and zero point, saturated to 8 bits.
 *
 * doubled is twice the multiplier modulo 2^32, and so 2^32 less than twice the multiplier, which is
 * 2^30 to 2^31 - 1: acc * doubled / 2^32 + acc, rounded, is mcg_mul_high(acc, multiplier). right is
 * 1 to
 * 31. A multiplier of 0 is told by doubled = 0 and right = 31. |acc| < 2^30. */
MCG_INLINE int32_t mcg_requantize_to_8(int32_t acc, int32_t doubled, int32_t right,
                                       int32_t zero_point) {
#if MCG_DSP
  __asm__(MCG_TO_8("%0", "%1", "%2", "%3")
          : "+r"(acc)
          : "r"(doubled), "r"(right), "r"(zero_point)
          : "cc");
  return acc;
#else
  return mcg_clamp(mcg_requantize_doubled(acc, doubled, right) + zero_point, INT8_MIN, INT8_MAX);
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
  return mcg_pair(sum + (uint32_t)(int8_t)word, (sum >> 16) + (uint32_t)(int8_t)(word >> 16));
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
