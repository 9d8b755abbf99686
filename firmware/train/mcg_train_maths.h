/* SPDX-License-Identifier: Apache-2.0 */
/* exp, log and sigmoid in a fixed order of float32 operations: not the C library's, whose last bit
 * differs from one to the next. The polynomials are those of the Cephes library (S. Moshier). */
#ifndef MCG_TRAIN_MATHS_H
#define MCG_TRAIN_MATHS_H

#include <stdint.h>
#include <string.h>

/* e^x for x <= 0; 0 below -87, where float32's normal numbers end. */
static float mcg_train_exp(float x) {
  if (!(x >= -87.0f)) return x < -87.0f ? 0.0f : x;
  const int32_t whole = (int32_t)(x * 1.44269504f - 0.5f);
  const float n = (float)whole;
  float r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float y = 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * (r * r) + r;
  y = y + 1.0f;
  const uint32_t bits = (uint32_t)(whole + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return y * power;
}

/* ln x of positive normal numbers. */
static float mcg_train_log(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  float n = (float)((int32_t)(bits >> 23) - 126);
  bits = (bits & 0x007FFFFFu) | 0x3F000000u;
  float m;
  memcpy(&m, &bits, sizeof m); /* 0.5 … 1 */
  float r;
  if (m < 0.70710678f) {
    n = n - 1.0f;
    r = (m + m) - 1.0f;
  } else {
    r = m - 1.0f;
  }
  const float z = r * r;
  float y = 7.0376836292e-2f;
  y = y * r + -1.1514610310e-1f;
  y = y * r + 1.1676998740e-1f;
  y = y * r + -1.2420140846e-1f;
  y = y * r + 1.4249322787e-1f;
  y = y * r + -1.6668057665e-1f;
  y = y * r + 2.0000714765e-1f;
  y = y * r + -2.4999993993e-1f;
  y = y * r + 3.3333331174e-1f;
  y = y * r;
  y = y * z;
  y = y + n * -2.12194440e-4f;
  y = y - 0.5f * z;
  y = r + y;
  return y + n * 0.693359375f;
}

#endif
