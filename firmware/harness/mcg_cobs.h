/* SPDX-License-Identifier: Apache-2.0 */
/* Consistent overhead byte stuffing: frames without zero bytes, so that a zero can end them. */
#ifndef MCG_COBS_H
#define MCG_COBS_H

#include <stdint.h>

/* Decodes a stream of bytes into `buffer`, one frame at a time. Set `buffer` and `size`, zero the
 * rest. */
typedef struct {
  uint8_t *buffer;
  uint32_t size;
  uint32_t length; /* bytes decoded of the current frame */
  uint8_t code;    /* length code of the current block, 0 before the first */
  uint8_t left;    /* bytes that the current block still has */
  uint8_t bad;     /* the current frame does not fit */
} mcg_cobs_decoder;

/* Takes one byte of the stream. Returns the length of the frame that it completes, or 0. */
uint32_t mcg_cobs_feed(mcg_cobs_decoder *decoder, uint8_t byte);

/* Sends `data` encoded, byte by byte through `put`, without the final zero. */
void mcg_cobs_send(const uint8_t *data, uint32_t bytes, void (*put)(uint8_t));

#endif
