/* The runner; see flow.h. */
#include "flow/flow.h"

#include <stdatomic.h>

#include "base/mem.h"

/* Events with their bytes behind them, in one growing list. */
struct batch {
	struct tf_flow_event *events;
	void **tokens;
	size_t count, cap;
	uint64_t bytes;
};

struct tf_flow {
	struct tf_os *os;
	struct tf_log *log;
	const struct tf_flow_ops *ops;
	void *state, *ctx;
	struct tf_flow_options o;
	struct batch pending;    /* appended, no sync has begun for them */
	struct batch syncing;    /* a sync has begun that covers them */
	struct batch waiting;    /* synced and told, not yet published */
	struct batch publishing; /* in the worker's hands */
	struct tf_worker *syncer;
	bool in_sync, due, staged; /* due: to be staged with the next sync; staged: to be published when it is over */
	atomic_bool sync_done;
	enum tf_err sync_err;
	struct tf_fault sync_fault;
	struct tf_worker *worker;
	atomic_bool worker_done;
	enum tf_err worker_err;
	struct tf_fault worker_fault;
	_Atomic uint64_t published;
	struct tf_fault broken;
};

static void
batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		tf_free((void *)(uintptr_t)b->events[i].bytes.p);
	b->count = 0;
	b->bytes = 0;
}

static void
batch_release(struct batch *b)
{
	batch_clear(b);
	tf_free(b->events);
	tf_free(b->tokens);
	*b = (struct batch){0};
}

static enum tf_err
batch_reserve(struct batch *b, size_t more)
{
	if (b->count + more <= b->cap)
		return TF_OK;
	size_t cap = b->cap * 2 > b->count + more ? b->cap * 2 : b->count + more + 16;
	struct tf_flow_event *events = tf_realloc(b->events, cap * sizeof *events);
	if (!events)
		return TF_NO_MEMORY;
	b->events = events;
	void **tokens = tf_realloc(b->tokens, cap * sizeof *tokens);
	if (!tokens)
		return TF_NO_MEMORY;
	b->tokens = tokens;
	b->cap = cap;
	return TF_OK;
}

/* Copies the event's bytes when publish wants them; needs a reserved place. */
static enum tf_err
batch_add(struct batch *b, const struct tf_flow_event *e, void *token, bool keep)
{
	char *copy = keep ? tf_strndup(e->bytes.p, e->bytes.n) : NULL;
	if (keep && !copy)
		return TF_NO_MEMORY;
	b->events[b->count] = *e;
	b->events[b->count].bytes = tf_str_n(copy, keep ? e->bytes.n : 0);
	b->tokens[b->count++] = token;
	b->bytes += e->bytes.n;
	return TF_OK;
}

static enum tf_err
batch_move(struct batch *to, struct batch *from)
{
	TF_TRY(batch_reserve(to, from->count));
	for (size_t i = 0; i < from->count; i++) {
		to->events[to->count] = from->events[i];
		to->tokens[to->count++] = from->tokens[i];
	}
	to->bytes += from->bytes;
	from->count = 0;
	from->bytes = 0;
	return TF_OK;
}

static enum tf_err
fail(struct tf_flow *w, enum tf_err code, const struct tf_fault *why, struct tf_fault *f)
{
	if (!w->broken.code) {
		w->broken = *why;
		w->broken.code = code;
	}
	return tf_fault(f, code, "%s", w->broken.text);
}

static enum tf_err
check(struct tf_flow *w, struct tf_fault *f)
{
	return w->broken.code ? tf_fault(f, w->broken.code, "%s", w->broken.text) : TF_OK;
}

/* Beside the caller, or in its place where it is to wait. */
static void
sync_work(void *arg)
{
	struct tf_flow *w = arg;
	w->sync_err = w->ops->before ? w->ops->before(w->ctx, &w->sync_fault) : TF_OK;
	if (!w->sync_err)
		w->sync_err = tf_log_sync(w->log, &w->sync_fault);
	atomic_store(&w->sync_done, true);
	if (w->ops->synced)
		w->ops->synced(w->ctx);
}

static void
sync_take(struct tf_flow *w)
{
	struct batch empty = w->syncing;
	w->syncing = w->pending;
	w->pending = empty;
	w->in_sync = true;
	w->sync_fault.text[0] = 0;
	atomic_store(&w->sync_done, false);
}

static void
publish_work(void *arg)
{
	struct tf_flow *w = arg;
	const struct batch *b = &w->publishing;
	w->worker_err =
		w->ops->publish(w->ctx, b->events, b->count, b->events[b->count - 1].offset + 1, &w->worker_fault);
	atomic_store(&w->worker_done, true);
}

static bool
busy(const struct tf_flow *w)
{
	return w->worker && !atomic_load(&w->worker_done);
}

