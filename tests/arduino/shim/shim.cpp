#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "Arduino.h"

SerialShim Serial;

void SerialShim::begin(unsigned long baud) {
  if (baud != 115200) abort();
}

int SerialShim::read() {
  struct pollfd input = {0, POLLIN, 0};
  if (poll(&input, 1, 1) <= 0) return -1;
  uint8_t byte;
  if (::read(0, &byte, 1) != 1) exit(0);
  return byte;
}

/* A few bytes at a time, as a USB stack with a full buffer does. */
size_t SerialShim::write(const uint8_t *data, size_t bytes) {
  const ssize_t count = ::write(1, data, bytes < 7 ? bytes : 7);
  return count < 0 ? 0 : (size_t)count;
}

void SerialShim::flush() {}
void delay(unsigned long) {}
void yield() {}
void interrupts() {}
void noInterrupts() {}

int main() {
  setup();
  for (;;) loop();
}
