/* SPDX-License-Identifier: Apache-2.0 */
/* Trains a network on digits that lie in memory, without a host: in the place of a project's
 * main(). Prints a line per epoch. */
#include <stdint.h>
#include <string.h>

#include "mcg_crc.h"
#include "mcg_harness.h"
#include "mcg_model.h"
#include "mcg_model_train.h"
#include "mcg_port.h"

#define SIDE 28
#define PIXELS (SIDE * SIDE)

/* What benchmarks/train_mnist.py puts into memory: this header, the input for each value of a
 * pixel, a rate per epoch, the steps of all epochs, and pixels and labels of both parts. */
typedef struct {
  uint32_t epochs, steps, train, test;
  float inputs[256];
} header;

typedef struct {
  uint16_t digit;
  int8_t down, right; /* by how many pixels it is moved */
} step;

static void put_text(const char *text) {
  while (*text) mcg_port_putc((uint8_t)*text++);
}

static void put_hex(uint32_t value) {
  for (int i = 28; i >= 0; i -= 4) mcg_port_putc((uint8_t)"0123456789abcdef"[(value >> i) & 15u]);
  mcg_port_putc(' ');
}

void mcg_harness_fault(const mcg_fault_info *fault) {
  put_text("fault ");
  put_hex(fault->pc);
  put_text("\n");
  for (;;) {
  }
}

/* Shows a digit, moved; what comes in from outside is black. */
static void show(const float *inputs, const uint8_t *pixels, int32_t down, int32_t right) {
  float *in = mcg_model_input0();
  for (int32_t y = 0; y < SIDE; y++) {
    for (int32_t x = 0; x < SIDE; x++) {
      const int32_t from_y = y - down, from_x = x - right;
      const int inside = from_y >= 0 && from_y < SIDE && from_x >= 0 && from_x < SIDE;
      in[y * SIDE + x] = inputs[inside ? pixels[from_y * SIDE + from_x] : 0];
    }
  }
  mcg_model_invoke();
}

int main(void) {
  const uint8_t *at = (const uint8_t *)MNIST_ADDRESS;
  const header *h = (const header *)(uintptr_t)at;
  const float *rates = (const float *)(uintptr_t)(at + sizeof *h);
  const step *steps = (const step *)(const void *)(rates + h->epochs);
  const uint8_t *train = (const uint8_t *)(steps + h->epochs * h->steps);
  const uint8_t *test = train + h->train * PIXELS;
  const uint8_t *train_labels = test + h->test * PIXELS, *test_labels = train_labels + h->train;
  mcg_port_init();
  mcg_model_init();
  mcg_model_train_reset();
  for (uint32_t epoch = 0; epoch < h->epochs; epoch++) {
    mcg_model_train_set_rate(rates[epoch]);
    float loss = 0.0f;
    for (uint32_t i = 0; i < h->steps; i++, steps++) {
      show(h->inputs, train + steps->digit * PIXELS, steps->down, steps->right);
      loss += mcg_model_train(train_labels[steps->digit]);
    }
    uint32_t right = 0, bits;
    for (uint32_t i = 0; i < h->test; i++) {
      show(h->inputs, test + i * PIXELS, 0, 0);
      const float *p = mcg_model_predict();
      uint32_t best = 0;
      for (uint32_t k = 1; k < MCG_MODEL_CLASSES; k++) {
        if (p[k] > p[best]) best = k;
      }
      right += best == test_labels[i];
    }
    memcpy(&bits, &loss, sizeof bits);
    put_text("epoch ");
    put_hex(epoch);
    put_hex(right);
    put_hex(bits);
    put_hex(mcg_crc32(0, mcg_model_head(), mcg_model_head_bytes()));
    put_text("\n");
  }
  put_text("done\n");
  mcg_port_flush();
  for (;;) {
  }
}
