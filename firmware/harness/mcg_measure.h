/* SPDX-License-Identifier: Apache-2.0 */
/* What a piece of the program costs: ticks of the port's counter, and stack. */
#ifndef MCG_MEASURE_H
#define MCG_MEASURE_H

#include "mcg_port.h"

enum { MCG_MEASURE_COST = 1, MCG_MEASURE_STACK = 2 };

typedef struct {
  mcg_moment cost;      /* difference of two moments */
  uint32_t stack_bytes; /* deepest use below the caller, 0 where not measured */
  int32_t result;
} mcg_run_record;

/* Ticks of an empty measurement, which every other contains, and of 65,536 instructions. */
typedef struct {
  uint32_t overhead_ticks;
  uint32_t calibration_ticks;
} mcg_calibration;

void mcg_calibrate(mcg_calibration *calibration);

/* from → to, measuring included: the host takes that off, after it has made exact instructions of
 * ticks. */
mcg_moment mcg_elapsed(const mcg_moment *from, const mcg_moment *to);

/* Calls `function` and notes what `what` asks for. */
void mcg_run_measured(int (*function)(void), uint32_t what, mcg_run_record *record);

/* Whether the lowest words of the stack, painted when it was first measured, were written to. Where
 * the addresses below the RAM do not fault, this is what shows an overflow. */
int mcg_stack_overflowed(void);

#endif
