/* tenfold meter bill: a month's determinants and money. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli.h"
#include "view_bill.h"

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

enum format { TABLE, CSV, JSON };

struct printer {
	enum format format;
	bool one; /* account */
	const struct meter_tariff *tariff;
	char period[16];
	struct tf_buf out;
	struct tf_json_out json;
	uint64_t accounts;
};

static void
flush(struct printer *p)
{
	fwrite(p->out.p, 1, p->out.n, stdout);
	p->out.n = 0;
}

static char *
money(const struct printer *p, int64_t amount, char out[static 32])
{
	return tf_decimal_format(amount, p->tariff->minor_digits, out);
}

static uint64_t
missing(const struct meter_use *u)
{
	return u->expected > u->readings ? u->expected - u->readings : 0;
}

static void
json_use(struct tf_json_out *w, const struct meter_use *u)
{
	tf_json_set_i64(w, "energy_wh", meter_use_energy(u));
	tf_json_set_i64(w, "export_wh", u->export_wh);
	tf_json_set_i64(w, "max_demand_w", u->demand_w);
	tf_json_set_u64(w, "readings", u->readings);
	tf_json_set_u64(w, "missing", missing(u));
	tf_json_set_u64(w, "estimated", u->estimated);
}

static void
json_line(struct tf_json_out *w, const struct meter_bill_line *l)
{
	char rate[32];
	tf_json_begin_object(w);
	tf_json_set_cstr(w, "kind", meter_line_names[l->kind]);
	tf_json_set_str(w, "name", l->name);
	tf_json_set_i64(w, "quantity", l->quantity);
	tf_json_set_cstr(w, "unit", l->unit);
	tf_json_key(w, "rate");
	tf_json_put_lexeme(w, tf_str(tf_decimal_format_short(l->rate, METER_RATE_SCALE, rate)));
	tf_json_set_cstr(w, "per", l->per);
	tf_json_set_i64(w, "amount", l->amount);
	tf_json_end_object(w);
}

static void
json_section(struct tf_json_out *w, const struct meter_bill_section *s)
{
	char date[16];
	tf_json_begin_object(w);
	tf_json_set_str(w, "plan", s->plan->name);
	tf_json_set_cstr(w, "from", tf_date_format(s->from, date));
	tf_json_set_cstr(w, "to", tf_date_format(s->to, date));
	json_use(w, &s->use);
	tf_json_key(w, "registers");
	tf_json_begin_array(w);
	for (uint32_t r = 0; r < s->plan->register_count; r++) {
		tf_json_begin_object(w);
		tf_json_set_str(w, "name", s->plan->registers[r].name);
		tf_json_set_i64(w, "energy_wh", s->use.registers[r]);
		tf_json_end_object(w);
	}
	tf_json_end_array(w);
	tf_json_key(w, "lines");
	tf_json_begin_array(w);
	for (uint32_t i = 0; i < s->line_count; i++)
		json_line(w, &s->lines[i]);
	tf_json_end_array(w);
	tf_json_set_i64(w, "total", s->total);
	tf_json_end_object(w);
}

static void
json_begin(struct printer *p)
{
	struct tf_json_out *w = &p->json;
	*w = tf_json_out(&p->out);
	tf_json_begin_object(w);
	tf_json_set_cstr(w, "period", p->period);
	tf_json_set_str(w, "tariff", p->tariff->name);
	tf_json_set_str(w, "currency", p->tariff->currency);
	tf_json_set_i64(w, "minor_digits", p->tariff->minor_digits);
	tf_json_key(w, "accounts");
	tf_json_begin_array(w);
}

static void
json_bill(struct printer *p, const struct meter_bill *b)
{
	struct tf_json_out *w = &p->json;
	tf_json_begin_object(w);
	tf_json_set_str(w, "account", b->account);
	json_use(w, &b->use);
	tf_json_key(w, "sections");
	tf_json_begin_array(w);
	for (uint32_t i = 0; i < b->section_count; i++)
		json_section(w, &b->sections[i]);
	tf_json_end_array(w);
	tf_json_set_i64(w, "rounding", b->rounding);
	tf_json_set_i64(w, "total", b->total);
	tf_json_end_object(w);
	tf_buf_cstr(&p->out, "\n");
}

static void
csv_row(struct printer *p, const struct meter_bill *b, const struct meter_bill_section *s, const char *kind,
	struct tf_str name, int64_t quantity, const char *unit)
{
	char from[16] = "", to[16] = "";
	struct tf_str plan = s ? s->plan->name : tf_str("");
	if (s) {
		tf_date_format(s->from, from);
		tf_date_format(s->to, to);
	}
	tf_buf_printf(&p->out, "%.*s,%s,%.*s,%s,%s,%s,%.*s,%" PRId64 ",%s", (int)b->account.n, b->account.p, p->period,
		      TF_FMT(plan), from, to, kind, TF_FMT(name), quantity, unit);
}

