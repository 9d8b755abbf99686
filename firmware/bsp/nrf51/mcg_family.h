/* Nordic nRF51. */
#define MCG_FAMILY_TIMER 1
