/* Policy look-up; see api.h. */
#include <stdio.h>

#include "api.h"
#include "view_policy.h"

#define VIEW_ROOM 1024

/* If-None-Match: a list of tags, or '*'; W/ does not matter here (RFC 9110, 13.1.2). */
static bool
matches(struct tf_str list, const char *etag)
{
	struct tf_str tag;
	while (list.n && tf_str_cut(&list, ',', &tag)) {
		tag = tf_str_trim(tag);
		if (tf_str_starts(tag, TF_STR("W/")))
			tag = tf_str_n(tag.p + 2, tag.n - 2);
		if (tf_str_eq(tag, TF_STR("*")) || tf_str_eq(tag, tf_str(etag)))
			return true;
	}
	return false;
}

static void
unknown(struct tf_exchange *x)
{
	insure_api_problem(x, 404, "POLICY_UNKNOWN", "there is no such policy", NULL);
}

static void
reply(struct insure_api *a, struct tf_exchange *x, const struct tf_stored_reply *r)
{
	struct tf_fault f = {0};
	if (!insure_api_answers(a, a->get, r, &f)) {
		insure_api_reply(x, r);
		return;
	}
	tf_watch_fault(a->watch, "contract.broken", tf_exchange_trace(x), &f);
	tf_reply_fault(x, &f, NULL);
}

static void
reply_policy(struct insure_api *a, struct tf_exchange *x, uint64_t policy)
{
	char etag[INSURE_ETAG_BYTES];
	if (policy >= tf_pages_count(a->store->state.pages)) {
		unknown(x);
		return;
	}
	const struct insure_policy *p = tf_pages_at(a->store->state.pages, policy);
	int32_t today = insure_today(a->store);
	tf_metric_add(a->metrics, INSURE_M_READS, 0, 1);
	insure_view_etag(policy, p, today, etag);
	struct tf_stored_reply r = {
		.status = 200,
		.type = TF_STR("application/json"),
		.headers = {{TF_STR("ETag"), tf_str(etag)}, {TF_STR("Cache-Control"), TF_STR("private, no-cache")}},
		.header_count = 2};
	if (matches(tf_exchange_header(x, "if-none-match"), etag)) {
		r.status = 304;
		reply(a, x, &r);
		return;
	}
	struct tf_buf b;
	tf_buf_init(&b, 0);
	(void)tf_buf_room(&b, VIEW_ROOM); /* it grows once, not by and by */
	insure_view_policy(&b, policy, p, today);
	r.body = tf_buf_view(&b);
	if (b.err)
		tf_reply_fault(x, &(struct tf_fault){TF_NO_MEMORY, "out of memory"}, NULL);
	else
		reply(a, x, &r);
	tf_buf_release(&b);
}

/* Nobody is told what power loss could still take back: a policy that changed a moment ago waits for the sync, and a
 * read that asks for an offset waits for that. */
static uint64_t
wanted_offset(const struct insure_api *a, uint64_t policy, uint64_t min_offset)
{
	uint64_t want = min_offset;
	if (policy < tf_pages_count(a->store->state.pages)) {
		const struct insure_policy *p = tf_pages_at(a->store->state.pages, policy);
		if (p->offset + 1 > want)
			want = p->offset + 1;
	}
	return want;
}

void
insure_api_get_policy(void *ctx, struct tf_exchange *x)
{
	struct insure_api *a = ctx;
	struct tf_caller who;
	struct tf_str text = tf_exchange_query(x, "min_offset");
	const struct tf_json *none;
	uint64_t policy, min_offset = 0;
	if (!insure_api_admit(a, x, a->get, &who) || !insure_api_keeps(a, x, a->get, &none))
		return;
	if (text.p && (!tf_str_u64(text, &min_offset) || min_offset >= tf_log_end(a->store->log, 0))) {
		insure_api_problem(x, 400, "INVALID", "min_offset is no offset that was given out", "min_offset");
		return;
	}
	if (!insure_number_parse(tf_exchange_param(x, 0), &policy)) {
		unknown(x);
		return;
	}
	if (who.own_only && !insure_sold_by(&a->store->state, policy, insure_partner(who.partner)))
		policy = UINT64_MAX; /* as one that was never sold, also in what it waits for */
	uint64_t want = wanted_offset(a, policy, text.p ? min_offset + 1 : 0);
	if (want <= tf_log_synced(a->store->log, 0)) {
		reply_policy(a, x, policy);
	} else if (a->parked_count == INSURE_PARKED_MAX) {
		tf_reply_fault(x, &(struct tf_fault){TF_OVERLOAD, "too many reads wait for an offset"}, NULL);
	} else {
		a->parked[a->parked_count++] =
			(struct insure_parked){x, policy, want, tf_os_ticks(a->os) + INSURE_WAIT};
	}
}

void
insure_api_let_go(struct insure_api *a)
{
	if (!a->parked_count)
		return;
	uint64_t synced = tf_log_synced(a->store->log, 0);
	tf_dur now = tf_os_ticks(a->os);
	uint32_t kept = 0, count = a->parked_count;
	for (uint32_t i = 0; i < count; i++) {
		struct insure_parked *p = &a->parked[i];
		if (p->offset <= synced)
			reply_policy(a, p->x, p->policy);
		else if (now > p->until)
			insure_api_problem(p->x, 504, "TIMEOUT", "the log has not come to that offset", "min_offset");
		else
			a->parked[kept++] = *p;
	}
	a->parked_count = kept;
}
