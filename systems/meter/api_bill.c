/* GET /meter/v1/bill: a month's bills, as `tenfold meter bill --json` prints them. */
#include "api_out.h"
#include "view_bill_print.h"

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
