/* The log against everything made from it; see verify.h. */
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>

struct check {
	struct insure_store *s;
	struct insure_state again;
	void (*found)(void *ctx, const char *text);
	void *ctx;
	struct insure_verify_report report;
	tf_time young; /* keys from here on must be known */
};

static void
finding(struct check *c, const char *what, uint64_t number)
{
	char text[120];
	snprintf(text, sizeof text, "%s %" PRIu64, what, number);
	c->report.findings++;
	c->found(c->ctx, text);
}

static enum tf_err
check_key(struct check *c, const struct tf_log_record *rec, const struct tf_decision *d, struct tf_fault *f)
{
	struct tf_idem_answer a;
	if (!d->keyed || rec->time < c->young)
		return TF_OK;
	c->report.keys++;
	TF_TRY(tf_idem_ask(c->s->keys, &d->name, d->hash, &a, f));
	if (a.state != TF_IDEM_DONE || a.offset != rec->offset)
		finding(c, "the index does not know the key of offset", rec->offset);
	return TF_OK;
}

static enum tf_err
replay(struct check *c, struct tf_fault *f)
{
	struct tf_log_reader *r;
	struct tf_log_record rec;
	enum tf_err e;
	TF_TRY(tf_log_read(c->s->log, 0, 0, &r, f));
	while (!(e = tf_log_next(r, &rec, f))) {
		struct tf_decision d;
		if ((e = tf_decision_get(rec.bytes, &d, f)) ||
		    (e = insure_state_replay(&c->again, rec.type, &d, rec.offset, f)) ||
		    (e = check_key(c, &rec, &d, f)))
			break;
		c->report.records++;
	}
	tf_log_reader_close(&r);
	return e == TF_END ? TF_OK : e;
}

static void
compare(struct check *c)
{
	uint64_t have = tf_pages_count(c->s->state.pages), want = tf_pages_count(c->again.pages);
	c->report.policies = want;
	if (have != want)
		finding(c, "the log has policies:", want);
	for (uint64_t i = 0; i < have && i < want; i++)
		if (memcmp(tf_pages_at(c->s->state.pages, i), tf_pages_at(c->again.pages, i),
			   sizeof(struct insure_policy)) != 0)
			finding(c, "the log and the snapshot differ in policy", i);
}

enum tf_err
insure_verify(struct insure_store *s, void (*found)(void *ctx, const char *text), void *ctx,
	      struct insure_verify_report *out, struct tf_fault *f)
{
	struct check c = {.s = s, .found = found, .ctx = ctx, .young = tf_os_now(s->os) - 23 * TF_HOUR};
	struct tf_pages_options o = {sizeof(struct insure_policy), INSURE_POLICIES_MAX};
	c.again.zone = s->zone;
	TF_TRY(tf_pages_open(s->os, NULL, &o, &c.again.pages, f));
	enum tf_err e = replay(&c, f);
	if (!e) {
		compare(&c);
		c.report.digest = insure_state_digest(&c.again);
		*out = c.report;
	}
	tf_pages_close(&c.again.pages);
	return e;
}
