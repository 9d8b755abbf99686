/* SPDX-License-Identifier: Apache-2.0 */
/* Any Cortex-M. */
#define MCG_FAMILY_TIMER 0
