/* Deliveries and quarantine; see quarantine.h. A METER_EVENT_BAD is the delivery's head, then lstr member, varint line,
 * varint field, lstr rule, lstr text, lstr bytes, lstr context, then how to read it again: varint unit, zigzag
 * exponent, varint interval, lstr channel, lstr meter, then lstr name of the field, varint column. A
 * METER_EVENT_DELIVERED is the head, varint readings and varint interval. Logs written before end at context or meter,
 * and at readings. */
#include "quarantine.h"

#include <inttypes.h>
#include <stdio.h>

void
meter_bad_put(const struct meter_batch_head *head, const struct meter_bad *bad, struct tf_buf *out)
{
	meter_head_put(head, out);
	tf_buf_lstr(out, bad->member);
	tf_buf_varint(out, bad->line);
	tf_buf_varint(out, bad->field);
	tf_buf_lstr(out, bad->rule);
	tf_buf_lstr(out, bad->text);
	tf_buf_lstr(out, bad->bytes);
	tf_buf_lstr(out, bad->context);
	tf_buf_varint(out, bad->as.unit);
	tf_buf_zigzag(out, bad->as.unit_exponent);
	tf_buf_varint(out, bad->as.interval_s);
	tf_buf_lstr(out, bad->as.channel);
	tf_buf_lstr(out, bad->as.meter);
	tf_buf_lstr(out, bad->name);
	tf_buf_varint(out, bad->column);
}

enum tf_err
meter_bad_get(struct tf_str bytes, struct meter_batch_head *out_head, struct meter_bad *out, struct tf_fault *f)
{
	struct tf_cur c = tf_cur(bytes);
	TF_TRY(meter_head_get(&c, out_head, f));
	out->member = tf_cur_lstr(&c);
	out->line = tf_cur_varint(&c);
	out->field = (uint32_t)tf_cur_varint(&c);
	out->rule = tf_cur_lstr(&c);
	out->text = tf_cur_lstr(&c);
	out->bytes = tf_cur_lstr(&c);
	out->context = tf_cur_lstr(&c);
	out->as = (struct meter_in_options){0};
	out->name = (struct tf_str){0};
	out->column = 0;
	if (!c.bad && tf_cur_left(&c)) {
		uint64_t unit = tf_cur_varint(&c);
		int64_t exponent = tf_cur_zigzag(&c);
		out->as.unit = (enum meter_unit)unit;
		out->as.unit_exponent = (int8_t)exponent;
		out->as.interval_s = (uint32_t)tf_cur_varint(&c);
		out->as.channel = tf_cur_lstr(&c);
		out->as.meter = tf_cur_lstr(&c);
		c.bad |= unit >= METER_UNIT_COUNT || exponent < -18 || exponent > 18;
	}
	if (!c.bad && tf_cur_left(&c)) {
		out->name = tf_cur_lstr(&c);
		out->column = tf_cur_varint(&c);
	}
	return c.bad ? tf_fault(f, TF_CORRUPT, "damaged quarantine event") : TF_OK;
}

static enum tf_err
put_delivery(struct meter_store *s, const struct meter_batch_head *h, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "INSERT OR IGNORE INTO delivery(number, key, name, format, received) VALUES(?,?,?,?,?)",
			      &q, f));
	tf_stmt_i64(q, 1, h->delivery);
	tf_stmt_blob(q, 2, tf_str_n(h->key.bytes, sizeof h->key.bytes));
	tf_stmt_str(q, 3, h->name);
	tf_stmt_str(q, 4, h->format);
	tf_stmt_i64(q, 5, h->received);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}

