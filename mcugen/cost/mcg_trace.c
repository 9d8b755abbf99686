/* SPDX-License-Identifier: MIT */
/* A plugin for QEMU's TCG interface: what one inference executes, counted exactly.
 *
 * It watches the second call of one function (the inference), and a call of another that runs a
 * hook after every op. For the whole, and for every op, it writes how often each block of
 * instructions ran, how often control went from one to another, what memory each load and store
 * touched, and the misses of caches in front of the flash. What the firmware does around the model
 * (interrupts, the hook itself, the link) is left out, and its memory is not watched, which would
 * make the link slow.
 *
 * Arguments, addresses in hexadecimal:
 *   out=FILE invoke=A nth=N times=N hooked=A hook=A    an inference may be several calls
 *   own=FROM-TO       code of the harness; may be repeated
 *   handler=FROM-TO   of these, the interrupt's handler
 *   region=FROM-TO    a memory; may be repeated, the flash first
 *   cache=LINES:BYTES:WAYS:LINES:BYTES:WAYS    for instructions and data; no lines: no cache; data
 * of -1 lines: shared
 *
 * Records, one per line: S segment; B start instructions count; E from to count; M pc unaligned
 * (reads writes)...; C pc cache misses sequential data; "complete" last. Segment 0 is the whole,
 * the others are the ops.
 *
 * MCG_PLUGIN_API is the version of the interface that a QEMU wants: 1 up to version 8, later ones
 * more. What is used here is the same in all of them. The interface's header is not installed with
 * QEMU everywhere, so what is needed of it is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };
typedef void (*executed)(unsigned, void *);
typedef void (*accessed)(unsigned, qemu_plugin_meminfo_t, uint64_t, void *);
typedef void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, executed, int, void *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, executed, int, void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, accessed, int, int, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);

#ifndef MCG_PLUGIN_API
#define MCG_PLUGIN_API 1
#endif

EXPORTED int qemu_plugin_version = MCG_PLUGIN_API;

enum { REGIONS = 8, CACHES = 8, OWN = 256, HASH = 16384, LINES = 4096 };

typedef struct {
  uint64_t from, to;
} range;

/* One cache: the tags of each set, the last used first. */
typedef struct {
  int lines, ways;
  uint32_t bytes;
  uint64_t tag[LINES];
  uint64_t last; /* the line that was read last */
} cache;

/* Ways in front of the flash. */
typedef struct {
  cache code, data;
  bool shared;
} front;

typedef struct edge {
  uint64_t to, count;
  struct edge *next;
} edge;

typedef struct block {
  uint64_t start, last, end, count;
  uint32_t instructions;
  bool own;
  edge *edges;
  struct block *next, *in_order;
} block;

typedef struct instruction {
  uint64_t pc, bytes, unaligned, reads[REGIONS], writes[REGIONS];
  uint64_t missed[CACHES], in_sequence[CACHES], data_missed[CACHES];
  bool touched;
  struct instruction *next, *in_order;
} instruction;

static struct {
  char out[4096];
  uint64_t invoke, hooked, hook;
  int nth, times, owns, regions, fronts;
  range own[OWN], region[REGIONS], handler;
} wanted = {.nth = 2, .times = 1};

static front *fronts;
static uint32_t narrowest = 256; /* line, in bytes */
static block *blocks[HASH], *all_blocks;
static instruction *instructions[HASH], *all_instructions;

enum state { IDLE, RUNNING, IN_HOOK, DONE };
static enum state state;
static int calls, hooked_calls, segment;
static bool by_op;
static uint64_t return_to, hook_return;
static block *previous;
static FILE *file;

static bool within(const range *all, int count, uint64_t address) {
  for (int i = 0; i < count; i++) {
    if (address >= all[i].from && address < all[i].to) return true;
  }
  return false;
}

static bool hits(cache *c, uint64_t line) {
  uint64_t *set = c->tag + (line % (uint64_t)(c->lines / c->ways)) * (uint64_t)c->ways;
  int at = 0;
  if (set[0] == line + 1) return true;
  while (at < c->ways && set[at] != line + 1) at++;
  const bool hit = at < c->ways;
  if (!hit) at = c->ways - 1;
  memmove(set + 1, set, (size_t)at * sizeof *set);
  set[0] = line + 1; /* 0 is an empty line */
  return hit;
}

static instruction *find_instruction(uint64_t pc, size_t bytes) {
  instruction **at = &instructions[(pc >> 1) % HASH];
  for (instruction *i = *at; i; i = i->next) {
    if (i->pc == pc) return i;
  }
  instruction *i = calloc(1, sizeof *i);
  if (!i) abort();
  i->pc = pc;
  i->bytes = bytes;
  i->next = *at;
  *at = i;
  i->in_order = all_instructions;
  return all_instructions = i;
}

