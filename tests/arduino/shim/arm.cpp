/* The shim on a chip: as much as a linker needs. */
#include "Arduino.h"

SerialShim Serial;

void SerialShim::begin(unsigned long) {}
int SerialShim::read() { return -1; }
size_t SerialShim::write(const uint8_t *, size_t bytes) { return bytes; }
void SerialShim::flush() {}
void delay(unsigned long) {}
void yield() {}
void interrupts() {}
void noInterrupts() {}

int main() {
  setup();
  for (;;) loop();
}
