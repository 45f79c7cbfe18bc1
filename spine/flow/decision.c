/* A decision's bytes; see decision.h. Integers are little-endian; "text" is a length (varint) and bytes.
 *
 *   0  1  version, 1
 *   1  1  flags: 1 traced, 2 keyed; no others
 *   traced: trace as watch/trace.h writes it
 *   keyed:  partner, method, route, key: four texts
 *           16 bytes hash of the request
 *           status (varint), content type (text), count (varint) and as many names and values (texts), body (text)
 *   event (text)
 *   count (varint) and as many effects: type (varint), bytes (text) */
#include "flow/decision.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define VERSION 1
#define TRACED  1u
#define KEYED   2u

void
tf_decision_hash(struct tf_str query, struct tf_str body, uint8_t out[static TF_IDEM_HASH_BYTES])
{
	XXH128_canonical_t c;
	uint64_t seed = XXH3_64bits(query.p ? query.p : "", query.n);
	XXH128_canonicalFromHash(&c, XXH3_128bits_withSeed(body.p ? body.p : "", body.n, seed));
	memcpy(out, c.digest, TF_IDEM_HASH_BYTES);
}

static void
put_reply(struct tf_buf *b, const struct tf_stored_reply *r)
{
	TF_ASSERT(r->header_count <= TF_DECISION_HEADERS_MAX);
	tf_buf_varint(b, r->status);
	tf_buf_lstr(b, r->type);
	tf_buf_varint(b, r->header_count);
	for (uint32_t i = 0; i < r->header_count; i++) {
		tf_buf_lstr(b, r->headers[i].name);
		tf_buf_lstr(b, r->headers[i].value);
	}
	tf_buf_lstr(b, r->body);
}

void
tf_decision_put(struct tf_buf *b, const struct tf_decision *d)
{
	TF_ASSERT(d->effect_count <= TF_DECISION_EFFECTS_MAX);
	tf_buf_u8(b, VERSION);
	tf_buf_u8(b, (uint8_t)((d->traced ? TRACED : 0) | (d->keyed ? KEYED : 0)));
	if (d->traced)
		tf_trace_put(b, &d->trace);
	if (d->keyed) {
		tf_buf_lstr(b, d->name.partner);
		tf_buf_lstr(b, d->name.method);
		tf_buf_lstr(b, d->name.route);
		tf_buf_lstr(b, d->name.key);
		tf_buf_put(b, d->hash, sizeof d->hash);
		put_reply(b, &d->reply);
	}
	tf_buf_lstr(b, d->event);
	tf_buf_varint(b, d->effect_count);
	for (uint32_t i = 0; i < d->effect_count; i++) {
		tf_buf_varint(b, d->effects[i].type);
		tf_buf_lstr(b, d->effects[i].bytes);
	}
}

static void
get_reply(struct tf_cur *c, struct tf_stored_reply *r)
{
	uint64_t status = tf_cur_varint(c);
	r->type = tf_cur_lstr(c);
	uint64_t count = tf_cur_varint(c);
	if (status < 100 || status > 599 || count > TF_DECISION_HEADERS_MAX) {
		c->bad = true;
		return;
	}
	r->status = (uint32_t)status;
	r->header_count = (uint32_t)count;
	for (uint32_t i = 0; i < r->header_count; i++) {
		r->headers[i].name = tf_cur_lstr(c);
		r->headers[i].value = tf_cur_lstr(c);
	}
	r->body = tf_cur_lstr(c);
}

static void
get_effects(struct tf_cur *c, struct tf_decision *d)
{
	uint64_t count = tf_cur_varint(c);
	if (count > TF_DECISION_EFFECTS_MAX)
		c->bad = true;
	d->effect_count = c->bad ? 0 : (uint32_t)count;
	for (uint32_t i = 0; i < d->effect_count; i++) {
		d->effects[i].type = (uint32_t)tf_cur_varint(c);
		d->effects[i].bytes = tf_cur_lstr(c);
	}
}

static void
get_key(struct tf_cur *c, struct tf_decision *d)
{
	d->name.partner = tf_cur_lstr(c);
	d->name.method = tf_cur_lstr(c);
	d->name.route = tf_cur_lstr(c);
	d->name.key = tf_cur_lstr(c);
	struct tf_str hash = tf_cur_bytes(c, TF_IDEM_HASH_BYTES);
	if (hash.n == TF_IDEM_HASH_BYTES)
		memcpy(d->hash, hash.p, TF_IDEM_HASH_BYTES);
	get_reply(c, &d->reply);
}

enum tf_err
tf_decision_get(struct tf_str record, struct tf_decision *out, struct tf_fault *f)
{
	struct tf_cur c = tf_cur(record);
	unsigned version = tf_cur_u8(&c), flags = tf_cur_u8(&c);
	if (!c.bad && version != VERSION)
		return tf_fault(f, version > VERSION ? TF_UNSUPPORTED : TF_CORRUPT, "decision of version %u", version);
	if (c.bad || flags & ~(TRACED | KEYED))
		return tf_fault(f, TF_CORRUPT, "%zu bytes are no decision", record.n);
	struct tf_decision d = {.traced = flags & TRACED, .keyed = flags & KEYED};
	if (d.traced)
		tf_trace_get(&c, &d.trace);
	if (d.keyed)
		get_key(&c, &d);
	d.event = tf_cur_lstr(&c);
	get_effects(&c, &d);
	if (c.bad || tf_cur_left(&c))
		return tf_fault(f, TF_CORRUPT, "decision of %zu bytes ends in the wrong place", record.n);
	*out = d;
	return TF_OK;
}