static enum tf_err
put_record(struct meter_store *s, const struct meter_batch_head *h, const struct meter_bad *b, tf_time at,
	   struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(
		s->catalog.db,
		"INSERT OR IGNORE INTO quarantine(delivery, member, line, field, rule, text, bytes, context, at,"
		" zone, format, unit, exponent, interval_s, channel, meter, field_name, col)"
		" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		&q, f));
	tf_stmt_i64(q, 1, h->delivery);
	tf_stmt_str(q, 2, b->member);
	tf_stmt_i64(q, 3, (int64_t)b->line);
	tf_stmt_i64(q, 4, b->field);
	tf_stmt_str(q, 5, b->rule);
	tf_stmt_str(q, 6, b->text);
	tf_stmt_blob(q, 7, b->bytes);
	tf_stmt_blob(q, 8, b->context);
	tf_stmt_i64(q, 9, at);
	tf_stmt_str(q, 10, h->zone);
	tf_stmt_str(q, 11, h->format);
	tf_stmt_i64(q, 12, b->as.unit);
	tf_stmt_i64(q, 13, b->as.unit_exponent);
	tf_stmt_i64(q, 14, b->as.interval_s);
	tf_stmt_str(q, 15, b->as.channel);
	tf_stmt_str(q, 16, b->as.meter);
	tf_stmt_str(q, 17, b->name);
	tf_stmt_i64(q, 18, (int64_t)b->column);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	if (e || !tf_sql_changes(s->catalog.db))
		return e;
	s->quarantined++;
	TF_TRY(tf_sql_prepare(s->catalog.db, "UPDATE delivery SET quarantined = quarantined + 1 WHERE number = ?", &q,
			      f));
	tf_stmt_i64(q, 1, h->delivery);
	e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}

/* interval_s: what the delivery's rows showed by its end, for the records of it that were put aside before. */
static enum tf_err
put_interval(struct meter_store *s, uint32_t number, uint64_t interval_s, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "UPDATE quarantine SET interval_s = ? WHERE delivery = ? AND interval_s = 0", &q, f));
	tf_stmt_i64(q, 1, (int64_t)interval_s);
	tf_stmt_i64(q, 2, number);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}

static enum tf_err
put_complete(struct meter_store *s, uint32_t number, uint64_t readings, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, "UPDATE delivery SET complete = 1, readings = ? WHERE number = ?", &q, f));
	tf_stmt_i64(q, 1, (int64_t)readings);
	tf_stmt_i64(q, 2, number);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}

enum tf_err
meter_delivery_event(struct meter_store *s, const struct tf_flow_event *event, struct tf_fault *f)
{
	struct meter_batch_head head;
	struct tf_decision d;
	uint32_t type = event->type;
	struct tf_str bytes = event->bytes;
	TF_TRY(meter_event_unwrap(&type, &bytes, &d, f));
	struct tf_cur c = tf_cur(bytes);
	TF_TRY(meter_head_get(&c, &head, f));
	TF_TRY(put_delivery(s, &head, f));
	if (type == METER_EVENT_DELIVERED) {
		TF_TRY(put_complete(s, head.delivery, tf_cur_varint(&c), f));
		uint64_t interval_s = tf_cur_left(&c) ? tf_cur_varint(&c) : 0;
		return interval_s ? put_interval(s, head.delivery, interval_s, f) : TF_OK;
	}
	if (type != METER_EVENT_BAD)
		return TF_OK;
	struct meter_bad bad;
	TF_TRY(meter_bad_get(event->bytes, &head, &bad, f));
	return put_record(s, &head, &bad, event->time, f);
}

enum tf_err
meter_delivery_counts(struct meter_store *s, uint32_t number, const struct meter_counts *add, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "UPDATE delivery SET accepted=accepted+?, duplicate=duplicate+?, superseded=superseded+? "
			      "WHERE number=?",
			      &q, f));
	const int64_t v[] = {(int64_t)add->accepted, (int64_t)add->duplicate, (int64_t)add->superseded, number};
	for (int i = 0; i < 4; i++)
		tf_stmt_i64(q, i + 1, v[i]);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}

