#include "mcg_harness.h"

#include <string.h>

#include "mcg_cobs.h"
#include "mcg_crc.h"
#include "mcg_harness_config.h"
#include "mcg_model.h"

#define PROTOCOL_VERSION 1u
#define HEADER_BYTES 6u
#define CRC_BYTES 4u
#define FRAME_BYTES (HEADER_BYTES + MCG_MAX_PAYLOAD + CRC_BYTES)
#define STRING_BYTES 31u /* longer texts are cut in a hello */
#define CALIBRATION_INSTRUCTIONS 65536u
#define STACK_PAINT 0xC5A5C5A5u

#if MCG_MAX_PAYLOAD < 256 || MCG_MAX_PAYLOAD > 65535
#error "MCG_MAX_PAYLOAD must hold a hello and fit 16 bits"
#endif

enum {
  HELLO = 0x01,
  TENSOR_INFO = 0x02,
  WRITE_INPUT = 0x03,
  INVOKE = 0x04,
  CONTINUE = 0x05,
  READ_OP_OUTPUT = 0x06,
  READ_OUTPUT = 0x07,
  RESET = 0x08,
  INIT = 0x09,
  WRITE_MODEL = 0x0A,
  LOAD_MODEL = 0x0B,
  ERROR_TEXT = 0x0C,
  STORED = 0x0D,
  RESPONSE = 0x80,
  FAULT = 0xFF
};

enum {
  OK = 0,
  BAD_VERSION = 1,
  BAD_COMMAND = 2,
  BAD_LENGTH = 3,
  BAD_INDEX = 4,
  BAD_RANGE = 5,
  BAD_INPUT = 6,
  BAD_STATE = 7,
  MODEL_FAILED = 8,
  NO_SESSION = 9,
  STACK_OVERFLOW = 10
};

enum { INVOKE_PAUSE = 1, INVOKE_STACK = 2 };
enum { DONE = 0, PAUSED = 1 };
enum { MEASURE_COST = 1, MEASURE_STACK = 2 };

typedef struct {
  mcg_moment cost;      /* difference of two moments */
  uint32_t stack_bytes; /* deepest use below the caller, 0 where not measured */
  int32_t result;
} run_record;

static struct {
  const mcg_model_info *model;
  const mcg_fault_info *fault; /* set once the program has faulted */
  mcg_cobs_decoder decoder;
  uint32_t request_bytes;  /* length of the request's payload */
  uint32_t response_bytes; /* header and payload of the last response, kept so that it can be sent
                              again */
  uint16_t session, last_sequence;
  uint8_t has_session;
  uint8_t has_output; /* outputs of a finished inference can be read */
  uint8_t is_paused;
  uint8_t abandoned;  /* a new session began during a paused inference */
  uint8_t is_pending; /* a request was received that is still to be served */
  uint32_t paused_op;
  mcg_moment resumed;
  run_record init;
  uint32_t overhead_ticks; /* of an empty measurement */
  uint32_t calibration_ticks;
} self;

static uint8_t request[FRAME_BYTES];
static uint8_t response[FRAME_BYTES];

/* ---- numbers, little endian */

static uint32_t get16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }

static uint32_t get32(const uint8_t *p) { return get16(p) | get16(p + 2) << 16; }

static void put8(uint32_t value) {
  if (self.response_bytes < HEADER_BYTES + MCG_MAX_PAYLOAD) {
    response[self.response_bytes++] = (uint8_t)value;
  }
}

static void put16(uint32_t value) {
  put8(value);
  put8(value >> 8);
}

static void put32(uint32_t value) {
  put16(value);
  put16(value >> 16);
}

static void put64(uint64_t value) {
  put32((uint32_t)value);
  put32((uint32_t)(value >> 32));
}

static void put_moment(const mcg_moment *moment) {
  put64(moment->ticks);
  put32(moment->interrupts);
}

static void put_bytes(const void *data, uint32_t bytes) {
  const uint8_t *p = data;
  while (bytes-- > 0) put8(*p++);
}

static void put_string(const char *text) {
  uint32_t length = 0;
  while (length < STRING_BYTES && text[length] != 0) length++;
  put8(length);
  put_bytes(text, length);
}

/* ---- frames */

