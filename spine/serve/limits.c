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

static enum tf_err
bucket_of(struct tf_limits *l, struct tf_str caller, tf_dur now, struct tf_limits_bucket **out, struct tf_fault *f)
{
	uint64_t i;
	if (tf_map_get(&l->numbers, caller, &i)) {
		*out = &l->buckets[i];
		return TF_OK;
	}
	i = l->numbers.count;
	if (i == TF_LIMITS_CALLERS)
		return tf_fault(f, TF_OVERLOAD, "too many callers");
	if (i == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct tf_limits_bucket *more = tf_realloc(l->buckets, cap * sizeof *more);
		if (!more)
			return tf_fault(f, TF_NO_MEMORY, "no memory for a caller");
		l->buckets = more;
		l->cap = cap;
	}
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
