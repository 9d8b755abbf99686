/* SPDX-License-Identifier: Apache-2.0 */
/* The fixed-point audio front end of TensorFlow Lite Micro and microWakeWord, byte for byte.
 *
 * Sums wrap where those of the original do, so most arithmetic is unsigned. Memory is a quarter of
 * the original's: the windowed samples go straight to their places in the transform, which works in
 * place, and energies and channels are computed as they are needed.
 */
#ifndef MCG_FE_MICRO_H
#define MCG_FE_MICRO_H

#include "mcg_fe_common.h"

enum { MCG_FE_MICRO_FLOAT32, MCG_FE_MICRO_UINT16, MCG_FE_MICRO_INT8 };

typedef struct {
  const int16_t *window;  /* window_size, 4096 is 1 */
  const uint16_t *order;  /* points: which input stands where before the first stage */
  const int16_t *turns;   /* points, (cos, sin) */
  const int16_t *split;   /* points / 2, (cos, sin) */
  const uint16_t *widths; /* channels + 1: bins on the rising side of each channel */
  const int16_t
      *weights; /* per bin: on the rising side, and on the falling one of the channel before */
  const int16_t *gains; /* 95, or none: no gain control */
  const uint16_t *logs; /* 129, or none: no logarithm */
  uint16_t window_size, step;
  uint16_t points; /* of the complex transform */
  uint16_t channels, first_bin;
  uint16_t even_smoothing, odd_smoothing, least; /* 16384 is 1 */
  uint8_t smoothing_bits, snr_shift;
  int8_t correction_bits;
  uint8_t log_scale_shift, output;
} mcg_fe_micro;

typedef struct {
  int16_t *samples; /* window_size */
  uint32_t *noise;  /* channels */
  int16_t *scratch; /* 2 * points; free between pushes */
  uint32_t used;    /* samples */
} mcg_fe_micro_state;

MCG_FE_FUNCTION void mcg_fe_micro_reset(const mcg_fe_micro *fe, mcg_fe_micro_state *state) {
  state->used = 0;
  memset(state->noise, 0, fe->channels * sizeof(uint32_t));
}

MCG_INLINE uint32_t mcg_fe_micro_bits(uint32_t value) {
#if defined(__GNUC__)
  return value == 0 ? 0 : 32u - (uint32_t)__builtin_clz(value);
#else
  uint32_t bits = 0;
  while (value != 0) {
    value >>= 1;
    ++bits;
  }
  return bits;
#endif
}

/* 16 bits of a product with 15 fractional ones, rounded. */
MCG_INLINE int16_t mcg_fe_micro_round(int32_t product) {
  return (int16_t)((product + (1 << 14)) >> 15);
}

MCG_INLINE int16_t mcg_fe_micro_wrap(int32_t value) { return (int16_t)(uint16_t)(uint32_t)value; }

typedef struct {
  int16_t re, im;
} mcg_fe_micro_complex;

MCG_INLINE mcg_fe_micro_complex mcg_fe_micro_scaled(const int16_t *value, int32_t factor) {
  const mcg_fe_micro_complex result = {mcg_fe_micro_round(value[0] * factor),
                                       mcg_fe_micro_round(value[1] * factor)};
  return result;
}

MCG_INLINE mcg_fe_micro_complex mcg_fe_micro_turned(mcg_fe_micro_complex value,
                                                    const int16_t *turn) {
  const mcg_fe_micro_complex result = {mcg_fe_micro_round(value.re * turn[0] - value.im * turn[1]),
                                       mcg_fe_micro_round(value.re * turn[1] + value.im * turn[0])};
  return result;
}

MCG_INLINE void mcg_fe_micro_put(int16_t *to, int32_t re, int32_t im) {
  to[0] = mcg_fe_micro_wrap(re);
  to[1] = mcg_fe_micro_wrap(im);
}