static void send_response(void) {
  const uint32_t crc = mcg_crc32(0, response, self.response_bytes);
  for (uint32_t i = 0; i < CRC_BYTES; i++) {
    response[self.response_bytes + i] = (uint8_t)(crc >> (8 * i));
  }
  mcg_port_putc(0); /* ends whatever the host took for the start of a frame */
  mcg_cobs_send(response, self.response_bytes + CRC_BYTES, mcg_port_putc);
  mcg_port_putc(0);
}

/* Starts the response to the frame in `request`. */
static void begin_response(uint32_t type) {
  self.response_bytes = 0;
  put8(PROTOCOL_VERSION);
  put8(type);
  put_bytes(&request[2], 4); /* session and sequence number */
}

static void respond(uint32_t status) {
  begin_response(request[1] | RESPONSE);
  put8(status);
}

/* Answers without touching the last response, which may have to be sent again. */
static void refuse(uint32_t status) {
  uint8_t kept[HEADER_BYTES + 1 + CRC_BYTES];
  const uint32_t kept_bytes = self.response_bytes;
  memcpy(kept, response, sizeof kept);
  respond(status);
  send_response();
  memcpy(response, kept, sizeof kept);
  self.response_bytes = kept_bytes;
}

static void respond_and_reset(void) {
  respond(OK);
  send_response();
  mcg_port_flush();
  mcg_port_reset();
}

static void send_fault(void) {
  const mcg_fault_info *f = self.fault;
  begin_response(FAULT);
  put32(f->exception);
  put32(f->pc);
  put32(f->lr);
  put32(f->sp);
  put32(f->xpsr);
  put32(f->cfsr);
  put32(f->hfsr);
  put32(f->mmfar);
  put32(f->bfar);
  send_response();
}

/* Whether the frame of `length` bytes in `request` is a new request that is to be served. */
static int accept_frame(uint32_t length) {
  if (length < HEADER_BYTES + CRC_BYTES) return 0;
  const uint32_t body = length - CRC_BYTES;
  if (mcg_crc32(0, request, body) != get32(&request[body])) return 0;
  if (self.fault != NULL) {
    if (request[1] == RESET) respond_and_reset();
    send_fault();
    return 0;
  }
  if (request[0] != PROTOCOL_VERSION) {
    refuse(BAD_VERSION);
    return 0;
  }
  const uint16_t session = (uint16_t)get16(&request[2]);
  const uint16_t sequence = (uint16_t)get16(&request[4]);
  if (!self.has_session || session != self.session) {
    if (request[1] != HELLO) {
      refuse(NO_SESSION);
      return 0;
    }
    self.has_session = 1;
    self.session = session;
    self.has_output = 0;
  } else {
    const int16_t ahead = (int16_t)(uint16_t)(sequence - self.last_sequence);
    if (ahead == 0) send_response(); /* its response was lost, or it came twice */
    if (ahead <= 0) return 0;        /* older ones were delayed: the host has given them up */
  }
  self.last_sequence = sequence;
  self.request_bytes = body - HEADER_BYTES;
  return 1;
}

/* Waits until `request` holds a new request. */
static void receive_request(void) {
  for (;;) {
    const int byte = mcg_port_getc();
    if (byte < 0) continue;
    const uint32_t length = mcg_cobs_feed(&self.decoder, (uint8_t)byte);
    if (length > 0 && accept_frame(length)) return;
  }
}

/* ---- measuring */

static uint64_t counter_mask(void) {
  const uint32_t bits = mcg_port_counter()->bits;
  return bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
}

/* from → to, measuring included: the host takes that off, after it has made exact instructions of
 * ticks. */
static mcg_moment elapsed(const mcg_moment *from, const mcg_moment *to) {
  mcg_moment cost;
  cost.ticks = (to->ticks - from->ticks) & counter_mask();
  cost.interrupts = to->interrupts - from->interrupts;
  return cost;
}

static void calibrate(void) {
  mcg_moment a, b, c;
  mcg_port_now(&a);
  mcg_port_now(&b);
  mcg_port_run_instructions(CALIBRATION_INSTRUCTIONS);
  mcg_port_now(&c);
  self.overhead_ticks = (uint32_t)elapsed(&a, &b).ticks;
  self.calibration_ticks = (uint32_t)elapsed(&b, &c).ticks;
}

/* Calls `function` and notes what `what` asks for. The stack below this function's own frame is
 * free while no interrupt runs, so it is painted right up to it. Reading the counter uses a few
 * words of stack itself. */