static void
csv_use(struct printer *p, const struct meter_bill *b, const struct meter_bill_section *s)
{
	const struct {
		const char *name, *unit;
		int64_t quantity;
	} rows[] = {{"energy", "Wh", meter_use_energy(&s->use)}, {"export", "Wh", s->use.export_wh},
		    {"maximum demand", "W", s->use.demand_w},    {"readings", "", (int64_t)s->use.readings},
		    {"missing", "", (int64_t)missing(&s->use)},  {"estimated", "", (int64_t)s->use.estimated}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		csv_row(p, b, s, "use", tf_str(rows[i].name), rows[i].quantity, rows[i].unit);
		tf_buf_cstr(&p->out, ",,,\n");
	}
	for (uint32_t r = 0; r < s->plan->register_count; r++) {
		csv_row(p, b, s, "register", s->plan->registers[r].name, s->use.registers[r], "Wh");
		tf_buf_cstr(&p->out, ",,,\n");
	}
}

static void
csv_bill(struct printer *p, const struct meter_bill *b)
{
	char a[32], rate[32];
	for (uint32_t i = 0; i < b->section_count; i++) {
		const struct meter_bill_section *s = &b->sections[i];
		csv_use(p, b, s);
		for (uint32_t k = 0; k < s->line_count; k++) {
			const struct meter_bill_line *l = &s->lines[k];
			csv_row(p, b, s, meter_line_names[l->kind], l->name, l->quantity, l->unit);
			tf_buf_printf(&p->out, ",%s,%s,%s\n", tf_decimal_format_short(l->rate, METER_RATE_SCALE, rate),
				      l->per, money(p, l->amount, a));
		}
	}
	if (b->rounding) {
		csv_row(p, b, NULL, "rounding", tf_str("rounding"), 1, "");
		tf_buf_printf(&p->out, ",,,%s\n", money(p, b->rounding, a));
	}
	csv_row(p, b, NULL, "total", tf_str("total"), 1, "");
	tf_buf_printf(&p->out, ",,,%s\n", money(p, b->total, a));
}

static void
table_section(struct printer *p, const struct meter_bill_section *s)
{
	char from[16], to[16], a[32], rate[32];
	tf_buf_printf(&p->out, "\n%.*s, %s to %s\n", TF_FMT(s->plan->name), tf_date_format(s->from, from),
		      tf_date_format(s->to - 1, to));
	for (uint32_t r = 0; r < s->plan->register_count; r++)
		tf_buf_printf(&p->out, "  register %-22.*s %14" PRId64 " Wh\n", TF_FMT(s->plan->registers[r].name),
			      s->use.registers[r]);
	for (uint32_t i = 0; i < s->line_count; i++) {
		const struct meter_bill_line *l = &s->lines[i];
		bool tax = l->kind == METER_LINE_TAX;
		char quantity[32], per[32];
		snprintf(quantity, sizeof quantity, "%" PRId64, l->quantity);
		if (tax)
			money(p, l->quantity, quantity);
		snprintf(per, sizeof per, "per %s", l->per);
		tf_buf_printf(&p->out, "  %-31.*s %14s %-5s at %12s %-14s %14s\n", TF_FMT(l->name), quantity,
			      tax ? "" : l->unit, tf_decimal_format_short(l->rate, METER_RATE_SCALE, rate),
			      tax ? "%" : per, money(p, l->amount, a));
	}
}

/* One account: everything. */
static void
table_bill(struct printer *p, const struct meter_bill *b)
{
	char a[32];
	tf_buf_printf(&p->out,
		      "account %.*s, %s\n  energy %" PRId64 " Wh, export %" PRId64 " Wh, maximum demand %" PRId64
		      " W\n  intervals %" PRIu64 ", missing %" PRIu64 ", estimated %" PRIu64 "\n",
		      TF_FMT(b->account), p->period, meter_use_energy(&b->use), b->use.export_wh, b->use.demand_w,
		      b->use.readings, missing(&b->use), b->use.estimated);
	for (uint32_t i = 0; i < b->section_count; i++)
		table_section(p, &b->sections[i]);
	if (b->rounding)
		tf_buf_printf(&p->out, "\n  %-82s %14s\n", "rounding", money(p, b->rounding, a));
	tf_buf_printf(&p->out, "\n  total %.*s %89s\n", TF_FMT(p->tariff->currency), money(p, b->total, a));
}

static const char table_row[] =
	"%-20.*s %-14.*s %14" PRId64 " %12" PRId64 " %9" PRId64 " %9" PRIu64 " %8" PRIu64 " %9" PRIu64 " %14s\n";

