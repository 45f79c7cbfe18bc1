/* tenfold meter report: the regulator's month, month over month, peak days. From tier 4 alone: no reading is opened. */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "view_report.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"period", TF_PARAM_TEXT, true, "YYYY-MM", NULL, 0, 0, "the local month"},
	{"slabs", TF_PARAM_TEXT, false, "KWH,...", METER_REPORT_SLABS, 0, 0,
	 "monthly: upper limits of the slabs accounts fall into"},
	METER_PARAM_JSON,
	{0},
};

struct printer {
	bool json;
	uint64_t rows;
};

static void
print_json_row(const struct meter_report *r, struct tf_stmt *q, bool first)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	meter_report_json(r, q, &w);
	printf("%s\n%.*s", first ? "" : ",", (int)b.n, (const char *)b.p);
	tf_buf_release(&b);
}

static void
print_table_row(const struct meter_report *r, struct tf_stmt *q, bool first)
{
	for (int i = 0; first && r->columns[i]; i++)
		printf(meter_report_is_text(r->columns[i]) ? "%-12s " : "%18s ", r->columns[i]);
	if (first)
		printf("\n");
	for (int i = 0; r->columns[i]; i++) {
		struct tf_str text = tf_stmt_get_str(q, i);
		if (meter_report_is_text(r->columns[i]))
			printf("%-12.*s ", TF_FMT(text));
		else
			printf("%18.*s ", TF_FMT(text));
	}
	printf("\n");
}

static enum tf_err
on_row(void *ctx, const struct meter_report *r, struct tf_stmt *q, struct tf_fault *f)
{
	struct printer *p = ctx;
	(void)f;
	(p->json ? print_json_row : print_table_row)(r, q, p->rows++ == 0);
	return TF_OK;
}

static enum tf_err
report(struct meter_cli *cli, const struct tf_args *a, struct tf_fault *f)
{
	const struct meter_report *r = meter_report_find(tf_str(a->positional[0]));
	struct printer p = {tf_args_flag(a, "json"), 0};
	int32_t month;
	if (!r)
		return tf_fault(f, TF_USAGE, "'%.60s' is no report: monthly, change or peak", a->positional[0]);
	if (tf_month_parse(tf_args_text(a, "period"), &month))
		return tf_fault(f, TF_USAGE, "--period '%.*s' is not YYYY-MM", TF_FMT(tf_args_text(a, "period")));
	struct meter_store *s;
	TF_TRY(meter_cli_open(cli, a, false, &s, f));
	if (p.json)
		printf("{\"report\":\"%s\",\"rows\":[", r->name);
	enum tf_err e = meter_report_run(s, r, month, tf_args_text(a, "slabs"), on_row, &p, f);
	if (p.json)
		printf("\n]}\n");
	meter_store_close(&s);
	return e == TF_INVALID ? tf_fault_wrap(f, TF_USAGE, "--slabs") : e;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	return report(ctx, &a, &f) ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command meter_cmd_report = {.name = "report",
					    .summary = "the regulator's month, month over month, peak days",
					    .positional = "monthly|change|peak",
					    .positional_min = 1,
					    .params = params,
					    .run = run};