static __attribute__((noinline)) void run_measured(int (*function)(void), uint32_t what,
                                                   run_record *record) {
  mcg_moment before = {0, 0}, after = {0, 0};
  volatile uint32_t *const bottom = mcg_port_stack_bottom();
  volatile uint32_t *top = bottom;
#ifdef __arm__
  if ((what & MEASURE_STACK) && bottom != NULL) {
    uint32_t sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    top = (volatile uint32_t *)sp;
    mcg_port_interrupts(0);
    for (volatile uint32_t *p = bottom; p < top; p++) *p = STACK_PAINT;
  }
#endif
  if (what & MEASURE_COST) mcg_port_now(&before);
  record->result = function();
  if (what & MEASURE_COST) mcg_port_now(&after);
  record->cost = elapsed(&before, &after);
  volatile uint32_t *lowest = bottom;
  while (lowest < top && *lowest == STACK_PAINT) lowest++;
  record->stack_bytes = (uint32_t)((uintptr_t)top - (uintptr_t)lowest);
  mcg_port_interrupts(1);
}

/* Whether the lowest words of the stack, painted before init, were written to. Where the addresses
 * below the RAM do not fault, this is what shows an overflow. */
static int stack_overflowed(void) {
  volatile uint32_t *const bottom = mcg_port_stack_bottom();
  return bottom != NULL && (bottom[0] != STACK_PAINT || bottom[1] != STACK_PAINT);
}

/* ---- requests */

static const uint8_t *payload(void) { return &request[HEADER_BYTES]; }

static void hello(void) {
  const mcg_model_info *m = self.model;
  const mcg_counter_info *counter = mcg_port_counter();
  uint32_t id_bytes;
  const uint8_t *id = mcg_port_build_id(&id_bytes);
  respond(OK);
  put16(MCG_MAX_PAYLOAD);
  put_bytes(m->sha256, sizeof m->sha256);
  put32(m->arena_bytes);
  put16(m->input_count);
  put16(m->output_count);
  put16(m->op_count);
  put32(mcg_port_stack_bytes());
  put8(counter->kind);
  put8(counter->bits);
  put8(counter->instructions_per_interrupt);
  put32(counter->hz);
  put32(self.overhead_ticks);
  put32(self.calibration_ticks);
#ifdef MCG_MODEL_SLOT_BYTES
  put32(MCG_MODEL_SLOT_BYTES);
#else
  put32(0);
#endif
  put32((uint32_t)self.init.result);
  put_moment(&self.init.cost);
  put32(self.init.stack_bytes);
  put8(id_bytes);
  put_bytes(id, id_bytes);
  put_string(MCG_BOARD_NAME);
  put_string(m->runtime);
  put_string(m->generator);
  put_string(m->name);
}

/* The tensor that a request names by input (0) or output (1) and index, or NULL. */
static const mcg_tensor_info *find_tensor(uint32_t is_output, uint32_t index) {
  const mcg_model_info *m = self.model;
  if (is_output > 1 || index >= (is_output ? m->output_count : m->input_count)) return NULL;
  return is_output ? &m->outputs[index] : &m->inputs[index];
}

static void tensor_info(void) {
  if (self.request_bytes != 3) {
    respond(BAD_LENGTH);
    return;
  }
  const mcg_tensor_info *t = find_tensor(payload()[0], get16(payload() + 1));
  if (t == NULL) {
    respond(BAD_INDEX);
    return;
  }
  uint32_t scale;
  memcpy(&scale, &t->scale, sizeof scale);
  respond(OK);
  put8(t->dtype);
  put8(t->rank);
  put32(t->bytes);
  put32(scale);
  put32((uint32_t)t->zero_point);
  for (uint32_t i = 0; i < t->rank; i++) put32((uint32_t)t->dims[i]);
  put_string(t->name);
}

static void respond_model_failed(int32_t result) {
  respond(MODEL_FAILED);
  put32((uint32_t)result);
}

static void write_input(void) {
  if (self.request_bytes < 6) {
    respond(BAD_LENGTH);
    return;
  }
  const uint32_t index = get16(payload()), offset = get32(payload() + 2);
  const uint32_t bytes = self.request_bytes - 6;
  const mcg_tensor_info *t = find_tensor(0, index);
  if (self.init.result != 0) {
    respond_model_failed(self.init.result);
  } else if (t == NULL) {
    respond(BAD_INDEX);
  } else if (offset > t->bytes || bytes > t->bytes - offset) {
    respond(BAD_RANGE);
  } else {
    self.has_output = 0; /* inputs and outputs may share memory */
    memcpy((uint8_t *)mcg_model_input(index) + offset, payload() + 6, bytes);
    respond(OK);
  }
}

