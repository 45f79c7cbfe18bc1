/* Builds a calendar from a TZif image (RFC 8536, versions 1 to 4). The footer's rule is in tzrule.c.
 *
 * A version 1 file is one header and one body with 4-byte times. Later versions repeat both with 8-byte times, and end
 * with a footer: newline, POSIX TZ string, newline. All integers are big-endian.
 *
 *   header  0  4  "TZif"
 *           4  1  version: NUL, '2', '3' or '4'
 *           5 15  unused
 *          20  4  count of UT/local indicators
 *          24  4  count of standard/wall indicators
 *          28  4  count of leap seconds
 *          32  4  count of transition times
 *          36  4  count of local time types
 *          40  4  bytes of designations
 *   body       transition times (4 or 8 each), their type indexes (1 each), types (6 each: offset 4, is-dst 1,
 *              designation index 1), designations, leap seconds (8 or 12 each), standard/wall (1 each), UT/local (1
 * each)
 *
 * A file with leap seconds (tzdata's right/ tree) is refused: tf_time has none. */
#include "base/buf.h"
#include "base/calendar_impl.h"

#define HEADER_SIZE 44
#define TYPE_SIZE   6
#define TYPES_MAX   256
/* Past this (the year 9900) a table is not of this world, and the rule's spans would begin there. */
#define TABLE_LAST_S ((int64_t)250000000000)

struct header {
	uint8_t version;
	uint32_t isut, isstd, leap, times, types, chars;
};

