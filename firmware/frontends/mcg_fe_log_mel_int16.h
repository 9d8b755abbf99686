/* SPDX-License-Identifier: Apache-2.0 */
/* The logarithm of a spectrum on the mel scale, and a cosine transform of that, in integers.
 *
 * The values of the transform share an exponent. Every stage is shifted by as many bits as its
 * values may grow, and no more: one makes them 2.42 times as large at most, so values of 13 bits
 * need no shift.
 */
#ifndef MCG_FE_LOG_MEL_INT16_H
#define MCG_FE_LOG_MEL_INT16_H

#include "mcg_fe_common.h"

typedef struct {
  const uint16_t *hann;    /* window, 32768 is 1 */
  const uint16_t *order;   /* points: which input stands where before the first stage */
  const int16_t *turns;    /* points, (cos, sin) of half a turn, 16384 is 1 */
  const uint16_t *starts;  /* channels: the first bin of each */
  const uint16_t *counts;  /* channels: how many */
  const uint16_t *weights; /* of each channel's bins, one channel after another */
  const int16_t *cosines;  /* coefficients * channels, or none */
  const uint16_t *roots;   /* 192: square roots of 64 ... 255, or none: powers */
  const uint16_t *logs;    /* 129: what log2(1 + x) is above x, 65536 is 1 */
  uint16_t window, step;
  uint16_t points; /* of the complex transform, half those of the real one */
  uint16_t channels, coefficients;
  uint32_t floor, offset; /* from 2^31 on, or 0 */
  int32_t log;            /* of log2, 14 places more than the result */
  int16_t floor_exponent, offset_exponent;
  uint8_t places;       /* binary ones of a sum */
  uint8_t cosine_shift; /* from those of a transformed row to the result's */
} mcg_fe_log_mel_int16;

typedef struct {
  int16_t *samples; /* window */
  int16_t *scratch; /* 2 * points, and with coefficients 2 * channels; free between pushes */
  uint32_t used;    /* samples */
} mcg_fe_log_mel_int16_state;

MCG_FE_FUNCTION void mcg_fe_log_mel_int16_reset(const mcg_fe_log_mel_int16 *fe,
                                                mcg_fe_log_mel_int16_state *state) {
  (void)fe;
  state->used = 0;
}

MCG_INLINE int32_t mcg_fe_log_mel_int16_bits(uint32_t value) {
#if defined(__GNUC__)
  return value == 0 ? 0 : 32 - (int32_t)__builtin_clz(value);
#else
  int32_t bits = 0;
  while (value != 0) {
    value >>= 1;
    ++bits;
  }
  return bits;
#endif
}

/* All bits beside the sign that a value has, or'ed over many. */
MCG_INLINE uint32_t mcg_fe_log_mel_int16_magnitude(int32_t value) {
  return (uint32_t)(value ^ (value >> 31));
}

/* The windowed samples, of 14 bits, where the transform takes them. Returns how far they were
 * shifted right; negative: left. */
MCG_INLINE int32_t mcg_fe_log_mel_int16_windowed(const mcg_fe_log_mel_int16 *fe,
                                                 const int16_t *samples, int16_t *data,
                                                 uint32_t *most) {
  uint32_t all = 0;
  for (uint32_t i = 0; i < fe->window; ++i) {
    all |= mcg_fe_log_mel_int16_magnitude(samples[i] * (int32_t)fe->hann[i]);
  }
  const int32_t shift = mcg_fe_log_mel_int16_bits(all) - 14;
  const int32_t half = shift > 0 ? (int32_t)1 << (shift - 1) : 0;
  *most = 0;
  for (uint32_t i = 0; i < fe->points; ++i) {
    const uint32_t from = 2u * fe->order[i];
    for (uint32_t part = 0; part < 2; ++part) {
      int32_t value = 0;
      if (from + part < fe->window) {
        value = samples[from + part] * (int32_t)fe->hann[from + part];
        value = shift > 0 ? (value + half) >> shift : (int32_t)((uint32_t)value << -shift);
      }
      data[2 * i + part] = (int16_t)value;
      *most |= mcg_fe_log_mel_int16_magnitude(value);
    }
  }
  return shift;
}

/* Two transforms of `size` values each make one, in place, shifted right by `shift`. Returns the
 * bits of the result. */