/* Answers with `bytes` bytes from `offset` of a block of memory. */
static void respond_with(const void *data, uint32_t size, uint32_t offset, uint32_t bytes) {
  if (offset > size || bytes > size - offset || bytes > MCG_MAX_PAYLOAD - 1) {
    respond(BAD_RANGE);
    return;
  }
  respond(OK);
  put_bytes((const uint8_t *)data + offset, bytes);
}

static void read_output(void) {
  if (self.request_bytes != 8) {
    respond(BAD_LENGTH);
  } else if (!self.has_output) {
    respond(BAD_STATE);
  } else {
    const uint32_t index = get16(payload());
    const mcg_tensor_info *t = find_tensor(1, index);
    if (t == NULL) {
      respond(BAD_INDEX);
    } else {
      respond_with(mcg_model_output(index), t->bytes, get32(payload() + 2), get16(payload() + 6));
    }
  }
}

static void read_op_output(void) {
  if (self.request_bytes != 6) {
    respond(BAD_LENGTH);
  } else if (!self.is_paused) {
    respond(BAD_STATE);
  } else {
    uint32_t size;
    const void *data = mcg_model_op_output(self.paused_op, &size);
    respond_with(data, size, get32(payload()), get16(payload() + 4));
  }
}

static uint32_t inputs_crc(void) {
  uint32_t crc = 0;
  for (uint32_t i = 0; i < self.model->input_count; i++) {
    crc = mcg_crc32(crc, mcg_model_input(i), self.model->inputs[i].bytes);
  }
  return crc;
}

static uint32_t outputs_crc(void) {
  uint32_t crc = 0;
  for (uint32_t i = 0; i < self.model->output_count; i++) {
    crc = mcg_crc32(crc, mcg_model_output(i), self.model->outputs[i].bytes);
  }
  return crc;
}

/* Runs after every op of a paused inference: shows its output until the host says CONTINUE. */
static void pause_after_op(void *context, uint32_t op) {
  mcg_moment now;
  (void)context;
  mcg_port_now(&now);
  if (self.abandoned) return;
  const mcg_moment cost = elapsed(&self.resumed, &now);
  self.is_paused = 1;
  self.paused_op = op;
  uint32_t bytes;
  const void *data = mcg_model_op_output(op, &bytes);
  respond(OK);
  put8(PAUSED);
  put16(op);
  put32(bytes);
  put32(mcg_crc32(0, data, bytes));
  put_moment(&cost);
  send_response();
  for (;;) {
    receive_request();
    if (request[1] == CONTINUE) break;
    if (request[1] == HELLO || request[1] == RESET) {
      /* Let the inference run to its end; the main loop serves the request then. */
      self.abandoned = self.is_pending = 1;
      break;
    }
    if (request[1] == READ_OP_OUTPUT) {
      read_op_output();
    } else {
      respond(BAD_STATE);
    }
    send_response();
  }
  self.is_paused = 0;
  mcg_port_now(&self.resumed);
}

static void invoke(void) {
  if (self.request_bytes != 5) {
    respond(BAD_LENGTH);
    return;
  }
  const uint32_t flags = payload()[0];
  self.has_output = 0;
  if (self.init.result != 0) {
    respond_model_failed(self.init.result);
    return;
  }
  if (inputs_crc() != get32(payload() + 1)) {
    respond(BAD_INPUT);
    return;
  }
  if (stack_overflowed()) { /* during init */
    respond(STACK_OVERFLOW);
    return;
  }
  run_record record;
  if (flags & INVOKE_PAUSE) {
    memset(&record, 0, sizeof record);
    self.abandoned = 0;
    mcg_port_now(&self.resumed);
    record.result = mcg_model_invoke_hooked(pause_after_op, NULL);
    if (self.abandoned) return;
  } else {
    run_measured(mcg_model_invoke, (flags & INVOKE_STACK) ? MEASURE_STACK : MEASURE_COST, &record);
  }
  if (stack_overflowed()) {
    respond(STACK_OVERFLOW);
    return;
  }
  if (record.result != 0) {
    respond_model_failed(record.result);
    return;
  }
  self.has_output = 1;
  respond(OK);
  put8(DONE);
  put_moment(&record.cost);
  put32(record.stack_bytes);
  put32(outputs_crc());
}

