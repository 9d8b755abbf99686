/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of a block of memory (FIPS 180-4). */
#ifndef MCG_SHA256_H
#define MCG_SHA256_H

#include <stdint.h>
#include <string.h>

static inline uint32_t mcg_rotate_right(uint32_t x, int bits) {
  return x >> bits | x << (32 - bits);
}

/* One block of 64 bytes. */
static inline void mcg_sha256_block(uint32_t state[8], const uint8_t *block) {
  static const uint32_t k[64] = {
      0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u,
      0xab1c5ed5u, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
      0x9bdc06a7u, 0xc19bf174u, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu,
      0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u,
      0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu,
      0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u, 0xa2bfe8a1u, 0xa81a664bu,
      0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u, 0x19a4c116u,
      0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
      0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u,
      0xc67178f2u};
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++) {
    const uint8_t *p = block + 4 * i;
    w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
  }
  for (int i = 16; i < 64; i++) {
    const uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (mcg_rotate_right(a, 7) ^ mcg_rotate_right(a, 18) ^ a >> 3) +
           (mcg_rotate_right(b, 17) ^ mcg_rotate_right(b, 19) ^ b >> 10);
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    const uint32_t e = s[4], a = s[0];
    const uint32_t t1 =
        s[7] + (mcg_rotate_right(e, 6) ^ mcg_rotate_right(e, 11) ^ mcg_rotate_right(e, 25)) +
        ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
    const uint32_t t2 =
        (mcg_rotate_right(a, 2) ^ mcg_rotate_right(a, 13) ^ mcg_rotate_right(a, 22)) +
        ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

/* SHA-256 of `bytes` bytes at `data`. */
static inline void mcg_sha256(const void *data, uint32_t bytes, uint8_t digest[32]) {
  uint32_t state[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                       0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
  const uint8_t *p = (const uint8_t *)data;
  uint32_t left = bytes;
  for (; left >= 64; left -= 64, p += 64) mcg_sha256_block(state, p);
  uint8_t tail[128] = {0};
  memcpy(tail, p, left);
  tail[left] = 0x80;
  const uint32_t tail_bytes = left < 56 ? 64 : 128;
  const uint64_t bits = (uint64_t)bytes * 8;
  for (int i = 0; i < 8; i++) tail[tail_bytes - 1 - i] = (uint8_t)(bits >> (8 * i));
  for (uint32_t at = 0; at < tail_bytes; at += 64) mcg_sha256_block(state, tail + at);
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

#endif
