/* tenfold meter read: readings of one meter as CSV, whatever tier they lie in. */
#include <inttypes.h>
#include <stdio.h>

#include "batch.h"
#include "cli.h"
#include "scan.h"

#define FLUSH_BYTES ((size_t)16 << 20) /* until then a read can begin anew */

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"meter", TF_PARAM_TEXT, true, "ID", NULL, 0, 0, "which meter"},
	{"from", TF_PARAM_TEXT, false, "TIME", NULL, 0, 0, "first start, RFC 3339 or a local date"},
	{"to", TF_PARAM_TEXT, false, "TIME", NULL, 0, 0, "before this start"},
	{"zone", TF_PARAM_TEXT, false, "ZONE", "UTC", 0, 0, "of --from and --to without offset"},
	{"channel", TF_PARAM_TEXT, false, "NAME", NULL, 0, 0, "only this one"},
	{"versions", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "superseded readings too"},
	{"stats", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "on stderr: tiers opened and bytes read"},
	METER_PARAM_JSON,
	{0},
};

struct reader {
	struct meter_store *s;
	bool json, versions, any;
	bool *printed; /* some of out is on stdout */
	struct tf_buf out;
	struct tf_str meter;
	uint64_t count;
	tf_time from, to;
	struct tf_str only;
	char channel[METER_CHANNEL_MAX + 1];
	enum meter_unit unit;
};

static void
print_reading(struct reader *r, tf_time start, uint32_t interval_s, int64_t value, uint32_t quality, uint32_t version)
{
	char from[40], to[40], q[16];
	tf_time_format(start, from);
	tf_time_format(start + interval_s * TF_SEC, to);
	meter_quality_text(meter_quality_from(quality), q);
	if (r->json)
		tf_buf_printf(&r->out,
			      "%s\n{\"start\":\"%s\",\"end\":\"%s\",\"channel\":\"%s\",\"value\":%" PRId64
			      ",\"unit\":\"%s\",\"quality\":\"%s\",\"version\":%u}",
			      r->count ? "," : "", from, to, r->channel, value, meter_unit_text(r->unit), q, version);
	else
		tf_buf_printf(&r->out, "%s,%s,%s,%" PRId64 ",%s,%s,%u\n", from, to, r->channel, value,
			      meter_unit_text(r->unit), q, version);
	r->count++;
	if (r->out.n < FLUSH_BYTES)
		return;
	fwrite(r->out.p, 1, r->out.n, stdout);
	tf_buf_reset(&r->out);
	*r->printed = true;
}

/* The superseded readings of a cell, oldest first; returns how many there are. */
static uint32_t
print_past(struct reader *r, const struct meter_scan_row *row, uint32_t slot, tf_time start)
{
	const struct meter_block *b = row->head;
	uint32_t n = meter_block_past(b, row->row, slot), version = 0;
	if (!n || !r->versions)
		return n;
	for (uint32_t i = 0; i < b->past_count; i++)
		if (b->past[i].row == row->row && b->past[i].slot == slot)
			print_reading(r, start, b->shape.interval_s, b->past[i].value, b->past[i].stamp.quality,
				      ++version);
	return n;
}

static enum tf_err
on_row(void *ctx, const struct meter_scan_row *row, struct tf_fault *f)
{
	struct reader *r = ctx;
	(void)f;
	const struct meter_grid_shape *shape = &row->head->shape;
	for (uint32_t i = row->from; i < row->to; i++) {
		if (!row->stamps[i])
			continue;
		tf_time start = shape->first + (tf_dur)i * shape->interval_s * TF_SEC;
		uint32_t past = print_past(r, row, i, start);
		print_reading(r, start, shape->interval_s, row->values[i],
			      row->head->stamps[row->stamps[i] - 1].quality, past + 1);
	}
	return TF_OK;
}

static enum tf_err
on_channel(void *ctx, uint32_t sid, struct tf_str meter, struct tf_str channel, enum meter_unit unit,
	   struct tf_fault *f)
{
	struct reader *r = ctx;
	(void)meter;
	r->any = true;
	if (r->only.n && !tf_str_eq(r->only, channel))
		return TF_OK;
	memcpy(r->channel, channel.p, channel.n);
	r->channel[channel.n] = 0;
	r->unit = unit;
	uint8_t rows[METER_BUCKET_ROWS] = {0};
	rows[sid % METER_BUCKET_ROWS] = 1;
	struct meter_scan q = {.bucket = sid / METER_BUCKET_ROWS, .rows = rows, .from = r->from, .to = r->to};
	return meter_scan(r->s, &q, on_row, r, f);
}

static enum tf_err
read_meter(void *ctx, bool *out_printed, struct tf_fault *f)
{
	struct reader *r = ctx;
	tf_buf_reset(&r->out);
	r->count = 0;
	r->printed = out_printed;
	tf_buf_cstr(&r->out, r->json ? "{\"readings\":[" : "start,end,channel,value,unit,quality,version\n");
	TF_TRY(meter_channels(r->s, r->meter, on_channel, r, f));
	if (r->json)
		tf_buf_cstr(&r->out, "\n]}\n");
	if (r->out.err)
		return tf_fault(f, r->out.err, "no memory for readings");
	fwrite(r->out.p, 1, r->out.n, stdout);
	return r->any ? TF_OK : tf_fault(f, TF_NOT_FOUND, "no meter '%.*s'", TF_FMT(r->meter));
}

static void
print_stats(const struct meter_store *s)
{
	for (int t = 0; t < METER_TIER_COUNT; t++)
		fprintf(stderr, "%s: %" PRIu64 " blocks, %" PRIu64 " bytes read\n", meter_tier_names[t],
			s->opened_blocks[t], s->opened_bytes[t]);
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
	struct reader r = {.json = tf_args_flag(&a, "json"),
			   .versions = tf_args_flag(&a, "versions"),
			   .only = tf_args_text(&a, "channel"),
			   .meter = tf_args_text(&a, "meter")};
	tf_buf_init(&r.out, 0);
	const char *zone = tf_args_cstr(&a, "zone");
	if (meter_cli_time(cli, &a, "from", zone, TF_TIME_FIRST, &r.from, &f) ||
	    meter_cli_time(cli, &a, "to", zone, TF_TIME_LAST, &r.to, &f) || meter_cli_open(cli, &a, false, &r.s, &f))
		return tf_program_fail(&f);
	enum tf_err e = meter_cli_read(r.s, read_meter, &r, &f);
	tf_buf_release(&r.out);
	if (tf_args_flag(&a, "stats"))
		print_stats(r.s);
	meter_store_close(&r.s);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command meter_cmd_read = {
	.name = "read", .summary = "readings of a meter as CSV", .params = params, .run = run};