static void write_segment(void) {
  if (!file) return;
  fprintf(file, "S %d\n", segment);
  for (block *b = all_blocks; b; b = b->in_order) {
    if (b->count)
      fprintf(file, "B %" PRIx64 " %" PRIu32 " %" PRIu64 "\n", b->start, b->instructions, b->count);
    b->count = 0;
    for (edge *e = b->edges; e; e = e->next) {
      if (e->count)
        fprintf(file, "E %" PRIx64 " %" PRIx64 " %" PRIu64 "\n", b->last, e->to, e->count);
      e->count = 0;
    }
  }
  for (instruction *i = all_instructions; i; i = i->in_order) {
    if (!i->touched) continue;
    uint64_t accesses = 0;
    for (int r = 0; r <= wanted.regions; r++) accesses += i->reads[r] + i->writes[r];
    if (accesses) {
      fprintf(file, "M %" PRIx64 " %" PRIu64, i->pc, i->unaligned);
      for (int r = 0; r <= wanted.regions; r++)
        fprintf(file, " %" PRIu64 " %" PRIu64, i->reads[r], i->writes[r]);
      fputc('\n', file);
    }
    for (int c = 0; c < wanted.fronts; c++) {
      if (i->missed[c] || i->in_sequence[c] || i->data_missed[c]) {
        fprintf(file, "C %" PRIx64 " %d %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", i->pc, c,
                i->missed[c], i->in_sequence[c], i->data_missed[c]);
      }
    }
    instruction *const next = i->next, *const in_order = i->in_order;
    const uint64_t pc = i->pc, bytes = i->bytes;
    *i = (instruction){.pc = pc, .bytes = bytes, .next = next, .in_order = in_order};
  }
}

/* How QEMU cuts code into blocks may differ from run to run, so lines are fetched as instructions
 * reach them. */
static void on_fetch(unsigned cpu, void *data) {
  instruction *const i = data;
  (void)cpu;
  if (state != RUNNING) return;
  for (int f = 0; f < wanted.fronts; f++) {
    cache *const c = &fronts[f].code;
    for (uint64_t line = i->pc / c->bytes; line <= (i->pc + i->bytes - 1) / c->bytes; line++) {
      if (line == c->last) continue;
      if (!c->lines || !hits(c, line)) {
        i->touched = true;
        if (line == c->last + 1) {
          i->in_sequence[f]++;
        } else {
          i->missed[f]++;
        }
      }
      c->last = line;
    }
  }
}

static void count(block *b) {
  b->count++;
  if (previous) {
    edge *e = previous->edges;
    while (e && e->to != b->start) e = e->next;
    if (!e) {
      e = calloc(1, sizeof *e);
      if (!e) abort();
      e->to = b->start;
      e->next = previous->edges;
      previous->edges = e;
    }
    e->count++;
  }
  previous = b;
}

static void finish(void) {
  if (by_op) {
    if (++hooked_calls < wanted.times) {
      state = IDLE;
      return;
    }
    if (file) {
      fputs("complete\n", file);
      fclose(file);
      file = NULL;
    }
    state = DONE;
  } else {
    if (calls == wanted.nth + wanted.times - 1) write_segment();
    state = IDLE;
  }
}

static void begin(bool op_by_op) {
  return_to = previous ? previous->end : 0;
  previous = NULL;
  by_op = op_by_op;
  if (!op_by_op) {
    segment = 0;
  } else if (hooked_calls == 0) {
    segment = 1;
  }
  state = RUNNING;
}

static void on_block(unsigned cpu, void *data) {
  block *const b = data;
  (void)cpu;
  if (b->start >= wanted.handler.from && b->start < wanted.handler.to) return;
  switch (state) {
    case IDLE:
      if (b->start == wanted.invoke && ++calls >= wanted.nth && calls < wanted.nth + wanted.times) {
        begin(false);
        count(b);
      } else if (b->start == wanted.hooked && calls >= wanted.nth + wanted.times - 1) {
        begin(true);
        count(b);
      } else {
        previous = b;
      }
      break;
    case RUNNING:
      if (!b->own) {
        count(b);
      } else if (b->start == return_to) {
        finish();
        previous = b;
      } else if (by_op && b->start == wanted.hook) {
        hook_return = previous ? previous->end : 0;
        write_segment();
        segment++;
        state = IN_HOOK;
      }
      break;
    case IN_HOOK:
      if (b->start == hook_return) {
        previous = NULL;
        state = RUNNING;
        count(b);
      }
      break;
    case DONE:
      break;
  }
}

static void touch(instruction *i, uint64_t address, unsigned bytes, bool store) {
  int region = 0; /* behind the last: elsewhere */
  while (region < wanted.regions && !within(wanted.region + region, 1, address)) region++;
  i->touched = true;
  if (address & (bytes - 1)) i->unaligned++;
  if (store) {
    i->writes[region]++;
    return;
  }
  i->reads[region]++;
  if (region != 0) return;
  for (int f = 0; f < wanted.fronts; f++) {
    cache *const c = fronts[f].shared ? &fronts[f].code : &fronts[f].data;
    if (!c->lines || !hits(c, address / c->bytes)) i->data_missed[f]++;
  }
}