/* Starts the model afresh: it forgets what it kept between inferences. */
static void init(void) {
  if (self.request_bytes != 4) {
    respond(BAD_LENGTH);
    return;
  }
  const uint32_t arena_bytes = get32(payload());
  self.has_output = 0;
#ifdef MCG_MODEL_TFLM
  self.init.result = arena_bytes == 0 ? mcg_model_init() : mcg_model_init_within(arena_bytes);
  const uint32_t used = mcg_model_arena_used();
#else
  if (arena_bytes != 0) { /* its layout is fixed */
    respond(BAD_RANGE);
    return;
  }
  self.init.result = mcg_model_init();
  const uint32_t used = self.model->arena_bytes;
#endif
  respond(OK);
  put32((uint32_t)self.init.result);
  put32(used);
}

#ifdef MCG_MODEL_TFLM
static void error_text(void) {
  const char *text = mcg_model_error_text();
  respond(OK);
  while (*text != '\0') put8((uint8_t)*text++);
}
#endif

#ifdef MCG_MODEL_SLOT_BYTES
static void write_model(void) {
  if (self.request_bytes < 4) {
    respond(BAD_LENGTH);
    return;
  }
  const uint32_t offset = get32(payload()), bytes = self.request_bytes - 4;
  if (offset > MCG_MODEL_SLOT_BYTES || bytes > MCG_MODEL_SLOT_BYTES - offset) {
    respond(BAD_RANGE);
    return;
  }
  const int result = mcg_model_write(offset, payload() + 4, bytes);
  if (result != 0) {
    respond_model_failed(result);
  } else {
    respond(OK);
  }
}

static void load_model(void) {
  if (self.request_bytes != 72) {
    respond(BAD_LENGTH);
    return;
  }
  const uint32_t bytes = get32(payload());
  if (bytes > MCG_MODEL_SLOT_BYTES) {
    respond(BAD_RANGE);
  } else if (mcg_crc32(0, mcg_model_slot(), bytes) != get32(payload() + 4)) {
    respond(BAD_INPUT);
  } else {
    self.has_output = 0;
    const int result = mcg_model_load(bytes, payload() + 8, payload() + 40);
    if (result == 0) self.init.result = 0;
    respond(OK);
    put32((uint32_t)result);
  }
}

static void stored(void) {
  respond(OK);
#ifdef MCG_MODEL_STORE_ADDRESS
  put8(1);
#else
  put8(0);
#endif
  put32((uint32_t)mcg_model_stored());
}
#endif

static void serve(void) {
  switch (request[1]) {
    case HELLO:
      hello();
      break;
    case TENSOR_INFO:
      tensor_info();
      break;
    case WRITE_INPUT:
      write_input();
      break;
    case INVOKE:
      invoke();
      break;
    case READ_OUTPUT:
      read_output();
      break;
    case READ_OP_OUTPUT:
    case CONTINUE:
      respond(BAD_STATE);
      break;
    case RESET:
      respond_and_reset();
      break;
    case INIT:
      init();
      break;
#ifdef MCG_MODEL_TFLM
    case ERROR_TEXT:
      error_text();
      break;
#endif
#ifdef MCG_MODEL_SLOT_BYTES
    case WRITE_MODEL:
      write_model();
      break;
    case LOAD_MODEL:
      load_model();
      break;
    case STORED:
      stored();
      break;
#endif
    default:
      respond(BAD_COMMAND);
      break;
  }
}

int mcg_harness_main(void) {
  mcg_port_init();
  self.decoder.buffer = request;
  self.decoder.size = sizeof request;
  self.model = mcg_model_get_info();
  calibrate();
  run_measured(mcg_model_init, MEASURE_COST | MEASURE_STACK, &self.init);
  for (;;) {
    if (!self.is_pending) receive_request();
    self.is_pending = 0;
    serve();
    if (!self.is_pending) send_response();
  }
}

void mcg_harness_fault(const mcg_fault_info *fault) {
  self.fault = fault;
  memset(&self.decoder, 0, sizeof self.decoder);
  self.decoder.buffer = request;
  self.decoder.size = sizeof request;
  send_fault(); /* `request` still holds the request that led here */
  for (;;) receive_request();
}