enum tf_err
meter_delivery_find(struct meter_store *s, const struct meter_delivery_key *key, struct meter_delivery *out,
		    struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db,
			      "SELECT number, complete, readings, accepted, duplicate, superseded, quarantined FROM "
			      "delivery WHERE key=?",
			      &q, f));
	tf_stmt_blob(q, 1, tf_str_n(key->bytes, sizeof key->bytes));
	enum tf_err e = tf_stmt_step(q, f);
	if (!e)
		*out = (struct meter_delivery){(uint32_t)tf_stmt_get_i64(q, 0),
					       tf_stmt_get_i64(q, 1) != 0,
					       {(uint64_t)tf_stmt_get_i64(q, 2), (uint64_t)tf_stmt_get_i64(q, 3),
						(uint64_t)tf_stmt_get_i64(q, 4), (uint64_t)tf_stmt_get_i64(q, 5)},
					       (uint64_t)tf_stmt_get_i64(q, 6)};
	tf_stmt_free(&q);
	return e == TF_END ? TF_NOT_FOUND : e;
}

static enum tf_err
held_from(struct tf_stmt *q, struct meter_held *out, struct tf_fault *f)
{
	struct tf_str format = tf_stmt_get_str(q, 2), zone = tf_stmt_get_str(q, 4);
	struct meter_held h = {.id = tf_stmt_get_i64(q, 11), .held = tf_str_eq(tf_stmt_get_str(q, 3), TF_STR("held"))};
	/* The two CSV readers are told apart by the header. */
	snprintf(h.format, sizeof h.format, "%.*s", tf_str_starts(format, TF_STR("csv")) ? 3 : (int)format.n, format.p);
	snprintf(h.zone, sizeof h.zone, "%.*s", TF_FMT(zone));
	snprintf(h.channel, sizeof h.channel, "%.*s", TF_FMT(tf_stmt_get_str(q, 6)));
	snprintf(h.meter, sizeof h.meter, "%.*s", TF_FMT(tf_stmt_get_str(q, 7)));
	h.unit = (enum meter_unit)tf_stmt_get_i64(q, 8);
	h.exponent = (int8_t)tf_stmt_get_i64(q, 9);
	h.interval_s = (uint32_t)tf_stmt_get_i64(q, 10);
	tf_buf_init(&h.name, 0);
	tf_buf_str(&h.name, tf_stmt_get_str(q, 5));
	tf_buf_init(&h.text, 0);
	tf_buf_str(&h.text, tf_stmt_get_blob(q, 1));
	tf_buf_str(&h.text, tf_stmt_get_blob(q, 0));
	if (h.text.err || h.name.err) {
		meter_held_release(&h);
		return tf_fault(f, TF_NO_MEMORY, "no memory for a record");
	}
	*out = h;
	return TF_OK;
}

#define HELD_COLUMNS                                                                                                   \
	"SELECT q.bytes, q.context, iif(q.format='', d.format, q.format), q.state, q.zone, d.name, "                   \
	"q.channel, q.meter, q.unit, q.exponent, q.interval_s, q.id FROM quarantine q JOIN delivery d "                \
	"ON d.number=q.delivery WHERE "

enum tf_err
meter_held_find(struct meter_store *s, int64_t id, struct meter_held *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, HELD_COLUMNS "q.id=?", &q, f));
	tf_stmt_i64(q, 1, id);
	enum tf_err e = tf_stmt_step(q, f);
	e = e == TF_END ? tf_fault(f, TF_NOT_FOUND, "no record %" PRId64 " in quarantine", id)
	    : e         ? e
			: held_from(q, out, f);
	tf_stmt_free(&q);
	return e;
}

enum tf_err
meter_held_each(struct meter_store *s, int64_t after, enum tf_err (*each)(void *ctx, const struct meter_held *held),
		void *ctx, struct tf_fault *f)
{
	struct tf_stmt *q;
	struct meter_held h;
	TF_TRY(tf_sql_prepare(s->catalog.db, HELD_COLUMNS "q.state='held' AND q.id>? ORDER BY q.id", &q, f));
	tf_stmt_i64(q, 1, after);
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		if ((e = held_from(q, &h, f)) || (e = each(ctx, &h)))
			break;
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

void
meter_held_release(struct meter_held *h)
{
	tf_buf_release(&h->name);
	tf_buf_release(&h->text);
}
