/* POST /meter/v1/readings: a body through the parser into the log; answered after the group commit. */
#include <stdio.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "in_parts.h"
#include "load.h"

#define NOT_TOLD UINT64_MAX

struct meter_api_post {
	uint64_t told; /* the flow's token: the offset, once it is synced */
	struct meter_api_post *next;
	struct tf_exchange *x;
	struct tf_idem_name name; /* no key: none was given */
	uint8_t hash[TF_IDEM_HASH_BYTES];
	struct meter_load_result result;
	uint64_t offset;
	struct tf_buf body; /* of the answer */
	struct tf_buf bad;  /* the first bad records, as JSON */
	struct tf_json_out bad_out;
	uint64_t bad_count;
};

static void
on_bad(void *ctx, const struct meter_bad *bad)
{
	struct meter_api_post *p = ctx;
	struct tf_json_out *w = &p->bad_out;
	if (p->bad_count++ >= METER_API_BAD_MAX)
		return;
	tf_json_begin_object(w);
	if (bad->member.n)
		tf_json_set_str(w, "member", bad->member);
	tf_json_set_u64(w, "line", bad->line);
	tf_json_set_u64(w, "field", bad->field);
	tf_json_set_str(w, "rule", bad->rule);
	tf_json_set_str(w, "text", tf_str_n(bad->text.p, bad->text.n < 400 ? bad->text.n : 400));
	tf_json_end_object(w);
}

static void
post_free(struct meter_api_post *p)
{
	tf_buf_release(&p->bad);
	tf_buf_release(&p->body);
	tf_free(p);
}

static struct meter_api_post *
post_new(struct tf_exchange *x)
{
	struct meter_api_post *p = tf_calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->x = x;
	p->told = NOT_TOLD;
	tf_buf_init(&p->bad, 0);
	tf_buf_init(&p->body, 0);
	p->bad_out = tf_json_out(&p->bad);
	tf_json_begin_array(&p->bad_out);
	return p;
}

/* Bytes are recognised as gzip or zip by what they are; the header must only not lie. */
static enum tf_err
check_encoding(struct tf_exchange *x, struct tf_fault *f)
{
	struct tf_str e = tf_exchange_header(x, "content-encoding"), body = tf_exchange_body(x);
	if (!e.n || tf_str_eq_nocase(e, TF_STR("identity")))
		return TF_OK;
	if (!tf_str_eq_nocase(e, TF_STR("gzip")))
		return tf_fault(f, TF_UNSUPPORTED, "content encoding '%.*s' is not taken: gzip or none", TF_FMT(e));
	return tf_str_starts(body, TF_STR("\x1f\x8b")) ? TF_OK : tf_fault(f, TF_INVALID, "the body is not gzip");
}

static enum tf_err
check_name(struct tf_str s, size_t max, struct tf_fault *f)
{
	return !s.p || in_name_ok(s, max) ? TF_OK : tf_fault(f, TF_INVALID, "'%.*s' is no good name", TF_FMT(s));
}

static enum tf_err
check_format(struct tf_str s, struct tf_fault *f)
{
	static const char *const names[] = {"nem12", "nem13", "csv", "jsonl", "espi", "cim"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!s.p || tf_str_eq(s, tf_str(names[i])))
			return TF_OK;
	return tf_fault(f, TF_INVALID, "unknown format '%.*s'", TF_FMT(s));
}

static enum tf_err
check_interval(struct tf_str s, uint32_t *out, struct tf_fault *f)
{
	uint64_t minutes = 0;
	if (s.p && (!tf_str_u64(s, &minutes) || minutes < 1 || minutes > 1440))
		return tf_fault(f, TF_INVALID, "'%.*s' is no number of minutes from 1 to 1440", TF_FMT(s));
	*out = (uint32_t)minutes * 60;
	return TF_OK;
}

