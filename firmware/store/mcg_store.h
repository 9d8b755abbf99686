/* SPDX-License-Identifier: Apache-2.0 */
/* One blob of data that outlives resets and power cuts, such as weights that were learnt on the
 * device. Two slots of flash take turns: a new blob goes into the one that does not hold the
 * current one, and counts only when its header, which is written last, is complete. Power may fail
 * at any moment: what is found afterwards is the blob before or the new one, whole.
 *
 * A slot is a header of 32 bytes, little endian as the cores, and the blob:
 *
 *     0  magic "MCGB"      16  CRC-32 of the blob
 *     4  sequence number   20  0
 *     8  bytes of blob     24  0
 *    12  fingerprint       28  CRC-32 of the 28 bytes before; never 0xFFFFFFFF
 *
 * The flash is read in place and written by mcg_flash.h. Of 16 bytes at a multiple of 16, all are
 * written by one call, and once between two erasures, so that flash with words of 8 or 16 bytes and
 * an error-correcting code will do as well. */
#ifndef MCG_STORE_H
#define MCG_STORE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MCG_STORE_HEADER_BYTES 32u

/* Where the slots are. Each begins and ends with a page of the flash, and is a multiple of 16. */
typedef struct {
  uintptr_t slots[2];
  uint32_t slot_bytes; /* of each, its header included */
} mcg_store;

enum {
  MCG_STORE_OK = 0,
  MCG_STORE_TOO_LARGE = -1, /* the blob has no bytes, or more than a slot has room for */
  MCG_STORE_FAILED = -2     /* the flash did not take it; what was there before is still there */
};

/* The newest whole blob with this fingerprint, in place, and its bytes; NULL if there is none. The
 * fingerprint tells for what a blob is: others are not found. */
const void *mcg_store_find(const mcg_store *store, uint32_t fingerprint, uint32_t *bytes);

/* Keep a blob, which must not lie in the slots, in place of the one with its fingerprint. An equal
 * one is not written again. Of other fingerprints, the newest blob is kept if there was none. */
int mcg_store_write(const mcg_store *store, uint32_t fingerprint, const void *blob, uint32_t bytes);

/* Forget all blobs. If power fails meanwhile, none is found that is older than the last one. */
int mcg_store_clear(const mcg_store *store);

#ifdef __cplusplus
}
#endif

#endif
