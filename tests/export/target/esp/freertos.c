/* Runs the one task that app_main creates, until it waits. */
#include "freertos/FreeRTOS.h"

#include <setjmp.h>
#include <stddef.h>

#include "freertos/task.h"

static jmp_buf waiting;
void app_main(void);

int xTaskCreate(void (*task)(void *), const char *name, uint32_t stack, void *argument,
                unsigned priority, void *handle) {
  (void)name;
  (void)handle;
  if (stack < 2048 || priority == 0) return 0;
  if (setjmp(waiting) == 0) task(argument);
  return 1;
}

void vTaskDelay(uint32_t ticks) {
  (void)ticks;
  longjmp(waiting, 1);
}

int main(void) {
  app_main();
  return 0;
}
