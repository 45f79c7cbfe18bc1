/* How fast the inner loop of a billing run is: readings in the cache through meter_bill_row, beside a plain sum.
 *
 *   meter_bill_bench [rounds] */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core_bill.h"
#include "os/os.h"

#define ROWS  16
#define SLOTS (30 * 96)

static uint32_t
three_registers(const void *ctx, int32_t date, uint32_t minute)
{
	(void)ctx;
	if (minute >= 22 * 60 || minute < 6 * 60)
		return 1;
	return tf_date_weekday(date) < 5 && minute >= 18 * 60 ? 0 : 2;
}

static double
rate(tf_dur took, int rounds)
{
	return (double)ROWS * SLOTS * rounds / ((double)took / TF_SEC) / 1e9;
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20000;
	struct tf_os *os = tf_os_real();
	struct meter_grid_shape shape = {.first = (tf_time)20454 * TF_DAY, .interval_s = 900, .slots = SLOTS};
	struct tf_zone *utc = NULL;
	struct meter_bill_table table;
	int64_t *v = tf_calloc(ROWS * SLOTS, sizeof *v), registers[METER_REGISTERS_MAX] = {0}, w = 0;
	if (!v || tf_zone_fixed(tf_str("UTC"), 0, &utc, NULL) ||
	    meter_bill_table_init(utc, &shape, 1800, three_registers, NULL, &table))
		return 1;
	for (uint32_t i = 0; i < ROWS * SLOTS; i++)
		v[i] = i * 2654435761u % 1000;
	tf_time began = tf_os_ticks(os);
	for (int n = 0; n < rounds; n++)
		for (int r = 0; r < ROWS; r++)
			meter_bill_row(&table, v + (size_t)r * SLOTS, 0, SLOTS, registers, &w);
	tf_time bill = tf_os_ticks(os);
	volatile int64_t sink = 0;
	for (int n = 0; n < rounds; n++)
		for (int r = 0; r < ROWS; r++) {
			int64_t sum = 0;
			for (uint32_t i = 0; i < SLOTS; i++)
				sum += v[(size_t)r * SLOTS + i];
			sink += sum;
		}
	tf_time plain = tf_os_ticks(os);
	(void)sink;
	printf("three registers and demand: %.2f G readings/s; plain sum: %.2f G readings/s; %u spans, %lld Wh, %lld "
	       "W\n",
	       rate(bill - began, rounds), rate(plain - bill, rounds), table.span_count,
	       (long long)(registers[0] + registers[1] + registers[2]), (long long)w);
	meter_bill_table_release(&table);
	tf_zone_free(&utc);
	tf_free(v);
	return 0;
}
