/* SPDX-License-Identifier: Apache-2.0 */
/* ST STM32F401, F405, F407, F411, F429, F446. */
#define MCG_FAMILY_TIMER 0
