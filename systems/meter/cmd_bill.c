/* tenfold meter bill: a month's determinants and money. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli.h"
#include "view_bill_print.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"period", TF_PARAM_MONTH, true, "YYYY-MM", NULL, 0, 0, "the local month to bill"},
	{"account", TF_PARAM_TEXT, false, "A", NULL, 0, 0, "one account; all without"},
	{"tariff", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "a tariff file; the built-in example without"},
	{"from-sums", TF_PARAM_CHOICE, false, "auto|never|only", "auto", 0, 0,
	 "use sealed time-of-use sums instead of readings"},
	{"format", TF_PARAM_CHOICE, false, "table|csv", "table", 0, 0, "how to print"},
	METER_PARAM_JSON,
	{0},
};

#define FLUSH_BYTES (1u << 16)

static void
flush(struct meter_bill_printer *p)
{
	fwrite(p->out.p, 1, p->out.n, stdout);
	p->out.n = 0;
}

static enum tf_err
on_bill(void *ctx, const struct meter_bill *b, struct tf_fault *f)
{
	struct meter_bill_printer *p = ctx;
	TF_TRY(meter_bill_print(p, b, f));
	if (p->out.n >= FLUSH_BYTES)
		flush(p);
	return TF_OK;
}

static void
say(const struct meter_bill_report *r, tf_dur took)
{
	char seconds[32];
	fprintf(stderr,
		"%" PRIu64 " accounts, %" PRIu64 " with missing intervals, %" PRIu64 " without readings; %" PRIu64
		" readings; opened %" PRIu64 " blocks of %" PRIu64 " bytes, %" PRIu64 " sums of %" PRIu64
		" bytes; %s s\n",
		r->accounts, r->incomplete, r->without_data, r->use.readings, r->blocks, r->bytes, r->sums,
		r->sums_bytes, tf_decimal_format(took / 1000, 3, seconds));
	if (r->unassigned)
		fprintf(stderr,
			"%" PRIu64 " channels have days for which the network file names no account: not billed\n",
			r->unassigned);
}

static enum tf_err
read_tariff(struct tf_os *os, const char *path, struct meter_tariff **out, struct tf_fault *f)
{
	if (!path)
		return meter_tariff_parse(tf_str("built-in"), meter_tariff_default(), out, f);
	char *text;
	size_t n;
	TF_TRY(tf_os_read_file(os, path, METER_TARIFF_BYTES, &text, &n, f));
	enum tf_err e = meter_tariff_parse(tf_str(path), tf_str_n(text, n), out, f);
	tf_free(text);
	return e;
}

static enum tf_err
bill(struct meter_cli *cli, const struct tf_args *a, const struct meter_bill_options *o, struct meter_bill_printer *p,
     struct tf_fault *f)
{
	struct meter_store *s;
	TF_TRY(meter_cli_open(cli, a, false, &s, f));
	tf_dur began = tf_os_ticks(cli->os);
	struct meter_bill_report r;
	enum tf_err e = meter_bill_run(s, o, on_bill, p, &r, f);
	tf_dur took = tf_os_ticks(cli->os) - began;
	if (!e)
		meter_bill_print_end(p, &r, took);
	flush(p);
	if (!e && p->format != METER_BILL_JSON)
		say(&r, took);
	meter_store_close(&s);
	return e;
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
	struct meter_tariff *tariff = NULL;
	struct tf_str account = tf_args_text(&a, "account");
	if (tf_args_given(&a, "account") && !account.n) {
		tf_fault(&f, TF_USAGE, "--account is empty");
		return tf_program_fail(&f);
	}
	if (read_tariff(cli->os, tf_args_cstr(&a, "tariff"), &tariff, &f))
		return tf_program_fail(&f);
	struct meter_bill_options o = {.tariff = tariff,
				       .month = (int32_t)tf_args_int(&a, "period"),
				       .account = account,
				       .from_sums = (enum meter_bill_sums)tf_args_int(&a, "from-sums")};
	enum meter_bill_format format =
		tf_args_flag(&a, "json") ? METER_BILL_JSON : (enum meter_bill_format)tf_args_int(&a, "format");
	struct meter_bill_printer p;
	meter_bill_print_init(&p, format, account.n > 0, tariff, o.month);
	enum tf_err e = bill(cli, &a, &o, &p, &f);
	meter_bill_print_release(&p);
	meter_tariff_free(&tariff);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command meter_cmd_bill = {
	.name = "bill", .summary = "a month's energy, demand and money by account", .params = params, .run = run};
