/* SPDX-License-Identifier: Apache-2.0 */
/* Features of windows over axes: each axis in units, then statistics and magnitudes of frequencies.
 *
 * Sums are made in order, so that C which fuses no products and sums (-ffp-contract=off, as in ISO
 * C) gives the reference's bytes. Needs sqrtf of the C library.
 */
#ifndef MCG_FE_MOTION_H
#define MCG_FE_MOTION_H

#include <math.h>

#include "mcg_fe_common.h"

enum {
  MCG_FE_MOTION_MEAN = 1,
  MCG_FE_MOTION_VARIANCE = 2,
  MCG_FE_MOTION_RMS = 4,
  MCG_FE_MOTION_ZERO_CROSSINGS = 8,
  MCG_FE_MOTION_MIN = 16,
  MCG_FE_MOTION_MAX = 32
};

typedef struct {
  const float *offset; /* channels */
  const float *size;
  const float *cosines; /* window, and as many sines; none without frequencies */
  uint32_t window, step, channels, frame_bytes, fft_bins;
  uint8_t features; /* MCG_FE_MOTION_MEAN | ... */
  uint8_t type;     /* MCG_FE_INT16 ... */
} mcg_fe_motion;

typedef struct {
  uint8_t *frames; /* window */
  float *scratch;  /* window; free between pushes */
  uint32_t used;   /* frames */
} mcg_fe_motion_state;

MCG_FE_FUNCTION void mcg_fe_motion_reset(const mcg_fe_motion *fe, mcg_fe_motion_state *state) {
  (void)fe;
  state->used = 0;
}

MCG_INLINE float mcg_fe_motion_squares(const float *values, uint32_t count) {
  float sum = 0.0f;
  for (uint32_t i = 0; i < count; ++i) sum += values[i] * values[i];
  return sum / (float)count;
}

/* The magnitude of frequency k, over the number of values. */
MCG_INLINE float mcg_fe_motion_frequency(const mcg_fe_motion *fe, const float *values, uint32_t k) {
  float re = 0.0f, im = 0.0f;
  uint32_t at = 0;
  for (uint32_t i = 0; i < fe->window; ++i) {
    re += values[i] * fe->cosines[at];
    im += values[i] * fe->cosines[fe->window + at];
    at += k;
    if (at >= fe->window) at -= fe->window;
  }
  return sqrtf(re * re + im * im) / (float)fe->window;
}

/* The features of one axis; returns where those of the next go. */
MCG_FE_FUNCTION float *mcg_fe_motion_axis(const mcg_fe_motion *fe, const mcg_fe_motion_state *state,
                                          uint32_t axis, float *to) {
  float *values = state->scratch;
  const uint32_t count = fe->window;
  float sum = 0.0f, least = 0.0f, most = 0.0f;
  for (uint32_t i = 0; i < count; ++i) {
    const float raw = mcg_fe_value(state->frames, i * fe->channels + axis, fe->type);
    const float value = (raw - fe->offset[axis]) / fe->size[axis];
    values[i] = value;
    sum += value;
    if (i == 0 || value < least) least = value;
    if (i == 0 || value > most) most = value;
  }
  const float mean = sum / (float)count;
  const float squares =
      (fe->features & MCG_FE_MOTION_RMS) != 0 ? mcg_fe_motion_squares(values, count) : 0.0f;
  for (uint32_t i = 0; i < count; ++i) values[i] -= mean;
  if ((fe->features & MCG_FE_MOTION_MEAN) != 0) *to++ = mean;
  if ((fe->features & MCG_FE_MOTION_VARIANCE) != 0) *to++ = mcg_fe_motion_squares(values, count);
  if ((fe->features & MCG_FE_MOTION_RMS) != 0) *to++ = sqrtf(squares);
  if ((fe->features & MCG_FE_MOTION_ZERO_CROSSINGS) != 0) {
    uint32_t crossings = 0;
    for (uint32_t i = 1; i < count; ++i) crossings += (values[i] < 0.0f) != (values[i - 1] < 0.0f);
    *to++ = (float)crossings;
  }
  if ((fe->features & MCG_FE_MOTION_MIN) != 0) *to++ = least + 0.0f; /* no -0 */
  if ((fe->features & MCG_FE_MOTION_MAX) != 0) *to++ = most + 0.0f;
  for (uint32_t k = 1; k <= fe->fft_bins; ++k) *to++ = mcg_fe_motion_frequency(fe, values, k);
  return to;
}

MCG_FE_FUNCTION uint32_t mcg_fe_motion_push(const mcg_fe_motion *fe, mcg_fe_motion_state *state,
                                            const void *frames, uint32_t count, void *row,
                                            int *ready) {
  const uint32_t missing = fe->window - state->used;
  const uint32_t taken = count < missing ? count : missing;
  if (taken > 0) {
    memcpy(state->frames + state->used * fe->frame_bytes, frames, taken * fe->frame_bytes);
  }
  state->used += taken;
  *ready = state->used == fe->window;
  if (*ready) {
    float *to = (float *)row;
    for (uint32_t axis = 0; axis < fe->channels; ++axis)
      to = mcg_fe_motion_axis(fe, state, axis, to);
    state->used = fe->window - fe->step;
    memmove(state->frames, state->frames + fe->step * fe->frame_bytes,
            state->used * fe->frame_bytes);
  }
  return taken;
}

#endif /* MCG_FE_MOTION_H */
