/* SPDX-License-Identifier: Apache-2.0 */
/* Arm MPS2 and MPS3 with the images of their application notes. */
#define MCG_FAMILY_TIMER 0