/* The query's parameters; *field names the bad one. */
static enum tf_err
options(struct meter_api *a, struct tf_exchange *x, struct meter_load_options *o, const char **field,
	struct tf_fault *f)
{
	struct tf_zone *zone = NULL;
	struct tf_str unit = tf_exchange_query(x, "unit");
	*field = "Content-Encoding";
	TF_TRY(check_encoding(x, f));
	*field = "zone";
	o->zone = tf_exchange_query(x, "zone");
	if (!o->zone.p)
		o->zone = a->zone;
	if (o->zone.n && meter_api_zone(a, o->zone, &zone, f))
		return f->code == TF_NOT_FOUND ? (f->code = TF_INVALID) : f->code;
	o->in.zone = zone;
	*field = "unit";
	if (unit.p && !in_unit(unit, &o->in.unit, &o->in.unit_exponent))
		return tf_fault(f, TF_INVALID, "unknown unit '%.*s'", TF_FMT(unit));
	*field = "format";
	o->in.format = tf_exchange_query(x, "format");
	TF_TRY(check_format(o->in.format, f));
	*field = "channel";
	o->in.channel = tf_exchange_query(x, "channel");
	TF_TRY(check_name(o->in.channel, METER_CHANNEL_MAX, f));
	*field = "meter";
	o->in.meter = tf_exchange_query(x, "meter");
	TF_TRY(check_name(o->in.meter, METER_METER_MAX, f));
	*field = "name";
	TF_TRY(check_name(tf_exchange_query(x, "name"), METER_METER_MAX, f));
	*field = "interval";
	return check_interval(tf_exchange_query(x, "interval"), &o->in.interval_s, f);
}

/* The key, when there is one, and what it stands for: query and body. */
static enum tf_err
take_key(struct meter_api_post *p, struct tf_fault *f)
{
	const struct tf_http_request *r = tf_exchange_request(p->x);
	struct tf_str key = tf_exchange_header(p->x, "idempotency-key");
	if (!key.p)
		return TF_OK;
	if (!key.n || key.n > TF_IDEM_KEY_MAX || tf_http_repeated(r, "idempotency-key"))
		return tf_fault(f, TF_INVALID, "one key of 1 to %d bytes is wanted", TF_IDEM_KEY_MAX);
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] <= ' ' || key.p[i] >= 127)
			return tf_fault(f, TF_INVALID, "the key has a character that is not visible ASCII");
	p->name = (struct tf_idem_name){.method = TF_STR("POST"), .route = TF_STR(METER_API_READINGS), .key = key};
	tf_decision_hash(r->query, tf_exchange_body(p->x), p->hash);
	return TF_OK;
}

/* The answer, before it is told: with a key it is kept in the log beside its effect. */
static enum tf_err
answer(void *ctx, const struct meter_load_result *result, uint64_t offset, struct tf_decision *out, struct tf_fault *f)
{
	struct meter_api_post *p = ctx;
	struct tf_json_out w = tf_json_out(&p->body);
	tf_json_begin_object(&w);
	tf_json_set_u64(&w, "offset", offset);
	tf_json_set_cstr(&w, "format", result->format);
	tf_json_set_u64(&w, "readings", result->counts.readings);
	tf_json_set_u64(&w, "quarantined", result->quarantined);
	tf_json_end_array(&p->bad_out);
	tf_buf_cstr(&p->body, ",\"bad\":");
	tf_buf_str(&p->body, tf_buf_view(&p->bad));
	tf_json_end_object(&w);
	tf_json_finish(&w);
	if (p->bad.err || p->body.err)
		return tf_fault(f, TF_NO_MEMORY, "no memory for an answer");
	*out = (struct tf_decision){.traced = true, .trace = *tf_exchange_trace(p->x), .keyed = p->name.key.p};
	out->name = p->name;
	memcpy(out->hash, p->hash, sizeof out->hash);
	out->reply = (struct tf_stored_reply){
		.status = 202, .type = TF_STR("application/json"), .body = tf_buf_view(&p->body)};
	return TF_OK;
}

static enum tf_err
load(struct meter_api *a, struct meter_api_post *p, struct meter_load_options *o, struct tf_fault *f)
{
	struct tf_str name = tf_exchange_query(p->x, "name"), body = tf_exchange_body(p->x);
	uint64_t before = tf_flow_waiting_bytes(a->writer->flow);
	o->bad = on_bad;
	o->bad_ctx = p;
	o->around = answer;
	o->around_ctx = p;
	a->appended = true;
	enum tf_err e = meter_load_bytes(a->writer, name.p ? name : TF_STR("http"), body, o, &p->told, &p->result,
					 &p->offset, f);
	if (e && tf_flow_fault(a->writer->flow)->code) {
		meter_api_own_fault(f);
		return f->code;
	}
	/* A body that alone fills the queue would never be taken. */
	if (e == TF_OVERLOAD && !before)
		return tf_fault(f, TF_TOO_LARGE, "unpacked, the body is too large");
	return e;
}

static void
reply_fault(struct meter_api_post *p, struct tf_fault *f, const char *field)
{
	tf_reply_fault(p->x, f, field);
	post_free(p);
}

static void
reply_problem(struct tf_exchange *x, int status, const char *code, const char *text)
{
	struct tf_problem problem = {status, code, tf_str(text), "Idempotency-Key"};
	tf_reply_problem(x, &problem);
}

