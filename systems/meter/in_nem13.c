/* NEM13 accumulation data: a 250 record is what a register counted between two reads.
 *
 *  1 250            7 MeterSerial      13 PreviousReasonText  19 Quantity
 *  2 NMI            8 Direction        14 CurrentRead         20 UOM
 *  3 Config         9 PreviousRead     15 CurrentTime         21 NextReadDate
 *  4 RegisterID    10 PreviousTime     16 CurrentQuality      22 UpdateDateTime
 *  5 Suffix        11 PreviousQuality  17 CurrentReason       23 MSATSLoadDateTime
 *  6 DataStream    12 PreviousReason   18 CurrentReasonText
 * It becomes a run of one reading: Quantity over [PreviousTime, CurrentTime), with the quality of the current read
 * (forward estimates included). The register difference is no check: multipliers, rollovers and exchanged meters make
 * it differ from Quantity in valid files; it is taken only where Quantity is empty. */
#include "in_nem.h"

enum {
	NMI = 1,
	SUFFIX = 4,
	PREVIOUS_READ = 8,
	PREVIOUS_TIME = 9,
	CURRENT_READ = 13,
	CURRENT_TIME = 14,
	CURRENT_QUALITY = 15,
	CURRENT_REASON = 16,
	QUANTITY = 18,
	UOM = 19,
	UPDATED = 21,
	FIELDS = 23,
};

static enum tf_err
bad(struct in_nem *n, const struct in_line *line, const struct in_fields *r, uint32_t at, enum in_rule rule,
    const char *what, struct tf_fault *f)
{
	return in_nem_bad(n, line, at + 1, rule, f, "the %s is '%.*s'", what, TF_FMT(r->field[at]));
}

/* Quantity, or current less previous read. */
static enum in_number
read_quantity(const struct in_fields *r, int8_t exponent, int64_t *out)
{
	int64_t previous, current;
	enum in_number q = in_decimal(r->field[QUANTITY], '.', exponent, out);
	if (q != IN_NUMBER_EMPTY)
		return q;
	if (in_decimal(r->field[PREVIOUS_READ], '.', exponent, &previous) != IN_NUMBER_OK ||
	    in_decimal(r->field[CURRENT_READ], '.', exponent, &current) != IN_NUMBER_OK || current < previous)
		return IN_NUMBER_EMPTY;
	*out = current - previous;
	return IN_NUMBER_OK;
}

/* Start, interval, quality and issue time into run; sets *out_bad where the record was given to the sink as bad. */
static enum tf_err
read_period(struct in_nem *n, const struct in_line *line, const struct in_fields *r, struct meter_run *run,
	    struct meter_quality *q, bool *out_bad, struct tf_fault *f)
{
	tf_time end;
	*out_bad = true;
	if (!in_nem_time(n, r->field[PREVIOUS_TIME], &run->start))
		return bad(n, line, r, PREVIOUS_TIME, IN_TIME, "previous read's time", f);
	if (!in_nem_time(n, r->field[CURRENT_TIME], &end))
		return bad(n, line, r, CURRENT_TIME, IN_TIME, "current read's time", f);
	if (end <= run->start || (end - run->start) / TF_SEC > METER_INTERVAL_MAX_S)
		return bad(n, line, r, CURRENT_TIME, IN_INTERVAL, "end of an interval that is not positive or too long",
			   f);
	if (!in_nem_quality(r->field[CURRENT_QUALITY], q) || q->kind == 'V')
		return bad(n, line, r, CURRENT_QUALITY, IN_QUALITY, "current read's quality", f);
	if (!in_nem_reason(r->field[CURRENT_REASON], &q->reason))
		return bad(n, line, r, CURRENT_REASON, IN_REASON, "current read's reason code", f);
	if (!in_nem_issued(n, r->field[UPDATED], &run->issued))
		return bad(n, line, r, UPDATED, IN_ISSUED, "update time", f);
	run->interval_s = (uint32_t)((end - run->start) / TF_SEC);
	*out_bad = false;
	return TF_OK;
}

enum tf_err
in_nem13_read(struct in_nem *n, const struct in_line *line, struct tf_fault *f)
{
	struct in_fields r;
	int8_t exponent;
	int64_t value;
	struct meter_quality q;
	bool is_bad;
	in_nem_split(line->text, FIELDS, &r);
	n->context.n = n->header_n;
	n->has_register = false;
	struct meter_run run = {.meter = r.field[NMI], .channel = r.field[SUFFIX], .count = 1, .quality_count = 1};
	if (!in_name_ok(run.meter, METER_METER_MAX))
		return bad(n, line, &r, NMI, IN_METER_ID, "NMI", f);
	if (!in_name_ok(run.channel, METER_CHANNEL_MAX))
		return bad(n, line, &r, SUFFIX, IN_CHANNEL, "NMI suffix", f);
	if (!in_nem_unit(r.field[UOM], run.channel, &run.unit, &exponent))
		return bad(n, line, &r, UOM, IN_UNIT, "unit of measure", f);
	if (r.more)
		return in_nem_bad(n, line, r.more, IN_NEM12_FIELDS, f, "field %u stands behind the last", r.more);
	TF_TRY(read_period(n, line, &r, &run, &q, &is_bad, f));
	if (is_bad)
		return TF_OK;
	enum in_number number = read_quantity(&r, exponent, &value);
	if (number == IN_NUMBER_EMPTY)
		return bad(n, line, &r, QUANTITY, IN_NEM13_READS, "quantity", f);
	if (number != IN_NUMBER_OK || value < 0)
		return bad(n, line, &r, QUANTITY, number == IN_NUMBER_RANGE ? IN_VALUE_RANGE : IN_VALUE, "quantity", f);
	if (q.kind == 'N')
		value = METER_ABSENT;
	run.values = &value;
	run.quality = &q;
	return n->c->sink.run(n->c->sink.ctx, &run, f);
}
