/* tenfold meter cost: what the tiers cost a month, beside one flat warehouse. Every figure starts from bytes and times
 * measured now. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli.h"
#include "view_cost.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"prices", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "a dated price file (the one this program carries)"},
	{"history", TF_PARAM_INT, false, "MONTHS", "60", 1, 1200, "how long readings are kept"},
	METER_PARAM_JSON,
	{0},
};

static const char *
units(int64_t micro, char out[static 32])
{
	return tf_decimal_format((micro + 5000) / 10000, 2, out);
}

static void
print_table(const struct meter_cost_measured *m, const struct meter_prices *p, const struct meter_cost *c)
{
	char a[32], b[32], d[32], e[32], g[32];
	printf("measured: %" PRIu64 " meters, %" PRIu64 " readings a meter and month, bytes a reading:", m->meters,
	       m->readings_per_meter_month);
	for (int i = 0; i < METER_COST_TIERS; i++)
		printf(" %s %.3f", meter_cost_tier_names[i], (double)m->milli_bytes[i] / 1000);
	printf(", flat warehouse %.3f\nprices of %s, %s a month\n\n%12s %14s %14s %12s %14s %16s %16s\n",
	       (double)m->warehouse_milli_bytes / 1000, p->date, p->currency, "meters", "storage", "compute", "other",
	       "tiers", "flat warehouse", "per meter");
	for (int i = 0; i < METER_COST_SCALES; i++) {
		int64_t storage = 0, other = c[i].requests + c[i].egress;
		char each[32];
		for (int t = 0; t < METER_COST_TIERS; t++) {
			storage += c[i].tier[t].storage;
			other += c[i].tier[t].read;
		}
		printf("%12" PRIu64 " %14s %14s %12s %14s %16s %16s\n", c[i].meters, units(storage, a),
		       units(c[i].compute, b), units(other, d), units(c[i].total, e), units(c[i].warehouse_total, g),
		       tf_decimal_format(c[i].per_meter, 6, each));
	}
}

static enum tf_err
read_prices(struct meter_cli *cli, const struct tf_args *a, struct meter_prices *p, struct tf_fault *f)
{
	if (!tf_args_given(a, "prices"))
		return meter_prices_parse(meter_prices_default(), p, f);
	char *text;
	size_t n;
	TF_TRY(tf_os_read_file(cli->os, tf_args_cstr(a, "prices"), 1u << 20, &text, &n, f));
	enum tf_err e = meter_prices_parse(tf_str_n(text, n), p, f);
	tf_free(text);
	return e ? tf_fault_wrap(f, e, "'%s'", tf_args_cstr(a, "prices")) : TF_OK;
}

static enum tf_err
print_json(const struct meter_cost_measured *m, const struct meter_prices *p, const struct meter_cost *c,
	   struct tf_fault *f)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	meter_cost_json(m, p, c, &b);
	fwrite(b.p, 1, b.n, stdout);
	enum tf_err e = b.err;
	tf_buf_release(&b);
	return e ? tf_fault(f, e, "no memory for the answer") : TF_OK;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct meter_prices p;
	struct meter_cost_measured m = {0};
	struct meter_cost c[METER_COST_SCALES];
	struct meter_store *s;
	if (read_prices(ctx, &a, &p, &f) || meter_cli_open(ctx, &a, false, &s, &f))
		return tf_program_fail(&f);
	enum tf_err e = meter_cost_measure(s, &m, &f);
	meter_store_close(&s);
	if (!e)
		e = meter_cost_curve(&m, &p, (uint32_t)tf_args_int(&a, "history"), c, &f);
	if (!e && tf_args_flag(&a, "json"))
		e = print_json(&m, &p, c, &f);
	else if (!e)
		print_table(&m, &p, c);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command meter_cmd_cost = {
	.name = "cost", .summary = "what the tiers cost, beside a flat warehouse", .params = params, .run = run};