static enum tf_err
publish_wait(struct tf_flow *w, struct tf_fault *f)
{
	if (!w->worker)
		return TF_OK;
	tf_worker_join(&w->worker);
	if (w->worker_err)
		return fail(w, w->worker_err, &w->worker_fault, f);
	w->published = w->publishing.events[w->publishing.count - 1].offset + 1;
	batch_clear(&w->publishing);
	return TF_OK;
}

static enum tf_err
hand_over(struct tf_flow *w, struct tf_fault *f)
{
	struct tf_fault why = {0};
	struct batch b = w->publishing;
	w->publishing = w->waiting;
	w->waiting = b;
	atomic_store(&w->worker_done, false);
	w->worker_fault.text[0] = 0;
	enum tf_err e = tf_os_start(w->os, publish_work, w, &w->worker, &why);
	return e ? fail(w, e, &why, f) : TF_OK;
}

/* What publish will store, of a state that holds these events and those before. */
static enum tf_err
prepare(struct tf_flow *w, const struct batch *b, struct tf_fault *f)
{
	struct tf_fault why = {0};
	enum tf_err e = w->ops->prepare(w->ctx, b->events[b->count - 1].offset + 1, &why);
	return e ? fail(w, e, &why, f) : TF_OK;
}

/* Waits for the sync that has begun, and tells. */
static enum tf_err
sync_end(struct tf_flow *w, struct tf_fault *f)
{
	tf_worker_join(&w->syncer);
	w->in_sync = false;
	if (w->sync_err)
		return fail(w, w->sync_err, &w->sync_fault, f);
	for (size_t i = 0; i < w->syncing.count; i++)
		if (w->syncing.tokens[i])
			w->ops->tell(w->syncing.tokens[i], w->syncing.events[i].offset);
	struct tf_fault why = {TF_NO_MEMORY, "no memory for waiting events"};
	if (batch_move(&w->waiting, &w->syncing))
		return fail(w, TF_NO_MEMORY, &why, f);
	if (!w->staged)
		return TF_OK;
	w->staged = false;
	return hand_over(w, f);
}

/* Everything that was submitted becomes durable and is told. */
static enum tf_err
settle(struct tf_flow *w, struct tf_fault *f)
{
	while (w->in_sync || w->pending.count) {
		if (!w->in_sync) {
			sync_take(w);
			sync_work(w);
		}
		TF_TRY(sync_end(w, f));
	}
	return TF_OK;
}

static enum tf_err
publish_start(struct tf_flow *w, struct tf_fault *f)
{
	if (w->ops->prepare)
		TF_TRY(settle(w, f)); /* the state must not be ahead of what is durable */
	TF_TRY(publish_wait(w, f));
	if (!w->waiting.count)
		return TF_OK;
	if (w->ops->prepare)
		TF_TRY(prepare(w, &w->waiting, f));
	return hand_over(w, f);
}

/* Of the state as it is now, which the sync that begins will make durable. */
static enum tf_err
stage(struct tf_flow *w, struct tf_fault *f)
{
	const struct batch *last = w->syncing.count ? &w->syncing : &w->waiting;
	w->due = false;
	if (busy(w) || !last->count)
		return TF_OK;
	TF_TRY(publish_wait(w, f));
	TF_TRY(prepare(w, last, f));
	w->staged = true;
	return TF_OK;
}

bool
tf_flow_full(const struct tf_flow *w, uint64_t bytes)
{
	uint64_t held = tf_flow_waiting_bytes(w);
	return held && held + bytes > w->o.queue_bytes;
}

uint64_t
tf_flow_waiting_bytes(const struct tf_flow *w)
{
	return w->pending.bytes + w->syncing.bytes + w->waiting.bytes + w->publishing.bytes;
}

const struct tf_fault *
tf_flow_fault(const struct tf_flow *w)
{
	return &w->broken;
}

uint64_t
tf_flow_published(const struct tf_flow *w)
{
	return w->published;
}

static enum tf_err
append(struct tf_flow *w, struct tf_flow_event *ev, void *token, struct tf_fault *f)
{
	struct tf_fault why = {0};
	enum tf_err e = tf_log_append(w->log, w->o.partition, ev->type, ev->bytes, &ev->offset, &why);
	if (!e && (e = batch_add(&w->pending, ev, token, !w->ops->prepare)))
		tf_fault(&why, e, "no memory for an event");
	if (!e)
		e = w->ops->apply(w->state, ev, &why);
	return e ? fail(w, e, &why, f) : TF_OK;
}

enum tf_err
tf_flow_submit(struct tf_flow *w, void *command, void *token, uint64_t *out_offset, struct tf_fault *f)
{
	TF_TRY(check(w, f));
	struct tf_flow_event ev = {.time = tf_os_now(w->os)};
	TF_TRY(w->ops->decide(w->state, command, ev.time, &ev.type, &ev.bytes, f));
	if (tf_flow_full(w, ev.bytes.n)) {
		if (!w->o.wait)
			return tf_fault(f, TF_OVERLOAD, "overloaded: %llu bytes wait to be stored",
					(unsigned long long)tf_flow_waiting_bytes(w));
		TF_TRY(tf_flow_commit(w, f));
		TF_TRY(publish_start(w, f));
	}
	if (batch_reserve(&w->pending, 1))
		return tf_fault(f, TF_NO_MEMORY, "no memory for an event");
	TF_TRY(append(w, &ev, token, f));
	*out_offset = ev.offset;
	return TF_OK;
}

