#include <stdint.h>
int xTaskCreate(void (*task)(void *), const char *name, uint32_t stack, void *argument,
                unsigned priority, void *handle);
void vTaskDelay(uint32_t ticks);
