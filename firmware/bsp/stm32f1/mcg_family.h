/* ST STM32F100, value line. */
#define MCG_FAMILY_TIMER 0
