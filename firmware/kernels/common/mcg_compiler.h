/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between compilers: GCC, Clang, Arm Compiler 6 and IAR; plain C99 with any other. */
#ifndef MCG_COMPILER_H
#define MCG_COMPILER_H

/* Sums and products are computed as int, and constants lie in the memory of all data. */
#if defined(__INT_MAX__) && __INT_MAX__ < 0x7fffffff
#error "mcugen's code needs an int of 32 bits: this is an 8 or 16 bit core, choose a 32 bit one"
#endif

/* Kernels are inlined into their one caller, which passes constant parameters. */
#if defined(__GNUC__)
#define MCG_INLINE static inline __attribute__((always_inline, unused))
#elif defined(__ICCARM__) || defined(__ICCRISCV__)
#define MCG_INLINE _Pragma("inline=forced") static inline
#else
#define MCG_INLINE static inline
#endif

/* Parts that would be copied into every layer for nothing: one copy for the whole model. Where
 * several models of one export are linked (MCG_SEVERAL_MODELS), the linker keeps one copy for all
 * of them. */
#if defined(__GNUC__) && defined(MCG_SEVERAL_MODELS)
#define MCG_SHARED __attribute__((weak, noinline, unused))
#elif defined(__GNUC__)
#define MCG_SHARED static __attribute__((noinline, unused))
#elif defined(__ICCARM__) || defined(__ICCRISCV__)
#define MCG_SHARED _Pragma("inline=never") static
#else
#define MCG_SHARED static
#endif

/* One function of a model, called once. */
#if defined(__GNUC__)
#define MCG_OP static __attribute__((noinline))
#elif defined(__ICCARM__) || defined(__ICCRISCV__)
#define MCG_OP _Pragma("inline=never") static
#else
#define MCG_OP static
#endif

/* Stands at the beginning of a declaration. Kernels read and write words of at most 16 bytes. */
#if defined(__GNUC__)
#define MCG_ALIGNED __attribute__((aligned(16)))
#elif defined(__ICCARM__) || defined(__ICCRISCV__)
#define MCG_ALIGNED _Pragma("data_alignment=16")
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define MCG_ALIGNED _Alignas(16)
#else
#define MCG_ALIGNED
#endif

/* A promise that no other pointer reaches the same memory. Models in which an output follows behind
 * its input in the same memory define it away. */
#ifndef MCG_RESTRICT
#define MCG_RESTRICT restrict
#endif

/* Compilers are kept from knowing where an address comes from. */
#if defined(__GNUC__)
#define MCG_HIDE_ORIGIN(address) __asm__("" : "+r"(address))
#else
#define MCG_HIDE_ORIGIN(address) ((void)0)
#endif

#endif /* MCG_COMPILER_H */
