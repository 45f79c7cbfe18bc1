/* Loading: parser -> batches -> flow; see load.h. */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"

#define CHUNK_BYTES (1u << 20)

struct loader {
	struct meter_store *s;
	const struct meter_load_options *o;
	struct meter_batch_head head;
	struct meter_batch_builder builder;
	struct tf_buf event;
	struct meter_in *in;
	bool commit; /* sync as batches go out */
	void *token; /* told when the delivery's last event is durable */
	uint64_t offset, readings, bad;
};

static enum tf_err
submit(struct loader *l, enum meter_event type, struct tf_decision *around, void *token, struct tf_fault *f)
{
	if (l->event.err)
		return tf_fault(f, l->event.err, "no memory for an event");
	struct meter_command c = {type, l->event.p, l->event.n, around};
	enum tf_err e = tf_flow_submit(l->s->flow, &c, token, &l->offset, f);
	tf_buf_reset(&l->event);
	if (!e && l->commit && type == METER_EVENT_BATCH)
		e = tf_flow_commit(l->s->flow, f);
	return e;
}

/* The zone whose local days count. NEM files are in market time whatever the zone; their days default to it. */
static struct tf_str
zone_name(const struct loader *l)
{
	if (l->o->zone.n)
		return l->o->zone;
	return tf_str_starts(meter_in_format(l->in), TF_STR("nem")) ? TF_STR("Australia/Brisbane") : TF_STR("UTC");
}

static enum tf_err
flush(struct loader *l, struct tf_fault *f)
{
	if (!l->builder.run_count)
		return TF_OK;
	l->readings += l->builder.readings;
	l->head.format = meter_in_format(l->in);
	l->head.zone = zone_name(l);
	enum tf_err e = meter_batch_seal(&l->builder, &l->head, &l->event);
	return e ? tf_fault(f, e, "cannot pack a batch: %s", tf_err_text(e))
		 : submit(l, METER_EVENT_BATCH, NULL, NULL, f);
}

static enum tf_err
on_run(void *ctx, const struct meter_run *run, struct tf_fault *f)
{
	struct loader *l = ctx;
	if (meter_batch_add(&l->builder, run))
		return tf_fault(f, TF_NO_MEMORY, "no memory for a batch");
	return meter_batch_full(&l->builder) ? flush(l, f) : TF_OK;
}

static enum tf_err
on_bad(void *ctx, const struct meter_bad *bad, struct tf_fault *f)
{
	struct loader *l = ctx;
	l->bad++;
	if (l->o->bad)
		l->o->bad(l->o->bad_ctx, bad);
	if (l->o->keep_bad_out)
		return TF_OK;
	l->head.format = meter_in_format(l->in);
	l->head.zone = zone_name(l);
	meter_bad_put(&l->head, bad, &l->event);
	return submit(l, METER_EVENT_BAD, NULL, NULL, f);
}

static enum tf_err
loader_open(struct loader *l, struct tf_str name, struct tf_fault *f)
{
	tf_buf_init(&l->event, 0);
	l->head.name = name;
	l->head.received = tf_os_now(l->s->os);
	if (meter_batch_init(&l->builder))
		return tf_fault(f, TF_NO_MEMORY, "no memory for a batch");
	struct meter_in_options in = l->o->in;
	struct meter_sink sink = {l, on_run, on_bad};
	in.name = name;
	return meter_in_new(&in, &sink, &l->in, f);
}

static void
add_result(const struct loader *l, struct meter_load_result *r)
{
	snprintf(r->format, sizeof r->format, "%.*s", TF_FMT(meter_in_format(l->in)));
	r->counts.readings += l->readings;
	r->quarantined += l->bad;
}

static enum tf_err
delivered(struct loader *l, struct tf_fault *f)
{
	struct tf_decision around = {0};
	struct meter_load_result r = {0};
	uint64_t offset = tf_log_end(l->s->log, 0);
	if (!l->o->around)
		return submit(l, METER_EVENT_DELIVERED, NULL, l->token, f);
	add_result(l, &r);
	TF_TRY(l->o->around(l->o->around_ctx, &r, offset, &around, f));
	TF_TRY(submit(l, METER_EVENT_DELIVERED, &around, l->token, f));
	TF_ASSERT(l->offset == offset);
	return TF_OK;
}

