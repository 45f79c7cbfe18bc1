/* Asking a calendar: offsets, instants and days of one IANA zone; see time.h. How a zone is built from a file is in
 * tzif.c and tzrule.c, what it is made of in calendar_impl.h. */
#include "base/calendar_impl.h"

#include "base/mem.h"

#define SECONDS_MAX (INT64_MAX / TF_SEC)

/* Building. */

enum tf_err
tf_zone_new(struct tf_str name, struct tf_zone **out)
{
	struct tf_zone *z = tf_calloc(1, sizeof *z);
	if (!z)
		return TF_NO_MEMORY;
	z->rule_from_s = z->cycle_early_s = z->cycle_from_s = z->cycle_to_s = INT64_MAX;
	z->name = tf_strndup(name.p, name.n);
	if (!z->name) {
		tf_zone_free(&z);
		return TF_NO_MEMORY;
	}
	*out = z;
	return TF_OK;
}

/* Room for one more span and the sentinel. */
static enum tf_err
reserve(struct tf_zone *z)
{
	if (z->count + 2 <= z->cap)
		return TF_OK;
	if (z->count >= TF_ZONE_SPANS_MAX)
		return TF_TOO_LARGE;
	int cap = z->cap ? z->cap * 2 : 16;
	struct tf_zone_span *spans = tf_realloc(z->spans, (size_t)cap * sizeof *spans);
	if (!spans)
		return TF_NO_MEMORY;
	z->spans = spans;
	z->cap = cap;
	return TF_OK;
}

enum tf_err
tf_zone_add(struct tf_zone *z, int64_t from_s, int32_t offset_s, bool dst)
{
	TF_TRY(reserve(z));
	if (z->count) {
		const struct tf_zone_span *last = &z->spans[z->count - 1];
		TF_ASSERT(from_s >= last->from_s);
		if (from_s == last->from_s)
			z->count--;
	}
	if (z->count) {
		const struct tf_zone_span *last = &z->spans[z->count - 1];
		if (last->offset_s == offset_s && last->dst == dst)
			return TF_OK;
	}
	z->spans[z->count++] = (struct tf_zone_span){from_s, offset_s, offset_s, dst};
	return TF_OK;
}

/* A TZif file says that a span is daylight saving, not by how much. The last standard span before it tells, unless the
 * zone's standard time changed while saving held; then the next one does. */
static int32_t
standard_offset(const struct tf_zone *z, int i)
{
	int32_t own = z->spans[i].offset_s;
	if (!z->spans[i].dst)
		return own;
	int before = i - 1, after = i + 1;
	while (before >= 0 && z->spans[before].dst)
		before--;
	while (after < z->count && z->spans[after].dst)
		after++;
	if (before >= 0 && z->spans[before].offset_s != own)
		return z->spans[before].offset_s;
	if (after < z->count && z->spans[after].offset_s != own)
		return z->spans[after].offset_s;
	return own;
}

enum tf_err
tf_zone_seal(struct tf_zone *z)
{
	TF_ASSERT(z->count > 0 && z->spans[0].from_s == INT64_MIN);
	TF_TRY(reserve(z));
	z->spans[z->count] = (struct tf_zone_span){.from_s = INT64_MAX};
	for (int i = 0; i < z->count; i++)
		z->spans[i].standard_s = standard_offset(z, i);
	int at = 0;
	for (int b = 0; b < TF_ZONE_INDEX_BUCKETS; b++) {
		int64_t from = TF_ZONE_INDEX_FROM + ((int64_t)b << TF_ZONE_INDEX_SHIFT);
		while (z->spans[at + 1].from_s <= from)
			at++;
		z->index[b] = (uint16_t)at;
	}
	return TF_OK;
}

enum tf_err
tf_zone_fixed(struct tf_str name, int32_t offset_s, struct tf_zone **out, struct tf_fault *f)
{
	if (offset_s < TF_ZONE_OFFSET_MIN || offset_s > TF_ZONE_OFFSET_MAX)
		return tf_fault(f, TF_INVALID, "offset of zone '%.*s' out of range: %d s", TF_FMT(name), offset_s);
	struct tf_zone *z = NULL;
	enum tf_err e = tf_zone_new(name, &z);
	if (!e)
		e = tf_zone_add(z, INT64_MIN, offset_s, false);
	if (!e)
		e = tf_zone_seal(z);
	if (e) {
		tf_zone_free(&z);
		return tf_fault(f, e, "cannot make zone '%.*s': %s", TF_FMT(name), tf_err_text(e));
	}
	*out = z;
	return TF_OK;
}

