/* SPDX-License-Identifier: Apache-2.0 */
/* What the server's parts share: the model, and the handlers of requests. */
#ifndef MCG_SERVER_H
#define MCG_SERVER_H

#include "mcg_measure.h"
#include "mcg_model.h"
#include "mcg_session.h"

typedef struct {
  const mcg_model_info *model;
  mcg_run_record init; /* of the model */
  mcg_calibration calibration;
  uint8_t has_output;       /* outputs of a finished inference can be read */
  uint32_t rows;            /* of an input that goes row by row: how many were taken */
  const mcg_request *ahead; /* received during a paused inference, for the main loop to serve */
} mcg_server_state;

extern mcg_server_state mcg_server;

void mcg_respond_model_failed(int32_t result);

/* Answers with `bytes` bytes from `offset` of a block of memory of `size` bytes. */
void mcg_respond_with(const void *data, uint32_t size, uint32_t offset, uint32_t bytes);

/* Handlers of requests: each leaves its response to be sent. */
void mcg_serve_hello(void);
void mcg_serve_tensor_info(const mcg_request *request);
void mcg_serve_write_input(const mcg_request *request);
void mcg_serve_read_output(const mcg_request *request);
void mcg_serve_init(const mcg_request *request);

/* Leaves no response if another session began meanwhile, whose request is `mcg_server.ahead`. */
void mcg_serve_invoke(const mcg_request *request);

#ifdef MCG_TRAIN
void mcg_serve_train_info(void);
void mcg_serve_train_reset(void);
void mcg_serve_train_rate(const mcg_request *request);
void mcg_serve_train_step(const mcg_request *request);
void mcg_serve_predict(const mcg_request *request);
void mcg_serve_head_get(const mcg_request *request);
void mcg_serve_head_set(const mcg_request *request);
#endif
#ifdef MCG_HEAD_STORE
void mcg_head_restore(void); /* takes the head that was kept, if there is one */
void mcg_serve_head_keep(void);
#endif

#ifdef MCG_APP
void mcg_put_app_facts(void); /* of a hello */
void mcg_serve_app_reset(void);
void mcg_serve_app_push(const mcg_request *request);
void mcg_serve_app_row(const mcg_request *request);
#endif
#ifdef MCG_MODEL_COUNT
void mcg_serve_select_model(const mcg_request *request);
#endif
#ifdef MCG_MODEL_TFLM
void mcg_serve_error_text(void);
#endif
#ifdef MCG_MODEL_SLOT_BYTES
void mcg_serve_write_model(const mcg_request *request);
void mcg_serve_load_model(const mcg_request *request);
void mcg_serve_stored(void);
#endif

#endif