/* Who does not want to wait is refused when the queue is full: it never waits for the worker. */
static enum tf_err
publish_due(struct tf_flow *w, struct tf_fault *f)
{
	if (w->waiting.bytes < w->o.publish_bytes && !w->due)
		return TF_OK;
	return w->o.wait ? publish_start(w, f) : tf_flow_tick(w, f);
}

enum tf_err
tf_flow_commit(struct tf_flow *w, struct tf_fault *f)
{
	TF_TRY(check(w, f));
	TF_TRY(settle(w, f));
	return publish_due(w, f);
}

enum tf_err
tf_flow_begin(struct tf_flow *w, bool even_if_none, struct tf_fault *f)
{
	TF_TRY(check(w, f));
	if (w->in_sync || (!w->pending.count && !even_if_none))
		return TF_OK;
	sync_take(w);
	if (w->due)
		TF_TRY(stage(w, f));
	if (tf_os_start(w->os, sync_work, w, &w->syncer, NULL))
		sync_work(w); /* no thread is to be had */
	return TF_OK;
}

enum tf_err
tf_flow_end(struct tf_flow *w, struct tf_fault *f)
{
	TF_TRY(check(w, f));
	if (!busy(w))
		TF_TRY(publish_wait(w, f)); /* what it held is room for more */
	if (!w->in_sync || !atomic_load(&w->sync_done))
		return TF_OK;
	TF_TRY(sync_end(w, f));
	return publish_due(w, f);
}

enum tf_err
tf_flow_tick(struct tf_flow *w, struct tf_fault *f)
{
	TF_TRY(check(w, f));
	if (busy(w) || w->staged)
		return TF_OK;
	w->due = w->ops->prepare && (w->in_sync || w->pending.count);
	return w->due ? TF_OK : publish_start(w, f);
}

enum tf_err
tf_flow_drain(struct tf_flow *w, struct tf_fault *f)
{
	TF_TRY(tf_flow_commit(w, f));
	TF_TRY(publish_start(w, f));
	return publish_wait(w, f);
}

/* What the log holds past the snapshot. */
static enum tf_err
replay_tail(struct tf_flow *w, struct tf_fault *f)
{
	struct tf_log_reader *r;
	TF_TRY(tf_log_read(w->log, w->o.partition, w->published, &r, f));
	struct tf_log_record rec;
	enum tf_err e;
	while (!(e = tf_log_next(r, &rec, f))) {
		struct tf_flow_event ev = {rec.offset, rec.time, rec.type, rec.bytes};
		if ((e = w->ops->apply(w->state, &ev, f)))
			break;
		if ((e = batch_reserve(&w->waiting, 1)) || (e = batch_add(&w->waiting, &ev, NULL, !w->ops->prepare))) {
			tf_fault(f, e, "no memory for an event");
			break;
		}
		if (w->waiting.bytes >= w->o.publish_bytes && (e = publish_start(w, f)))
			break;
	}
	tf_log_reader_close(&r);
	return e == TF_END ? tf_flow_drain(w, f) : e;
}

enum tf_err
tf_flow_open(struct tf_os *os, struct tf_log *log, const struct tf_flow_ops *ops, void *state, void *ctx,
	     const struct tf_flow_options *o, struct tf_flow **out, struct tf_fault *f)
{
	struct tf_flow *w = tf_calloc(1, sizeof *w);
	if (!w)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a flow");
	*w = (struct tf_flow){.os = os, .log = log, .ops = ops, .state = state, .ctx = ctx, .o = *o};
	w->o.publish_bytes = o->publish_bytes ? o->publish_bytes : 16u << 20;
	w->o.queue_bytes = o->queue_bytes ? o->queue_bytes : 4 * w->o.publish_bytes;
	uint64_t published = 0;
	enum tf_err e = ops->published(ctx, &published, f);
	w->published = published;
	if (!e)
		e = replay_tail(w, f);
	if (e) {
		tf_flow_close(&w);
		return e;
	}
	*out = w;
	return TF_OK;
}

void
tf_flow_rest(struct tf_flow *w)
{
	tf_worker_join(&w->syncer);
}

void
tf_flow_close(struct tf_flow **flow)
{
	struct tf_flow *w = *flow;
	if (!w)
		return;
	tf_worker_join(&w->syncer);
	tf_worker_join(&w->worker);
	batch_release(&w->pending);
	batch_release(&w->syncing);
	batch_release(&w->waiting);
	batch_release(&w->publishing);
	tf_free(w);
	*flow = NULL;
}
