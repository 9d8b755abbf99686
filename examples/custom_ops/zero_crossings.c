/* Counts how often a signal crosses zero, per channel: a cheap measure of its frequency. */
#include <stdint.h>

typedef struct {
  int32_t steps;
  int32_t channels;
  int32_t zero_point;
} mcg_custom_zero_crossings_params;

/* input: int8 [1, steps, channels]; output: int32 [1, channels]. Zero counts as positive. */
static inline void mcg_custom_zero_crossings(const mcg_custom_zero_crossings_params *p,
                                             const int8_t *input, int32_t *output) {
  for (int32_t c = 0; c < p->channels; ++c) {
    const int8_t *at = input + c;
    int32_t count = 0;
    for (int32_t t = 1; t < p->steps; ++t, at += p->channels) {
      count += (at[0] < p->zero_point) != (at[p->channels] < p->zero_point);
    }
    output[c] = count;
  }
}
