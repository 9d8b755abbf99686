/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes: what a grid of cells detects, decoded and suppressed in integers; the surest box starts an
 * event. */
#ifndef MCG_DECISION_BOXES_H
#define MCG_DECISION_BOXES_H

#include <stdint.h>

#include "mcg_decision_gate.h"

/* Type of the model's output; define it before. */
#ifndef MCG_DECISION_SCORE
#define MCG_DECISION_SCORE int8_t
#endif

/* A box; define it before where a program has a type of its own. Corners are in 1/4096 of the
 * image. */
#ifndef MCG_DECISION_BOX
typedef struct {
  int32_t score;
  uint16_t label;
  int16_t ymin, xmin, ymax, xmax;
} mcg_decision_box;
#define MCG_DECISION_BOX mcg_decision_box
#endif

/* Without anchors each cell has a score per label and is a box; with anchors it has x, y, w, h, a
 * score of there being anything, and one per label, for each of them. Tables are indexed by bytes
 * of the output as they are. */
typedef struct {
  mcg_decision_gate gate;
  uint32_t rows, columns;
  uint32_t anchors; /* of a cell; 0: cells are boxes */
  uint32_t fields;  /* of an anchor, or of a cell */
  uint32_t first;   /* where the scores of labels begin in them */
  uint32_t labels;
  int32_t zero_point;   /* of the output */
  int32_t upper, lower; /* an event starts above, and boxes are those above */
  uint32_t most;        /* boxes that are kept */
  int32_t overlap;      /* in 1/65536 of what two boxes cover: above it only the better is kept */
  const uint8_t *background; /* by label: 1 where it is no box */
  const uint16_t *sigmoid;   /* in 1/32768 */
  const uint32_t *growth;    /* exponentials in 1/65536 */
  const uint16_t *sizes;     /* by anchor: height, width in 1/4096 of the image */
  uint16_t *scores;          /* by box of the grid */
  uint32_t *places;          /* by box that is kept: its number in the grid */
  MCG_DECISION_BOX *boxes;   /* most */
} mcg_decision_boxes;

typedef struct {
  mcg_decision_gate_state gate;
  uint32_t count; /* boxes of the last inference */
  uint32_t label; /* of the event, or the candidate for one */
  int32_t score;  /* of that label, its best box; 0 without one */
} mcg_decision_boxes_state;

static inline void mcg_decision_boxes_reset(const mcg_decision_boxes *d,
                                            mcg_decision_boxes_state *state) {
  (void)d;
  state->gate.above = state->gate.wait = 0;
  state->gate.is_active = 0;
  state->count = state->label = 0;
  state->score = 0;
}

/* The label with the highest score of a box of the grid, the first of equal ones. */
static inline uint32_t mcg_decision_boxes_label(const mcg_decision_boxes *d,
                                                const MCG_DECISION_SCORE *box) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < d->labels; i++) {
    if (box[d->first + i] > box[d->first + best]) best = i;
  }
  return best;
}

static inline uint16_t mcg_decision_boxes_score(const mcg_decision_boxes *d,
                                                const MCG_DECISION_SCORE *box) {
  const uint32_t label = mcg_decision_boxes_label(d, box);
  if (d->background[label]) return 0;
  if (d->anchors > 0) {
    const uint32_t anything = d->sigmoid[(uint8_t)box[4]];
    return (uint16_t)((anything * d->sigmoid[(uint8_t)box[d->first + label]]) >> 15);
  }
  const int32_t score = (int32_t)box[d->first + label] - d->zero_point;
  return (uint16_t)(score > 0 ? score : 0);
}

