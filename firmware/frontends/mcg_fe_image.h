/* SPDX-License-Identifier: Apache-2.0 */
/* A camera's lines to an image: decoded, cropped, in grey or colours, resized, scaled.
 *
 * A frame is a line. Of the picture only what the next line of the result still needs is kept. */
#ifndef MCG_FE_IMAGE_H
#define MCG_FE_IMAGE_H

#include "mcg_fe_common.h"

enum {
  MCG_FE_IMAGE_GREY,
  MCG_FE_IMAGE_RGB888,
  MCG_FE_IMAGE_BGR888,
  MCG_FE_IMAGE_RGB565LE,
  MCG_FE_IMAGE_RGB565BE,
  MCG_FE_IMAGE_YUYV,
  MCG_FE_IMAGE_UYVY,
  MCG_FE_IMAGE_BAYER_RGGB,
  MCG_FE_IMAGE_BAYER_BGGR,
  MCG_FE_IMAGE_BAYER_GRBG,
  MCG_FE_IMAGE_BAYER_GBRG
};

enum { MCG_FE_IMAGE_TO_UINT8, MCG_FE_IMAGE_TO_INT8, MCG_FE_IMAGE_TO_FLOAT32 };

typedef struct {
  const float *mean; /* depth; none but for float32 */
  const float *scale;
  uint32_t lines, line_bytes;
  uint16_t left, top, crop_width, crop_height; /* in decoded pixels */
  uint16_t width, height;                      /* of the result */
  uint8_t depth, format, bilinear, output;
} mcg_fe_image;

typedef struct {
  uint32_t *kept;   /* width * depth: sums, or two interpolated lines of 16 bits */
  uint8_t *pending; /* line_bytes: the first line of Bayer quads */
  uint8_t *scratch; /* a cropped line, and behind it the sums of that line */
  uint32_t line;    /* of this image, so far */
  uint32_t filled;  /* area: how much of the result's line is summed, of crop_height */
  uint32_t made;    /* lines of the result */
} mcg_fe_image_state;

MCG_FE_FUNCTION void mcg_fe_image_reset(const mcg_fe_image *fe, mcg_fe_image_state *state) {
  state->line = 0;
  state->filled = 0;
  state->made = 0;
  memset(state->kept, 0, (uint32_t)fe->width * fe->depth * sizeof(uint32_t));
}

