/* tenfold meter missing: gaps as a re-request file per head-end. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli.h"
#include "missing.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"from", TF_PARAM_TEXT, false, "TIME", NULL, 0, 0, "starts from here on (each channel's first reading)"},
	{"to", TF_PARAM_TEXT, false, "TIME", NULL, 0, 0, "and before this (the latest reading of all)"},
	{"zone", TF_PARAM_TEXT, false, "ZONE", "UTC", 0, 0, "of --from and --to without offset"},
	{"head-end", TF_PARAM_TEXT, false, "NAME", NULL, 0, 0, "only what this one owes"},
	METER_PARAM_JSON,
	{0},
};

struct printer {
	bool json;
	struct tf_str only;
	uint64_t gaps, intervals;
};

static enum tf_err
on_gap(void *ctx, const struct meter_gap *g, struct tf_fault *f)
{
	struct printer *p = ctx;
	(void)f;
	char from[40], to[40];
	if (p->only.n && !tf_str_eq(p->only, g->head_end))
		return TF_OK;
	tf_time_format(g->from, from);
	tf_time_format(g->to, to);
	if (p->json) {
		struct tf_buf b;
		tf_buf_init(&b, 0);
		struct tf_json_out w = tf_json_out(&b);
		tf_json_begin_object(&w);
		tf_json_set_str(&w, "head_end", g->head_end);
		tf_json_set_str(&w, "meter", g->meter);
		tf_json_set_str(&w, "channel", g->channel);
		tf_json_set_cstr(&w, "from", from);
		tf_json_set_cstr(&w, "to", to);
		tf_json_set_u64(&w, "intervals", g->intervals);
		tf_json_end_object(&w);
		printf("%s\n%.*s", p->gaps ? "," : "", (int)b.n, (const char *)b.p);
		tf_buf_release(&b);
	} else {
		struct tf_buf b;
		tf_buf_init(&b, 0);
		meter_gap_csv(g, &b);
		fwrite(b.p, 1, b.n, stdout);
		tf_buf_release(&b);
	}
	p->gaps++;
	p->intervals += g->intervals;
	return TF_OK;
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
	struct printer p = {tf_args_flag(&a, "json"), tf_args_text(&a, "head-end"), 0, 0};
	const char *zone = tf_args_cstr(&a, "zone");
	tf_time from, to;
	struct meter_store *s;
	if (meter_cli_time(cli, &a, "from", zone, TF_TIME_FIRST, &from, &f) ||
	    meter_cli_time(cli, &a, "to", zone, 0, &to, &f) || meter_cli_open(cli, &a, false, &s, &f))
		return tf_program_fail(&f);
	enum tf_err e = to ? TF_OK : meter_missing_until(s, &to, &f);
	printf(p.json ? "{\"missing\":[" : METER_MISSING_HEADER);
	if (!e)
		e = meter_missing(s, from, to, on_gap, &p, &f);
	if (p.json)
		printf("\n],\"gaps\":%" PRIu64 ",\"intervals\":%" PRIu64 "}\n", p.gaps, p.intervals);
	meter_store_close(&s);
	return e ? tf_program_fail(&f) : tf_program_finish(p.gaps ? 1 : 0);
}

const struct tf_command meter_cmd_missing = {
	.name = "missing", .summary = "gaps, as a re-request file", .params = params, .run = run};
