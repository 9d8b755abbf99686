/* SPDX-License-Identifier: Apache-2.0 */
/* Any Cortex-M: clock and pins stay as after reset. Set up yours here. */
#include "mcg_bsp.h"

void mcg_system_init(void) {}
