/* How often a caller may; see guard.h. */
#include "guard_impl.h"

/* Without memory it is left out. */
static void
rate_header(struct tf_guard *g, struct tf_exchange *x, const char *name, const char *before, int64_t a,
	    const char *between, int64_t b)
{
	tf_buf_reset(&g->text);
	tf_buf_cstr(&g->text, before);
	tf_buf_digits(&g->text, (uint64_t)a);
	tf_buf_cstr(&g->text, between);
	tf_buf_digits(&g->text, (uint64_t)b);
	if (!g->text.err)
		tf_reply_header(x, name, tf_buf_view(&g->text));
}

/* As draft-ietf-httpapi-ratelimit-headers has them. */
static void
rate_headers(struct tf_guard *g, struct tf_exchange *x, const struct tf_allowance *w)
{
	const struct tf_limits *l = &g->limits;
	if (!l->rate)
		return;
	rate_header(g, x, "RateLimit-Policy", "\"requests\";q=", l->burst, ";w=", (l->burst + l->rate - 1) / l->rate);
	rate_header(g, x, "RateLimit", "\"requests\";r=", w->left, ";t=", w->reset_s);
}

static struct tf_str
who_tries(struct tf_exchange *x, const struct tf_caller *who, char scratch[static 16])
{
	return who->certificate[0] ? tf_str(who->certificate) : tf_peer_key(tf_exchange_peer(x), scratch);
}

bool
guard_may_try(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who)
{
	char scratch[16];
	return tf_limits_peek(&g->rejects, who_tries(x, who, scratch), tf_os_ticks(g->os));
}

void
guard_was_bad(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who)
{
	char scratch[16];
	struct tf_allowance w;
	struct tf_fault f = {0};
	/* Without room for a bucket nobody is held back. */
	(void)!tf_limits_take(&g->rejects, who_tries(x, who, scratch), tf_os_ticks(g->os), &w, &f);
}

enum tf_guard_answer
guard_meter(struct tf_guard *g, struct tf_exchange *x, struct tf_str partner)
{
	struct tf_fault f = {0};
	struct tf_allowance w;
	char text[32];
	if (tf_limits_take(&g->limits, partner, tf_os_ticks(g->os), &w, &f)) {
		tf_reply_fault(x, &f, NULL);
		return TF_GUARD_ANSWERED;
	}
	rate_headers(g, x, &w);
	if (w.allowed)
		return TF_GUARD_IN;
	tf_reply_header(x, "Retry-After", tf_str(tf_decimal_format(w.retry_s > 0 ? w.retry_s : 1, 0, text)));
	struct tf_problem p = {429, "RATE_LIMITED", TF_STR("this partner's rate is used up"), NULL};
	tf_reply_problem(x, &p);
	return TF_GUARD_ANSWERED;
}
