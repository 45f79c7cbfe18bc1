/* Bills as text; see view_bill_print.h. A million bills are printed here, so the rows that all have go without printf.
 */
#include "view_bill_print.h"

#include <inttypes.h>
#include <stdio.h>

void
meter_bill_print_init(struct meter_bill_printer *p, enum meter_bill_format format, bool one,
		      const struct meter_tariff *tariff, int32_t month)
{
	*p = (struct meter_bill_printer){.format = format, .one = one, .tariff = tariff, .month = month};
	tf_buf_init(&p->out, 0);
	tf_buf_init(&p->prefix, 0);
	tf_month_format(month, p->period);
}

void
meter_bill_print_release(struct meter_bill_printer *p)
{
	tf_buf_release(&p->out);
	tf_buf_release(&p->prefix);
}

static struct tf_str
money(const struct meter_bill_printer *p, int64_t amount, char out[static 32])
{
	return tf_str(tf_decimal_format(amount, p->tariff->minor_digits, out));
}

static struct tf_str
number(int64_t v, char out[static 32])
{
	return tf_str(tf_decimal_format(v, 0, out));
}

static uint64_t
missing(const struct meter_use *u)
{
	return u->expected > u->readings ? u->expected - u->readings : 0;
}

/* JSON */

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
json_registers(struct tf_json_out *w, const struct meter_bill_section *s)
{
	tf_json_key(w, "registers");
	tf_json_begin_array(w);
	for (uint32_t r = 0; r < s->plan->register_count; r++) {
		tf_json_begin_object(w);
		tf_json_set_str(w, "name", s->plan->registers[r].name);
		tf_json_set_i64(w, "energy_wh", s->use.registers[r]);
		tf_json_end_object(w);
	}
	tf_json_end_array(w);
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
	json_registers(w, s);
	tf_json_key(w, "lines");
	tf_json_begin_array(w);
	for (uint32_t i = 0; i < s->line_count; i++)
		json_line(w, &s->lines[i]);
	tf_json_end_array(w);
	tf_json_set_i64(w, "total", s->total);
	tf_json_end_object(w);
}

static void
json_begin(struct meter_bill_printer *p)
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
json_bill(struct meter_bill_printer *p, const struct meter_bill *b)
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
json_end(struct meter_bill_printer *p, const struct meter_bill_report *r, tf_dur took)
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

/* CSV */

/* "account,period,plan,from,to," of the rows that follow. */
static void
csv_prefix(struct meter_bill_printer *p, const struct meter_bill *b, const struct meter_bill_section *s)
{
	char date[16];
	struct tf_buf *to = &p->prefix;
	tf_buf_reset(to);
	tf_buf_str(to, b->account);
	tf_buf_cstr(to, ",");
	tf_buf_cstr(to, p->period);
	tf_buf_cstr(to, ",");
	if (s) {
		tf_buf_str(to, s->plan->name);
		tf_buf_cstr(to, ",");
		tf_buf_cstr(to, tf_date_format(s->from, date));
		tf_buf_cstr(to, ",");
		tf_buf_cstr(to, tf_date_format(s->to, date));
		tf_buf_cstr(to, ",");
	} else {
		tf_buf_cstr(to, ",,,");
	}
}

/* kind,name,quantity,unit,rate,per,amount behind the prefix. */
static void
csv_row(struct meter_bill_printer *p, const char *kind, struct tf_str name, int64_t quantity, const char *unit,
	struct tf_str rate, const char *per, struct tf_str amount)
{
	char text[32];
	const struct tf_str cells[] = {tf_str(kind), name,  number(quantity, text), tf_str(unit), rate,
				       tf_str(per),  amount};
	tf_buf_str(&p->out, tf_buf_view(&p->prefix));
	for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
		tf_buf_str(&p->out, cells[i]);
		tf_buf_u8(&p->out, i + 1 < sizeof cells / sizeof *cells ? ',' : '\n');
	}
}

