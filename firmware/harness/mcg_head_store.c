/* SPDX-License-Identifier: Apache-2.0 */
/* A head that was learned, kept in flash: the board's file reserves it (memory.head). */
#include <stddef.h>

#include "mcg_model_train.h"
#include "mcg_server.h"
#include "mcg_store.h"

static const mcg_store store = {{MCG_HEAD_STORE, MCG_HEAD_STORE + MCG_HEAD_SLOT_BYTES},
                                MCG_HEAD_SLOT_BYTES};

void mcg_head_restore(void) {
  uint32_t bytes = 0;
  const void *head = mcg_store_find(&store, mcg_model_head_fingerprint(), &bytes);
  if (head != NULL && bytes == mcg_model_head_bytes()) mcg_model_head_write(head);
}

void mcg_serve_head_keep(void) {
  const int result = mcg_store_write(&store, mcg_model_head_fingerprint(), mcg_model_head(),
                                     mcg_model_head_bytes());
  mcg_respond(MCG_OK);
  mcg_put32((uint32_t)result);
}
