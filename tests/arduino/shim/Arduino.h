/* As much of Arduino as the port uses, for a program on the host: Serial is stdin and stdout. */
#ifndef ARDUINO_SHIM_H
#define ARDUINO_SHIM_H

#include <stddef.h>
#include <stdint.h>

#define F_CPU 120000000u

struct SerialShim {
  void begin(unsigned long baud);
  int read();
  size_t write(const uint8_t *data, size_t bytes);
  void flush();
};
extern SerialShim Serial;

void delay(unsigned long milliseconds);
void yield();
void interrupts();
void noInterrupts();
void setup();
void loop();

#ifdef ARDUINO_ARCH_ESP32
struct EspShim {
  uint32_t getCycleCount();
  void restart();
};
extern EspShim ESP;
uint32_t getCpuFrequencyMhz();
void disableCore0WDT();
#endif

#ifdef ARDUINO_ARCH_RP2040
struct Rp2040Shim {
  uint32_t getCycleCount();
};
extern Rp2040Shim rp2040;
#endif

#endif
