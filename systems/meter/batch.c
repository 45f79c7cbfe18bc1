/* The packed batch. Format 1, little-endian:
 *
 *   0  u8    1
 *   1  u8[3] 0
 *   4  u32   delivery number
 *   8  u8[16] delivery key
 *  24  i64   received, microseconds UTC
 *  32  lstr  name, format, zone          (lstr: varint length, bytes)
 *      varint channel count, each: lstr meter, lstr channel, u8 unit, varint interval seconds
 *      varint run count, each:
 *        varint channel, zigzag start seconds less the run's before, varint value count,
 *        u8 flags (bit 0 absent bitmap, bit 1 quality spans, bits 4-7 bytes per value),
 *        zigzag issued seconds less the run's before,
 *        u32 quality, or varint span count and each u32 quality, u16 count,
 *        zigzag minimum, bitmap of (count + 7) / 8 bytes when bit 0 (1 = absent), values less the minimum
 *
 * A quality is kind in bits 0-7, method in 8-15, reason in 16-31. */
#include "batch.h"

#include <stdio.h>

#include "base/mem.h"

#define BATCH_VERSION 1
#define FLAG_ABSENT   1
#define FLAG_SPANS    2

uint32_t
meter_quality_code(struct meter_quality q)
{
	return (uint32_t)(uint8_t)q.kind | (uint32_t)q.method << 8 | (uint32_t)q.reason << 16;
}

struct meter_quality
meter_quality_from(uint32_t code)
{
	return (struct meter_quality){(char)(code & 0xff), (uint8_t)(code >> 8), (uint16_t)(code >> 16)};
}

char *
meter_quality_text(struct meter_quality q, char out[static 16])
{
	int n = q.method ? snprintf(out, 16, "%c%02u", q.kind, q.method) : snprintf(out, 16, "%c", q.kind);
	if (q.reason)
		snprintf(out + n, 16 - (size_t)n, "/%u", q.reason);
	return out;
}

enum tf_err
meter_batch_init(struct meter_batch_builder *b)
{
	*b = (struct meter_batch_builder){0};
	tf_buf_init(&b->dictionary, 0);
	tf_buf_init(&b->runs, 0);
	tf_buf_init(&b->key, 0);
	return tf_map_init(&b->index, TF_MAP_OWN_KEYS);
}

void
meter_batch_release(struct meter_batch_builder *b)
{
	tf_buf_release(&b->dictionary);
	tf_buf_release(&b->runs);
	tf_buf_release(&b->key);
	tf_map_release(&b->index);
}

static void
empty(struct meter_batch_builder *b)
{
	tf_buf_reset(&b->dictionary);
	tf_buf_reset(&b->runs);
	tf_map_clear(&b->index);
	b->channel_count = b->run_count = 0;
	b->readings = 0;
	b->last_start_s = b->last_issued_s = 0;
}

static enum tf_err
channel_number(struct meter_batch_builder *b, const struct meter_run *run, uint32_t *out)
{
	tf_buf_reset(&b->key);
	tf_buf_lstr(&b->key, run->meter);
	tf_buf_lstr(&b->key, run->channel);
	tf_buf_u8(&b->key, (uint8_t)run->unit);
	tf_buf_varint(&b->key, run->interval_s);
	TF_TRY(b->key.err);
	uint64_t number;
	if (!tf_map_get(&b->index, tf_buf_view(&b->key), &number)) {
		number = b->channel_count;
		TF_TRY(tf_map_put(&b->index, tf_buf_view(&b->key), number));
		tf_buf_str(&b->dictionary, tf_buf_view(&b->key));
		TF_TRY(b->dictionary.err);
		b->channel_count++;
	}
	*out = (uint32_t)number;
	return TF_OK;
}

static void
put_quality(struct tf_buf *to, const struct meter_run *run, bool spans)
{
	if (!spans) {
		tf_buf_u32(to, meter_quality_code(run->quality[0]));
		return;
	}
	uint32_t n = 1;
	for (uint32_t i = 1; i < run->count; i++)
		n += meter_quality_code(run->quality[i]) != meter_quality_code(run->quality[i - 1]);
	tf_buf_varint(to, n);
	for (uint32_t i = 0, from = 0; i < run->count; i++) {
		if (i + 1 < run->count &&
		    meter_quality_code(run->quality[i + 1]) == meter_quality_code(run->quality[from]))
			continue;
		tf_buf_u32(to, meter_quality_code(run->quality[from]));
		tf_buf_u16(to, (uint16_t)(i + 1 - from));
		from = i + 1;
	}
}

