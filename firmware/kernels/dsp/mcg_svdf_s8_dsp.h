/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_svdf_s8() with the products of cores with DSP instructions. */
#ifndef MCG_SVDF_S8_DSP_H
#define MCG_SVDF_S8_DSP_H

#include "mcg_four_rows_s8_dsp.h"
#include "mcg_svdf_s8.h"

typedef mcg_svdf_s8_params mcg_svdf_s8_dsp_params;

MCG_INLINE void mcg_svdf_s8_dsp(const mcg_svdf_s8_params *p, const int8_t *input,
                                const int8_t *feature_weights, const int32_t *feature_bias,
                                const int8_t *time_weights, const int32_t *bias, int8_t *output,
                                int8_t *state) {
  mcg_svdf_s8_by(p, mcg_four_rows_s8_dsp, input, feature_weights, feature_bias, time_weights, bias,
                 output, state);
}

#endif /* MCG_SVDF_S8_DSP_H */