void
tf_zone_free(struct tf_zone **z)
{
	if (!*z)
		return;
	tf_free((*z)->spans);
	tf_free((*z)->name);
	tf_free(*z);
	*z = NULL;
}

/* Asking. */

const char *
tf_zone_name(const struct tf_zone *z)
{
	return z->name;
}

static int64_t
seconds_of(tf_time t)
{
	return t / TF_SEC - (t % TF_SEC < 0);
}

static tf_time
time_of(int64_t s)
{
	return s > SECONDS_MAX ? INT64_MAX : s < -SECONDS_MAX ? INT64_MIN : s * TF_SEC;
}

/* What to take off s to find it among the spans: a multiple of 400 years, mostly 0. s may be UTC or local: the spans
 * reach a year beyond the cycle on both sides. */
static int64_t
cycle_shift(const struct tf_zone *z, int64_t s)
{
	bool later = s >= z->cycle_to_s, earlier = s < z->cycle_from_s && s >= z->cycle_early_s;
	if (!later && !earlier)
		return 0;
	int64_t distance = s - z->cycle_from_s;
	return (distance / TF_ZONE_CYCLE_S - (distance % TF_ZONE_CYCLE_S < 0)) * TF_ZONE_CYCLE_S;
}

/* The span that holds s, after cycle_shift. */
static const struct tf_zone_span *
span_at(const struct tf_zone *z, int64_t s)
{
	if (s >= TF_ZONE_INDEX_FROM && s <= TF_TIME_LAST / TF_SEC) {
		const struct tf_zone_span *span = &z->spans[z->index[(s - TF_ZONE_INDEX_FROM) >> TF_ZONE_INDEX_SHIFT]];
		while (span[1].from_s <= s)
			span++;
		return span;
	}
	int low = 0, high = z->count;
	while (high - low > 1) {
		int mid = low + (high - low) / 2;
		if (z->spans[mid].from_s <= s)
			low = mid;
		else
			high = mid;
	}
	return &z->spans[low];
}

static const struct tf_zone_span *
span_of(const struct tf_zone *z, tf_time t)
{
	int64_t s = seconds_of(t);
	return span_at(z, s - cycle_shift(z, s));
}

int32_t
tf_zone_offset(const struct tf_zone *z, tf_time t, bool *out_dst)
{
	const struct tf_zone_span *span = span_of(z, t);
	if (out_dst)
		*out_dst = span->dst;
	return span->offset_s;
}

int32_t
tf_zone_standard_offset(const struct tf_zone *z, tf_time t)
{
	return span_of(z, t)->standard_s;
}

enum tf_err
tf_zone_instant(const struct tf_zone *z, int64_t local_s, tf_time *out, bool *out_ambiguous)
{
	if (local_s > SECONDS_MAX - 2 * 86400 || local_s < -SECONDS_MAX + 2 * 86400)
		return TF_INVALID;
	int64_t shift = cycle_shift(z, local_s);
	int64_t local = local_s - shift, found = 0;
	int hits = 0;
	const struct tf_zone_span *span = span_at(z, local - TF_ZONE_OFFSET_MAX);
	for (; span->from_s <= local - TF_ZONE_OFFSET_MIN && span->from_s != INT64_MAX; span++) {
		int64_t s = local - span->offset_s;
		if (s >= span->from_s && s < span[1].from_s && hits++ == 0)
			found = s;
	}
	if (!hits)
		return TF_NOT_FOUND;
	*out = (found + shift) * TF_SEC;
	if (out_ambiguous)
		*out_ambiguous = hits > 1;
	return TF_OK;
}

int32_t
tf_zone_date(const struct tf_zone *z, tf_time t)
{
	int64_t local = seconds_of(t) + tf_zone_offset(z, t, NULL);
	return (int32_t)(local / 86400 - (local % 86400 < 0));
}

tf_time
tf_zone_day_start(const struct tf_zone *z, int32_t date)
{
	int64_t midnight = (int64_t)date * 86400;
	int64_t shift = cycle_shift(z, midnight);
	int64_t local = midnight - shift;
	const struct tf_zone_span *span = span_at(z, local - TF_ZONE_OFFSET_MAX);
	for (;; span++) {
		int64_t s = local - span->offset_s;
		if (s < span->from_s)
			s = span->from_s; /* midnight was skipped by the change that began this span */
		if (s < span[1].from_s)
			return time_of(s + shift);
	}
}

tf_time
tf_zone_month_start(const struct tf_zone *z, int32_t month)
{
	return tf_zone_day_start(z, tf_month_first_date(month));
}
