/* SPDX-License-Identifier: Apache-2.0 */
/* A spectrum on the mel scale, its logarithm and a cosine transform of that, in float32.
 *
 * Operations are in the reference's order, and the logarithm is this file's own, so that C which
 * fuses no products and sums (-ffp-contract=off, as in ISO C) gives the reference's bytes. */
#ifndef MCG_FE_LOG_MEL_H
#define MCG_FE_LOG_MEL_H

#include <math.h>

#include "mcg_fe_common.h"

typedef struct {
  const float *hann;      /* window */
  const uint16_t *order;  /* points: which input stands where before the first stage */
  const float *turns;     /* points, (cos, sin) of half a turn */
  const uint16_t *starts; /* channels: the first bin of each */
  const uint16_t *counts; /* channels: how many */
  const float *weights;   /* of each channel's bins, one channel after another */
  const float *cosines;   /* coefficients * channels, or none */
  uint16_t window, step;
  uint16_t points; /* of the complex transform, half those of the real one */
  uint16_t channels, coefficients;
  float floor, offset, log; /* log * ln(max(value, floor) + offset); log 0: the value */
  uint8_t power, type;
} mcg_fe_log_mel;

typedef struct {
  uint8_t *samples; /* window */
  float *scratch;   /* 2 * points, and with coefficients channels more; free between pushes */
  uint32_t used;    /* samples */
} mcg_fe_log_mel_state;

MCG_FE_FUNCTION void mcg_fe_log_mel_reset(const mcg_fe_log_mel *fe, mcg_fe_log_mel_state *state) {
  (void)fe;
  state->used = 0;
}

/* The natural logarithm of a normal positive number. */
MCG_INLINE float mcg_fe_log_mel_ln(float value) {
  int32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const int32_t exponent = (bits - 0x3f3504f3) >> 23;
  bits = (int32_t)((uint32_t)bits - ((uint32_t)exponent << 23));
  float mantissa;
  memcpy(&mantissa, &bits, sizeof mantissa);
  const float f = mantissa - 1.0f;
  const float s = f / (f + 2.0f);
  const float z = s * s;
  float rest = 1.0f / 9.0f;
  rest = 1.0f / 7.0f + z * rest;
  rest = 1.0f / 5.0f + z * rest;
  rest = 1.0f / 3.0f + z * rest;
  rest = z * rest;
  const float twice = s + s;
  return (float)exponent * 0.69314718f + (twice + twice * rest);
}

/* Two transforms of `size` values each make one, in place. */
MCG_INLINE void mcg_fe_log_mel_stage(const mcg_fe_log_mel *fe, float *data, uint32_t size) {
  const uint32_t stride = 2 * (fe->points / size);
  for (uint32_t k = 0; k < size; ++k) {
    const float re = fe->turns[stride * k], im = fe->turns[stride * k + 1];
    for (float *low = data + 2 * k; low < data + 2 * fe->points; low += 4 * size) {
      float *high = low + 2 * size;
      const float turned_re = high[0] * re - high[1] * im;
      const float turned_im = high[0] * im + high[1] * re;
      high[0] = low[0] - turned_re;
      high[1] = low[1] - turned_im;
      low[0] = low[0] + turned_re;
      low[1] = low[1] + turned_im;
    }
  }
}

/* The squared magnitudes of the points + 1 bins of the real signal, in place; the last is returned.
 */
MCG_INLINE float mcg_fe_log_mel_powers(const mcg_fe_log_mel *fe, float *data) {
  for (uint32_t k = 1; k <= fe->points / 2u; ++k) {
    float *low = data + 2 * k;
    float *high = data + 2 * (fe->points - k);
    const float even_re = 0.5f * (low[0] + high[0]), even_im = 0.5f * (low[1] - high[1]);
    const float odd_re = 0.5f * (low[1] + high[1]), odd_im = 0.5f * (high[0] - low[0]);
    const float re = fe->turns[2 * k], im = fe->turns[2 * k + 1];
    const float turned_re = odd_re * re - odd_im * im;
    const float turned_im = odd_re * im + odd_im * re;
    const float sum_re = even_re + turned_re, sum_im = even_im + turned_im;
    const float rest_re = even_re - turned_re, rest_im = turned_im - even_im;
    low[0] = sum_re * sum_re + sum_im * sum_im;
    high[0] = rest_re * rest_re + rest_im * rest_im;
  }
  const float first = data[0] + data[1], last = data[0] - data[1];
  data[0] = first * first;
  for (uint32_t k = 1; k < fe->points; ++k) data[k] = data[2 * k];
  return last * last;
}

MCG_FE_FUNCTION void mcg_fe_log_mel_row(const mcg_fe_log_mel *fe, const mcg_fe_log_mel_state *state,
                                        float *row) {
  float *data = state->scratch;
  for (uint32_t i = 0; i < 2u * fe->points; ++i) {
    const uint32_t from = 2u * fe->order[i / 2] + (i & 1);
    data[i] = 0.0f;
    if (from < fe->window) {
      const float sample = mcg_fe_value(state->samples, from, fe->type);
      data[i] = (fe->type == MCG_FE_INT16 ? sample * (1.0f / 32768.0f) : sample) * fe->hann[from];
    }
  }
  for (uint32_t size = 1; size < fe->points; size *= 2) mcg_fe_log_mel_stage(fe, data, size);
  const float last = mcg_fe_log_mel_powers(fe, data);
  float *mel = fe->coefficients > 0 ? data + 2 * fe->points : row;
  const float *weights = fe->weights;
  for (uint32_t channel = 0; channel < fe->channels; ++channel) {
    float sum = 0.0f;
    for (uint32_t i = 0; i < fe->counts[channel]; ++i) {
      const uint32_t bin = (uint32_t)fe->starts[channel] + i;
      const float power = bin == fe->points ? last : data[bin];
      sum += (fe->power == 1 ? sqrtf(power) : power) * *weights++;
    }
    if (fe->log != 0.0f) {
      sum = (sum > fe->floor ? sum : fe->floor) + fe->offset;
      sum = mcg_fe_log_mel_ln(sum) * fe->log;
    }
    mel[channel] = sum;
  }
  for (uint32_t k = 0; k < fe->coefficients; ++k) {
    float sum = 0.0f;
    for (uint32_t i = 0; i < fe->channels; ++i) sum += mel[i] * fe->cosines[k * fe->channels + i];
    row[k] = sum;
  }
}

MCG_FE_FUNCTION uint32_t mcg_fe_log_mel_push(const mcg_fe_log_mel *fe, mcg_fe_log_mel_state *state,
                                             const void *frames, uint32_t count, void *row,
                                             int *ready) {
  const uint32_t bytes = fe->type == MCG_FE_INT16 ? 2 : 4;
  const uint32_t missing = fe->window - state->used;
  const uint32_t taken = count < missing ? count : missing;
  if (taken > 0) memcpy(state->samples + state->used * bytes, frames, taken * bytes);
  state->used += taken;
  *ready = state->used == fe->window;
  if (*ready) {
    mcg_fe_log_mel_row(fe, state, (float *)row);
    state->used = (uint32_t)(fe->window - fe->step);
    memmove(state->samples, state->samples + fe->step * bytes, state->used * bytes);
  }
  return taken;
}

#endif /* MCG_FE_LOG_MEL_H */
