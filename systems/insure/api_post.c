/* Requests that change something: key, body, decision; answered after the group commit, from the decision's record. */
#include "api.h"
#include "base/decimal.h"
#include "base/mem.h"
#include "in_purchase.h"

#define NOT_TOLD UINT64_MAX

#define INSURE_RECORD_MAX 4096 /* what a body and a key can become at most: names and texts are bounded */

/* A decision on its way to the disk. */
struct insure_post {
	struct insure_post *next;
	struct tf_exchange *x;
	uint64_t offset; /* NOT_TOLD until it is synced */
	size_t n;
	char record[INSURE_RECORD_MAX];
};

void
insure_api_reply(struct tf_exchange *x, const struct tf_stored_reply *r)
{
	char text[64];
	for (uint32_t i = 0; i < r->header_count; i++)
		tf_reply_header(x, tf_str_copy(r->headers[i].name, text, sizeof text), r->headers[i].value);
	tf_reply(x, (int)r->status, tf_str_copy(r->type, text, sizeof text), r->body);
}

/* The stored answer: first and every later time by this function, from the same bytes. */
static void
reply_stored(struct tf_exchange *x, const struct tf_stored_reply *r, uint64_t offset)
{
	char text[32];
	tf_reply_header(x, "Tenfold-Offset", tf_str(tf_decimal_format((int64_t)offset, 0, text)));
	insure_api_reply(x, r);
}

void
insure_api_told(void *token, uint64_t offset)
{
	((struct insure_post *)token)->offset = offset;
}

static bool
told(const struct insure_post *p)
{
	return p && p->offset != NOT_TOLD;
}

/* The sync, as a span of the requests it covered. */
static void
span(struct insure_api *a, tf_dur took)
{
	struct tf_span s;
	int64_t requests = 0;
	if (!a->spans)
		return;
	tf_span_init_shared(a->os, &s, TF_STR("log.commit"), tf_os_now(a->os) - took, took);
	tf_span_i64(&s, "tenfold.log.first_offset", (int64_t)a->posts->offset);
	for (struct insure_post *p = a->posts; told(p); p = p->next, requests++) {
		tf_span_cover(&s, tf_exchange_trace(p->x));
		tf_exchange_logged(p->x, p->offset);
		if (!told(p->next))
			tf_span_i64(&s, "tenfold.log.offset", (int64_t)p->offset);
	}
	tf_span_i64(&s, "tenfold.commit.requests", requests);
	(void)tf_spans_put(a->spans, &s); /* a full ring counts it */
}

void
insure_api_answer(struct insure_api *a)
{
	struct insure_post *p;
	if (!told(a->posts))
		return;
	tf_metric_add(a->metrics, INSURE_M_COMMITS, 0, 1);
	tf_metric_observe(a->metrics, INSURE_M_SYNC, 0, a->sync_took);
	span(a, a->sync_took);
	while (told(p = a->posts)) {
		struct tf_fault f = {0};
		struct tf_decision d;
		a->posts = p->next;
		if (tf_decision_get(tf_str_n(p->record, p->n), &d, &f))
			tf_reply_fault(p->x, &f, NULL);
		else
			reply_stored(p->x, &d.reply, p->offset);
		tf_free(p);
	}
	if (!a->posts)
		a->posts_end = &a->posts;
}

void
insure_api_fail(struct insure_api *a, const struct tf_fault *why)
{
	struct insure_post *p;
	while ((p = a->posts)) {
		a->posts = p->next;
		tf_reply_fault(p->x, why, NULL);
		tf_free(p);
	}
	a->posts_end = &a->posts;
	for (uint32_t i = 0; i < a->parked_count; i++)
		tf_reply_fault(a->parked[i].x, why, NULL);
	a->parked_count = 0;
}

static bool
bad_key(struct tf_exchange *x, const char *code, const char *text)
{
	insure_api_problem(x, 400, code, text, "Idempotency-Key");
	return false;
}

static bool
take_key(struct tf_exchange *x, struct tf_str *out)
{
	struct tf_str key = tf_exchange_header(x, "idempotency-key");
	if (!key.p)
		return bad_key(x, "IDEMPOTENCY_KEY_MISSING", "an Idempotency-Key is required here");
	if (!key.n || key.n > TF_IDEM_KEY_MAX || tf_http_repeated(tf_exchange_request(x), "idempotency-key"))
		return bad_key(x, "IDEMPOTENCY_KEY_INVALID", "one Idempotency-Key of 1 to 255 bytes is wanted");
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] <= ' ' || key.p[i] >= 127)
			return bad_key(x, "IDEMPOTENCY_KEY_INVALID",
				       "the key has a character that is not visible ASCII");
	*out = key;
	return true;
}

static bool
is_json(struct tf_exchange *x)
{
	struct tf_str type = tf_exchange_header(x, "content-type"), head = type;
	bool once = type.n && !tf_http_repeated(tf_exchange_request(x), "content-type");
	if (once && tf_str_cut(&type, ';', &head) && tf_str_eq_nocase(tf_str_trim(head), TF_STR("application/json")))
		return true;
	insure_api_problem(x, 415, "UNSUPPORTED", "the body must be application/json", "Content-Type");
	return false;
}