/* Two transforms of `size` values each make one, in place. */
MCG_INLINE void mcg_fe_micro_stage2(const mcg_fe_micro *fe, int16_t *data, uint32_t size) {
  const uint32_t stride = fe->points / (2 * size);
  for (uint32_t k = 0; k < size; ++k) {
    const int16_t *turn = fe->turns + 2 * stride * k;
    for (int16_t *at = data + 2 * k; at < data + 2 * fe->points; at += 4 * size) {
      const mcg_fe_micro_complex a = mcg_fe_micro_scaled(at, 32767 / 2);
      const mcg_fe_micro_complex b =
          mcg_fe_micro_turned(mcg_fe_micro_scaled(at + 2 * size, 32767 / 2), turn);
      mcg_fe_micro_put(at, a.re + b.re, a.im + b.im);
      mcg_fe_micro_put(at + 2 * size, a.re - b.re, a.im - b.im);
    }
  }
}

/* Four transforms of `size` values each make one, in place. */
MCG_INLINE void mcg_fe_micro_stage4(const mcg_fe_micro *fe, int16_t *data, uint32_t size) {
  const uint32_t stride = fe->points / (4 * size);
  const uint32_t next = 2 * size;
  for (uint32_t k = 0; k < size; ++k) {
    const int16_t *turn1 = fe->turns + 2 * stride * k;
    const int16_t *turn2 = fe->turns + 4 * stride * k;
    const int16_t *turn3 = fe->turns + 6 * stride * k;
    for (int16_t *at = data + 2 * k; at < data + 2 * fe->points; at += 4 * next) {
      const int32_t quarter = 32767 / 4;
      const mcg_fe_micro_complex a = mcg_fe_micro_scaled(at, quarter);
      const mcg_fe_micro_complex b =
          mcg_fe_micro_turned(mcg_fe_micro_scaled(at + next, quarter), turn1);
      const mcg_fe_micro_complex c =
          mcg_fe_micro_turned(mcg_fe_micro_scaled(at + 2 * next, quarter), turn2);
      const mcg_fe_micro_complex d =
          mcg_fe_micro_turned(mcg_fe_micro_scaled(at + 3 * next, quarter), turn3);
      /* A quarter of 16 bits each, so sums of two wrap nowhere. */
      const int32_t minus_re = a.re - c.re, minus_im = a.im - c.im;
      const int32_t plus_re = a.re + c.re, plus_im = a.im + c.im;
      const int32_t odd_re = b.re + d.re, odd_im = b.im + d.im;
      const int32_t cross_re = b.re - d.re, cross_im = b.im - d.im;
      mcg_fe_micro_put(at, plus_re + odd_re, plus_im + odd_im);
      mcg_fe_micro_put(at + next, minus_re + cross_im, minus_im - cross_re);
      mcg_fe_micro_put(at + 2 * next, plus_re - odd_re, plus_im - odd_im);
      mcg_fe_micro_put(at + 3 * next, minus_re - cross_im, minus_im + cross_re);
    }
  }
}

/* The spectrum of twice as many real values, in place; bin 0 is left out. */
MCG_INLINE void mcg_fe_micro_split(const mcg_fe_micro *fe, int16_t *data) {
  for (uint32_t k = 1; k <= fe->points / 2u; ++k) {
    int16_t *low = data + 2 * k;
    int16_t *high = data + 2 * (fe->points - k);
    const int32_t half = 32767 / 2;
    const int16_t mirrored[2] = {high[0], mcg_fe_micro_wrap(-high[1])};
    const mcg_fe_micro_complex a = mcg_fe_micro_scaled(low, half);
    const mcg_fe_micro_complex b = mcg_fe_micro_scaled(mirrored, half);
    const int16_t sum_re = mcg_fe_micro_wrap(a.re + b.re), sum_im = mcg_fe_micro_wrap(a.im + b.im);
    const mcg_fe_micro_complex difference = {mcg_fe_micro_wrap(a.re - b.re),
                                             mcg_fe_micro_wrap(a.im - b.im)};
    const mcg_fe_micro_complex turned = mcg_fe_micro_turned(difference, fe->split + 2 * (k - 1));
    low[0] = (int16_t)((sum_re + turned.re) >> 1);
    low[1] = (int16_t)((sum_im + turned.im) >> 1);
    high[0] = (int16_t)((sum_re - turned.re) >> 1);
    high[1] = (int16_t)((turned.im - sum_im) >> 1);
  }
}