static uint8_t
width_of(uint64_t range)
{
	return range == 0 ? 0 : range <= 0xff ? 1 : range <= 0xffff ? 2 : range <= 0xffffffff ? 4 : 8;
}

/* Values less min; an absent one is 0. */
#define PACK(type)                                                                                                     \
	for (uint32_t i = 0; i < n; i++) {                                                                             \
		type v = v64[i] == METER_ABSENT ? 0 : (type)(uint64_t)(v64[i] - min);                                  \
		memcpy(to + i * sizeof v, &v, sizeof v);                                                               \
	}

static void
put_values(struct tf_buf *out, const int64_t *v64, uint32_t n, int64_t min, uint8_t width)
{
	uint8_t *to = tf_buf_extend(out, (size_t)n * width);
	if (!to)
		return;
	switch (width) {
	case 1:
		PACK(uint8_t)
		break;
	case 2:
		PACK(uint16_t)
		break;
	case 4:
		PACK(uint32_t)
		break;
	case 8:
		PACK(uint64_t)
		break;
	default:
		break;
	}
}

static void
put_absent(struct tf_buf *out, const int64_t *v, uint32_t n)
{
	uint8_t *bits = tf_buf_extend(out, (n + 7) / 8);
	if (!bits)
		return;
	memset(bits, 0, (n + 7) / 8);
	for (uint32_t i = 0; i < n; i++)
		bits[i / 8] |= (uint8_t)((v[i] == METER_ABSENT) << (i % 8));
}

enum tf_err
meter_batch_add(struct meter_batch_builder *b, const struct meter_run *run)
{
	uint32_t channel, present = 0;
	TF_TRY(channel_number(b, run, &channel));
	int64_t min = INT64_MAX, max = INT64_MIN;
	for (uint32_t i = 0; i < run->count; i++) {
		int64_t v = run->values[i];
		bool there = v != METER_ABSENT;
		present += there;
		min = there && v < min ? v : min;
		max = v > max ? v : max;
	}
	if (!present)
		return TF_OK;
	uint8_t width = width_of((uint64_t)max - (uint64_t)min);
	bool spans = run->quality_count == run->count && run->count > 1;
	int64_t start_s = run->start / TF_SEC, issued_s = run->issued / TF_SEC;
	struct tf_buf *to = &b->runs;
	tf_buf_varint(to, channel);
	tf_buf_zigzag(to, start_s - b->last_start_s);
	tf_buf_varint(to, run->count);
	tf_buf_u8(to, (uint8_t)((present < run->count ? FLAG_ABSENT : 0) | (spans ? FLAG_SPANS : 0) | width << 4));
	tf_buf_zigzag(to, issued_s - b->last_issued_s);
	put_quality(to, run, spans);
	tf_buf_zigzag(to, min);
	if (present < run->count)
		put_absent(to, run->values, run->count);
	put_values(to, run->values, run->count, min, width);
	TF_TRY(to->err);
	b->last_start_s = start_s;
	b->last_issued_s = issued_s;
	b->run_count++;
	b->readings += present;
	return TF_OK;
}

bool
meter_batch_full(const struct meter_batch_builder *b)
{
	return b->runs.n + b->dictionary.n >= METER_BATCH_BYTES;
}

void
meter_head_put(const struct meter_batch_head *h, struct tf_buf *out)
{
	tf_buf_u32(out, BATCH_VERSION);
	tf_buf_u32(out, h->delivery);
	tf_buf_put(out, h->key.bytes, sizeof h->key.bytes);
	tf_buf_u64(out, (uint64_t)h->received);
	tf_buf_lstr(out, h->name);
	tf_buf_lstr(out, h->format);
	tf_buf_lstr(out, h->zone);
}

