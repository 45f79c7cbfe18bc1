/* GET bill, reports, cost: as `tenfold meter bill`, `report` and `cost` print them with --json. */
#include "api_out.h"
#include "view_bill_print.h"
#include "view_cost.h"
#include "view_report.h"

struct bills {
	struct meter_api_out *o;
	struct meter_bill_printer p;
};

/* What was printed goes into the answer. */
static enum tf_err
hand_over(struct bills *b, struct tf_fault *f)
{
	tf_buf_str(&b->o->b, tf_buf_view(&b->p.out));
	b->p.out.n = 0;
	return meter_api_flush(b->o, f);
}

static enum tf_err
on_bill(void *ctx, const struct meter_bill *bill, struct tf_fault *f)
{
	struct bills *b = ctx;
	TF_TRY(meter_bill_print(&b->p, bill, f));
	return hand_over(b, f);
}

static enum tf_err
bill(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	struct tf_str period = tf_exchange_query(o->x, "period"), account = tf_exchange_query(o->x, "account");
	struct meter_bill_options options = {.tariff = o->api->tariff, .account = account};
	struct meter_bill_report report;
	o->field = "period";
	if (!period.p || tf_month_parse(period, &options.month))
		return tf_fault(f, TF_INVALID, "a month YYYY-MM is wanted");
	o->field = "account";
	if (account.p && !account.n)
		return tf_fault(f, TF_INVALID, "the account is empty");
	tf_dur begun = tf_os_ticks(o->api->os);
	struct bills b = {.o = o};
	meter_bill_print_init(&b.p, METER_BILL_JSON, account.n > 0, o->api->tariff, options.month);
	tf_sql_rollback(s->catalog.db); /* it begins a state of its own */
	enum tf_err e = meter_bill_run(s, &options, on_bill, &b, &report, f);
	if (!e && !o->gone) {
		meter_bill_print_end(&b.p, &report, tf_os_ticks(o->api->os) - begun);
		e = hand_over(&b, f);
	}
	meter_bill_print_release(&b.p);
	return e;
}

void
meter_api_get_bill(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, bill);
}

static enum tf_err
on_report_row(void *ctx, const struct meter_report *r, struct tf_stmt *q, struct tf_fault *f)
{
	struct meter_api_out *o = ctx;
	meter_report_json(r, q, &o->json);
	return meter_api_flush(o, f);
}

static enum tf_err
report(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	struct tf_str name = tf_exchange_param(o->x, 0), period = tf_exchange_query(o->x, "period"),
		      slabs = tf_exchange_query(o->x, "slabs");
	const struct meter_report *r = meter_report_find(name);
	int32_t month;
	o->field = "report";
	if (!r)
		return tf_fault(f, TF_NOT_FOUND, "'%.*s' is no report: monthly, change or peak", TF_FMT(name));
	o->field = "period";
	if (!period.p || tf_month_parse(period, &month))
		return tf_fault(f, TF_INVALID, "a month YYYY-MM is wanted");
	tf_json_begin_object(&o->json);
	tf_json_set_cstr(&o->json, "report", r->name);
	tf_json_key(&o->json, "rows");
	tf_json_begin_array(&o->json);
	enum tf_err e =
		meter_report_run(s, r, month, slabs.p ? slabs : TF_STR(METER_REPORT_SLABS), on_report_row, o, f);
	if (e == TF_INVALID)
		o->field = "slabs";
	if (e || o->gone)
		return e;
	tf_json_end_array(&o->json);
	tf_json_end_object(&o->json);
	tf_json_finish(&o->json);
	return TF_OK;
}

void
meter_api_get_report(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, report);
}

static enum tf_err
cost(struct meter_store *s, struct meter_api_out *o, struct tf_fault *f)
{
	struct meter_cost_measured m = {0};
	struct meter_cost c[METER_COST_SCALES];
	uint64_t months;
	TF_TRY(meter_api_number(o, "history", 60, 1200, &months, f));
	o->field = "history";
	if (!months)
		return tf_fault(f, TF_INVALID, "no month of history");
	o->field = NULL;
	TF_TRY(meter_cost_measure(s, &m, f));
	TF_TRY(meter_cost_curve(&m, &o->api->prices, (uint32_t)months, c, f));
	meter_cost_json(&m, &o->api->prices, c, &o->b);
	return TF_OK;
}

void
meter_api_get_cost(void *ctx, struct tf_exchange *x)
{
	meter_api_run(ctx, x, cost);
}
