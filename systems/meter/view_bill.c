/* Bills of a month; see view_bill.h. The blocks are read in view_bill_blocks.c; here uses become bills. */
#include "view_bill.h"

#include "base/mem.h"
#include "view_bill_blocks.h"

#define READ_ATTEMPTS 4

static enum tf_err
no_memory(struct tf_fault *f)
{
	return tf_fault(f, TF_NO_MEMORY, "no memory for bills");
}

static enum tf_err
add_version(struct bill_run *run, const struct meter_tariff_version *v, int32_t from, int32_t to, struct tf_fault *f)
{
	struct bill_version *n = &run->versions[run->version_count];
	*n = (struct bill_version){.version = v, .from = from, .to = to};
	n->plans = tf_calloc(run->parts.category_count, sizeof *n->plans);
	if (!n->plans)
		return no_memory(f);
	run->version_count++;
	for (uint32_t c = 0; c < run->parts.category_count; c++)
		n->plans[c] = meter_tariff_plan(v, run->parts.category[c]);
	return TF_OK;
}

/* The tariff's versions within the month. */
static enum tf_err
find_versions(struct bill_run *run, struct tf_fault *f)
{
	const struct meter_tariff *t = run->o->tariff;
	int32_t first = tf_month_first_date(run->o->month), end = tf_month_first_date(run->o->month + 1);
	char date[16];
	run->versions = tf_calloc(31, sizeof *run->versions);
	if (!run->versions)
		return no_memory(f);
	for (int32_t from = first, to; from < end; from = to) {
		const struct meter_tariff_version *v = meter_tariff_at(t, from);
		if (!v)
			return tf_fault(f, TF_INVALID, "tariff '%.*s' has no version for %s", TF_FMT(t->name),
					tf_date_format(from, date));
		to = v + 1 < t->versions + t->version_count && v[1].from < end ? v[1].from : end;
		TF_TRY(add_version(run, v, from, to, f));
	}
	return TF_OK;
}

static enum tf_err
find_section(struct meter_bill *bill, const struct meter_tariff_plan *plan, struct meter_bill_section **out,
	     struct tf_fault *f)
{
	for (uint32_t i = 0; i < bill->section_count; i++)
		if (bill->sections[i].plan == plan) {
			*out = &bill->sections[i];
			return TF_OK;
		}
	if (bill->section_count == METER_SECTIONS_MAX)
		return tf_fault(f, TF_TOO_LARGE, "account '%.*s' has over %d plans in a month", TF_FMT(bill->account),
				METER_SECTIONS_MAX);
	*out = &bill->sections[bill->section_count++];
	(*out)->plan = plan;
	(*out)->from = INT32_MAX;
	(*out)->to = INT32_MIN;
	(*out)->use = (struct meter_use){0};
	return TF_OK;
}

/* Adds what one channel used to its sections. */
static enum tf_err
add_part(struct bill_run *run, uint32_t part, struct meter_bill *bill, struct tf_fault *f)
{
	const struct bill_part *p = &run->parts.parts[part];
	for (uint32_t v = 0; v < run->version_count; v++) {
		const struct bill_version *version = &run->versions[v];
		const struct meter_use *use = &run->uses[(size_t)part * run->version_count + v];
		if (!use->expected)
			continue;
		struct meter_bill_section *s = NULL;
		TF_TRY(find_section(bill, version->plans[p->category], &s, f));
		int32_t from = p->from > version->from ? p->from : version->from;
		int32_t to = p->to < version->to ? p->to : version->to;
		s->from = from < s->from ? from : s->from;
		s->to = to > s->to ? to : s->to;
		meter_use_add(&s->use, use);
	}
	return TF_OK;
}

/* By plan number: versions come one after the other. */
static void
sort_sections(struct meter_bill *bill)
{
	for (uint32_t i = 1; i < bill->section_count; i++)
		for (uint32_t k = i; k && bill->sections[k].plan->id < bill->sections[k - 1].plan->id; k--) {
			struct meter_bill_section was = bill->sections[k];
			bill->sections[k] = bill->sections[k - 1];
			bill->sections[k - 1] = was;
		}
}

