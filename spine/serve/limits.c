/* Rate limits; see limits.h. */
#include "serve/limits.h"

#include "base/mem.h"

#define WHOLE 1000 /* thousandths in a request */

enum tf_err
tf_limits_init(struct tf_limits *l, int64_t rate, int64_t burst)
{
	*l = (struct tf_limits){.rate = rate, .burst = burst > 0 ? burst : 1};
	return tf_map_init(&l->numbers, TF_MAP_OWN_KEYS);
}

void
tf_limits_release(struct tf_limits *l)
{
	tf_map_release(&l->numbers);
	tf_free(l->buckets);
	l->buckets = NULL;
}

/* What came back since the last request; a bucket that long unused is full, whatever the product would be. */
static void
refill(const struct tf_limits *l, struct tf_limits_bucket *b, tf_dur now)
{
	int64_t full = l->burst * WHOLE;
	tf_dur passed = now - b->at;
	if (passed / TF_SEC > l->burst / l->rate + 1) {
		b->millis = full;
		b->at = now;
		return;
	}
	int64_t more = passed * l->rate / (TF_SEC / WHOLE);
	if (more <= 0)
		return; /* not even a thousandth: the time counts later */
	b->millis = b->millis + more < full ? b->millis + more : full;
	b->at = now;
}

/* A map of those that are not full, in the place of all. */
static enum tf_err
drop_full(struct tf_limits *l, tf_dur now)
{
	struct tf_map kept;
	uint64_t count = 0;
	TF_TRY(tf_map_init(&kept, TF_MAP_OWN_KEYS));
	struct tf_limits_bucket *buckets = tf_malloc(l->cap * sizeof *buckets);
	enum tf_err e = buckets ? TF_OK : TF_NO_MEMORY;
	for (size_t i = 0; !e && i < l->numbers.size; i++) {
		const struct tf_map_entry *m = &l->numbers.entries[i];
		if (!m->hash)
			continue;
		struct tf_limits_bucket b = l->buckets[m->value];
		refill(l, &b, now);
		if (b.millis == l->burst * WHOLE)
			continue;
		e = tf_map_put(&kept, tf_str_n((const char *)l->numbers.keys.p + m->key.at, m->key_n), count);
		buckets[count++] = b;
	}
	if (e) {
		tf_free(buckets);
		tf_map_release(&kept);
		return e;
	}
	tf_limits_release(l);
	l->numbers = kept;
	l->buckets = buckets;
	return TF_OK;
}

/* A place for another caller. */
static enum tf_err
make_room(struct tf_limits *l, tf_dur now, struct tf_fault *f)
{
	if (l->numbers.count == TF_LIMITS_CALLERS && (!l->swept || now - l->swept >= TF_LIMITS_SWEEP)) {
		if (drop_full(l, now))
			return tf_fault(f, TF_NO_MEMORY, "no memory for a caller");
		l->swept = now;
	}
	if (l->numbers.count == TF_LIMITS_CALLERS)
		return tf_fault(f, TF_OVERLOAD, "too many callers");
	if (l->numbers.count < l->cap)
		return TF_OK;
	size_t cap = l->cap ? 2 * l->cap : 64;
	struct tf_limits_bucket *more = tf_realloc(l->buckets, cap * sizeof *more);
	if (!more)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a caller");
	l->buckets = more;
	l->cap = cap;
	return TF_OK;
}

static enum tf_err
bucket_of(struct tf_limits *l, struct tf_str caller, tf_dur now, struct tf_limits_bucket **out, struct tf_fault *f)
{
	uint64_t i;
	if (tf_map_get(&l->numbers, caller, &i)) {
		*out = &l->buckets[i];
		return TF_OK;
	}
	TF_TRY(make_room(l, now, f));
	i = l->numbers.count;
	if (tf_map_put(&l->numbers, caller, i))
		return tf_fault(f, TF_NO_MEMORY, "no memory for a caller");
	l->buckets[i] = (struct tf_limits_bucket){l->burst * WHOLE, now};
	*out = &l->buckets[i];
	return TF_OK;
}

static int64_t
up(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

bool
tf_limits_peek(const struct tf_limits *l, struct tf_str caller, tf_dur now)
{
	uint64_t i;
	if (!l->rate || !tf_map_get(&l->numbers, caller, &i))
		return true;
	struct tf_limits_bucket b = l->buckets[i];
	refill(l, &b, now);
	return b.millis >= WHOLE;
}

enum tf_err
tf_limits_take(struct tf_limits *l, struct tf_str caller, tf_dur now, struct tf_allowance *out, struct tf_fault *f)
{
	*out = (struct tf_allowance){.allowed = true};
	if (!l->rate)
		return TF_OK;
	struct tf_limits_bucket *b = NULL;
	TF_TRY(bucket_of(l, caller, now, &b, f));
	refill(l, b, now);
	out->allowed = b->millis >= WHOLE;
	if (out->allowed)
		b->millis -= WHOLE;
	else
		out->retry_s = up(WHOLE - b->millis, l->rate * WHOLE);
	out->left = b->millis / WHOLE;
	out->reset_s = up(l->burst * WHOLE - b->millis, l->rate * WHOLE);
	return TF_OK;
}
