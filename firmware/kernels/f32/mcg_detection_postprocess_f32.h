/* SPDX-License-Identifier: Apache-2.0 */
/* TFLite_Detection_PostProcess: boxes out of an SSD's encodings and anchors, by non-maximum
 * suppression.
 *
 * boxes is [count][encoding], the first four of each are y, x, h, w; scores is [count][columns],
 * the last `classes` of each are those of classes; anchors is [count][4], y, x, h, w. Detections
 * are ymin, xmin, ymax, xmax; rows without one are zeros.
 *
 * Candidates wait in a heap, the best on top, equal scores in the order of their boxes, and are
 * decoded when their turn comes. A box is kept if it overlaps none that was kept before by more
 * than the threshold. That is the reference's result, which sorts and decodes all of them. A box
 * without height or width, at which the reference stops, is passed over.
 */
#ifndef MCG_DETECTION_POSTPROCESS_F32_H
#define MCG_DETECTION_POSTPROCESS_F32_H

#include "mcg_f32.h"

typedef struct {
  int32_t count;      /* anchors */
  int32_t encoding;   /* numbers per box, 4 or more */
  int32_t columns;    /* scores per box */
  int32_t classes;    /* columns without the background, if there is one */
  int32_t rows;       /* of the outputs */
  int32_t detections; /* at most */
  int32_t each;       /* fast: classes per detection; regular: detections per class at most */
  int32_t regular;    /* every class by itself, or every box by its best class */
  float score_threshold;
  float overlap_threshold;
  float scales[4]; /* of y, x, h, w */
} mcg_detection_postprocess_f32_params;

/* Whether a box comes before another one: by its score, then by its place. */
MCG_INLINE int mcg_detection_before(const float *scores, int32_t step, int32_t a, int32_t b) {
  const float first = scores[a * step];
  const float second = scores[b * step];
  return first > second || (first == second && a < b);
}

/* Lets the box at `place` sink to where it belongs. */
MCG_INLINE void mcg_detection_sink(const float *scores, int32_t step, int32_t *heap, int32_t size,
                                   int32_t place) {
  const int32_t box = heap[place];
  for (int32_t child = 2 * place + 1; child < size; child = 2 * place + 1) {
    if (child + 1 < size && mcg_detection_before(scores, step, heap[child + 1], heap[child])) {
      ++child;
    }
    if (!mcg_detection_before(scores, step, heap[child], box)) {
      break;
    }
    heap[place] = heap[child];
    place = child;
  }
  heap[place] = box;
}

/* Makes a heap of the boxes that reach the threshold; their number. */
MCG_INLINE int32_t mcg_detection_candidates(const float *scores, int32_t step, int32_t count,
                                            float threshold, int32_t *heap) {
  int32_t size = 0;
  for (int32_t i = 0; i < count; ++i) {
    if (scores[i * step] >= threshold) {
      heap[size++] = i;
    }
  }
  for (int32_t place = size / 2 - 1; place >= 0; --place) {
    mcg_detection_sink(scores, step, heap, size, place);
  }
  return size;
}

/* Takes the best box off the heap. */
MCG_INLINE int32_t mcg_detection_next(const float *scores, int32_t step, int32_t *heap,
                                      int32_t *size) {
  const int32_t box = heap[0];
  heap[0] = heap[--*size];
  if (*size > 1) {
    mcg_detection_sink(scores, step, heap, *size, 0);
  }
  return box;
}

/* The corners of a box; 0 if it has no height or no width. In double, as in the reference. */
MCG_INLINE int mcg_detection_decode(const float *scales, const float *encoded, const float *anchor,
                                    float *box) {
  for (int32_t side = 0; side < 2; ++side) {
    const double size = (double)anchor[2 + side];
    const float centre =
        (float)((double)encoded[side] / (double)scales[side] * size + (double)anchor[side]);
    const float half =
        (float)(0.5 * exp((double)encoded[2 + side] / (double)scales[2 + side]) * size);
    box[side] = centre - half;
    box[2 + side] = centre + half;
  }
  return !(box[0] >= box[2] || box[1] >= box[3]);
}

/* The area that two boxes share, as a part of what they cover together. */
MCG_INLINE float mcg_detection_overlap(const float *a, const float *b) {
  const float area_a = (a[2] - a[0]) * (a[3] - a[1]);
  const float area_b = (b[2] - b[0]) * (b[3] - b[1]);
  if (area_a <= 0.0f || area_b <= 0.0f) {
    return 0.0f;
  }
  float shared = 1.0f;
  for (int32_t side = 0; side < 2; ++side) {
    const float low = a[side] < b[side] ? b[side] : a[side];
    const float high = b[2 + side] < a[2 + side] ? b[2 + side] : a[2 + side];
    const float length = high - low;
    shared *= length < 0.0f ? 0.0f : length;
  }
  return shared / (area_a + area_b - shared);
}

/* Whether a box overlaps one of `count` boxes, which are `step` numbers apart, too much. */
MCG_INLINE int mcg_detection_covered(const float *kept, int32_t step, int32_t count,
                                     const float *box, float threshold) {
  for (int32_t i = 0; i < count; ++i) {
    if (mcg_detection_overlap(kept + i * step, box) > threshold) {
      return 1;
    }
  }
  return 0;
}