MCG_INLINE uint8_t mcg_fe_image_clamped(int32_t value) {
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Pixel x of a line, in grey (to[0]) or colours. */
MCG_INLINE void mcg_fe_image_pixel(const mcg_fe_image *fe, const uint8_t *before,
                                   const uint8_t *line, uint32_t x, uint8_t *to) {
  uint32_t r, g, b;
  switch (fe->format) {
    case MCG_FE_IMAGE_GREY:
      to[0] = line[x];
      return;
    case MCG_FE_IMAGE_RGB888:
      r = line[3 * x];
      g = line[3 * x + 1];
      b = line[3 * x + 2];
      break;
    case MCG_FE_IMAGE_BGR888:
      b = line[3 * x];
      g = line[3 * x + 1];
      r = line[3 * x + 2];
      break;
    case MCG_FE_IMAGE_RGB565LE:
    case MCG_FE_IMAGE_RGB565BE: {
      const uint32_t big = fe->format == MCG_FE_IMAGE_RGB565BE;
      const uint32_t word = line[2 * x + big] | (uint32_t)line[2 * x + 1 - big] << 8;
      r = word >> 11;
      g = (word >> 5) & 63;
      b = word & 31;
      r = r << 3 | r >> 2;
      g = g << 2 | g >> 4;
      b = b << 3 | b >> 2;
      break;
    }
    case MCG_FE_IMAGE_YUYV:
    case MCG_FE_IMAGE_UYVY: {
      const uint8_t *pair = line + 4 * (x / 2);
      const uint32_t chroma = fe->format == MCG_FE_IMAGE_YUYV;
      const int32_t y = pair[2 * (x & 1) + 1 - chroma];
      const int32_t u = pair[chroma] - 128, v = pair[chroma + 2] - 128;
      if (fe->depth == 1) {
        to[0] = (uint8_t)y;
        return;
      }
      to[0] = mcg_fe_image_clamped((256 * y + 359 * v + 128) >> 8);
      to[1] = mcg_fe_image_clamped((256 * y - 88 * u - 183 * v + 128) >> 8);
      to[2] = mcg_fe_image_clamped((256 * y + 454 * u + 128) >> 8);
      return;
    }
    default: {
      const uint8_t quad[4] = {before[2 * x], before[2 * x + 1], line[2 * x], line[2 * x + 1]};
      /* Where red is; blue is in the opposite corner. */
      const uint32_t red = fe->format == MCG_FE_IMAGE_BAYER_RGGB   ? 0u
                           : fe->format == MCG_FE_IMAGE_BAYER_GRBG ? 1u
                           : fe->format == MCG_FE_IMAGE_BAYER_GBRG ? 2u
                                                                   : 3u;
      r = quad[red];
      b = quad[3 - red];
      g = ((uint32_t)quad[red ^ 1] + quad[(3 - red) ^ 1] + 1) >> 1;
      break;
    }
  }
  if (fe->depth == 1) {
    to[0] = (uint8_t)((77 * r + 150 * g + 29 * b + 128) >> 8);
  } else {
    to[0] = (uint8_t)r;
    to[1] = (uint8_t)g;
    to[2] = (uint8_t)b;
  }
}

MCG_INLINE void mcg_fe_image_store(const mcg_fe_image *fe, void *row, uint32_t at, uint32_t value) {
  if (fe->output == MCG_FE_IMAGE_TO_UINT8) {
    ((uint8_t *)row)[at] = (uint8_t)value;
  } else if (fe->output == MCG_FE_IMAGE_TO_INT8) {
    ((int8_t *)row)[at] = (int8_t)((int32_t)value - 128);
  } else {
    const uint32_t channel = at % fe->depth;
    ((float *)row)[at] = ((float)value - fe->mean[channel]) / fe->scale[channel];
  }
}

/* A cropped line: its part of the lines of the result that it lies in. */
MCG_INLINE void mcg_fe_image_area(const mcg_fe_image *fe, mcg_fe_image_state *state,
                                  const uint8_t *pixels, uint32_t *sums, void *row) {
  const uint32_t values = (uint32_t)fe->width * fe->depth;
  const uint32_t whole = (uint32_t)fe->crop_width * fe->crop_height;
  /* Lengths: a pixel of the line is `width` long, one of the result `crop_width`. */
  uint32_t x = 0, rest = fe->width;
  for (uint32_t column = 0; column < fe->width; ++column) {
    uint32_t *to = sums + column * fe->depth;
    for (uint32_t i = 0; i < fe->depth; ++i) to[i] = 0;
    for (uint32_t missing = fe->crop_width; missing > 0;) {
      const uint32_t part = rest < missing ? rest : missing;
      for (uint32_t i = 0; i < fe->depth; ++i) to[i] += part * pixels[x * fe->depth + i];
      missing -= part;
      rest -= part;
      if (rest == 0) {
        ++x;
        rest = fe->width;
      }
    }
  }
  for (uint32_t left = fe->height; left > 0;) {
    const uint32_t missing = fe->crop_height - state->filled;
    const uint32_t part = left < missing ? left : missing;
    for (uint32_t i = 0; i < values; ++i) state->kept[i] += part * sums[i];
    state->filled += part;
    left -= part;
    if (state->filled == fe->crop_height) {
      for (uint32_t i = 0; i < values; ++i) {
        mcg_fe_image_store(fe, row, state->made * values + i, (state->kept[i] + whole / 2) / whole);
        state->kept[i] = 0;
      }
      state->filled = 0;
      ++state->made;
    }
  }
}

typedef struct {
  uint32_t low, part;
} mcg_fe_image_place;

/* The pixel before place `at` of `result`, and how far it is from there to the next, in 1/256. */
MCG_INLINE mcg_fe_image_place mcg_fe_image_between(uint32_t at, uint32_t size, uint32_t result) {
  const uint32_t twice = (2 * at + 1) * size;
  const uint32_t numerator = twice > result ? twice - result : 0;
  mcg_fe_image_place place = {numerator / (2 * result), 0};
  if (place.low >= size - 1) {
    place.low = size - 1;
  } else {
    place.part = numerator % (2 * result) * 128 / result;
  }
  return place;
}

/* A cropped line y: interpolated along itself, then with the one before into lines of the result.
 */
MCG_INLINE void mcg_fe_image_bilinear(const mcg_fe_image *fe, mcg_fe_image_state *state,
                                      const uint8_t *pixels, uint32_t y, void *row) {
  const uint32_t values = (uint32_t)fe->width * fe->depth;
  uint16_t *lines = (uint16_t *)state->kept;
  uint16_t *now = lines + (y & 1) * values;
  const uint16_t *before = lines + (~y & 1) * values;
  for (uint32_t column = 0; column < fe->width; ++column) {
    const mcg_fe_image_place place = mcg_fe_image_between(column, fe->crop_width, fe->width);
    const uint32_t step = place.low + 1 < fe->crop_width ? fe->depth : 0u;
    const uint8_t *from = pixels + place.low * fe->depth;
    for (uint32_t i = 0; i < fe->depth; ++i) {
      now[column * fe->depth + i] =
          (uint16_t)(from[i] * (256 - place.part) + from[i + step] * place.part);
    }
  }
  while (state->made < fe->height) {
    const mcg_fe_image_place place = mcg_fe_image_between(state->made, fe->crop_height, fe->height);
    const uint32_t needed = place.low + 1 < fe->crop_height ? place.low + 1 : place.low;
    if (needed != y) break;
    const uint16_t *top = place.low == y ? now : before;
    for (uint32_t i = 0; i < values; ++i) {
      const uint32_t mixed = top[i] * (256 - place.part) + now[i] * place.part;
      mcg_fe_image_store(fe, row, state->made * values + i, (mixed + (1u << 15)) >> 16);
    }
    ++state->made;
  }
}

MCG_FE_FUNCTION void mcg_fe_image_line(const mcg_fe_image *fe, mcg_fe_image_state *state,
                                       const uint8_t *line, void *row) {
  uint32_t y = state->line;
  if (state->pending != 0) {
    if ((y & 1) == 0) {
      memcpy(state->pending, line, fe->line_bytes);
      return;
    }
    y /= 2;
  }
  if (y < fe->top || y >= (uint32_t)fe->top + fe->crop_height) return;
  uint8_t *pixels = state->scratch;
  for (uint32_t x = 0; x < fe->crop_width; ++x) {
    mcg_fe_image_pixel(fe, state->pending, line, fe->left + x, pixels + x * fe->depth);
  }
  if (fe->bilinear) {
    mcg_fe_image_bilinear(fe, state, pixels, y - fe->top, row);
  } else {
    const uint32_t behind = ((uint32_t)fe->crop_width * fe->depth + 3u) & ~3u;
    mcg_fe_image_area(fe, state, pixels, (uint32_t *)(void *)(pixels + behind), row);
  }
}

MCG_FE_FUNCTION uint32_t mcg_fe_image_push(const mcg_fe_image *fe, mcg_fe_image_state *state,
                                           const void *frames, uint32_t count, void *row,
                                           int *ready) {
  const uint8_t *line = (const uint8_t *)frames;
  *ready = 0;
  for (uint32_t taken = 0; taken < count; ++taken, line += fe->line_bytes) {
    mcg_fe_image_line(fe, state, line, row);
    if (++state->line == fe->lines) {
      state->line = 0;
      state->made = 0;
      *ready = 1;
      return taken + 1;
    }
  }
  return count;
}

#endif /* MCG_FE_IMAGE_H */
