#include "mcg_harness.h"

int main(void) { return mcg_harness_main(); }
