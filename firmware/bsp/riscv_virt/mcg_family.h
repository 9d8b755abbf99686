/* QEMU's board virt. */
#define MCG_FAMILY_TIMER 0