/* What the key says: true when the request is new. */
static bool
ask(struct insure_api *a, struct tf_exchange *x, const struct insure_command *c)
{
	struct tf_fault f = {0};
	struct tf_idem_answer answer;
	if (tf_idem_ask(a->store->keys, &c->name, c->hash, &answer, &f)) {
		tf_reply_fault(x, &f, "Idempotency-Key");
		return false;
	}
	if (answer.state == TF_IDEM_NEW)
		return true;
	tf_metric_add(a->metrics, INSURE_M_KEYED,
		      answer.state == TF_IDEM_DONE   ? 0
		      : answer.state == TF_IDEM_BUSY ? 1
						     : 2,
		      1);
	if (answer.state == TF_IDEM_DONE) {
		reply_stored(x, &answer.decision.reply, answer.offset);
	} else if (answer.state == TF_IDEM_BUSY) {
		tf_reply_header(x, "Retry-After", TF_STR("1"));
		insure_api_problem(x, 409, "IDEMPOTENCY_KEY_IN_USE", "the request with this key is being worked on",
				   "Idempotency-Key");
	} else {
		insure_api_problem(x, 422, "IDEMPOTENCY_KEY_REUSED", "this key was used with another request",
				   "Idempotency-Key");
	}
	return false;
}

static void
refuse(struct insure_api *a, struct tf_exchange *x, const struct insure_command *c, const struct tf_fault *f)
{
	if (f->code != TF_CONFLICT || !c->reject) {
		if (f->code == TF_BUG)
			tf_watch_fault(a->watch, "contract.broken", tf_exchange_trace(x), f);
		tf_reply_fault(x, f, NULL);
		return;
	}
	tf_metric_add(a->metrics, INSURE_M_REJECTED, 1, 1);
	insure_api_problem(x, c->reject == INSURE_POLICY_UNKNOWN ? 404 : 422, insure_reject_code(c->reject), f->text,
			   insure_reject_field(c->reject));
}

static void
submit(struct insure_api *a, struct tf_exchange *x, const struct tf_caller *who, struct insure_command *c)
{
	struct tf_fault f = {0};
	uint64_t offset;
	/* Memory for the answer is there before it is decided: what is in the log must be answered. */
	struct insure_post *p = tf_malloc(sizeof *p);
	enum tf_err e =
		p ? insure_store_submit(a->store, c, p, &offset, &f) : tf_fault(&f, TF_NO_MEMORY, "out of memory");
	if (e) {
		refuse(a, x, c, &f);
		tf_free(p);
		return;
	}
	if (tf_guard_record(a->guard, x, who, c->name.key, offset, &f))
		insure_api_break(a, &f); /* nothing is told whose record is not kept */
	struct tf_str record = tf_buf_view(&a->store->record);
	TF_ASSERT(record.n <= sizeof p->record);
	memcpy(p->record, record.p, record.n);
	p->n = record.n;
	p->x = x;
	p->next = NULL;
	p->offset = NOT_TOLD;
	*a->posts_end = p;
	a->posts_end = &p->next;
	tf_metric_add(a->metrics, INSURE_M_DECISIONS, 0, 1);
}

/* Everything a state-changing request has in common. False: it is answered. */
static bool
begin(struct insure_api *a, struct tf_exchange *x, const struct tf_operation *op, struct tf_caller *who,
      struct insure_command *c, const struct tf_json **body)
{
	struct tf_str key;
	if (!insure_api_admit(a, x, op, who) || !take_key(x, &key) || !is_json(x) || !insure_api_keeps(a, x, op, body))
		return false;
	c->keyed = c->traced = true;
	c->trace = *tf_exchange_trace(x);
	c->name = (struct tf_idem_name){who->partner, TF_STR("POST"), op->path, key};
	c->purchase.partner = insure_partner(who->partner);
	/* The path's parameters belong to the request as its body does. */
	tf_decision_hash(tf_exchange_request(x)->path, tf_exchange_body(x), c->hash);
	return ask(a, x, c);
}

static void
bad_body(struct insure_api *a, struct tf_exchange *x, const struct tf_fault *f, const char *field)
{
	tf_metric_add(a->metrics, INSURE_M_REJECTED, 0, 1);
	tf_reply_fault(x, f, field[0] ? field : NULL);
}

void
insure_api_post_policy(void *ctx, struct tf_exchange *x)
{
	struct insure_api *a = ctx;
	struct tf_fault f = {0};
	char field[INSURE_FIELD_MAX];
	struct tf_caller who;
	const struct tf_json *body;
	struct insure_command c = {.type = INSURE_DO_PURCHASE};
	if (!begin(a, x, a->buy, &who, &c, &body))
		return;
	uint64_t partner = c.purchase.partner;
	if (insure_in_purchase(body, &c.purchase, field, &f)) {
		bad_body(a, x, &f, field);
		return;
	}
	c.purchase.partner = partner;
	submit(a, x, &who, &c);
}

void
insure_api_post_cancel(void *ctx, struct tf_exchange *x)
{
	struct insure_api *a = ctx;
	struct tf_fault f = {0};
	char field[INSURE_FIELD_MAX];
	struct tf_caller who;
	const struct tf_json *body;
	struct insure_command c = {.type = INSURE_DO_CANCEL};
	if (!begin(a, x, a->cancel, &who, &c, &body))
		return;
	if (insure_in_cancel(body, &c.cancel, field, &f)) {
		bad_body(a, x, &f, field);
		return;
	}
	if (!insure_number_parse(tf_exchange_param(x, 0), &c.cancel.policy))
		c.cancel.policy = UINT64_MAX; /* no policy has it: the core says so */
	submit(a, x, &who, &c);
}