struct body {
	const uint8_t *times, *indexes, *types, *designations, *isstd, *isut;
};

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t
time_at(const uint8_t *times, uint32_t i, unsigned time_size)
{
	const uint8_t *p = times + (size_t)i * time_size;
	if (time_size == 4)
		return (int32_t)be32(p);
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static const char *
take_header(struct tf_cur *c, struct header *out)
{
	struct tf_str raw = tf_cur_bytes(c, HEADER_SIZE);
	if (c->bad)
		return "header is cut short";
	const uint8_t *p = (const uint8_t *)raw.p;
	if (memcmp(p, "TZif", 4) != 0)
		return "does not begin with TZif";
	*out = (struct header){p[4],         be32(p + 20), be32(p + 24), be32(p + 28),
			       be32(p + 32), be32(p + 36), be32(p + 40)};
	if (out->version && (out->version < '2' || out->version > '4'))
		return "unknown version";
	if (out->types == 0 || out->types > TYPES_MAX || out->chars == 0 || out->chars > 65536)
		return "impossible count of types or designations";
	if ((out->isut && out->isut != out->types) || (out->isstd && out->isstd != out->types))
		return "indicator count differs from type count";
	if (out->times > TF_ZONE_SPANS_MAX / 2 || out->leap > 65536)
		return "too many changes";
	return NULL;
}

static const char *
take_body(struct tf_cur *c, const struct header *h, unsigned time_size, struct body *out)
{
	out->times = (const uint8_t *)tf_cur_bytes(c, (size_t)h->times * time_size).p;
	out->indexes = (const uint8_t *)tf_cur_bytes(c, h->times).p;
	out->types = (const uint8_t *)tf_cur_bytes(c, (size_t)h->types * TYPE_SIZE).p;
	out->designations = (const uint8_t *)tf_cur_bytes(c, h->chars).p;
	tf_cur_bytes(c, (size_t)h->leap * (time_size + 4));
	out->isstd = (const uint8_t *)tf_cur_bytes(c, h->isstd).p;
	out->isut = (const uint8_t *)tf_cur_bytes(c, h->isut).p;
	return c->bad ? "body is cut short" : NULL;
}

static const char *
check_types(const struct header *h, const struct body *b)
{
	for (uint32_t i = 0; i < h->types; i++) {
		const uint8_t *type = b->types + i * TYPE_SIZE;
		int32_t offset = (int32_t)be32(type);
		if (offset < TF_ZONE_OFFSET_MIN || offset > TF_ZONE_OFFSET_MAX)
			return "offset out of range";
		if (type[4] > 1)
			return "daylight saving flag is neither 0 nor 1";
		if (type[5] >= h->chars || !memchr(b->designations + type[5], 0, h->chars - type[5]))
			return "designation without an end";
	}
	for (uint32_t i = 0; i < h->isstd; i++)
		if (b->isstd[i] > 1)
			return "standard/wall indicator is neither 0 nor 1";
	for (uint32_t i = 0; i < h->isut; i++)
		if (b->isut[i] > 1 || (b->isut[i] && (!h->isstd || !b->isstd[i])))
			return "UT/local indicator is wrong";
	return NULL;
}

static const char *
check_times(const struct header *h, const struct body *b, unsigned time_size)
{
	for (uint32_t i = 0; i < h->times; i++) {
		if (i && time_at(b->times, i, time_size) <= time_at(b->times, i - 1, time_size))
			return "times do not ascend";
		if (b->indexes[i] >= h->types)
			return "type index out of range";
	}
	if (h->times && time_at(b->times, h->times - 1, time_size) > TABLE_LAST_S)
		return "last change is beyond the year 9800";
	return NULL;
}

/* Before the first change, type 0 holds (RFC 8536, 3.2). */
static enum tf_err
add_table(struct tf_zone *z, const struct header *h, const struct body *b, unsigned time_size)
{
	TF_TRY(tf_zone_add(z, INT64_MIN, (int32_t)be32(b->types), b->types[4]));
	for (uint32_t i = 0; i < h->times; i++) {
		const uint8_t *type = b->types + b->indexes[i] * TYPE_SIZE;
		TF_TRY(tf_zone_add(z, time_at(b->times, i, time_size), (int32_t)be32(type), type[4]));
	}
	z->rule_from_s = h->times ? time_at(b->times, h->times - 1, time_size) : INT64_MIN;
	return TF_OK;
}

static const char *
take_footer(struct tf_cur *c, struct tf_str *out)
{
	struct tf_str rest = tf_cur_bytes(c, tf_cur_left(c)), rule;
	if (!rest.n || rest.p[0] != '\n')
		return "footer does not begin with a newline";
	rest = tf_str_n(rest.p + 1, rest.n - 1);
	const char *end = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
	if (!end)
		return "footer does not end with a newline";
	rule = tf_str_n(rest.p, (size_t)(end - rest.p));
	*out = rule;
	return NULL;
}

/* The part of the image that counts: the only body of a version 1 file, the second of a later one. */
static const char *
take_image(struct tf_cur *c, struct header *h, struct body *b, unsigned *time_size, struct tf_str *rule)
{
	const char *wrong = take_header(c, h);
	*time_size = 4;
	if (!wrong)
		wrong = take_body(c, h, 4, b);
	if (!wrong && h->version) {
		uint8_t version = h->version;
		*time_size = 8;
		wrong = take_header(c, h);
		if (!wrong && h->version != version)
			wrong = "two versions in one file";
		if (!wrong)
			wrong = take_body(c, h, 8, b);
		if (!wrong)
			wrong = take_footer(c, rule);
	}
	if (!wrong)
		wrong = check_types(h, b);
	return wrong ? wrong : check_times(h, b, *time_size);
}

enum tf_err
tf_zone_parse(struct tf_str name, struct tf_str tzif, struct tf_zone **out, struct tf_fault *f)
{
	struct tf_cur c = tf_cur(tzif);
	struct header h;
	struct body b;
	struct tf_str rule = {0};
	unsigned time_size;
	const char *wrong = take_image(&c, &h, &b, &time_size, &rule);
	if (wrong)
		return tf_fault(f, TF_CORRUPT, "corrupt zone '%.*s': %s", TF_FMT(name), wrong);
	if (h.leap)
		return tf_fault(f, TF_UNSUPPORTED, "cannot use zone '%.*s': it counts leap seconds", TF_FMT(name));
	struct tf_zone *z = NULL;
	enum tf_err e = tf_zone_new(name, &z);
	if (!e)
		e = add_table(z, &h, &b, time_size);
	if (!e && rule.n)
		e = tf_zone_add_rule(z, rule);
	if (!e)
		e = tf_zone_seal(z);
	if (!e) {
		*out = z;
		return TF_OK;
	}
	tf_zone_free(&z);
	if (e == TF_INVALID)
		return tf_fault(f, TF_CORRUPT, "corrupt zone '%.*s': footer is no rule: '%.*s'", TF_FMT(name),
				TF_FMT(rule));
	return tf_fault(f, e, "cannot read zone '%.*s': %s", TF_FMT(name), tf_err_text(e));
}
