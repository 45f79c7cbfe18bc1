/* Identity and rate limits; see partner.h. */
#include "partner.h"

#include "base/mem.h"

#define WHOLE 1000 /* thousandths in a request */

static bool
good_name(struct tf_str s)
{
	if (!s.n || s.n > INSURE_PARTNER_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!good && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

enum tf_err
insure_partner(bool believe_header, const struct tf_exchange *x, struct tf_str *out, struct tf_fault *f)
{
	if (!believe_header)
		return tf_fault(f, TF_DENIED, "no way to tell who calls: this server has no identity configured");
	struct tf_str name = tf_exchange_header(x, "x-partner");
	if (!good_name(name) || tf_http_repeated(tf_exchange_request(x), "x-partner"))
		return tf_fault(f, TF_DENIED, "one X-Partner of 1 to %d letters, digits, '.', '_' and '-' is wanted",
				INSURE_PARTNER_MAX);
	*out = name;
	return TF_OK;
}

enum tf_err
insure_limits_init(struct insure_limits *l, int64_t rate, int64_t burst)
{
	*l = (struct insure_limits){.rate = rate, .burst = burst > 0 ? burst : 1};
	return tf_map_init(&l->numbers, TF_MAP_OWN_KEYS);
}

void
insure_limits_release(struct insure_limits *l)
{
	tf_map_release(&l->numbers);
	tf_free(l->buckets);
	l->buckets = NULL;
}

static enum tf_err
bucket_of(struct insure_limits *l, struct tf_str partner, tf_dur now, struct insure_bucket **out, struct tf_fault *f)
{
	uint64_t i;
	if (tf_map_get(&l->numbers, partner, &i)) {
		*out = &l->buckets[i];
		return TF_OK;
	}
	i = l->numbers.count;
	if (i == INSURE_PARTNERS_MAX)
		return tf_fault(f, TF_OVERLOAD, "too many partners");
	if (i == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct insure_bucket *more = tf_realloc(l->buckets, cap * sizeof *more);
		if (!more)
			return tf_fault(f, TF_NO_MEMORY, "no memory for a partner");
		l->buckets = more;
		l->cap = cap;
	}
	if (tf_map_put(&l->numbers, partner, i))
		return tf_fault(f, TF_NO_MEMORY, "no memory for a partner");
	l->buckets[i] = (struct insure_bucket){l->burst * WHOLE, now};
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
refill(const struct insure_limits *l, struct insure_bucket *b, tf_dur now)
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

enum tf_err
insure_limits_take(struct insure_limits *l, struct tf_str partner, tf_dur now, struct insure_allowance *out,
		   struct tf_fault *f)
{
	*out = (struct insure_allowance){.allowed = true};
	if (!l->rate)
		return TF_OK;
	struct insure_bucket *b = NULL;
	TF_TRY(bucket_of(l, partner, now, &b, f));
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
