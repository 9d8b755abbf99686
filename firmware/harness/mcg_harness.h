/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol server: lets a host run the model over a byte stream. docs/PROTOCOL.md of mcugen
 * describes the bytes. */
#ifndef MCG_HARNESS_H
#define MCG_HARNESS_H

#include "mcg_port.h"

/* Serves requests for ever. */
int mcg_harness_main(void);

/* Called by the fault handler: reports the fault to the host, then answers every request with it.
 */
void mcg_harness_fault(const mcg_fault_info *fault);

#endif
