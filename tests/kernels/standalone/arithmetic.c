/* Runs the kernels' arithmetic over rows of a file: a number of a function, five arguments and the
 * result that is wanted, 64 bits each. Ends with 0 if all results are those, with 1 at the first
 * that is not. */
#include <stdio.h>

#include "kernels/mcg_dsp.h"
#include "kernels/mcg_filter_s16.h"
#include "kernels/mcg_requantize.h"

static int64_t call(const int64_t *row) {
  const int64_t wide = row[1];
  const int32_t a = (int32_t)row[1], b = (int32_t)row[2], c = (int32_t)row[3], d = (int32_t)row[4];
  const uint32_t ua = (uint32_t)a, ub = (uint32_t)b;
  uint32_t pair = 0;
  switch (row[0]) {
    case 0:
      return mcg_min(a, b);
    case 1:
      return mcg_max(a, b);
    case 2:
      return mcg_clamp(a, b, c);
    case 3:
      return mcg_shift_left(a, b);
    case 4:
      return mcg_mul_high(a, b);
    case 5:
      return mcg_mul_high_by_halves(a, b);
    case 6:
      return mcg_mul_high_saturating(a, b);
    case 7:
      return mcg_shift_right_rounding(a, b);
    case 8:
      return mcg_requantize(a, b, c);
    case 9:
      return mcg_requantize_down(a, b, c);
    case 10:
      return mcg_requantize_doubled(a, b, c);
    case 11:
      return mcg_requantize_to_8(a, b, c, d);
    case 12:
      return mcg_requantize_wide(wide, b, c);
    case 13:
      return mcg_low(ua);
    case 14:
      return mcg_high(ua);
    case 15:
      return mcg_pair(ua, ub);
    case 16:
      return mcg_pair_of_highs(ua, ub);
    case 17:
      return mcg_even_bytes(ua);
    case 18:
      return mcg_odd_bytes(ua);
    case 19:
      return mcg_smlad(ua, ub, c);
    case 20:
      return mcg_max_bytes(ua, ub);
    case 21:
      return mcg_add_even_bytes(ua, ub);
    case 22:
      return mcg_add_odd_bytes(ua, ub);
    case 23:
      mcg_store_pair((int16_t *)&pair, ua);
      return mcg_load_pair((const int16_t *)&pair);
    case 24:
      return mcg_load_4((const int8_t *)&ua);
    default:
      return INT64_MIN;
  }
}

int main(int count, char **arguments) {
  FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
  int64_t row[7];
  if (!file) return 2;
  while (fread(row, sizeof row, 1, file) == 1) {
    const int64_t got = call(row);
    if (got != row[6]) {
      printf("function %d of %lld, %lld, %lld, %lld: %lld is not %lld\n", (int)row[0],
             (long long)row[1], (long long)row[2], (long long)row[3], (long long)row[4],
             (long long)got, (long long)row[6]);
      return 1;
    }
  }
  fclose(file);
  return 0;
}