static void
table_short(struct printer *p, struct tf_str account, struct tf_str plan, const struct meter_use *u, int64_t total)
{
	char a[32];
	tf_buf_printf(&p->out, table_row, TF_FMT(account), TF_FMT(plan), meter_use_energy(u), u->export_wh, u->demand_w,
		      u->readings, missing(u), u->estimated, money(p, total, a));
}

static void
begin(struct printer *p)
{
	if (p->format == JSON)
		json_begin(p);
	else if (p->format == CSV)
		tf_buf_cstr(&p->out, "account,period,plan,from,to,kind,name,quantity,unit,rate,per,amount\n");
	else if (!p->one)
		tf_buf_printf(&p->out, "%-20s %-14s %14s %12s %9s %9s %8s %9s %14.*s\n", "account", "plan", "energy Wh",
			      "export Wh", "max W", "intervals", "missing", "estimated", TF_FMT(p->tariff->currency));
}

static enum tf_err
on_bill(void *ctx, const struct meter_bill *b, struct tf_fault *f)
{
	struct printer *p = ctx;
	if (!p->accounts++)
		begin(p);
	if (p->format == JSON)
		json_bill(p, b);
	else if (p->format == CSV)
		csv_bill(p, b);
	else if (p->one)
		table_bill(p, b);
	else
		table_short(p, b->account, b->section_count > 1 ? tf_str("several") : b->sections[0].plan->name,
			    &b->use, b->total);
	if (p->out.err)
		return tf_fault(f, p->out.err, "no memory to print a bill");
	if (p->out.n >= FLUSH_BYTES)
		flush(p);
	return TF_OK;
}

static void
json_end(struct printer *p, const struct meter_bill_report *r, tf_dur took)
{
	struct tf_json_out *w = &p->json;
	tf_json_end_array(w);
	tf_json_key(w, "totals");
	tf_json_begin_object(w);
	tf_json_set_u64(w, "accounts", r->accounts);
	tf_json_set_u64(w, "incomplete", r->incomplete);
	tf_json_set_u64(w, "without_data", r->without_data);
	tf_json_set_u64(w, "unassigned_channels", r->unassigned);
	json_use(w, &r->use);
	tf_json_set_i64(w, "total", r->total);
	tf_json_end_object(w);
	tf_json_key(w, "run");
	tf_json_begin_object(w);
	tf_json_set_decimal(w, "seconds", took / 1000, 3);
	tf_json_set_u64(w, "blocks", r->blocks);
	tf_json_set_u64(w, "bytes", r->bytes);
	tf_json_set_u64(w, "sums", r->sums);
	tf_json_set_u64(w, "sums_bytes", r->sums_bytes);
	tf_json_end_object(w);
	tf_json_end_object(w);
	tf_json_finish(w);
}

static void
end(struct printer *p, const struct meter_bill_report *r, tf_dur took)
{
	char seconds[32];
	if (p->format == JSON)
		json_end(p, r, took);
	else if (p->format == TABLE && !p->one)
		table_short(p, tf_str("all"), tf_str(""), &r->use, r->total);
	flush(p);
	if (p->format == JSON)
		return;
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
bill(struct meter_cli *cli, const struct tf_args *a, struct printer *p, struct tf_fault *f)
{
	struct meter_bill_options o = {.tariff = p->tariff,
				       .month = (int32_t)tf_args_int(a, "period"),
				       .account = tf_args_text(a, "account"),
				       .from_sums = (enum meter_bill_sums)tf_args_int(a, "from-sums")};
	p->one = o.account.n > 0;
	if (tf_args_given(a, "account") && !p->one)
		return tf_fault(f, TF_USAGE, "--account is empty");
	tf_month_format(o.month, p->period);
	struct meter_store *s;
	TF_TRY(meter_cli_open(cli, a, false, &s, f));
	tf_dur began = tf_os_ticks(cli->os);
	struct meter_bill_report r;
	enum tf_err e = meter_bill_run(s, &o, on_bill, p, &r, f);
	if (!e)
		end(p, &r, tf_os_ticks(cli->os) - began);
	else
		flush(p);
	meter_store_close(&s);
	return e;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct meter_cli *cli = ctx;
	struct tf_args a;
	int code;
	if (!meter_cli_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct meter_tariff *tariff;
	if (read_tariff(cli->os, tf_args_cstr(&a, "tariff"), &tariff, &f))
		return meter_cli_fail(&f);
	struct printer p = {.tariff = tariff, .format = tf_args_int(&a, "format") == 1 ? CSV : TABLE};
	if (tf_args_flag(&a, "json"))
		p.format = JSON;
	tf_buf_init(&p.out, 0);
	enum tf_err e = bill(cli, &a, &p, &f);
	tf_buf_release(&p.out);
	meter_tariff_free(&tariff);
	return e ? meter_cli_fail(&f) : meter_cli_finish(0);
}

const struct tf_command meter_cmd_bill = {
	.name = "bill", .summary = "a month's energy, demand and money by account", .params = params, .run = run};
