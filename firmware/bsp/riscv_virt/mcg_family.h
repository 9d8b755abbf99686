/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's board virt. */
#define MCG_FAMILY_TIMER 0
