/* Opening a data directory and deciding on it; see store.h. */
#include "store.h"

#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "view_policy.h"

#define POLICIES      "/insure/v1/policies/"
#define PATH_BYTES    1024
#define PAGES_MARKED  512 /* 32 MiB to write: a snapshot is due before that takes long */
#define PUBLISH_BYTES (256u << 20)

enum tf_err
insure_state_replay(struct insure_state *s, uint32_t type, const struct tf_decision *d, uint64_t offset,
		    struct tf_fault *f)
{
	struct insure_event e;
	TF_TRY(insure_event_get(type, d->event, &e, f));
	return insure_apply(s, &e, offset, f);
}

uint64_t
insure_state_digest(const struct insure_state *s)
{
	uint64_t h = tf_pages_count(s->pages);
	for (uint64_t i = 0; i < tf_pages_count(s->pages); i++)
		h = XXH3_64bits_withSeed(tf_pages_at(s->pages, i), sizeof(struct insure_policy), h);
	return h;
}

int32_t
insure_today(const struct insure_store *s)
{
	return tf_zone_date(s->zone, tf_os_now(s->os));
}

static void
add_header(struct tf_stored_reply *r, struct tf_str name, const char *value)
{
	r->headers[r->header_count++] = (struct tf_reply_header){name, tf_str(value)};
}

/* The answer, as it will be stored: the policy as it is once the event is applied. */
static void
make_reply(struct insure_store *s, const struct insure_event *e, tf_time now, struct tf_stored_reply *out)
{
	bool new = e->type == INSURE_PURCHASED;
	struct insure_policy p = e->slot;
	if (!new) {
		memcpy(&p, tf_pages_at(s->state.pages, e->policy), sizeof p);
		p.cancelled = e->cancelled;
	}
	*out = (struct tf_stored_reply){.status = new ? 201 : 200, .type = TF_STR("application/json")};
	memcpy(s->location, POLICIES, sizeof POLICIES - 1);
	insure_number(e->policy, s->location + sizeof POLICIES - 1);
	if (new)
		add_header(out, TF_STR("Location"), s->location);
	tf_buf_reset(&s->body);
	insure_view_policy(&s->body, e->policy, &p, tf_zone_date(s->zone, now));
	out->body = tf_buf_view(&s->body);
}

static enum tf_err
decide(void *state, void *command, tf_time now, uint32_t *out_type, struct tf_str *out_bytes, struct tf_fault *f)
{
	struct insure_store *s = state;
	struct insure_command *c = command;
	struct insure_event e;
	c->reject = c->type == INSURE_DO_PURCHASE ? insure_decide_purchase(&s->state, &c->purchase, now, &e)
						  : insure_decide_cancel(&s->state, &c->cancel, now, &e);
	if (c->reject)
		return tf_fault(f, TF_CONFLICT, "%s", insure_reject_text(c->reject));
	if (c->type == INSURE_DO_PURCHASE)
		TF_TRY(tf_pages_reserve(s->state.pages, f));
	struct tf_decision d = {.keyed = c->keyed, .traced = c->traced, .trace = c->trace, .name = c->name};
	memcpy(d.hash, c->hash, sizeof d.hash);
	if (c->keyed) {
		make_reply(s, &e, now, &d.reply);
		if (s->o.answer)
			TF_TRY(s->o.answer(s->o.hooks_ctx, c, &d.reply, f));
	}
	tf_buf_reset(&s->event);
	insure_event_put(&s->event, &e);
	d.event = tf_buf_view(&s->event);
	tf_buf_reset(&s->record);
	tf_decision_put(&s->record, &d);
	if (s->event.err || s->body.err || s->record.err)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a decision");
	*out_type = e.type;
	*out_bytes = tf_buf_view(&s->record);
	return TF_OK;
}

static enum tf_err
apply(void *state, const struct tf_flow_event *event, struct tf_fault *f)
{
	struct insure_store *s = state;
	struct tf_decision d;
	TF_TRY(tf_decision_get(event->bytes, &d, f));
	TF_TRY(insure_state_replay(&s->state, event->type, &d, event->offset, f));
	return tf_idem_apply(s->keys, event->offset, &d, f);
}

static enum tf_err
prepare(void *ctx, uint64_t next, struct tf_fault *f)
{
	return tf_pages_stage(((struct insure_store *)ctx)->state.pages, next, f);
}

static enum tf_err
publish(void *ctx, const struct tf_flow_event *events, size_t count, uint64_t next, struct tf_fault *f)
{
	(void)events;
	(void)count;
	(void)next; /* staged with the pages */
	return tf_pages_save(((struct insure_store *)ctx)->state.pages, f);
}