MCG_INLINE uint32_t mcg_fe_log_mel_int16_stage(const mcg_fe_log_mel_int16 *fe, int16_t *data,
                                               uint32_t size, uint32_t shift) {
  const uint32_t stride = 2 * (fe->points / size);
  const uint32_t places = 14 + shift;
  const int32_t half = (int32_t)1 << (places - 1);
  uint32_t most = 0;
  for (uint32_t k = 0; k < size; ++k) {
    const int32_t re = fe->turns[stride * k], im = fe->turns[stride * k + 1];
    for (int16_t *low = data + 2 * k; low < data + 2 * fe->points; low += 4 * size) {
      int16_t *high = low + 2 * size;
      const int32_t turned_re = high[0] * re - high[1] * im;
      const int32_t turned_im = high[0] * im + high[1] * re;
      const int32_t low_re = low[0] * 16384 + half, low_im = low[1] * 16384 + half;
      const int32_t rest_re = (low_re - turned_re) >> places;
      const int32_t rest_im = (low_im - turned_im) >> places;
      const int32_t sum_re = (low_re + turned_re) >> places;
      const int32_t sum_im = (low_im + turned_im) >> places;
      high[0] = (int16_t)rest_re;
      high[1] = (int16_t)rest_im;
      low[0] = (int16_t)sum_re;
      low[1] = (int16_t)sum_im;
      most |= mcg_fe_log_mel_int16_magnitude(rest_re) | mcg_fe_log_mel_int16_magnitude(rest_im);
      most |= mcg_fe_log_mel_int16_magnitude(sum_re) | mcg_fe_log_mel_int16_magnitude(sum_im);
    }
  }
  return most;
}

/* The squared magnitude of a bin, given twice and with 14 places. */
MCG_INLINE uint32_t mcg_fe_log_mel_int16_power(int32_t re, int32_t im) {
  const uint32_t whole_re = (uint32_t)((re + 16384) >> 15);
  const uint32_t whole_im = (uint32_t)((im + 16384) >> 15);
  return whole_re * whole_re + whole_im * whole_im;
}

/* The squared magnitudes of bins 1 ... points - 1 of the real signal, 32 bits each, in place. */
MCG_INLINE void mcg_fe_log_mel_int16_powers(const mcg_fe_log_mel_int16 *fe, int16_t *data) {
  for (uint32_t k = 1; k <= fe->points / 2u; ++k) {
    int16_t *low = data + 2 * k;
    int16_t *high = data + 2 * (fe->points - k);
    const int32_t even_re = (low[0] + high[0]) * 16384, even_im = (low[1] - high[1]) * 16384;
    const int32_t odd_re = low[1] + high[1], odd_im = high[0] - low[0];
    const int32_t re = fe->turns[2 * k], im = fe->turns[2 * k + 1];
    const int32_t turned_re = odd_re * re - odd_im * im;
    const int32_t turned_im = odd_re * im + odd_im * re;
    const uint32_t sum = mcg_fe_log_mel_int16_power(even_re + turned_re, even_im + turned_im);
    const uint32_t rest = mcg_fe_log_mel_int16_power(even_re - turned_re, turned_im - even_im);
    memcpy(low, &sum, sizeof sum);
    memcpy(high, &rest, sizeof rest);
  }
}

/* The square root with 8 binary places. */
MCG_INLINE uint32_t mcg_fe_log_mel_int16_root(const mcg_fe_log_mel_int16 *fe, uint32_t value) {
  if (value == 0) return 0;
  const uint32_t shift = (uint32_t)(32 - mcg_fe_log_mel_int16_bits(value)) & ~1u;
  value <<= shift;
  const uint32_t first = fe->roots[(value >> 24) - 64];
  return ((first + value / first) >> 1) << 8 >> (shift / 2);
}