/* The best class that comes after `last`, by score and then by place; the best of all after -1. */
MCG_INLINE int32_t mcg_detection_class_after(const float *scores, int32_t classes, int32_t last) {
  int32_t best = -1;
  for (int32_t i = 0; i < classes; ++i) {
    const int comes = last < 0 || mcg_detection_before(scores, 1, last, i);
    if (comes && (best < 0 || scores[i] > scores[best])) {
      best = i;
    }
  }
  return best < 0 ? 0 : best;
}

MCG_INLINE void mcg_detection_set(float *to, const float *box) {
  for (int32_t i = 0; i < 4; ++i) {
    to[i] = box[i];
  }
}

/* Every box by its best class. Row and place of a class are the reference's: where a detection has
 * several classes, each has as many rows as there are classes. */
MCG_INLINE int32_t mcg_detection_fast(const mcg_detection_postprocess_f32_params *p,
                                      const float *boxes, const float *scores, const float *anchors,
                                      float *found, float *classes, float *found_scores,
                                      int32_t *heap) {
  const int32_t each = p->each;
  float *best = (float *)(void *)(heap + p->count);
  const float *first = scores + (p->columns - p->classes);
  for (int32_t i = 0; i < p->count; ++i) {
    const float *row = first + i * p->columns;
    best[i] = row[mcg_detection_class_after(row, p->classes, -1)];
  }
  int32_t left = mcg_detection_candidates(best, 1, p->count, p->score_threshold, heap);
  int32_t kept = 0;
  while (left > 0 && kept < p->detections) {
    const int32_t i = mcg_detection_next(best, 1, heap, &left);
    float box[4];
    if (!mcg_detection_decode(p->scales, boxes + i * p->encoding, anchors + i * 4, box) ||
        mcg_detection_covered(found, 4 * each * each, kept, box, p->overlap_threshold)) {
      continue;
    }
    const float *row = first + i * p->columns;
    int32_t best_class = -1;
    for (int32_t n = 0; n < each; ++n) {
      const int32_t place = each * (kept * each + n) + n;
      best_class = mcg_detection_class_after(row, p->classes, best_class);
      mcg_detection_set(found + 4 * place, box);
      classes[place] = (float)best_class;
      found_scores[place] = row[best_class];
    }
    ++kept;
  }
  return kept * each;
}

/* Puts a detection behind those that are as good, of which `count` are there; how many there are
 * then. */
MCG_INLINE int32_t mcg_detection_insert(int32_t most, int32_t count, const float *box,
                                        int32_t its_class, float score, float *found,
                                        float *classes, float *scores) {
  int32_t place = count < most ? count : most - 1;
  for (; place > 0 && scores[place - 1] < score; --place) {
    mcg_detection_set(found + 4 * place, found + 4 * (place - 1));
    classes[place] = classes[place - 1];
    scores[place] = scores[place - 1];
  }
  mcg_detection_set(found + 4 * place, box);
  classes[place] = (float)its_class;
  scores[place] = score;
  return count < most ? count + 1 : most;
}

/* Every class by itself; the best detections of all of them. */
MCG_INLINE int32_t mcg_detection_regular(const mcg_detection_postprocess_f32_params *p,
                                         const float *boxes, const float *scores,
                                         const float *anchors, float *found, float *classes,
                                         float *found_scores, int32_t *heap) {
  float *kept = (float *)(void *)(heap + p->count); /* boxes of this class */
  const int32_t columns = p->columns;
  int32_t total = 0;
  for (int32_t k = 0; k < p->classes; ++k) {
    const float *column = scores + (columns - p->classes) + k;
    int32_t left = mcg_detection_candidates(column, columns, p->count, p->score_threshold, heap);
    for (int32_t n = 0; left > 0 && n < p->each;) {
      const int32_t i = mcg_detection_next(column, columns, heap, &left);
      const float score = column[i * columns];
      if (total == p->detections && !(score > found_scores[total - 1])) {
        break; /* those that follow are no better */
      }
      float *box = kept + 4 * n;
      if (!mcg_detection_decode(p->scales, boxes + i * p->encoding, anchors + i * 4, box) ||
          mcg_detection_covered(kept, 4, n, box, p->overlap_threshold)) {
        continue;
      }
      total =
          mcg_detection_insert(p->detections, total, box, k, score, found, classes, found_scores);
      ++n;
    }
  }
  return total;
}

MCG_INLINE void mcg_detection_postprocess_f32(const mcg_detection_postprocess_f32_params *p,
                                              const float *boxes, const float *scores,
                                              const float *anchors, float *found, float *classes,
                                              float *found_scores, float *number, void *scratch) {
  for (int32_t i = 0; i < p->rows; ++i) {
    const float nothing[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    mcg_detection_set(found + 4 * i, nothing);
    classes[i] = 0.0f;
    found_scores[i] = 0.0f;
  }
  int32_t *heap = (int32_t *)scratch;
  *number = (float)(p->regular != 0 ? mcg_detection_regular(p, boxes, scores, anchors, found,
                                                            classes, found_scores, heap)
                                    : mcg_detection_fast(p, boxes, scores, anchors, found, classes,
                                                         found_scores, heap));
}

#endif /* MCG_DETECTION_POSTPROCESS_F32_H */
