/* SPDX-License-Identifier: Apache-2.0 */
#include "mcg_cobs.h"

static void append(mcg_cobs_decoder *decoder, uint8_t byte) {
  if (decoder->length < decoder->size) {
    decoder->buffer[decoder->length++] = byte;
  } else {
    decoder->bad = 1;
  }
}

uint32_t mcg_cobs_feed(mcg_cobs_decoder *decoder, uint8_t byte) {
  if (byte == 0) {
    const uint32_t length = (decoder->bad || decoder->left) ? 0 : decoder->length;
    decoder->length = 0;
    decoder->code = decoder->left = decoder->bad = 0;
    return length;
  }
  if (decoder->left > 0) {
    decoder->left--;
    append(decoder, byte);
    return 0;
  }
  /* A block that is not the first stands for its own bytes and a zero before them, unless the block
   * before it was full. */
  if (decoder->code != 0 && decoder->code != 0xFF) append(decoder, 0);
  decoder->code = byte;
  decoder->left = (uint8_t)(byte - 1);
  return 0;
}

void mcg_cobs_send(const uint8_t *data, uint32_t bytes, void (*put)(uint8_t)) {
  uint32_t at = 0;
  for (;;) {
    uint32_t run = 0;
    while (run < 254 && at + run < bytes && data[at + run] != 0) run++;
    put((uint8_t)(run + 1));
    for (uint32_t i = 0; i < run; i++) put(data[at + i]);
    at += run;
    if (at == bytes) return;
    if (run < 254) at++; /* the zero that ended the run is implied */
    if (at == bytes && run < 254) {
      put(1);
      return;
    }
  }
}