enum tf_err
meter_batch_seal(struct meter_batch_builder *b, const struct meter_batch_head *h, struct tf_buf *out)
{
	meter_head_put(h, out);
	tf_buf_varint(out, b->channel_count);
	tf_buf_str(out, tf_buf_view(&b->dictionary));
	tf_buf_varint(out, b->run_count);
	tf_buf_str(out, tf_buf_view(&b->runs));
	empty(b);
	return out->err;
}

void
meter_batch_number(uint8_t *bytes, uint32_t delivery)
{
	memcpy(bytes + 4, &delivery, 4);
}

static enum tf_err
damaged(struct tf_fault *f, const char *what)
{
	return tf_fault(f, TF_CORRUPT, "damaged batch: %s", what);
}

enum tf_err
meter_head_get(struct tf_cur *c, struct meter_batch_head *out, struct tf_fault *f)
{
	if (tf_cur_u32(c) != BATCH_VERSION)
		return damaged(f, "version");
	out->delivery = tf_cur_u32(c);
	struct tf_str key = tf_cur_bytes(c, sizeof out->key.bytes);
	if (key.n)
		memcpy(out->key.bytes, key.p, key.n);
	out->received = (tf_time)tf_cur_u64(c);
	out->name = tf_cur_lstr(c);
	out->format = tf_cur_lstr(c);
	out->zone = tf_cur_lstr(c);
	return c->bad ? damaged(f, "head") : TF_OK;
}

static enum tf_err
parse_channels(struct tf_cur *c, struct meter_batch *b, struct tf_fault *f)
{
	uint64_t n = tf_cur_varint(c);
	if (c->bad || n > tf_cur_left(c))
		return damaged(f, "channel count");
	b->channels = tf_calloc(n, sizeof *b->channels);
	if (!b->channels)
		return tf_fault(f, TF_NO_MEMORY, "no memory for %llu channels", (unsigned long long)n);
	b->channel_count = (uint32_t)n;
	for (uint64_t i = 0; i < n; i++) {
		struct meter_batch_channel *ch = &b->channels[i];
		ch->meter = tf_cur_lstr(c);
		ch->channel = tf_cur_lstr(c);
		ch->unit = tf_cur_u8(c);
		uint64_t interval = tf_cur_varint(c);
		if (c->bad || ch->unit >= METER_UNIT_COUNT || interval < METER_INTERVAL_MIN_S ||
		    interval > METER_INTERVAL_MAX_S || !ch->meter.n || ch->meter.n > METER_METER_MAX ||
		    !ch->channel.n || ch->channel.n > METER_CHANNEL_MAX)
			return damaged(f, "channel");
		ch->interval_s = (uint32_t)interval;
	}
	return TF_OK;
}

static bool
parse_quality(struct tf_cur *c, struct meter_batch_run *r, uint8_t flags)
{
	if (!(flags & FLAG_SPANS)) {
		r->quality = meter_quality_from(tf_cur_u32(c));
		return !c->bad;
	}
	uint64_t n = tf_cur_varint(c);
	if (c->bad || n == 0 || n > r->count)
		return false;
	r->span_count = (uint32_t)n;
	r->spans = (const uint8_t *)tf_cur_bytes(c, n * 6).p;
	uint64_t total = 0;
	for (uint64_t i = 0; i < n && !c->bad; i++) {
		uint16_t len;
		memcpy(&len, r->spans + i * 6 + 4, 2);
		total += len;
	}
	return !c->bad && total == r->count;
}

static bool
parse_run(struct tf_cur *c, struct meter_batch *b, struct meter_batch_run *r, int64_t *start_s, int64_t *issued_s)
{
	uint64_t channel = tf_cur_varint(c);
	*start_s = (int64_t)((uint64_t)*start_s + (uint64_t)tf_cur_zigzag(c));
	uint64_t count = tf_cur_varint(c);
	uint8_t flags = tf_cur_u8(c), width = flags >> 4;
	*issued_s = (int64_t)((uint64_t)*issued_s + (uint64_t)tf_cur_zigzag(c));
	if (c->bad || channel >= b->channel_count || !count || count > METER_RUN_MAX || (width & (width - 1)) ||
	    width > 8 || *start_s < TF_TIME_FIRST / TF_SEC || *start_s > TF_TIME_LAST / TF_SEC ||
	    *issued_s < TF_TIME_FIRST / TF_SEC || *issued_s > TF_TIME_LAST / TF_SEC)
		return false;
	r->channel = (uint32_t)channel;
	r->count = (uint32_t)count;
	r->start_s = *start_s;
	r->issued = *issued_s * TF_SEC;
	r->width = width;
	if (!parse_quality(c, r, flags))
		return false;
	r->min = tf_cur_zigzag(c);
	if (r->min < -METER_VALUE_MAX || r->min > METER_VALUE_MAX)
		return false;
	if (flags & FLAG_ABSENT)
		r->absent = (const uint8_t *)tf_cur_bytes(c, (r->count + 7) / 8).p;
	r->values = (const uint8_t *)tf_cur_bytes(c, (size_t)r->count * width).p;
	return !c->bad;
}

