/* SPDX-License-Identifier: Apache-2.0 */
/* What benchmarks/front_ends.py writes for each front end. */
#ifndef MEASURED_H
#define MEASURED_H

#include <stdint.h>

void start(void);

/* Pushes frames; the last of them completes the row. */
void measured(const uint8_t *from, uint32_t count, void *row);

/* The trace ends with its call. */
void finished(void);

#endif /* MEASURED_H */
