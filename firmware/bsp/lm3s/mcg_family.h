/* SPDX-License-Identifier: Apache-2.0 */
/* Stellaris LM3S6965. */
#define MCG_FAMILY_TIMER 0
