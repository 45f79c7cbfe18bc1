/* How often a caller may; see guard.h. */
#include <inttypes.h>
#include <stdio.h>

#include "guard_impl.h"

/* As draft-ietf-httpapi-ratelimit-headers has them. */
static void
rate_headers(struct tf_guard *g, struct tf_exchange *x, const struct tf_allowance *w)
{
	char text[96];
	const struct tf_limits *l = &g->limits;
	if (!l->rate)
		return;
	if (!g->rate_policy[0])
		snprintf(g->rate_policy, sizeof g->rate_policy, "\"requests\";q=%" PRId64 ";w=%" PRId64, l->burst,
			 (l->burst + l->rate - 1) / l->rate);
	tf_reply_header(x, "RateLimit-Policy", tf_str(g->rate_policy));
	snprintf(text, sizeof text, "\"requests\";r=%" PRId64 ";t=%" PRId64, w->left, w->reset_s);
	tf_reply_header(x, "RateLimit", tf_str(text));
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
	char text[24];
	if (tf_limits_take(&g->limits, partner, tf_os_ticks(g->os), &w, &f)) {
		tf_reply_fault(x, &f, NULL);
		return TF_GUARD_ANSWERED;
	}
	rate_headers(g, x, &w);
	if (w.allowed)
		return TF_GUARD_IN;
	snprintf(text, sizeof text, "%" PRId64, w.retry_s > 0 ? w.retry_s : 1);
	tf_reply_header(x, "Retry-After", tf_str(text));
	struct tf_problem p = {429, "RATE_LIMITED", TF_STR("this partner's rate is used up"), NULL};
	tf_reply_problem(x, &p);
	return TF_GUARD_ANSWERED;
}
