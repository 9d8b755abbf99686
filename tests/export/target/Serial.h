/* As much of Arduino as an example uses, for a program on the host. */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct SerialShim {
  void begin(unsigned long) {}
  void print(const char *text) { fputs(text, stdout); }
  void print(int number) { printf("%d", number); }
  void print(float number) { printf("%.9g", (double)number); }
  void println() { puts(""); }
  void println(int number) {
    printf("%d\n", number);
    exit(0);
  }
};
static SerialShim Serial;

static inline void delay(unsigned long) { exit(0); } /* once round the loop */

void setup();
void loop();
int main() {
  setup();
  for (;;) loop();
}

#endif