/* log2(max(sum * 2^exponent, floor) + offset), 65536 is 1. */
MCG_INLINE int32_t mcg_fe_log_mel_int16_log2(const mcg_fe_log_mel_int16 *fe, uint64_t sum,
                                             int32_t exponent) {
  const uint32_t high = (uint32_t)(sum >> 32);
  const int32_t bits =
      high != 0 ? 32 + mcg_fe_log_mel_int16_bits(high) : mcg_fe_log_mel_int16_bits((uint32_t)sum);
  uint32_t value = (uint32_t)(bits > 32 ? sum >> (bits - 32) : bits > 0 ? sum << (32 - bits) : 0);
  exponent += bits - 32;
  if (fe->floor != 0 && (value == 0 || exponent < fe->floor_exponent ||
                         (exponent == fe->floor_exponent && value < fe->floor))) {
    value = fe->floor;
    exponent = fe->floor_exponent;
  }
  if (fe->offset != 0) {
    const int32_t apart = exponent - fe->offset_exponent;
    uint64_t total = fe->offset;
    if (value == 0) {
      exponent = fe->offset_exponent;
    } else if (apart >= 0) {
      total = (uint64_t)value + (apart < 32 ? fe->offset >> apart : 0);
    } else {
      total += apart > -32 ? value >> -apart : 0;
      exponent = fe->offset_exponent;
    }
    const uint32_t carry = (uint32_t)(total >> 32);
    value = (uint32_t)(total >> carry);
    exponent += (int32_t)carry;
  }
  const uint32_t part = value & 0x7fffffffu;
  const uint16_t *ends = fe->logs + (part >> 24);
  const int32_t bent = ((ends[1] - ends[0]) * (int32_t)((part >> 8) & 0xffffu) + 32768) >> 16;
  return (exponent + 31) * 65536 + (int32_t)(part >> 15) + ends[0] + bent;
}

MCG_INLINE int16_t mcg_fe_log_mel_int16_clamp(int64_t value) {
  return (int16_t)(value < -32768 ? -32768 : value > 32767 ? 32767 : value);
}

MCG_FE_FUNCTION void mcg_fe_log_mel_int16_row(const mcg_fe_log_mel_int16 *fe,
                                              const mcg_fe_log_mel_int16_state *state,
                                              int16_t *row) {
  int16_t *data = state->scratch;
  uint32_t most;
  int32_t exponent = mcg_fe_log_mel_int16_windowed(fe, state->samples, data, &most) - 30;
  for (uint32_t size = 1; size < fe->points; size *= 2) {
    const int32_t bits = mcg_fe_log_mel_int16_bits(most);
    const int32_t shift = bits > 13 ? bits - 13 : 0;
    most = mcg_fe_log_mel_int16_stage(fe, data, size, (uint32_t)shift);
    exponent += shift;
  }
  mcg_fe_log_mel_int16_powers(fe, data);
  if (fe->roots == 0) exponent *= 2;
  exponent -= fe->places;
  const uint16_t *weights = fe->weights;
  for (uint32_t channel = 0; channel < fe->channels; ++channel) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < fe->counts[channel]; ++i) {
      uint32_t value;
      memcpy(&value, data + 2 * ((uint32_t)fe->starts[channel] + i), sizeof value);
      if (fe->roots != 0) value = mcg_fe_log_mel_int16_root(fe, value);
      sum += (uint64_t)value * *weights++;
    }
    const int64_t log = (int64_t)mcg_fe_log_mel_int16_log2(fe, sum, exponent) * fe->log;
    const int64_t rounded = (log + ((int32_t)1 << 29)) >> 30;
    if (fe->coefficients == 0) {
      row[channel] = mcg_fe_log_mel_int16_clamp(rounded);
    } else {
      const int32_t kept = (int32_t)rounded;
      memcpy(data + 2 * (fe->points + channel), &kept, sizeof kept);
    }
  }
  for (uint32_t k = 0; k < fe->coefficients; ++k) {
    int64_t sum = (int64_t)1 << (fe->cosine_shift - 1);
    for (uint32_t i = 0; i < fe->channels; ++i) {
      int32_t value;
      memcpy(&value, data + 2 * (fe->points + i), sizeof value);
      sum += (int64_t)value * fe->cosines[k * fe->channels + i];
    }
    row[k] = mcg_fe_log_mel_int16_clamp(sum >> fe->cosine_shift);
  }
}

MCG_FE_FUNCTION uint32_t mcg_fe_log_mel_int16_push(const mcg_fe_log_mel_int16 *fe,
                                                   mcg_fe_log_mel_int16_state *state,
                                                   const void *frames, uint32_t count, void *row,
                                                   int *ready) {
  const uint32_t missing = fe->window - state->used;
  const uint32_t taken = count < missing ? count : missing;
  if (taken > 0) memcpy(state->samples + state->used, frames, taken * sizeof(int16_t));
  state->used += taken;
  *ready = state->used == fe->window;
  if (*ready) {
    mcg_fe_log_mel_int16_row(fe, state, (int16_t *)row);
    state->used = (uint32_t)(fe->window - fe->step);
    memmove(state->samples, state->samples + fe->step, state->used * sizeof(int16_t));
  }
  return taken;
}

#endif /* MCG_FE_LOG_MEL_INT16_H */