static enum tf_err
published(void *ctx, uint64_t *out_next, struct tf_fault *f)
{
	const struct insure_store *s = ctx;
	*out_next = tf_pages_next(s->state.pages);
	return *out_next <= tf_log_end(s->log, 0)
		       ? TF_OK
		       : tf_fault(f, TF_CORRUPT, "the snapshot is ahead of the log: was the log replaced?");
}

static void
tell(void *token, uint64_t offset)
{
	(void)token;
	(void)offset;
}

static enum tf_err
before(void *ctx, struct tf_fault *f)
{
	const struct insure_store_options *o = &((struct insure_store *)ctx)->o;
	return o->before ? o->before(o->hooks_ctx, f) : TF_OK;
}

static void
synced(void *ctx)
{
	const struct insure_store_options *o = &((struct insure_store *)ctx)->o;
	if (o->synced)
		o->synced(o->hooks_ctx);
}

static enum tf_err
open_parts(struct insure_store *s, const char *dir, const struct insure_store_options *o, struct tf_fault *f)
{
	char path[PATH_BYTES];
	struct tf_log_options log = {0};
	struct tf_pages_options pages = {sizeof(struct insure_policy), INSURE_POLICIES_MAX};
	struct tf_flow_options flow = {.publish_bytes = o->publish_bytes ? o->publish_bytes : PUBLISH_BYTES,
				       .wait = o->wait};
	if (strlen(dir) > sizeof path - 16)
		return tf_fault(f, TF_INVALID, "path too long: '%s'", dir);
	TF_TRY(tf_os_zone(s->os, TF_STR(INSURE_ZONE), &s->zone, f));
	s->state.zone = s->zone;
	snprintf(path, sizeof path, "%s/log", dir);
	TF_TRY(tf_log_open(s->os, path, &log, &s->log, f));
	snprintf(path, sizeof path, "%s/state", dir);
	TF_TRY(tf_pages_open(s->os, path, &pages, &s->state.pages, f));
	snprintf(path, sizeof path, "%s/keys", dir);
	TF_TRY(tf_idem_open(s->os, path, s->log, &o->keys, &s->keys, f));
	return tf_flow_open(s->os, s->log, &s->ops, s, s, &flow, &s->flow, f);
}

enum tf_err
insure_store_open(struct tf_os *os, const char *dir, const struct insure_store_options *o, struct insure_store **out,
		  struct tf_fault *f)
{
	struct insure_store *s = tf_calloc(1, sizeof *s);
	if (!s)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a store");
	s->os = os;
	s->o = *o;
	s->ops = (struct tf_flow_ops){.decide = decide,
				      .apply = apply,
				      .publish = publish,
				      .published = published,
				      .tell = o->tell ? o->tell : tell,
				      .prepare = prepare,
				      .before = before,
				      .synced = synced};
	tf_buf_init(&s->event, 0);
	tf_buf_init(&s->body, 0);
	tf_buf_init(&s->record, 0);
	enum tf_err e = open_parts(s, dir, o, f);
	if (e) {
		insure_store_close(&s);
		return e;
	}
	*out = s;
	return TF_OK;
}

void
insure_store_close(struct insure_store **store)
{
	struct insure_store *s = *store;
	if (!s)
		return;
	tf_flow_close(&s->flow);
	tf_idem_close(&s->keys);
	tf_pages_close(&s->state.pages);
	tf_log_close(&s->log);
	tf_zone_free(&s->zone);
	tf_buf_release(&s->event);
	tf_buf_release(&s->body);
	tf_buf_release(&s->record);
	tf_free(s);
	*store = NULL;
}

enum tf_err
insure_store_submit(struct insure_store *s, struct insure_command *c, void *token, uint64_t *out_offset,
		    struct tf_fault *f)
{
	c->reject = INSURE_ACCEPTED;
	if (c->keyed) /* whose key it is is who asks */
		c->purchase.partner = c->cancel.partner = insure_partner(c->name.partner);
	return tf_flow_submit(s->flow, c, token, out_offset, f);
}

static enum tf_err
keep_house(struct insure_store *s, struct tf_fault *f)
{
	if (tf_pages_marked(s->state.pages) > PAGES_MARKED)
		TF_TRY(tf_flow_tick(s->flow, f));
	return tf_idem_tick(s->keys, tf_os_now(s->os), f);
}

enum tf_err
insure_store_commit(struct insure_store *s, struct tf_fault *f)
{
	TF_TRY(tf_flow_commit(s->flow, f));
	return keep_house(s, f);
}

enum tf_err
insure_store_begin(struct insure_store *s, bool even_if_none, struct tf_fault *f)
{
	return tf_flow_begin(s->flow, even_if_none, f);
}

enum tf_err
insure_store_end(struct insure_store *s, struct tf_fault *f)
{
	TF_TRY(tf_flow_end(s->flow, f));
	return keep_house(s, f);
}
