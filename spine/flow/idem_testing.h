/* What the tests of idempotency share: a service that gives out numbers, one a key, with its log, flow, index and
 * state. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "flow/flow.h"
#include "flow/idem.h"
#include "flow/pages.h"
#include "os/sim.h"

struct giver {
	struct tf_os *os;
	struct tf_log *log;
	struct tf_pages *pages; /* a slot for each number given: the key's number */
	struct tf_idem *idem;
	struct tf_flow *flow;
	struct tf_buf event;
};

/* A request: key "k<n>" of a partner, with a body. */
struct wish {
	uint32_t n;
	const char *partner, *body;
	bool told;
	uint64_t offset;
	uint8_t hash[TF_IDEM_HASH_BYTES];
	bool passing; /* gone before it could be told */
};

static inline struct tf_idem_name
wish_name(const struct wish *w, char key[static 16])
{
	snprintf(key, 16, "k%u", w->n);
	return (struct tf_idem_name){tf_str(w->partner), TF_STR("POST"), TF_STR("/numbers"), tf_str(key)};
}

/* The number's reply: what a repetition must get. */
static inline struct tf_str
reply_text(uint32_t key, uint64_t number, char out[static 64])
{
	snprintf(out, 64, "{\"key\":%u,\"number\":%llu}", key, (unsigned long long)number);
	return tf_str(out);
}

static inline enum tf_err
giver_decide(void *state, void *command, tf_time now, uint32_t *out_type, struct tf_str *out, struct tf_fault *f)
{
	struct giver *g = state;
	struct wish *w = command;
	char key[16], text[64];
	(void)now;
	TF_TRY(tf_pages_reserve(g->pages, f));
	struct tf_decision d = {.keyed = true, .name = wish_name(w, key)};
	memcpy(d.hash, w->hash, sizeof d.hash);
	d.reply = (struct tf_stored_reply){.status = 201, .type = TF_STR("application/json")};
	d.reply.headers[d.reply.header_count++] = (struct tf_reply_header){TF_STR("Location"), tf_str(key)};
	d.reply.body = reply_text(w->n, tf_pages_count(g->pages), text);
	d.event = tf_str_n(&w->n, sizeof w->n);
	d.effects[d.effect_count++] = (struct tf_effect){7, TF_STR("tell")};
	tf_buf_reset(&g->event);
	tf_decision_put(&g->event, &d);
	*out_type = 1;
	*out = tf_buf_view(&g->event);
	return g->event.err;
}

static inline enum tf_err
giver_apply(void *state, const struct tf_flow_event *e, struct tf_fault *f)
{
	struct giver *g = state;
	struct tf_decision d;
	TF_TRY(tf_decision_get(e->bytes, &d, f));
	assert_int_equal(d.event.n, 4);
	TF_TRY(tf_pages_reserve(g->pages, f));
	memcpy(tf_pages_add(g->pages), d.event.p, 4);
	return tf_idem_apply(g->idem, e->offset, &d, f);
}

static inline enum tf_err
giver_prepare(void *ctx, uint64_t next, struct tf_fault *f)
{
	return tf_pages_stage(((struct giver *)ctx)->pages, next, f);
}

static inline enum tf_err
giver_publish(void *ctx, const struct tf_flow_event *events, size_t count, uint64_t next, struct tf_fault *f)
{
	(void)events;
	(void)count;
	(void)next;
	return tf_pages_save(((struct giver *)ctx)->pages, f);
}

static inline enum tf_err
giver_published(void *ctx, uint64_t *out_next, struct tf_fault *f)
{
	(void)f;
	*out_next = tf_pages_next(((struct giver *)ctx)->pages);
	return TF_OK;
}

static inline void
giver_tell(void *token, uint64_t offset)
{
	struct wish *w = token;
	w->told = true;
	w->offset = offset;
}

static inline enum tf_err
giver_open(struct giver *g, struct tf_os *os, const struct tf_idem_options *o, uint64_t publish_bytes,
	   struct tf_fault *f)
{
	static const struct tf_flow_ops ops = {giver_decide,    giver_apply, giver_publish,
					       giver_published, giver_tell,  giver_prepare};
	struct tf_log_options lo = {.segment_bytes = 2048};
	struct tf_pages_options po = {.slot_bytes = 16, .slots_max = 100000};
	struct tf_flow_options fo = {.publish_bytes = publish_bytes};
	*g = (struct giver){.os = os};
	tf_buf_init(&g->event, 0);
	TF_TRY(tf_log_open(os, "log", &lo, &g->log, f));
	TF_TRY(tf_pages_open(os, "state", &po, &g->pages, f));
	TF_TRY(tf_idem_open(os, "idem", g->log, o, &g->idem, f));
	return tf_flow_open(os, g->log, &ops, g, g, &fo, &g->flow, f);
}

static inline void
giver_close(struct giver *g)
{
	tf_flow_close(&g->flow);
	tf_idem_close(&g->idem);
	tf_pages_close(&g->pages);
	tf_log_close(&g->log);
	tf_buf_release(&g->event);
}

/* What a server does with a request: asks, and decides when it is new. *out_state says which. */
static inline enum tf_err
giver_take(struct giver *g, struct wish *w, struct tf_idem_answer *out, struct tf_fault *f)
{
	char key[16];
	uint64_t offset;
	struct tf_idem_name name = wish_name(w, key);
	tf_decision_hash(TF_STR(""), tf_str(w->body), w->hash);
	TF_TRY(tf_idem_ask(g->idem, &name, w->hash, out, f));
	return out->state == TF_IDEM_NEW ? tf_flow_submit(g->flow, w, w->passing ? NULL : w, &offset, f) : TF_OK;
}

static inline enum tf_err
giver_commit(struct giver *g, struct tf_fault *f)
{
	TF_TRY(tf_flow_commit(g->flow, f));
	return tf_idem_tick(g->idem, tf_os_now(g->os), f);
}

/* So much time passes in a service that runs. */
static inline enum tf_err
giver_pass(struct giver *g, tf_dur time, struct tf_fault *f)
{
	for (tf_dur step; time > 0; time -= step) {
		step = time < 30 * TF_SEC ? time : 30 * TF_SEC;
		tf_sim_advance(g->os, step);
		TF_TRY(tf_idem_tick(g->idem, tf_os_now(g->os), f));
	}
	return TF_OK;
}