static enum tf_err
loader_finish(struct loader *l, struct tf_fault *f)
{
	TF_TRY(meter_in_finish(l->in, f));
	TF_TRY(flush(l, f));
	if (l->o->keep_bad_out && !l->readings)
		return TF_OK; /* nothing came of it, and nothing is to be remembered */
	l->head.format = meter_in_format(l->in);
	l->head.zone = zone_name(l);
	meter_head_put(&l->head, &l->event);
	tf_buf_varint(&l->event, l->readings);
	tf_buf_varint(&l->event, meter_in_step(l->in));
	return delivered(l, f);
}

static void
loader_close(struct loader *l)
{
	meter_in_free(&l->in);
	meter_batch_release(&l->builder);
	tf_buf_release(&l->event);
}

/* What the bytes mean depends on the options too. */
static void
hash_options(XXH3_state_t *h, const struct meter_load_options *o)
{
	const struct tf_str parts[] = {o->zone, o->in.format, o->in.channel, o->in.meter, o->tag};
	for (size_t i = 0; i < sizeof parts / sizeof *parts - !o->tag.n; i++) {
		XXH3_128bits_update(h, &parts[i].n, sizeof parts[i].n);
		if (parts[i].n)
			XXH3_128bits_update(h, parts[i].p, parts[i].n);
	}
	const int64_t numbers[] = {o->in.unit, o->in.unit_exponent, o->in.interval_s};
	XXH3_128bits_update(h, numbers, sizeof numbers);
}

static void
key_from(XXH3_state_t *h, struct meter_delivery_key *key)
{
	XXH128_canonical_t c;
	XXH128_canonicalFromHash(&c, XXH3_128bits_digest(h));
	memcpy(key->bytes, c.digest, sizeof key->bytes);
}

/* Reads a file chunk by chunk; each returns an error to stop. */
static enum tf_err
each_chunk(struct tf_file *file, enum tf_err (*each)(void *ctx, struct tf_str chunk, struct tf_fault *f), void *ctx,
	   struct tf_fault *f)
{
	char *chunk = tf_malloc(CHUNK_BYTES);
	if (!chunk)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a chunk");
	size_t n = CHUNK_BYTES;
	enum tf_err e = TF_OK;
	for (uint64_t at = 0; !e && n == CHUNK_BYTES; at += n) {
		e = tf_file_read(file, chunk, CHUNK_BYTES, at, &n, f);
		if (!e && n)
			e = each(ctx, tf_str_n(chunk, n), f);
	}
	tf_free(chunk);
	return e;
}

static enum tf_err
hash_chunk(void *ctx, struct tf_str chunk, struct tf_fault *f)
{
	(void)f;
	XXH3_128bits_update(ctx, chunk.p, chunk.n);
	return TF_OK;
}

struct feed {
	struct loader *l;
	const char *name;
	uint64_t done, total;
};