static enum tf_err
add_money(struct bill_run *run, struct meter_bill *bill, struct tf_fault *f)
{
	int32_t month = run->o->month;
	uint32_t month_days = (uint32_t)(tf_month_first_date(month + 1) - tf_month_first_date(month));
	sort_sections(bill);
	for (uint32_t i = 0; i < bill->section_count; i++) {
		struct meter_bill_section *s = &bill->sections[i];
		enum tf_err e = meter_bill_lines(run->o->tariff, s->plan, &s->use, (uint32_t)(s->to - s->from),
						 month_days, s->lines, &s->line_count, &s->total);
		if (e || __builtin_add_overflow(bill->total, s->total, &bill->total))
			return tf_fault(f, TF_TOO_LARGE, "the bill of account '%.*s' is too large",
					TF_FMT(bill->account));
		meter_use_add(&bill->use, &s->use);
	}
	bill->rounding = meter_bill_rounding(run->o->tariff, bill->total);
	if (__builtin_add_overflow(bill->total, bill->rounding, &bill->total))
		return tf_fault(f, TF_TOO_LARGE, "the bill of account '%.*s' is too large", TF_FMT(bill->account));
	return TF_OK;
}

static enum tf_err
bill_account(struct bill_run *run, uint32_t first, uint32_t end, struct meter_bill_section *sections,
	     meter_bill_each *each, void *ctx, struct tf_fault *f)
{
	struct meter_bill_report *r = run->report;
	struct meter_bill bill = {.account = bill_part_account(&run->parts, &run->parts.parts[first]),
				  .sections = sections};
	for (uint32_t i = first; i < end; i++)
		TF_TRY(add_part(run, i, &bill, f));
	if (!bill.section_count) {
		r->without_data++;
		return TF_OK;
	}
	TF_TRY(add_money(run, &bill, f));
	r->accounts++;
	r->incomplete += bill.use.readings < bill.use.expected;
	if (__builtin_add_overflow(r->total, bill.total, &r->total))
		return tf_fault(f, TF_TOO_LARGE, "the sum of all bills is too large");
	meter_use_add(&r->use, &bill.use);
	return each(ctx, &bill, f);
}

static enum tf_err
bill_accounts(struct bill_run *run, meter_bill_each *each, void *ctx, struct tf_fault *f)
{
	struct bill_parts *p = &run->parts;
	struct meter_bill_section *sections = tf_calloc(METER_SECTIONS_MAX, sizeof *sections);
	enum tf_err e = sections ? TF_OK : no_memory(f);
	for (uint32_t i = 0, end; !e && i < p->count; i = end) {
		struct tf_str account = bill_part_account(p, &p->parts[i]);
		for (end = i + 1; end < p->count && tf_str_eq(account, bill_part_account(p, &p->parts[end]));)
			end++;
		e = bill_account(run, i, end, sections, each, ctx, f);
	}
	tf_free(sections);
	return e;
}

/* Where another process writes, a pack may be swept away after it was found: then its blocks lie elsewhere by now, and
 * all is read again. */
static enum tf_err
read_uses(struct bill_run *run, struct tf_fault *f)
{
	enum tf_err e = TF_OK;
	for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
		tf_free(run->uses);
		run->uses = tf_calloc((size_t)run->parts.count * run->version_count, sizeof *run->uses);
		if (!run->uses)
			return no_memory(f);
		run->report->sums = run->report->sums_bytes = 0;
		e = bill_blocks(run, f);
		if (e != TF_NOT_FOUND)
			break;
	}
	return e;
}

static enum tf_err
bill_run(struct bill_run *run, meter_bill_each *each, void *ctx, struct tf_fault *f)
{
	const struct meter_bill_options *o = run->o;
	char month[16];
	TF_TRY(bill_parts_load(run->s, o->account, o->month, &run->parts, f));
	if (o->account.n && !run->parts.known)
		return tf_fault(f, TF_NOT_FOUND, "no account '%.*s'", TF_FMT(o->account));
	TF_TRY(find_versions(run, f));
	run->report->unassigned = run->parts.unassigned;
	TF_TRY(read_uses(run, f));
	TF_TRY(bill_accounts(run, each, ctx, f));
	if (run->report->accounts)
		return TF_OK;
	tf_month_format(o->month, month);
	if (o->account.n)
		return tf_fault(f, TF_NOT_FOUND, "no readings of account '%.*s' in %s", TF_FMT(o->account), month);
	return tf_fault(f, TF_NOT_FOUND, "no readings in %s", month);
}

enum tf_err
meter_bill_run(struct meter_store *s, const struct meter_bill_options *o, meter_bill_each *each, void *ctx,
	       struct meter_bill_report *out, struct tf_fault *f)
{
	*out = (struct meter_bill_report){0};
	struct bill_run run = {.s = s, .o = o, .report = out};
	enum tf_err e = bill_run(&run, each, ctx, f);
	for (uint32_t v = 0; v < run.version_count; v++)
		tf_free(run.versions[v].plans);
	tf_free(run.versions);
	tf_free(run.uses);
	bill_parts_release(&run.parts);
	return e;
}