/* Bins 1 ... points - 1 of the window, scaled up by the bits that are returned. */
MCG_INLINE uint32_t mcg_fe_micro_spectrum(const mcg_fe_micro *fe, const int16_t *samples,
                                          int16_t *data) {
  int32_t most = 0;
  for (uint32_t i = 0; i < fe->points; ++i) {
    const uint32_t from = 2u * fe->order[i];
    for (uint32_t part = 0; part < 2; ++part) {
      int32_t value = 0;
      if (from + part < fe->window_size)
        value = (samples[from + part] * fe->window[from + part]) >> 12;
      data[2 * i + part] = (int16_t)value;
      if (value < 0) value = mcg_fe_micro_wrap(-value);
      if (value > most) most = value;
    }
  }
  const uint32_t shift = 15 - mcg_fe_micro_bits((uint32_t)most);
  for (uint32_t i = 0; i < 2u * fe->points; ++i) {
    data[i] = (int16_t)(uint16_t)((uint32_t)(int32_t)data[i] << shift);
  }
  uint32_t size = 1;
  /* A stage of two, where there is one, is the innermost. */
  if ((mcg_fe_micro_bits(fe->points) & 1) == 0) {
    mcg_fe_micro_stage2(fe, data, size);
    size = 2;
  }
  for (; size < fe->points; size *= 4) mcg_fe_micro_stage4(fe, data, size);
  mcg_fe_micro_split(fe, data);
  return shift;
}

