/* SPDX-License-Identifier: Apache-2.0 */
/* The FPGA image sets clocks and pins. */
#include "mcg_bsp.h"

void mcg_system_init(void) {}
