/* Any Cortex-M. */
#define MCG_FAMILY_TIMER 0
