/* Tariff files: any bytes are read or refused, never a crash; what is read gives a register at every minute and lines
 * for any use. */
#include "tariff.h"

#include "core_bill.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use(const struct meter_tariff *t, const struct meter_tariff_plan *p, const uint8_t *data, size_t size)
{
	struct meter_bill_line lines[METER_BILL_LINES_MAX];
	struct meter_use u = {0};
	uint32_t count;
	int64_t total;
	memcpy(&u.registers, data, size < sizeof u.registers ? size : sizeof u.registers);
	for (int i = 0; i < METER_REGISTERS_MAX; i++)
		u.registers[i] >>= 8;
	u.demand_w = u.registers[0] >> 2;
	u.export_wh = u.registers[1];
	for (uint32_t minute = 0; minute < 1440; minute += 7)
		TF_ASSERT(meter_tariff_register(t, p, 20000 + (int32_t)minute, minute) <
			  (p->register_count ? p->register_count : 1));
	if (!meter_bill_lines(t, p, &u, 1 + (uint32_t)size % 31, 31, lines, &count, &total))
		TF_ASSERT(count <= METER_BILL_LINES_MAX &&
			  (total + meter_bill_rounding(t, total)) % t->round_total == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct meter_tariff *t;
	struct tf_fault f = {0};
	if (meter_tariff_parse(tf_str("fuzz"), tf_str_n(data, size), &t, &f)) {
		TF_ASSERT(f.text[0]);
		return 0;
	}
	for (uint32_t v = 0; v < t->version_count; v++)
		for (uint32_t p = 0; p < t->versions[v].plan_count; p++)
			use(t, &t->versions[v].plans[p], data, size);
	meter_tariff_free(&t);
	return 0;
}
