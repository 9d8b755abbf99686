/* SPDX-License-Identifier: Apache-2.0 */
#include "mcg_store.h"

#include <string.h>

#include "mcg_crc.h"
#include "mcg_flash.h"

#define MAGIC 0x4247434Du /* "MCGB" */
#define NOT_WRITTEN 0xFFFFFFFFu
#define NONE (-1)

/* What a slot begins with; eight words, so it has no padding. */
typedef struct {
  uint32_t magic;
  uint32_t sequence;
  uint32_t bytes;
  uint32_t fingerprint;
  uint32_t blob_crc;
  uint32_t zero[2];
  uint32_t crc;
} header;

static uint32_t crc_of(const header *h) {
  return mcg_crc32(0, h, (uint32_t)(sizeof *h - sizeof h->crc));
}

static const uint8_t *blob_in(const mcg_store *store, int slot) {
  return (const uint8_t *)(store->slots[slot] + MCG_STORE_HEADER_BYTES);
}

static header header_in(const mcg_store *store, int slot) {
  header h;
  memcpy(&h, (const void *)store->slots[slot], sizeof h);
  return h;
}

/* Whether a slot holds a whole blob. A header whose last word was not written is never taken for
 * one, whatever the words before it are. */
static int is_whole(const mcg_store *store, int slot) {
  const header h = header_in(store, slot);
  if (h.magic != MAGIC || h.crc == NOT_WRITTEN || h.crc != crc_of(&h)) return 0;
  if (h.bytes == 0 || h.bytes > store->slot_bytes - MCG_STORE_HEADER_BYTES) return 0;
  return mcg_crc32(0, blob_in(store, slot), h.bytes) == h.blob_crc;
}

/* The slot of the newest whole blob, of those with a fingerprint or (NULL) of all. Sequence numbers
 * are compared modulo 2^32. */
static int newest(const mcg_store *store, const uint32_t *fingerprint) {
  int found = NONE;
  uint32_t sequence = 0;
  for (int slot = 0; slot < 2; slot++) {
    if (!is_whole(store, slot)) continue;
    const header h = header_in(store, slot);
    if (fingerprint != NULL && h.fingerprint != *fingerprint) continue;
    if (found == NONE || (int32_t)(h.sequence - sequence) > 0) {
      found = slot;
      sequence = h.sequence;
    }
  }
  return found;
}

const void *mcg_store_find(const mcg_store *store, uint32_t fingerprint, uint32_t *bytes) {
  const int slot = newest(store, &fingerprint);
  if (slot == NONE) return NULL;
  *bytes = header_in(store, slot).bytes;
  return blob_in(store, slot);
}

/* The header of a blob that follows all that there are. */
static header header_for(const mcg_store *store, uint32_t fingerprint, const void *blob,
                         uint32_t bytes) {
  const int last = newest(store, NULL);
  header h = {MAGIC, 0, bytes, fingerprint, mcg_crc32(0, blob, bytes), {0, 0}, NOT_WRITTEN};
  if (last != NONE) h.sequence = header_in(store, last).sequence;
  do {
    h.sequence++;
    h.crc = crc_of(&h);
  } while (h.crc == NOT_WRITTEN);
  return h;
}

int mcg_store_write(const mcg_store *store, uint32_t fingerprint, const void *blob,
                    uint32_t bytes) {
  if (bytes == 0 || bytes > store->slot_bytes - MCG_STORE_HEADER_BYTES) return MCG_STORE_TOO_LARGE;
  int kept = newest(store, &fingerprint);
  if (kept == NONE) {
    kept = newest(store, NULL);
  } else if (header_in(store, kept).bytes == bytes &&
             memcmp(blob_in(store, kept), blob, bytes) == 0) {
    return MCG_STORE_OK;
  }
  const header h = header_for(store, fingerprint, blob, bytes);
  const int slot = kept == 0 ? 1 : 0;
  const uintptr_t at = store->slots[slot];
  if (mcg_flash_erase(at, store->slot_bytes) != 0 ||
      mcg_flash_write(at + MCG_STORE_HEADER_BYTES, blob, bytes) != 0 ||
      mcg_crc32(0, blob_in(store, slot), bytes) != h.blob_crc ||
      mcg_flash_write(at, &h, sizeof h) != 0 || !is_whole(store, slot)) {
    return MCG_STORE_FAILED;
  }
  return MCG_STORE_OK;
}

int mcg_store_clear(const mcg_store *store) {
  const int last = newest(store, NULL);
  const int first = last == 0 ? 1 : 0; /* the newest goes last: nothing older comes back */
  if (mcg_flash_erase(store->slots[first], store->slot_bytes) != 0) return MCG_STORE_FAILED;
  if (mcg_flash_erase(store->slots[1 - first], store->slot_bytes) != 0) return MCG_STORE_FAILED;
  return MCG_STORE_OK;
}
