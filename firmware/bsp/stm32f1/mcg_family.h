/* SPDX-License-Identifier: Apache-2.0 */
/* ST STM32F100, value line. */
#define MCG_FAMILY_TIMER 0
