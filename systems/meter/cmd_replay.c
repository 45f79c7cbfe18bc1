/* tenfold meter replay: a span of the log once more, here (without effect, which it proves) or into a new directory. */
#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#include "cli.h"
#include "scan.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"from", TF_PARAM_TEXT, false, "TIME", NULL, 0, 0, "events that arrived from here on (the oldest held)"},
	{"to", TF_PARAM_TEXT, false, "TIME", NULL, 0, 0, "and before this (now)"},
	{"zone", TF_PARAM_TEXT, false, "ZONE", "UTC", 0, 0, "of --from and --to without offset"},
	{"into", TF_PARAM_TEXT, false, "DIR", NULL, 0, 0, "a new data directory, instead of --data itself"},
	METER_PARAM_JSON,
	{0},
};

#define EVENTS_PER_STEP 64

struct replay {
	struct meter_store *from, *to;
	uint64_t first, end; /* offsets */
	uint64_t events;
	struct meter_counts counts;
	uint64_t digest_before, digest_after;
};

static enum tf_err
hash_row(void *ctx, const struct meter_scan_row *row, struct tf_fault *f)
{
	(void)f;
	for (uint32_t i = row->from; i < row->to; i++) {
		if (!row->stamps[i])
			continue;
		const int64_t v[] = {row->sid,
				     row->head->shape.first + (tf_dur)i * row->head->shape.interval_s * TF_SEC,
				     row->values[i], row->head->stamps[row->stamps[i] - 1].quality,
				     meter_block_past(row->head, row->row, i)};
		XXH3_64bits_update(ctx, v, sizeof v);
	}
	return TF_OK;
}

/* One number for every reading with quality and version, whatever tier it lies in. */
static enum tf_err
digest(struct meter_store *s, uint64_t *out, struct tf_fault *f)
{
	XXH3_state_t *h = XXH3_createState();
	if (!h)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a hash");
	XXH3_64bits_reset(h);
	enum tf_err e = meter_scan_all(s, TF_TIME_FIRST, TF_TIME_LAST, hash_row, h, f);
	if (!e)
		*out = XXH3_64bits_digest(h);
	XXH3_freeState(h);
	return e;
}

/* Nobody asked for it this time: of a request's event the key and the answer are left away. */
static enum tf_err
submit(struct replay *r, const struct tf_log_record *rec, struct tf_buf *copy, struct tf_fault *f)
{
	uint64_t offset;
	uint32_t type = rec->type;
	struct tf_str bytes = rec->bytes;
	struct tf_decision d;
	TF_TRY(meter_event_unwrap(&type, &bytes, &d, f));
	tf_buf_reset(copy);
	tf_buf_str(copy, bytes);
	if (copy->err)
		return tf_fault(f, copy->err, "no memory for an event");
	struct meter_command c = {(enum meter_event)type, copy->p, copy->n};
	TF_TRY(tf_flow_submit(r->to->flow, &c, NULL, &offset, f));
	return ++r->events % EVENTS_PER_STEP ? TF_OK : tf_flow_commit(r->to->flow, f);
}

static enum tf_err
run_span(struct replay *r, struct tf_fault *f)
{
	struct tf_log_reader *reader;
	struct tf_log_record rec;
	struct tf_buf copy;
	tf_buf_init(&copy, 0);
	TF_TRY(tf_log_read(r->from->log, 0, r->first, &reader, f));
	enum tf_err e = TF_OK;
	while (!e && !(e = tf_log_next(reader, &rec, f)) && rec.offset < r->end)
		e = submit(r, &rec, &copy, f);
	tf_log_reader_close(&reader);
	tf_buf_release(&copy);
	return e && e != TF_END ? e : tf_flow_drain(r->to->flow, f);
}

static enum tf_err
replay(struct replay *r, tf_time from, tf_time to, struct tf_fault *f)
{
	TF_TRY(tf_log_seek(r->from->log, 0, from, &r->first, f));
	TF_TRY(tf_log_seek(r->from->log, 0, to, &r->end, f));
	if (r->first < tf_log_first(r->from->log, 0))
		r->first = tf_log_first(r->from->log, 0);
	TF_TRY(digest(r->from, &r->digest_before, f));
	struct meter_counts was = r->to->published;
	TF_TRY(run_span(r, f));
	const struct meter_counts *now = &r->to->published;
	r->counts = (struct meter_counts){now->readings - was.readings, now->accepted - was.accepted,
					  now->duplicate - was.duplicate, now->superseded - was.superseded};
	return digest(r->to, &r->digest_after, f);
}

static void
print(bool json, const struct replay *r)
{
	bool same = r->digest_before == r->digest_after;
	printf(json ? "{\"events\":%" PRIu64 ",\"readings\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"duplicate\":%" PRIu64
		      ",\"superseded\":%" PRIu64 ",\"identical\":%s,\"digest\":\"%016" PRIx64 "\"}\n"
		    : "%" PRIu64 " events, %" PRIu64 " readings: %" PRIu64 " accepted, %" PRIu64 " duplicate, %" PRIu64
		      " superseded; identical: %s, digest %016" PRIx64 "\n",
	       r->events, r->counts.readings, r->counts.accepted, r->counts.duplicate, r->counts.superseded,
	       json   ? (same ? "true" : "false")
	       : same ? "yes"
		      : "no",
	       r->digest_after);
}

static enum tf_err
open_into(struct meter_cli *cli, const struct tf_args *a, struct replay *r, struct tf_fault *f)
{
	r->to = r->from;
	if (!tf_args_given(a, "into"))
		return TF_OK;
	struct tf_stat st;
	const char *dir = tf_args_cstr(a, "into");
	if (!tf_os_stat(cli->os, dir, &st, NULL))
		return tf_fault(f, TF_EXISTS, "'%s' is there already", dir);
	struct meter_store_options o = {.wait = true};
	return meter_store_open(cli->os, dir, &o, &r->to, f);
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct meter_cli *cli = ctx;
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct replay r = {0};
	tf_time from, to;
	const char *zone = tf_args_cstr(&a, "zone");
	if (meter_cli_time(cli, &a, "from", zone, TF_TIME_FIRST, &from, &f) ||
	    meter_cli_time(cli, &a, "to", zone, TF_TIME_LAST, &to, &f) || meter_cli_open(cli, &a, true, &r.from, &f))
		return tf_program_fail(&f);
	enum tf_err e = open_into(cli, &a, &r, &f);
	if (!e && from != TF_TIME_FIRST && tf_log_first(r.from->log, 0) > 0 &&
	    tf_log_first(r.from->log, 0) == tf_log_end(r.from->log, 0))
		fprintf(stderr, "tenfold meter: the log is trimmed: the tiers hold what it held\n");
	if (!e)
		e = replay(&r, from, to, &f);
	if (r.to != r.from)
		meter_store_close(&r.to);
	meter_store_close(&r.from);
	if (e)
		return tf_program_fail(&f);
	print(tf_args_flag(&a, "json"), &r);
	return tf_program_finish(r.digest_before == r.digest_after ? 0 : 1);
}

const struct tf_command meter_cmd_replay = {
	.name = "replay", .summary = "take a span of the log once more", .params = params, .run = run};
