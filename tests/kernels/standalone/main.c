/* Runs an emitted model over samples from a file, see program.py: the inputs of each, then the
 * outputs that are wanted. Ends with 0 if all outputs are those, with 1 at the first that is not or
 * at the first op that writes elsewhere than into its output and its scratch memory, with 2 if the
 * file does not fit the model. With the address sanitizer it ends as well where an op reads what is
 * neither its input nor one of these. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcg_model.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address))
#endif

typedef struct {
  uint32_t at, bytes;
} range;

/* What an op may touch: its scratch memory, its output, its inputs. */
enum { SCRATCH, OUTPUT, RANGES = 4 };

typedef struct {
  uint8_t *arena;
  range (*ops)[RANGES];
  uint32_t strayed; /* 1 and the number of the first op that wrote elsewhere, or 0 */
  uint8_t before[MCG_MODEL_ARENA_BYTES];
} watch;

static int read_exactly(void *to, size_t bytes, FILE *from) {
  return fread(to, 1, bytes, from) == bytes;
}

static void allow(watch *w, range written) {
  memcpy(w->before + written.at, w->arena + written.at, written.bytes);
}

/* The sanitizer ends the program where the op reads or writes elsewhere. */
static void fence(const watch *w, uint32_t op) {
  ASAN_POISON_MEMORY_REGION(w->arena, MCG_MODEL_ARENA_BYTES);
  for (int n = 0; n < RANGES; ++n) {
    ASAN_UNPOISON_MEMORY_REGION(w->arena + w->ops[op][n].at, w->ops[op][n].bytes);
  }
}

/* After every op: the arena is as it was before, but for what the op may write. */
static void look(void *context, uint32_t op) {
  watch *w = context;
  ASAN_UNPOISON_MEMORY_REGION(w->arena, MCG_MODEL_ARENA_BYTES);
  allow(w, w->ops[op][SCRATCH]);
  allow(w, w->ops[op][OUTPUT]);
  if (w->strayed == 0 && memcmp(w->before, w->arena, MCG_MODEL_ARENA_BYTES) != 0) {
    w->strayed = op + 1;
  }
  if (op + 1 < mcg_model_get_info()->op_count) fence(w, op + 1);
}

static int run(FILE *file) {
  static uint8_t wanted[1 << 20];
  static watch w;
  const mcg_model_info *info = mcg_model_get_info();
  uint32_t samples, input;
  w.ops = malloc(info->op_count * sizeof *w.ops);
  if (!w.ops || !read_exactly(&samples, sizeof samples, file) ||
      !read_exactly(&input, sizeof input, file) ||
      !read_exactly(w.ops, info->op_count * sizeof *w.ops, file)) {
    return 2;
  }
  w.arena = (uint8_t *)mcg_model_input(0) - input;
  for (uint32_t sample = 0; sample < samples; ++sample) {
    for (uint32_t i = 0; i < info->input_count; ++i) {
      if (!read_exactly(mcg_model_input(i), info->inputs[i].bytes, file)) return 2;
    }
    memcpy(w.before, w.arena, MCG_MODEL_ARENA_BYTES);
    fence(&w, 0);
    if (mcg_model_invoke_hooked(look, &w) != 0) return 2;
    if (w.strayed != 0) {
      printf("sample %u, op %u writes elsewhere\n", (unsigned)sample, (unsigned)w.strayed - 1u);
      return 1;
    }
    for (uint32_t i = 0; i < info->output_count; ++i) {
      const uint32_t bytes = info->outputs[i].bytes;
      if (bytes > sizeof wanted || !read_exactly(wanted, bytes, file)) return 2;
      if (memcmp(mcg_model_output(i), wanted, bytes) != 0) {
        printf("sample %u, output %u differs\n", (unsigned)sample, (unsigned)i);
        return 1;
      }
    }
  }
  free(w.ops);
  return fgetc(file) == EOF ? 0 : 2;
}

int main(int count, char **arguments) {
  FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
  if (!file || mcg_model_init() != 0) return 2;
  const int result = run(file);
  fclose(file);
  return result;
}
