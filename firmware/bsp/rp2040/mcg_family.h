/* SPDX-License-Identifier: Apache-2.0 */
/* Raspberry Pi RP2040. */
#define MCG_FAMILY_TIMER 0