static void
reply_known(struct meter_api *a, struct tf_exchange *x, const struct tf_idem_answer *known)
{
	const struct tf_stored_reply *r = &known->decision.reply;
	switch (known->state) {
	case TF_IDEM_DONE:
		tf_metric_add(a->metrics, METER_M_KEYED, 0, 1);
		tf_reply(x, (int)r->status, "application/json", r->body);
		break;
	case TF_IDEM_BUSY:
		tf_metric_add(a->metrics, METER_M_KEYED, 1, 1);
		tf_reply_header(x, "Retry-After", TF_STR("1"));
		reply_problem(x, 409, "BUSY", "the request with this Idempotency-Key is being worked on");
		break;
	default:
		tf_metric_add(a->metrics, METER_M_KEYED, 2, 1);
		reply_problem(x, 422, "CONFLICT", "this Idempotency-Key was used with another body");
	}
}

/* What the key says: true when the request is new. False: it is answered. */
static bool
ask(struct meter_api *a, struct meter_api_post *p)
{
	struct tf_fault f = {0};
	struct tf_idem_answer known;
	if (!p->name.key.p)
		return true;
	if (tf_idem_ask(a->writer->keys, &p->name, p->hash, &known, &f)) {
		if (f.code != TF_OVERLOAD)
			meter_api_own_fault(&f);
		reply_fault(p, &f, "Idempotency-Key");
		return false;
	}
	if (known.state == TF_IDEM_NEW)
		return true;
	reply_known(a, p->x, &known);
	post_free(p);
	return false;
}

void
meter_api_post_readings(void *ctx, struct tf_exchange *x)
{
	struct meter_api *a = ctx;
	struct meter_load_options o = {0};
	struct tf_fault f = {0};
	const char *field = NULL;
	struct meter_api_post *p = post_new(x);
	if (!p) {
		f = (struct tf_fault){TF_NO_MEMORY, "out of memory"};
		tf_reply_fault(x, &f, NULL);
		return;
	}
	if (options(a, x, &o, &field, &f)) {
		reply_fault(p, &f, field);
		return;
	}
	if (!tf_exchange_body(x).n) {
		tf_fault(&f, TF_INVALID, "no body");
		reply_fault(p, &f, NULL);
		return;
	}
	if (take_key(p, &f)) {
		reply_fault(p, &f, "Idempotency-Key");
		return;
	}
	if (!ask(a, p))
		return;
	if (load(a, p, &o, &f)) {
		reply_fault(p, &f, NULL);
		return;
	}
	p->next = a->posts;
	a->posts = p;
}

static void
accept_post(struct meter_api *a, struct meter_api_post *p)
{
	tf_reply(p->x, 202, "application/json", tf_buf_view(&p->body));
	tf_metric_add(a->metrics, METER_M_READINGS, 0, (int64_t)p->result.counts.readings);
	tf_metric_add(a->metrics, METER_M_QUARANTINED, 0, (int64_t)p->result.quarantined);
	tf_metric_add(a->metrics, METER_M_POSTS, 0, 1);
}

void
meter_api_span(struct meter_api *a, tf_dur took)
{
	struct tf_span s;
	int64_t requests = 0, first = INT64_MAX, last = -1;
	if (!a->spans || !a->posts)
		return;
	tf_span_init_shared(a->os, &s, TF_STR("log.commit"), tf_os_now(a->os) - took, took);
	for (struct meter_api_post *p = a->posts; p; p = p->next, requests++) {
		tf_span_cover(&s, tf_exchange_trace(p->x));
		tf_exchange_logged(p->x, p->offset);
		first = (int64_t)p->offset < first ? (int64_t)p->offset : first;
		last = (int64_t)p->offset > last ? (int64_t)p->offset : last;
	}
	tf_span_i64(&s, "tenfold.log.first_offset", first);
	tf_span_i64(&s, "tenfold.log.offset", last);
	tf_span_i64(&s, "tenfold.commit.requests", requests);
	(void)tf_spans_put(a->spans, &s); /* a full ring counts it */
}

void
meter_api_tell(struct meter_api *a)
{
	struct meter_api_post *p;
	while ((p = a->posts)) {
		a->posts = p->next;
		TF_ASSERT(p->told != NOT_TOLD);
		accept_post(a, p);
		post_free(p);
	}
}

void
meter_api_post_fail(struct meter_api *a, const struct tf_fault *why)
{
	struct meter_api_post *p;
	while ((p = a->posts)) {
		a->posts = p->next;
		tf_reply_fault(p->x, why, NULL);
		post_free(p);
	}
}
