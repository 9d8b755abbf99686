/* SPDX-License-Identifier: Apache-2.0 */
/* A whole clip's mel spectrogram: windows centred on every `stride` samples, the clip mirrored at
 * its borders; decibels below a reference, and no further below the clip's largest value than a
 * range. A row has a line of `columns` values per channel. */
#ifndef MCG_FE_SPECTROGRAM_H
#define MCG_FE_SPECTROGRAM_H

#include "mcg_fe_log_mel.h"

typedef struct {
  const mcg_fe_log_mel *mel; /* makes one column */
  uint32_t clip, hop;        /* samples of a clip, and from one to the next */
  uint32_t stride;           /* samples from one column to the next */
  uint32_t lead;             /* samples that the first window begins before the clip */
  uint32_t columns;
  float reference, range; /* range 0: values are as they are */
} mcg_fe_spectrogram;

typedef struct {
  uint8_t *samples; /* clip */
  float *scratch;   /* 2 * points of a transform, a window of samples, a column */
  uint32_t used;    /* samples */
} mcg_fe_spectrogram_state;

MCG_FE_FUNCTION void mcg_fe_spectrogram_reset(const mcg_fe_spectrogram *fe,
                                              mcg_fe_spectrogram_state *state) {
  (void)fe;
  state->used = 0;
}

/* The samples of a window that begins at `start`, before the clip where that is negative. */
MCG_INLINE void mcg_fe_spectrogram_window(const mcg_fe_spectrogram *fe, const uint8_t *samples,
                                          int32_t start, uint8_t *window, uint32_t bytes) {
  const int32_t last = (int32_t)fe->clip - 1;
  for (int32_t i = 0; i < (int32_t)fe->mel->window; ++i) {
    int32_t from = start + i;
    if (from < 0) from = -from;
    if (from > last) from = 2 * last - from;
    memcpy(window + (uint32_t)i * bytes, samples + (uint32_t)from * bytes, bytes);
  }
}

MCG_FE_FUNCTION void mcg_fe_spectrogram_row(const mcg_fe_spectrogram *fe,
                                            const mcg_fe_spectrogram_state *state, float *row) {
  const mcg_fe_log_mel *mel = fe->mel;
  const uint32_t bytes = mel->type == MCG_FE_INT16 ? 2 : 4;
  float *const window = state->scratch + 2u * mel->points;
  float *const column = window + (mel->window * bytes + 3) / 4;
  const mcg_fe_log_mel_state work = {(uint8_t *)window, state->scratch, mel->window};
  float largest = 0.0f;
  for (uint32_t n = 0; n < fe->columns; ++n) {
    const int32_t start = (int32_t)(n * fe->stride) - (int32_t)fe->lead;
    mcg_fe_spectrogram_window(fe, state->samples, start, work.samples, bytes);
    mcg_fe_log_mel_row(mel, &work, column);
    for (uint32_t channel = 0; channel < mel->channels; ++channel) {
      const float value = column[channel] - fe->reference;
      row[channel * fe->columns + n] = value;
      if ((n == 0 && channel == 0) || value > largest) largest = value;
    }
  }
  if (fe->range == 0.0f) return;
  const float least = largest - fe->range;
  for (uint32_t i = 0; i < mel->channels * fe->columns; ++i) {
    if (row[i] < least) row[i] = least;
  }
}

MCG_FE_FUNCTION uint32_t mcg_fe_spectrogram_push(const mcg_fe_spectrogram *fe,
                                                 mcg_fe_spectrogram_state *state,
                                                 const void *frames, uint32_t count, void *row,
                                                 int *ready) {
  const uint32_t bytes = fe->mel->type == MCG_FE_INT16 ? 2 : 4;
  const uint32_t missing = fe->clip - state->used;
  const uint32_t taken = count < missing ? count : missing;
  if (taken > 0) memcpy(state->samples + state->used * bytes, frames, taken * bytes);
  state->used += taken;
  *ready = state->used == fe->clip;
  if (*ready) {
    mcg_fe_spectrogram_row(fe, state, (float *)row);
    state->used = fe->clip - fe->hop;
    memmove(state->samples, state->samples + fe->hop * bytes, state->used * bytes);
  }
  return taken;
}

#endif /* MCG_FE_SPECTROGRAM_H */