static uint32_t
absent_count(const struct meter_batch_run *r)
{
	uint32_t n = 0;
	for (uint32_t i = 0; r->absent && i < r->count; i++)
		n += r->absent[i / 8] >> (i % 8) & 1;
	return n;
}

static enum tf_err
parse(struct tf_cur *c, struct meter_batch *b, struct tf_fault *f)
{
	TF_TRY(meter_head_get(c, &b->head, f));
	TF_TRY(parse_channels(c, b, f));
	uint64_t n = tf_cur_varint(c);
	if (c->bad || n > tf_cur_left(c))
		return damaged(f, "run count");
	b->runs = tf_calloc(n, sizeof *b->runs);
	if (!b->runs)
		return tf_fault(f, TF_NO_MEMORY, "no memory for %llu runs", (unsigned long long)n);
	b->run_count = (uint32_t)n;
	int64_t start_s = 0, issued_s = 0;
	for (uint64_t i = 0; i < n; i++) {
		if (!parse_run(c, b, &b->runs[i], &start_s, &issued_s))
			return damaged(f, "run");
		b->readings += b->runs[i].count - absent_count(&b->runs[i]);
	}
	return tf_cur_left(c) ? damaged(f, "bytes behind the last run") : TF_OK;
}

enum tf_err
meter_batch_parse(struct tf_str bytes, struct meter_batch *out, struct tf_fault *f)
{
	struct meter_batch b = {0};
	struct tf_cur c = tf_cur(bytes);
	enum tf_err e = parse(&c, &b, f);
	if (e)
		meter_batch_free(&b);
	else
		*out = b;
	return e;
}

void
meter_batch_free(struct meter_batch *b)
{
	tf_free(b->channels);
	tf_free(b->runs);
	*b = (struct meter_batch){0};
}

#define UNPACK(type)                                                                                                   \
	for (uint32_t i = 0; i < count; i++) {                                                                         \
		type v;                                                                                                \
		memcpy(&v, p + i * sizeof v, sizeof v);                                                                \
		out[i] = (int64_t)((uint64_t)r->min + v);                                                              \
	}

void
meter_batch_values(const struct meter_batch_run *r, uint32_t from, uint32_t count, int64_t *out)
{
	const uint8_t *p = r->values + (size_t)from * r->width;
	switch (r->width) {
	case 1:
		UNPACK(uint8_t)
		break;
	case 2:
		UNPACK(uint16_t)
		break;
	case 4:
		UNPACK(uint32_t)
		break;
	case 8:
		UNPACK(uint64_t)
		break;
	default:
		for (uint32_t i = 0; i < count; i++)
			out[i] = r->min;
	}
	for (uint32_t i = 0; r->absent && i < count; i++)
		if (r->absent[(from + i) / 8] >> ((from + i) % 8) & 1)
			out[i] = METER_ABSENT;
}

struct meter_quality
meter_batch_quality(const struct meter_batch_run *r, uint32_t i, uint32_t *out_until)
{
	*out_until = r->count;
	if (!r->spans)
		return r->quality;
	uint32_t code = 0, end = 0;
	for (uint32_t s = 0; s < r->span_count; s++) {
		uint16_t len;
		memcpy(&code, r->spans + s * 6, 4);
		memcpy(&len, r->spans + s * 6 + 4, 2);
		end += len;
		if (i < end)
			break;
	}
	*out_until = end;
	return meter_quality_from(code);
}
