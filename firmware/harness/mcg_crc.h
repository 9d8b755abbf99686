/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 as in IEEE 802.3 and zlib: polynomial 0x04C11DB7, reflected, start and final XOR
 * 0xFFFFFFFF. */
#ifndef MCG_CRC_H
#define MCG_CRC_H

#include <stdint.h>

/* CRC of data that follows data with CRC `crc` (0 at the start). */
uint32_t mcg_crc32(uint32_t crc, const void *data, uint32_t bytes);

#endif
