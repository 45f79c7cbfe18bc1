/* Fills a data directory with simulated meters straight through the log, without text files between: for the billing
 * benchmark, whose input as files would be 17 GB. Usage: meter_fill DIR METERS DAYS YYYY-MM-DD [SEED]
 * Days are UTC days of 96 readings; every meter has its channel E1. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load.h"
#include "sim.h"

#define SLOTS 96

static _Noreturn void
fail(const struct tf_fault *f)
{
	fprintf(stderr, "meter_fill: %s\n", f->text);
	exit(tf_err_exit(f->code));
}

struct filler {
	struct meter_store *s;
	struct meter_batch_builder builder;
	struct meter_batch_head head;
	struct tf_buf event;
};

static enum tf_err
send(struct filler *l, struct tf_fault *f)
{
	uint64_t offset;
	if (!l->builder.run_count)
		return TF_OK;
	if (meter_batch_seal(&l->builder, &l->head, &l->event))
		return tf_fault(f, TF_NO_MEMORY, "no memory for a batch");
	struct meter_command c = {METER_EVENT_BATCH, l->event.p, l->event.n};
	TF_TRY(tf_flow_submit(l->s->flow, &c, NULL, &offset, f));
	tf_buf_reset(&l->event);
	return tf_flow_commit(l->s->flow, f);
}

static enum tf_err
fill_meter(struct filler *l, uint64_t index, uint64_t seed, int32_t start, uint32_t days, struct tf_fault *f)
{
	struct meter_sim_meter m;
	char name[32];
	int64_t values[SLOTS];
	struct meter_quality actual = {'A', 0, 0};
	meter_sim_meter_init(&m, seed, index);
	int n = snprintf(name, sizeof name, "M%09" PRIu64, index);
	for (uint32_t d = 0; d < days; d++) {
		meter_sim_day(&m, start + (int32_t)d, 0, SLOTS, values, NULL);
		struct meter_run run = {.meter = tf_str_n(name, (size_t)n),
					.channel = TF_STR("E1"),
					.unit = METER_WH,
					.interval_s = 900,
					.start = (start + (int32_t)d) * TF_DAY,
					.count = SLOTS,
					.values = values,
					.quality = &actual,
					.quality_count = 1};
		if (meter_batch_add(&l->builder, &run))
			return tf_fault(f, TF_NO_MEMORY, "no memory for a batch");
	}
	return meter_batch_full(&l->builder) ? send(l, f) : TF_OK;
}

int
main(int argc, char **argv)
{
	struct tf_fault f = {0};
	uint64_t meters, days, seed = 1;
	int32_t start;
	if (argc < 5 || !tf_str_u64(tf_str(argv[2]), &meters) || !tf_str_u64(tf_str(argv[3]), &days) ||
	    tf_date_parse(tf_str(argv[4]), &start) || (argc > 5 && !tf_str_u64(tf_str(argv[5]), &seed))) {
		fprintf(stderr, "usage: meter_fill DIR METERS DAYS YYYY-MM-DD [SEED]\n");
		return 2;
	}
	struct filler l = {.head = {.format = TF_STR("simulated"), .zone = TF_STR("UTC")}};
	struct meter_store_options o = {.wait = true};
	tf_buf_init(&l.event, 0);
	l.head.name = tf_str(argv[4]);
	memcpy(l.head.key.bytes, &seed, sizeof seed);
	memcpy(l.head.key.bytes + 8, &start, sizeof start);
	tf_dur begun = tf_os_ticks(tf_os_real());
	if (meter_batch_init(&l.builder) || meter_store_open(tf_os_real(), argv[1], &o, &l.s, &f))
		fail(&f);
	l.head.received = tf_os_now(l.s->os);
	for (uint64_t i = 0; i < meters; i++) {
		if (fill_meter(&l, i, seed, start, (uint32_t)days, &f))
			fail(&f);
		if (isatty(2) && i % 1000 == 0)
			fprintf(stderr, "\rmeter %" PRIu64 " of %" PRIu64, i, meters);
	}
	if (send(&l, &f) || tf_flow_drain(l.s->flow, &f))
		fail(&f);
	double seconds = (double)(tf_os_ticks(l.s->os) - begun) / 1e6;
	meter_store_close(&l.s);
	printf("%" PRIu64 " readings in %.1f s: %.2f million a second\n", meters * days * SLOTS, seconds,
	       (double)(meters * days * SLOTS) / 1e6 / seconds);
	meter_batch_release(&l.builder);
	tf_buf_release(&l.event);
	return 0;
}