static enum tf_err
feed_chunk(void *ctx, struct tf_str chunk, struct tf_fault *f)
{
	struct feed *d = ctx;
	d->done += chunk.n;
	if (d->l->o->progress)
		d->l->o->progress(d->l->o->progress_ctx, d->name, d->done, d->total);
	return meter_in_feed(d->l->in, chunk, f);
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* With its name: a file that names no meter is of the meter its name says. */
static enum tf_err
file_key(struct tf_file *file, const char *path, const struct meter_load_options *o, struct meter_delivery_key *out,
	 struct tf_fault *f)
{
	XXH3_state_t *h = XXH3_createState();
	if (!h)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a hash");
	XXH3_128bits_reset(h);
	hash_options(h, o);
	XXH3_128bits_update(h, base_name(path), strlen(base_name(path)));
	enum tf_err e = each_chunk(file, hash_chunk, h, f);
	if (!e)
		key_from(h, out);
	XXH3_freeState(h);
	return e;
}

static enum tf_err
load_open_file(struct loader *l, struct tf_file *file, const char *path, struct tf_fault *f)
{
	struct feed d = {l, base_name(path), 0, 0};
	TF_TRY(tf_file_size(file, &d.total, f));
	TF_TRY(loader_open(l, tf_str(base_name(path)), f));
	TF_TRY(each_chunk(file, feed_chunk, &d, f));
	TF_TRY(loader_finish(l, f));
	return tf_flow_drain(l->s->flow, f);
}

static enum tf_err
load_file(struct loader *l, struct tf_file *file, const char *path, struct meter_load_result *result,
	  struct tf_fault *f)
{
	struct meter_store *s = l->s;
	struct meter_delivery known;
	TF_TRY(file_key(file, path, l->o, &l->head.key, f));
	enum tf_err e = meter_delivery_find(s, &l->head.key, &known, f);
	if (e && e != TF_NOT_FOUND)
		return e;
	if (!e && known.complete) {
		uint64_t n = known.counts.readings;
		meter_counts_add(&result->counts, &(struct meter_counts){n, 0, n, 0});
		result->quarantined += known.quarantined;
		return TF_OK;
	}
	struct meter_counts before = s->published;
	e = load_open_file(l, file, path, f);
	if (!e)
		result->rounded += meter_in_rounded(l->in);
	loader_close(l);
	if (e)
		return e;
	struct meter_counts after = s->published;
	meter_counts_add(&result->counts,
			 &(struct meter_counts){after.readings - before.readings, after.accepted - before.accepted,
						after.duplicate - before.duplicate,
						after.superseded - before.superseded});
	result->quarantined += l->bad;
	return TF_OK;
}

enum tf_err
meter_load_file(struct meter_store *s, const char *path, const struct meter_load_options *o,
		struct meter_load_result *result, struct tf_fault *f)
{
	struct loader l = {.s = s, .o = o, .commit = true};
	struct tf_file *file = NULL;
	struct tf_stat st;
	TF_TRY(tf_os_stat(s->os, path, &st, f));
	if (st.is_dir)
		return tf_fault(f, TF_INVALID, "cannot load '%s': it is a directory; name the files in it", path);
	TF_TRY(tf_os_open(s->os, path, TF_OPEN_READ, &file, f));
	enum tf_err e = load_file(&l, file, path, result, f);
	tf_file_close(&file);
	if (!e)
		result->files++;
	return e ? tf_fault_wrap(f, e, "cannot load '%s'", path) : TF_OK;
}

enum tf_err
meter_load_bytes(struct meter_store *s, struct tf_str name, struct tf_str bytes, const struct meter_load_options *o,
		 void *token, struct meter_load_result *result, uint64_t *out_offset, struct tf_fault *f)
{
	if (tf_flow_full(s->flow, bytes.n))
		return tf_fault(f, TF_OVERLOAD, "overloaded: %llu bytes wait to be stored",
				(unsigned long long)tf_flow_waiting_bytes(s->flow));
	struct loader l = {.s = s, .o = o, .token = token};
	XXH3_state_t *h = XXH3_createState();
	if (!h)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a hash");
	XXH3_128bits_reset(h);
	hash_options(h, o);
	XXH3_128bits_update(h, name.p, name.n);
	XXH3_128bits_update(h, bytes.p, bytes.n);
	key_from(h, &l.head.key);
	XXH3_freeState(h);
	enum tf_err e = loader_open(&l, name, f);
	if (!e)
		e = meter_in_feed(l.in, bytes, f);
	if (!e)
		e = loader_finish(&l, f);
	if (!e) {
		add_result(&l, result);
		*out_offset = l.offset;
	}
	loader_close(&l);
	return e;
}

enum tf_err
meter_load_held(struct meter_store *s, const struct meter_held *h, struct tf_str zone, const struct tf_zone *calendar,
		void *token, struct meter_load_result *result, uint64_t *out_offset, struct tf_fault *f)
{
	struct meter_load_options o = {.zone = tf_str(h->zone), .keep_bad_out = true}; /* days stay the channel's */
	char tag[128];
	snprintf(tag, sizeof tag, "quarantine-%" PRId64 " %.*s", h->id, TF_FMT(zone));
	o.tag = tf_str(tag);
	o.in = (struct meter_in_options){
		.zone = calendar,
		.unit = h->unit,
		.unit_exponent = h->exponent,
		.interval_s = h->interval_s,
		.format = tf_str(h->format),
		.channel = tf_str(h->channel),
		.meter = tf_str(h->meter),
	};
	return meter_load_bytes(s, tf_buf_view(&h->name), tf_buf_view(&h->text), &o, token, result, out_offset, f);
}
