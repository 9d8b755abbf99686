/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_port.h on Arduino: the link is Serial, the counter is the CPU's own cycle counter. */
#include <Arduino.h>

extern "C" {
#include "mcg_port.h"
}
#include "mcg_arduino_config.h"

#if defined(ARDUINO_ARCH_ESP32)
#define COUNTER_KIND MCG_COUNTER_TIMER
#define COUNTER_HZ (getCpuFrequencyMhz() * 1000000u)
static uint32_t cycles() { return ESP.getCycleCount(); }
static void start_counter() {}
#elif defined(ARDUINO_ARCH_RP2040) && !defined(ARDUINO_ARCH_MBED)
#define COUNTER_KIND MCG_COUNTER_TIMER
#define COUNTER_HZ F_CPU
static uint32_t cycles() { return rp2040.getCycleCount(); }
static void start_counter() {}
#elif defined(__ARM_ARCH) && __ARM_ARCH >= 7
#define COUNTER_KIND MCG_COUNTER_DWT
#define COUNTER_HZ F_CPU
#define REGISTER(address) (*reinterpret_cast<volatile uint32_t *>(address))
static uint32_t cycles() { return REGISTER(0xE0001004u); }
static void start_counter() {
  REGISTER(0xE000EDFCu) = REGISTER(0xE000EDFCu) | 1u << 24; /* DEMCR: TRCENA */
  REGISTER(0xE0001FB0u) = 0xC5ACCE55u;                      /* Cortex-M7 locks its DWT */
  REGISTER(0xE0001000u) = REGISTER(0xE0001000u) | 1u;
}
#else
#define COUNTER_KIND MCG_COUNTER_NONE
#define COUNTER_HZ 0
static uint32_t cycles() { return 0; }
static void start_counter() {}
#endif

#define ID_MAGIC_BYTES 16u
#define ID_BYTES 20u

/* scripts/mcg_build.py writes the firmware's hash behind the magic once it is linked. */
extern "C" {
extern uint8_t mcg_firmware_id[ID_MAGIC_BYTES + ID_BYTES];
__attribute__((used)) uint8_t mcg_firmware_id[ID_MAGIC_BYTES + ID_BYTES] = {
    'm', 'c', 'u', 'g', 'e', 'n', '-', 'b', 'u', 'i', 'l', 'd', '-', 'i', 'd', ':'};
}

static mcg_counter_info counter;

/* One write per byte would be one USB packet per byte. What is pending leaves before the host is
 * listened to. */
static uint8_t pending[64];
static size_t pending_bytes;

static void send_pending() {
  size_t sent = 0;
  while (sent < pending_bytes) {
    const size_t count = Serial.write(pending + sent, pending_bytes - sent);
    if (count == 0) break; /* no listener: the host asks again */
    sent += count;
  }
  pending_bytes = 0;
}

extern "C" {

void mcg_port_init(void) {
#if defined(ARDUINO_ARCH_ESP32)
  disableCore0WDT(); /* else an inference of some seconds on a single core would be a reset */
#endif
  Serial.begin(MCG_SERIAL_BAUD);
  start_counter();
  counter.kind = COUNTER_KIND;
  counter.bits = 32;
  counter.hz = COUNTER_HZ;
}

int mcg_port_getc(void) {
  if (pending_bytes > 0) send_pending();
  const int byte = Serial.read();
  if (byte < 0) {
#if defined(ARDUINO_ARCH_ESP32)
    delay(1); /* lets the idle task run */
#else
    yield();
#endif
  }
  return byte;
}

void mcg_port_putc(uint8_t byte) {
  pending[pending_bytes++] = byte;
  if (pending_bytes == sizeof pending) send_pending();
}

void mcg_port_flush(void) {
  send_pending();
  Serial.flush();
  delay(20); /* over USB, flush() need not mean that the host has it */
}

const mcg_counter_info *mcg_port_counter(void) { return &counter; }

void mcg_port_now(mcg_moment *moment) {
  moment->ticks = cycles();
  moment->interrupts = 0;
}

__attribute__((noinline)) void mcg_port_run_instructions(uint32_t count) {
  uint32_t rounds = count / 2;
#if defined(__arm__)
  __asm__ volatile(".syntax unified\n1:\n\tsubs %0, %0, #1\n\tbne 1b" : "+l"(rounds) : : "cc");
#elif defined(__riscv) || defined(__XTENSA__)
  __asm__ volatile("1:\n\taddi %0, %0, -1\n\tbnez %0, 1b" : "+r"(rounds));
#else
  while (rounds > 0) {
    rounds--;
    __asm__ volatile("" : "+r"(rounds));
  }
#endif
}

void mcg_port_interrupts(int on) {
  if (on) {
    interrupts();
  } else {
    noInterrupts();
  }
}

/* The stack is the framework's: its start, and how much of it others use, are unknown. */
uint32_t *mcg_port_stack_bottom(void) { return nullptr; }

uint32_t mcg_port_stack_bytes(void) { return 0; }

const uint8_t *mcg_port_build_id(uint32_t *bytes) {
  const uint8_t *id = mcg_firmware_id + ID_MAGIC_BYTES;
  __asm__ volatile("" : "+r"(id)); /* the compiler knows zeros there; what it knows is not so */
  *bytes = ID_BYTES;
  return id;
}

void mcg_port_reset(void) {
#if defined(ARDUINO_ARCH_ESP32)
  ESP.restart();
#elif defined(__arm__)
  __asm__ volatile("dsb" ::: "memory");
  *reinterpret_cast<volatile uint32_t *>(0xE000ED0Cu) = 0x05FA0004u; /* SYSRESETREQ */
#endif
  for (;;) {
  }
}
}
