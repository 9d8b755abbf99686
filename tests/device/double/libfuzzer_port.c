/* mcg_port.h for libFuzzer: what it invents becomes frames with a right CRC, so that it need not
 * guess one.
 *
 * The input is a list of records: a command, the payload's length, the payload. Command 0 sends its
 * payload as it is, without a frame. Every input is a session of its own and begins with a HELLO.
 */
#include <setjmp.h>
#include <stdlib.h>

#include "mcg_cobs.h"
#include "mcg_crc.h"
#include "mcg_harness.h"
#include "mcg_session.h"

#define STREAM_BYTES 65536u
#define PAYLOAD_BYTES 255u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static jmp_buf end_of_input;
static uint8_t stream[STREAM_BYTES];
static uint32_t stream_bytes, next_byte;
static uint16_t session;

static void put(uint8_t byte) {
  if (stream_bytes < STREAM_BYTES) stream[stream_bytes++] = byte;
}

static void put_frame(uint8_t command, uint16_t sequence, const uint8_t *payload, uint32_t bytes) {
  uint8_t frame[6u + PAYLOAD_BYTES + 4u];
  const uint8_t header[6] = {1,
                             command,
                             (uint8_t)session,
                             (uint8_t)(session >> 8),
                             (uint8_t)sequence,
                             (uint8_t)(sequence >> 8)};
  uint32_t length = 0;
  while (length < sizeof header) {
    frame[length] = header[length];
    length++;
  }
  for (uint32_t i = 0; i < bytes; i++) frame[length++] = payload[i];
  const uint32_t crc = mcg_crc32(0, frame, length);
  for (uint32_t i = 0; i < 4; i++) frame[length++] = (uint8_t)(crc >> (8 * i));
  mcg_cobs_send(frame, length, put);
  put(0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  uint16_t sequence = 1;
  session++;
  stream_bytes = next_byte = 0;
  put(0);
  put_frame(MCG_HELLO, sequence++, NULL, 0);
  while (bytes >= 2) {
    const uint8_t command = data[0];
    const uint32_t length = data[1] < bytes - 2 ? data[1] : (uint32_t)(bytes - 2);
    if (command == 0) {
      for (uint32_t i = 0; i < length; i++) put(data[2 + i]);
    } else {
      put_frame(command, sequence++, data + 2, length);
    }
    data += 2 + length;
    bytes -= 2 + length;
  }
  if (setjmp(end_of_input) == 0) mcg_harness_main();
  return 0;
}

int mcg_port_getc(void) {
  if (next_byte == stream_bytes) longjmp(end_of_input, 1);
  return stream[next_byte++];
}

void mcg_port_putc(uint8_t byte) { (void)byte; }

void mcg_port_flush(void) {}

void mcg_port_reset(void) { longjmp(end_of_input, 1); }
