/* tenfold meter usage: tier 4 by day, month and year. */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "scan.h"
#include "view_usage.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"account", TF_PARAM_TEXT, false, "A", NULL, 0, 0,
	 "an account (a meter that no network file names is its own)"},
	{"transformer", TF_PARAM_TEXT, false, "T", NULL, 0, 0, "a transformer"},
	{"feeder", TF_PARAM_TEXT, false, "F", NULL, 0, 0, "a feeder"},
	{"zone", TF_PARAM_TEXT, false, "Z", NULL, 0, 0, "a zone of the network"},
	{"region", TF_PARAM_TEXT, false, "R", NULL, 0, 0, "a region"},
	{"by", TF_PARAM_TEXT, false, "PERIOD", "month", 0, 0, "day, month or year"},
	METER_PARAM_JSON,
	{0},
};

struct printer {
	bool json;
	enum meter_by by;
	uint64_t rows;
};

static enum tf_err
on_usage(void *ctx, const struct meter_usage *u, struct tf_fault *f)
{
	struct printer *p = ctx;
	(void)f;
	char period[16], peak_at[40];
	if (p->by == METER_BY_DAY)
		tf_date_format(u->period, period);
	else if (p->by == METER_BY_MONTH)
		tf_month_format(u->period, period);
	else
		snprintf(period, sizeof period, "%04d", (int)u->period);
	tf_time_format(u->peak_at, peak_at);
	if (p->json)
		printf("%s\n{\"period\":\"%s\",\"channel\":\"%.*s\",\"value\":%" PRId64
		       ",\"unit\":\"%s\",\"readings\":%" PRIu64 ",\"not_actual\":%" PRIu64 ",\"peak\":%" PRId64
		       ",\"peak_at\":\"%s\"}",
		       p->rows ? "," : "", period, TF_FMT(u->channel), u->total, meter_unit_text(u->unit), u->readings,
		       u->other, u->peak, peak_at);
	else
		printf("%s%-10s  %-8.*s %14" PRId64 " %-5s %9" PRIu64 " %9" PRIu64 " %10" PRId64 "  %s\n",
		       p->rows ? ""
			       : "period      channel          total unit   readings   not act.       peak  peak at\n",
		       period, TF_FMT(u->channel), u->total, meter_unit_text(u->unit), u->readings, u->other, u->peak,
		       peak_at);
	p->rows++;
	return TF_OK;
}

static enum tf_err
parse(const struct tf_args *a, enum meter_node *node, struct tf_str *name, enum meter_by *by, struct tf_fault *f)
{
	int given = 0;
	for (int n = 0; n < METER_NODE_COUNT; n++)
		if (tf_args_given(a, meter_node_names[n])) {
			given++;
			*node = (enum meter_node)n;
			*name = tf_args_text(a, meter_node_names[n]);
		}
	if (given != 1)
		return tf_fault(f, TF_USAGE, "give one of --account, --transformer, --feeder, --zone, --region");
	static const char *const names[] = {"day", "month", "year"};
	for (int i = 0; i < 3; i++)
		if (tf_str_eq(tf_args_text(a, "by"), tf_str(names[i]))) {
			*by = (enum meter_by)i;
			return TF_OK;
		}
	return tf_fault(f, TF_USAGE, "--by '%.*s' is not day, month or year", TF_FMT(tf_args_text(a, "by")));
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
	struct printer p = {.json = tf_args_flag(&a, "json")};
	enum meter_node node = METER_ACCOUNT;
	struct tf_str name = {0};
	struct meter_store *s;
	if (parse(&a, &node, &name, &p.by, &f) || meter_cli_open(cli, &a, false, &s, &f))
		return tf_program_fail(&f);
	if (p.json)
		printf("{\"usage\":[");
	enum tf_err e = meter_usage(s, node, name, p.by, on_usage, &p, &f);
	if (p.json)
		printf("\n]}\n");
	meter_store_close(&s);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command meter_cmd_usage = {
	.name = "usage", .summary = "sums by day, month, year, from the aggregates", .params = params, .run = run};