/* Versions of QEMU differ in whether two words are one access, so words are counted. */
static void on_access(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data) {
  (void)cpu;
  if (state != RUNNING) return;
  const unsigned bytes = 1u << qemu_plugin_mem_size_shift(info);
  const unsigned part = bytes > 4 ? 4 : bytes;
  for (unsigned at = 0; at < bytes; at += part) {
    touch(data, address + at, part, qemu_plugin_mem_is_store(info));
  }
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  const uint32_t n = (uint32_t)qemu_plugin_tb_n_insns(tb);
  const uint64_t start = qemu_plugin_tb_vaddr(tb);
  const bool own = within(wanted.own, wanted.owns, start);
  block **const at = &blocks[(start >> 1) % HASH];
  block *b = *at;
  (void)id;
  while (b && (b->start != start || b->instructions != n)) b = b->next;
  if (!b) {
    const struct qemu_plugin_insn *const last = qemu_plugin_tb_get_insn(tb, n - 1);
    b = calloc(1, sizeof *b);
    if (!b) abort();
    b->start = start;
    b->instructions = n;
    b->own = own;
    b->last = qemu_plugin_insn_vaddr(last);
    b->end = b->last + qemu_plugin_insn_size(last);
    b->next = *at;
    *at = b;
    b->in_order = all_blocks;
    all_blocks = b;
  }
  qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, NO_REGISTERS, b);
  for (uint32_t k = 0; k < n && !own; k++) {
    struct qemu_plugin_insn *const one = qemu_plugin_tb_get_insn(tb, k);
    const uint64_t pc = qemu_plugin_insn_vaddr(one);
    instruction *const i = find_instruction(pc, qemu_plugin_insn_size(one));
    const bool in_flash = wanted.regions && within(wanted.region, 1, pc);
    const uint64_t place = pc % narrowest;
    if (wanted.fronts && in_flash && (k == 0 || place == 0 || place + i->bytes > narrowest)) {
      qemu_plugin_register_vcpu_insn_exec_cb(one, on_fetch, NO_REGISTERS, i);
    }
    qemu_plugin_register_vcpu_mem_cb(one, on_access, NO_REGISTERS, READS_AND_WRITES, i);
  }
}

static bool read_range(const char *text, range *all, int *count, int most) {
  range *const one = &all[*count];
  if (*count == most || sscanf(text, "%" SCNx64 "-%" SCNx64, &one->from, &one->to) != 2)
    return false;
  ++*count;
  return true;
}

static bool is_cache(const cache *c) {
  return c->bytes > 0 && c->lines >= 0 && c->lines <= LINES && c->ways >= 1 &&
         (c->lines % c->ways == 0);
}

static bool read_front(const char *text) {
  if (wanted.fronts == CACHES) return false;
  front *const f = &fronts[wanted.fronts];
  cache *const i = &f->code, *const d = &f->data;
  if (sscanf(text, "%d:%" SCNu32 ":%d:%d:%" SCNu32 ":%d", &i->lines, &i->bytes, &i->ways, &d->lines,
             &d->bytes, &d->ways) != 6) {
    return false;
  }
  f->shared = d->lines < 0;
  if (f->shared) d->lines = 0;
  i->last = ~(uint64_t)1;
  wanted.fronts++;
  if (i->bytes < narrowest) narrowest = i->bytes;
  return is_cache(i) && is_cache(d);
}

static bool read_argument(const char *argument) {
  const char *const value = strchr(argument, '=');
  if (!value) return false;
  const size_t length = (size_t)(value - argument);
#define IS(name) (length == sizeof name - 1 && !strncmp(argument, name, length))
  const char *const text = value + 1;
  if (IS("out"))
    return snprintf(wanted.out, sizeof wanted.out, "%s", text) < (int)sizeof wanted.out;
  if (IS("invoke")) return sscanf(text, "%" SCNx64, &wanted.invoke) == 1;
  if (IS("hooked")) return sscanf(text, "%" SCNx64, &wanted.hooked) == 1;
  if (IS("hook")) return sscanf(text, "%" SCNx64, &wanted.hook) == 1;
  if (IS("nth")) return sscanf(text, "%d", &wanted.nth) == 1;
  if (IS("times")) return sscanf(text, "%d", &wanted.times) == 1;
  if (IS("own")) return read_range(text, wanted.own, &wanted.owns, OWN);
  if (IS("handler")) {
    int none = 0;
    return read_range(text, &wanted.handler, &none, 1);
  }
  if (IS("region")) return read_range(text, wanted.region, &wanted.regions, REGIONS - 1);
  if (IS("cache")) return read_front(text);
  return false;
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                                 char **argv) {
  (void)info;
  fronts = calloc(CACHES, sizeof *fronts);
  if (!fronts) return 1;
  for (int i = 0; i < argc; i++) {
    if (!read_argument(argv[i])) {
      fprintf(stderr, "mcg_trace: cannot use the argument %s\n", argv[i]);
      return 1;
    }
  }
  file = fopen(wanted.out, "w");
  if (!file) {
    fprintf(stderr, "mcg_trace: cannot write %s\n", wanted.out);
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  return 0;
}
