/* TensorFlow Lite Micro's SignalWindow: frames of audio times a window, shifted right, saturated to
 * 16 bits. */
#include <stdint.h>

typedef struct {
  int32_t frames;
  int32_t size;
  int32_t shift;
} mcg_custom_signal_window_params;

/* input, output: int16 [frames, size]; window: int16 [size]. */
static inline void mcg_custom_signal_window(const mcg_custom_signal_window_params *p,
                                            const int16_t *input, const int16_t *window,
                                            int16_t *output) {
  for (int32_t frame = 0; frame < p->frames; ++frame) {
    for (int32_t i = 0; i < p->size; ++i, ++input, ++output) {
      const int32_t shifted = ((int32_t)*input * window[i]) >> p->shift;
      *output = (int16_t)(shifted < -32768 ? -32768 : shifted > 32767 ? 32767 : shifted);
    }
  }
}
