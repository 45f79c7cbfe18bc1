/* Sealed time-of-use sums (agg_tou): any bytes are read or refused, never a crash. */
#include "core_bill_tou.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tf_cur c;
	uint32_t rows;
	if (meter_tou_open(tf_str_n(data, size), &c, &rows))
		return 0;
	uint8_t map[METER_TOU_HOURS] = {0};
	struct meter_use u = {0};
	struct meter_tou_row row;
	for (uint32_t r = 0; r < rows && !meter_tou_next(&c, &row); r++)
		meter_tou_add(&row, map, r & 1, &u);
	return 0;
}