static void
csv_use(struct meter_bill_printer *p, const struct meter_bill_section *s)
{
	const struct {
		const char *name, *unit;
		int64_t quantity;
	} rows[] = {{"energy", "Wh", meter_use_energy(&s->use)}, {"export", "Wh", s->use.export_wh},
		    {"maximum demand", "W", s->use.demand_w},    {"readings", "", (int64_t)s->use.readings},
		    {"missing", "", (int64_t)missing(&s->use)},  {"estimated", "", (int64_t)s->use.estimated}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		csv_row(p, "use", tf_str(rows[i].name), rows[i].quantity, rows[i].unit, tf_str(""), "", tf_str(""));
	for (uint32_t r = 0; r < s->plan->register_count; r++)
		csv_row(p, "register", s->plan->registers[r].name, s->use.registers[r], "Wh", tf_str(""), "",
			tf_str(""));
}

static void
csv_bill(struct meter_bill_printer *p, const struct meter_bill *b)
{
	char amount[32], rate[32];
	for (uint32_t i = 0; i < b->section_count; i++) {
		const struct meter_bill_section *s = &b->sections[i];
		csv_prefix(p, b, s);
		csv_use(p, s);
		for (uint32_t k = 0; k < s->line_count; k++) {
			const struct meter_bill_line *l = &s->lines[k];
			csv_row(p, meter_line_names[l->kind], l->name, l->quantity, l->unit,
				tf_str(tf_decimal_format_short(l->rate, METER_RATE_SCALE, rate)), l->per,
				money(p, l->amount, amount));
		}
	}
	csv_prefix(p, b, NULL);
	if (b->rounding)
		csv_row(p, "rounding", tf_str("rounding"), 1, "", tf_str(""), "", money(p, b->rounding, amount));
	csv_row(p, "total", tf_str("total"), 1, "", tf_str(""), "", money(p, b->total, amount));
}

/* Table */

static void
table_line(struct meter_bill_printer *p, const struct meter_bill_line *l)
{
	bool tax = l->kind == METER_LINE_TAX;
	char quantity[32], amount[32], rate[32], per[32];
	struct tf_str q = tax ? money(p, l->quantity, quantity) : number(l->quantity, quantity);
	snprintf(per, sizeof per, "per %s", l->per);
	tf_buf_printf(&p->out, "  %-31.*s %14.*s %-5s at %12s %-14s %14.*s\n", TF_FMT(l->name), TF_FMT(q),
		      tax ? "" : l->unit, tf_decimal_format_short(l->rate, METER_RATE_SCALE, rate), tax ? "%" : per,
		      TF_FMT(money(p, l->amount, amount)));
}

static void
table_section(struct meter_bill_printer *p, const struct meter_bill_section *s)
{
	char from[16], to[16];
	tf_buf_printf(&p->out, "\n%.*s, %s to %s\n", TF_FMT(s->plan->name), tf_date_format(s->from, from),
		      tf_date_format(s->to - 1, to));
	for (uint32_t r = 0; r < s->plan->register_count; r++)
		tf_buf_printf(&p->out, "  register %-22.*s %14" PRId64 " Wh\n", TF_FMT(s->plan->registers[r].name),
			      s->use.registers[r]);
	for (uint32_t i = 0; i < s->line_count; i++)
		table_line(p, &s->lines[i]);
}

/* One account: everything. */
static void
table_bill(struct meter_bill_printer *p, const struct meter_bill *b)
{
	char amount[32];
	tf_buf_printf(&p->out,
		      "account %.*s, %s\n  energy %" PRId64 " Wh, export %" PRId64 " Wh, maximum demand %" PRId64
		      " W\n  intervals %" PRIu64 ", missing %" PRIu64 ", estimated %" PRIu64 "\n",
		      TF_FMT(b->account), p->period, meter_use_energy(&b->use), b->use.export_wh, b->use.demand_w,
		      b->use.readings, missing(&b->use), b->use.estimated);
	for (uint32_t i = 0; i < b->section_count; i++)
		table_section(p, &b->sections[i]);
	if (b->rounding)
		tf_buf_printf(&p->out, "\n  %-82s %14.*s\n", "rounding", TF_FMT(money(p, b->rounding, amount)));
	tf_buf_printf(&p->out, "\n  total %-76.*s %14.*s\n", TF_FMT(p->tariff->currency),
		      TF_FMT(money(p, b->total, amount)));
}

/* A cell of a row; a negative width aligns left. The last one ends the row. */
static void
cell(struct tf_buf *out, struct tf_str s, int width, bool last)
{
	size_t want = (size_t)(width < 0 ? -width : width), pad = s.n < want ? want - s.n : 0;
	uint8_t *p = tf_buf_extend(out, s.n + pad + 1);
	if (!p)
		return;
	if (s.n)
		memcpy(width < 0 ? p : p + pad, s.p, s.n);
	memset(width < 0 ? p + s.n : p, ' ', pad);
	p[s.n + pad] = last ? '\n' : ' ';
}

/* All accounts: a row each. */
static void
table_row(struct meter_bill_printer *p, struct tf_str account, struct tf_str plan, const struct meter_use *u,
	  int64_t total)
{
	char text[7][32];
	struct tf_buf *out = &p->out;
	cell(out, account, -20, false);
	cell(out, plan, -14, false);
	cell(out, number(meter_use_energy(u), text[0]), 14, false);
	cell(out, number(u->export_wh, text[1]), 12, false);
	cell(out, number(u->demand_w, text[2]), 9, false);
	cell(out, number((int64_t)u->readings, text[3]), 12, false);
	cell(out, number((int64_t)missing(u), text[4]), 9, false);
	cell(out, number((int64_t)u->estimated, text[5]), 9, false);
	cell(out, money(p, total, text[6]), 16, true);
}

static void
begin(struct meter_bill_printer *p)
{
	if (p->format == METER_BILL_JSON)
		json_begin(p);
	else if (p->format == METER_BILL_CSV)
		tf_buf_cstr(&p->out, "account,period,plan,from,to,kind,name,quantity,unit,rate,per,amount\n");
	else if (!p->one)
		tf_buf_printf(&p->out, "%-20s %-14s %14s %12s %9s %12s %9s %9s %16.*s\n", "account", "plan",
			      "energy Wh", "export Wh", "max W", "intervals", "missing", "estimated",
			      TF_FMT(p->tariff->currency));
}

enum tf_err
meter_bill_print(struct meter_bill_printer *p, const struct meter_bill *b, struct tf_fault *f)
{
	if (!p->accounts++)
		begin(p);
	if (p->format == METER_BILL_JSON)
		json_bill(p, b);
	else if (p->format == METER_BILL_CSV)
		csv_bill(p, b);
	else if (p->one)
		table_bill(p, b);
	else
		table_row(p, b->account, b->section_count > 1 ? tf_str("several") : b->sections[0].plan->name, &b->use,
			  b->total);
	enum tf_err e = p->out.err ? p->out.err : p->prefix.err;
	return e ? tf_fault(f, e, "no memory to print a bill") : TF_OK;
}

void
meter_bill_print_end(struct meter_bill_printer *p, const struct meter_bill_report *r, tf_dur took)
{
	if (p->format == METER_BILL_JSON)
		json_end(p, r, took);
	else if (p->format == METER_BILL_TABLE && !p->one)
		table_row(p, tf_str("all"), tf_str(""), &r->use, r->total);
}
