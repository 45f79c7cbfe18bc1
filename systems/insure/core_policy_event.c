/* An event's bytes, version 1; docs/formats/insure.md. Integers are varints, signed ones zigzag; text: length and
 * bytes.
 *
 *   both        version (1 byte, 1), policy
 *   PURCHASED   product, term, age, rate version, sum insured, premium, issued (zigzag, µs), start, end (zigzag, days),
 *               partner (8 bytes), initials, name, phone (texts), birth (zigzag, days)
 *   CANCEL      first day without cover (zigzag, days) */
#include "core_policy.h"

#define VERSION 1

void
insure_event_put(struct tf_buf *b, const struct insure_event *e)
{
	const struct insure_policy *p = &e->slot;
	tf_buf_u8(b, VERSION);
	tf_buf_varint(b, e->policy);
	if (e->type == INSURE_CANCEL) {
		tf_buf_zigzag(b, e->cancelled);
		return;
	}
	tf_buf_varint(b, p->product);
	tf_buf_varint(b, p->term);
	tf_buf_varint(b, p->age);
	tf_buf_varint(b, p->rate_version);
	tf_buf_varint(b, (uint64_t)p->sum_insured);
	tf_buf_varint(b, (uint64_t)p->premium);
	tf_buf_zigzag(b, p->issued);
	tf_buf_zigzag(b, p->start);
	tf_buf_zigzag(b, p->end);
	tf_buf_u64(b, p->partner);
	tf_buf_lstr(b, tf_str_n(p->initials, strnlen(p->initials, sizeof p->initials)));
	tf_buf_lstr(b, e->name);
	tf_buf_lstr(b, e->phone);
	tf_buf_zigzag(b, e->birth);
}

static void
get_purchase(struct tf_cur *c, struct insure_event *e)
{
	struct insure_policy *p = &e->slot;
	p->product = (uint8_t)tf_cur_varint(c);
	p->term = (uint8_t)tf_cur_varint(c);
	p->age = (uint8_t)tf_cur_varint(c);
	p->rate_version = (uint16_t)tf_cur_varint(c);
	p->sum_insured = (int64_t)tf_cur_varint(c);
	p->premium = (int64_t)tf_cur_varint(c);
	p->issued = tf_cur_zigzag(c);
	p->start = (int32_t)tf_cur_zigzag(c);
	p->end = (int32_t)tf_cur_zigzag(c);
	p->partner = tf_cur_u64(c);
	struct tf_str initials = tf_cur_lstr(c);
	if (initials.n >= sizeof p->initials)
		c->bad = true;
	else if (initials.n)
		memcpy(p->initials, initials.p, initials.n);
	e->name = tf_cur_lstr(c);
	e->phone = tf_cur_lstr(c);
	e->birth = (int32_t)tf_cur_zigzag(c);
}

enum tf_err
insure_event_get(uint32_t type, struct tf_str bytes, struct insure_event *out, struct tf_fault *f)
{
	struct tf_cur c = tf_cur(bytes);
	unsigned version = tf_cur_u8(&c);
	struct insure_event e = {.type = (enum insure_event_type)type, .policy = tf_cur_varint(&c)};
	if (!c.bad && version != VERSION)
		return tf_fault(f, TF_UNSUPPORTED, "event of version %u", version);
	if (type == INSURE_PURCHASED)
		get_purchase(&c, &e);
	else if (type == INSURE_CANCEL)
		e.cancelled = (int32_t)tf_cur_zigzag(&c);
	else
		return tf_fault(f, TF_UNSUPPORTED, "event of type %u", (unsigned)type);
	if (c.bad || tf_cur_left(&c))
		return tf_fault(f, TF_CORRUPT, "event of %zu bytes ends in the wrong place", bytes.n);
	*out = e;
	return TF_OK;
}
