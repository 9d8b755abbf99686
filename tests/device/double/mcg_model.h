/* The model interface, for the test double. */
#ifndef MCG_MODEL_H
#define MCG_MODEL_H

#include <stdint.h>

/* Element types of tensors. */
enum {
  MCG_DTYPE_FLOAT32 = 1,
  MCG_DTYPE_INT8 = 2,
  MCG_DTYPE_UINT8 = 3,
  MCG_DTYPE_INT16 = 4,
  MCG_DTYPE_INT32 = 5,
  MCG_DTYPE_BOOL = 6
};

/* One input or output tensor: real value = scale * (stored value - zero_point). */
typedef struct {
  const char *name;
  const int32_t *dims; /* rank entries */
  uint32_t bytes;
  float scale; /* 0 where the tensor is not quantized */
  int32_t zero_point;
  uint8_t rank;
  uint8_t dtype; /* MCG_DTYPE_... */
} mcg_tensor_info;

typedef struct {
  const char *name;
  const char *runtime;
  const char *generator;
  uint8_t sha256[32]; /* of the model file */
  uint32_t arena_bytes;
  uint16_t input_count, output_count, op_count;
  const mcg_tensor_info *inputs, *outputs;
} mcg_model_info;

/* Called after every op with the op's number. */
typedef void (*mcg_op_hook)(void *context, uint32_t op);

const mcg_model_info *mcg_model_get_info(void);

/* Call once before anything else. 0, or a negative error. */
int mcg_model_init(void);

/* Write the input here before every invoke: inference reuses its memory. */
void *mcg_model_input(uint32_t index);

/* Valid after invoke, until the input is written again. */
const void *mcg_model_output(uint32_t index);

/* Run one inference. 0, or a negative error. */
int mcg_model_invoke(void);

/* The same, with a hook after every op, and a look at that op's first output from inside the hook.
 */
int mcg_model_invoke_hooked(mcg_op_hook hook, void *context);
const void *mcg_model_op_output(uint32_t op, uint32_t *bytes);

#endif