static inline int16_t mcg_decision_boxes_corner(int32_t value) {
  return (int16_t)(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
}

/* One side of a box, from the centre's field, the size's, its place in the grid and the anchor's
 * size. */
static inline void mcg_decision_boxes_side(const mcg_decision_boxes *d, MCG_DECISION_SCORE centre,
                                           MCG_DECISION_SCORE size, uint32_t cell, uint32_t cells,
                                           uint32_t anchor, int16_t *low, int16_t *high) {
  const uint32_t middle = (cell * 32768u + d->sigmoid[(uint8_t)centre]) / (8u * cells);
  const uint64_t half = ((uint64_t)anchor * d->growth[(uint8_t)size]) >> 17;
  const int32_t reach = half > 32768u ? 32768 : (int32_t)half;
  *low = mcg_decision_boxes_corner((int32_t)middle - reach);
  *high = mcg_decision_boxes_corner((int32_t)middle + reach);
}

static inline void mcg_decision_boxes_decode(const mcg_decision_boxes *d,
                                             const MCG_DECISION_SCORE *fields, uint32_t place,
                                             MCG_DECISION_BOX *box) {
  const uint32_t each = d->anchors > 0 ? d->anchors : 1;
  const uint32_t cell = place / each, row = cell / d->columns, column = cell % d->columns;
  box->score = d->scores[place];
  box->label = (uint16_t)mcg_decision_boxes_label(d, fields);
  if (d->anchors > 0) {
    const uint16_t *size = d->sizes + 2 * (place % each);
    mcg_decision_boxes_side(d, fields[1], fields[3], row, d->rows, size[0], &box->ymin, &box->ymax);
    mcg_decision_boxes_side(d, fields[0], fields[2], column, d->columns, size[1], &box->xmin,
                            &box->xmax);
  } else {
    box->ymin = (int16_t)(row * 4096u / d->rows);
    box->ymax = (int16_t)((row + 1u) * 4096u / d->rows);
    box->xmin = (int16_t)(column * 4096u / d->columns);
    box->xmax = (int16_t)((column + 1u) * 4096u / d->columns);
  }
}

/* What two stretches have in common. */
static inline int64_t mcg_decision_boxes_shared(int16_t a, int16_t b, int16_t c, int16_t e) {
  const int32_t low = a > c ? a : c, high = b < e ? b : e;
  return high > low ? high - low : 0;
}

static inline int64_t mcg_decision_boxes_area(const MCG_DECISION_BOX *box) {
  return (int64_t)(box->ymax - box->ymin) * (box->xmax - box->xmin);
}

/* Whether two boxes of a label are the same thing: cells that touch, or boxes that overlap. */
static inline int mcg_decision_boxes_same(const mcg_decision_boxes *d, const MCG_DECISION_BOX *a,
                                          uint32_t place_a, const MCG_DECISION_BOX *b,
                                          uint32_t place_b) {
  if (a->label != b->label) return 0;
  if (d->anchors == 0) {
    const int32_t down = (int32_t)(place_a / d->columns) - (int32_t)(place_b / d->columns);
    const int32_t across = (int32_t)(place_a % d->columns) - (int32_t)(place_b % d->columns);
    return down >= -1 && down <= 1 && across >= -1 && across <= 1;
  }
  const int64_t shared = mcg_decision_boxes_shared(a->ymin, a->ymax, b->ymin, b->ymax) *
                         mcg_decision_boxes_shared(a->xmin, a->xmax, b->xmin, b->xmax);
  const int64_t both = mcg_decision_boxes_area(a) + mcg_decision_boxes_area(b) - shared;
  return shared * 65536 > both * d->overlap;
}

/* The best box of the grid among those after (`score`, `place`) in the order of scores, equal ones
 * in the grid's order; `count` if none is above the lower bound. */
static inline uint32_t mcg_decision_boxes_next(const mcg_decision_boxes *d, uint32_t count,
                                               uint32_t score, uint32_t place) {
  uint32_t best = count;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t own = d->scores[i];
    if ((int32_t)own <= d->lower || own > score || (own == score && i <= place)) continue;
    if (best == count || own > d->scores[best]) best = i;
  }
  return best;
}

/* Takes an inference's grid. */
static inline int mcg_decision_boxes_update(const mcg_decision_boxes *d,
                                            mcg_decision_boxes_state *state, const void *output) {
  const MCG_DECISION_SCORE *grid = (const MCG_DECISION_SCORE *)output;
  const uint32_t count = d->rows * d->columns * (d->anchors > 0 ? d->anchors : 1);
  for (uint32_t i = 0; i < count; i++) {
    d->scores[i] = mcg_decision_boxes_score(d, grid + i * d->fields);
  }
  state->count = 0;
  uint32_t score = UINT32_MAX, place = 0;
  while (state->count < d->most) {
    place = mcg_decision_boxes_next(d, count, score, place);
    if (place == count) break;
    score = d->scores[place];
    MCG_DECISION_BOX *box = d->boxes + state->count;
    mcg_decision_boxes_decode(d, grid + place * d->fields, place, box);
    int is_new = 1;
    for (uint32_t i = 0; i < state->count && is_new; i++) {
      is_new = !mcg_decision_boxes_same(d, d->boxes + i, d->places[i], box, place);
    }
    if (is_new) d->places[state->count++] = place;
  }

  const int is_above = state->count > 0 && d->boxes[0].score > d->upper;
  if (!state->gate.is_active && state->count > 0 && d->boxes[0].label != state->label) {
    state->label = d->boxes[0].label;
    state->gate.above = 0;
  }
  state->score = 0;
  for (uint32_t i = state->count; i > 0; i--) {
    if (d->boxes[i - 1].label == state->label) state->score = d->boxes[i - 1].score;
  }
  const int is_its = state->count > 0 && d->boxes[0].label == state->label;
  return mcg_decision_gate_update(&d->gate, &state->gate, is_its && is_above, state->score > 0);
}

#endif
