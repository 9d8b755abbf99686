/* SPDX-License-Identifier: Apache-2.0 */
#include "mcg_harness.h"

#include <stddef.h>

#include "mcg_server.h"
#ifdef MCG_APP
#include "mcg_app.h"
#endif
#ifdef MCG_TRAIN
#include "mcg_model_train.h"
#endif

mcg_server_state mcg_server;

static void serve(const mcg_request *request) {
  switch (request->command) {
    case MCG_HELLO:
      mcg_serve_hello();
      break;
    case MCG_TENSOR_INFO:
      mcg_serve_tensor_info(request);
      break;
    case MCG_WRITE_INPUT:
      mcg_serve_write_input(request);
      break;
    case MCG_INVOKE:
      mcg_serve_invoke(request);
      break;
    case MCG_READ_OUTPUT:
      mcg_serve_read_output(request);
      break;
    case MCG_READ_OP_OUTPUT:
    case MCG_CONTINUE:
      mcg_respond(MCG_BAD_STATE); /* no inference is paused */
      break;
    case MCG_RESET:
      mcg_respond_and_reset();
      break;
    case MCG_INIT:
      mcg_serve_init(request);
      break;
#ifdef MCG_APP
    case MCG_APP_RESET:
      mcg_serve_app_reset();
      break;
    case MCG_APP_PUSH:
      mcg_serve_app_push(request);
      break;
    case MCG_APP_ROW:
      mcg_serve_app_row(request);
      break;
#endif
#ifdef MCG_TRAIN
    case MCG_TRAIN_INFO:
      mcg_serve_train_info();
      break;
    case MCG_TRAIN_RESET:
      mcg_serve_train_reset();
      break;
    case MCG_TRAIN_RATE:
      mcg_serve_train_rate(request);
      break;
    case MCG_TRAIN_STEP:
      mcg_serve_train_step(request);
      break;
    case MCG_PREDICT:
      mcg_serve_predict(request);
      break;
    case MCG_HEAD_GET:
      mcg_serve_head_get(request);
      break;
    case MCG_HEAD_SET:
      mcg_serve_head_set(request);
      break;
#endif
#ifdef MCG_MODEL_COUNT
    case MCG_SELECT_MODEL:
      mcg_serve_select_model(request);
      break;
#endif
#ifdef MCG_HEAD_STORE
    case MCG_HEAD_KEEP:
      mcg_serve_head_keep();
      break;
#endif
#ifdef MCG_MODEL_TFLM
    case MCG_ERROR_TEXT:
      mcg_serve_error_text();
      break;
#endif
#ifdef MCG_MODEL_SLOT_BYTES
    case MCG_WRITE_MODEL:
      mcg_serve_write_model(request);
      break;
    case MCG_LOAD_MODEL:
      mcg_serve_load_model(request);
      break;
    case MCG_STORED:
      mcg_serve_stored();
      break;
#endif
    default:
      mcg_respond(MCG_BAD_COMMAND);
      break;
  }
}

int mcg_harness_main(void) {
  mcg_port_init();
  mcg_session_init();
  mcg_server.model = mcg_model_get_info();
  mcg_calibrate(&mcg_server.calibration);
  mcg_run_measured(mcg_model_init, MCG_MEASURE_COST | MCG_MEASURE_STACK, &mcg_server.init);
#ifdef MCG_APP
  if (mcg_server.init.result == 0) mcg_server.init.result = mcg_app_reset();
#endif
#ifdef MCG_TRAIN
  mcg_model_train_reset();
#endif
#ifdef MCG_HEAD_STORE
  mcg_head_restore();
#endif
  for (;;) {
    const mcg_request *request = mcg_server.ahead;
    if (request == NULL) request = mcg_session_receive();
    mcg_server.ahead = NULL;
    serve(request);
    if (mcg_server.ahead == NULL) mcg_send_response();
  }
}

void mcg_harness_fault(const mcg_fault_info *fault) { mcg_session_fault(fault); }
