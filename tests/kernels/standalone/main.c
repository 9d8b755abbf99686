/* Runs an emitted model over samples from a file: the inputs of each, then the outputs that are
 * wanted. Ends with 0 if all outputs are those, with 1 at the first that is not, with 2 if the file
 * does not fit the model. */
#include <stdio.h>
#include <string.h>

#include "mcg_model.h"

static int read_exactly(void *to, size_t bytes, FILE *from) {
  return fread(to, 1, bytes, from) == bytes;
}

int main(int count, char **arguments) {
  static uint8_t wanted[1 << 20];
  const mcg_model_info *info = mcg_model_get_info();
  FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
  uint32_t samples;
  if (!file || mcg_model_init() != 0 || !read_exactly(&samples, sizeof samples, file)) return 2;
  for (uint32_t sample = 0; sample < samples; ++sample) {
    for (uint32_t i = 0; i < info->input_count; ++i) {
      if (!read_exactly(mcg_model_input(i), info->inputs[i].bytes, file)) return 2;
    }
    if (mcg_model_invoke() != 0) return 2;
    for (uint32_t i = 0; i < info->output_count; ++i) {
      const uint32_t bytes = info->outputs[i].bytes;
      if (bytes > sizeof wanted || !read_exactly(wanted, bytes, file)) return 2;
      if (memcmp(mcg_model_output(i), wanted, bytes) != 0) {
        printf("sample %u, output %u differs\n", (unsigned)sample, (unsigned)i);
        return 1;
      }
    }
  }
  const int at_end = fgetc(file) == EOF;
  fclose(file);
  return at_end ? 0 : 2;
}