/* The square root, rounded to the nearest but for 65536. */
MCG_INLINE uint32_t mcg_fe_micro_root32(uint32_t value) {
  uint32_t root = 0;
  uint32_t bit = (uint32_t)1 << 30;
  while (bit > value) bit >>= 2;
  for (; bit != 0; bit >>= 2) {
    if (value >= root + bit) {
      value -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  return value > root && root != 0xffff ? root + 1 : root;
}

MCG_INLINE uint32_t mcg_fe_micro_root64(uint64_t value) {
  if ((value >> 32) == 0) return mcg_fe_micro_root32((uint32_t)value);
  uint64_t root = 0;
  uint64_t bit = (uint64_t)1 << 62;
  while (bit > value) bit >>= 2;
  for (; bit != 0; bit >>= 2) {
    if (value >= root + bit) {
      value -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  return (uint32_t)(value > root && root != 0xffffffffu ? root + 1 : root);
}

/* What remains of a channel without its noise. */
MCG_INLINE uint32_t mcg_fe_micro_denoised(const mcg_fe_micro *fe, uint32_t signal, uint32_t channel,
                                          uint32_t *noise) {
  const uint32_t share = (channel & 1) == 0 ? fe->even_smoothing : fe->odd_smoothing;
  const uint32_t scaled = signal << fe->smoothing_bits;
  const uint32_t estimate =
      (uint32_t)(((uint64_t)scaled * share + (uint64_t)*noise * ((1u << 14) - share)) >> 14);
  *noise = estimate;
  const uint32_t left = estimate > scaled ? 0 : (scaled - estimate) >> fe->smoothing_bits;
  const uint32_t least = (uint32_t)(((uint64_t)signal * fe->least) >> 14);
  return left > least ? left : least;
}

/* The signal times a gain that falls with the noise, compressed where it is small. */
MCG_INLINE uint32_t mcg_fe_micro_amplified(const mcg_fe_micro *fe, uint32_t signal,
                                           uint32_t noise) {
  int16_t gain;
  if (noise <= 2) {
    gain = fe->gains[noise];
  } else {
    const uint32_t bits = mcg_fe_micro_bits(noise);
    const int16_t *curve = fe->gains + 3 * bits - 4;
    const int32_t part =
        (int32_t)((bits < 11 ? noise << (11 - bits) : noise >> (bits - 11)) & 0x3ff);
    uint32_t value = (uint32_t)((curve[2] * part) >> 5) + ((uint32_t)curve[1] << 5);
    value = value * (uint32_t)part + (1u << 14);
    gain = mcg_fe_micro_wrap(((int32_t)value >> 15) + curve[0]);
  }
  const uint32_t snr = (uint32_t)(((uint64_t)signal * (uint64_t)(uint32_t)gain) >> fe->snr_shift);
  return snr < (2u << 12) ? (snr * snr) >> 20 : (snr >> 6) - 64;
}

/* The natural logarithm times 2^log_scale_shift. */
MCG_INLINE uint32_t mcg_fe_micro_log(const mcg_fe_micro *fe, uint32_t value) {
  value = fe->correction_bits < 0 ? value >> -fe->correction_bits : value << fe->correction_bits;
  if (value <= 1) return 0;
  const uint32_t exponent = mcg_fe_micro_bits(value) - 1;
  uint32_t part = value - ((uint32_t)1 << exponent);
  part = exponent < 16 ? part << (16 - exponent) : part >> (exponent - 16);
  const uint16_t *ends = fe->logs + (part >> 9);
  const int32_t between = ((ends[1] - ends[0]) * (int32_t)(part & 511)) >> 16;
  const uint32_t log2 = (exponent << 16) + part + ends[0] + (uint32_t)between;
  const uint32_t natural = (uint32_t)(((uint64_t)45426 * log2 + 32768) >> 16);
  return ((natural << fe->log_scale_shift) + 32768) >> 16;
}

MCG_INLINE void mcg_fe_micro_store(const mcg_fe_micro *fe, uint32_t value, void *row, uint32_t at) {
  if (value > 0xffff) value = 0xffff;
  if (fe->output == MCG_FE_MICRO_FLOAT32) {
    ((float *)row)[at] = (float)value * 0.0390625f;
  } else if (fe->output == MCG_FE_MICRO_UINT16) {
    ((uint16_t *)row)[at] = (uint16_t)value;
  } else {
    const int32_t scaled = (int32_t)((value * 256 + 333) / 666) - 128;
    ((int8_t *)row)[at] = (int8_t)(scaled > 127 ? 127 : scaled);
  }
}

MCG_FE_FUNCTION void mcg_fe_micro_row(const mcg_fe_micro *fe, mcg_fe_micro_state *state,
                                      void *row) {
  const uint32_t shift = mcg_fe_micro_spectrum(fe, state->samples, state->scratch);
  const int16_t *bin = state->scratch + 2 * fe->first_bin;
  const int16_t *weights = fe->weights;
  uint64_t rising = 0;
  for (uint32_t channel = 0; channel <= fe->channels; ++channel) {
    uint64_t falling = 0;
    for (uint32_t i = 0; i < fe->widths[channel]; ++i, bin += 2, weights += 2) {
      /* 2^31 wraps, and is then widened with its sign. */
      const int32_t power = (int32_t)((uint32_t)(bin[0] * bin[0]) + (uint32_t)(bin[1] * bin[1]));
      rising += (uint64_t)((int64_t)power * weights[0]);
      falling += (uint64_t)((int64_t)power * weights[1]);
    }
    if (channel > 0) {
      const uint32_t at = channel - 1;
      uint32_t value = mcg_fe_micro_root64(rising) >> shift;
      value = mcg_fe_micro_denoised(fe, value, at, state->noise + at);
      if (fe->gains != 0) value = mcg_fe_micro_amplified(fe, value, state->noise[at]);
      if (fe->logs != 0) value = mcg_fe_micro_log(fe, value);
      mcg_fe_micro_store(fe, value, row, at);
    }
    rising = falling;
  }
}

MCG_FE_FUNCTION uint32_t mcg_fe_micro_push(const mcg_fe_micro *fe, mcg_fe_micro_state *state,
                                           const void *frames, uint32_t count, void *row,
                                           int *ready) {
  const uint32_t missing = fe->window_size - state->used;
  const uint32_t taken = count < missing ? count : missing;
  if (taken > 0) memcpy(state->samples + state->used, frames, taken * sizeof(int16_t));
  state->used += taken;
  *ready = state->used == fe->window_size;
  if (*ready) {
    mcg_fe_micro_row(fe, state, row);
    state->used = (uint32_t)(fe->window_size - fe->step);
    memmove(state->samples, state->samples + fe->step, state->used * sizeof(int16_t));
  }
  return taken;
}

#endif /* MCG_FE_MICRO_H */
