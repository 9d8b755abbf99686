/* SPDX-License-Identifier: Apache-2.0 */
/* ST STM32F405, F407. */
#define MCG_FAMILY_TIMER 0
