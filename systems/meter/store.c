/* A data directory; see store.h. */
#include "store.h"

#include <inttypes.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "cold.h"

char *
meter_store_path(const struct meter_store *s, const char *rest)
{
	size_t n = strlen(s->dir) + strlen(rest) + 2;
	char *p = tf_malloc(n);
	if (p)
		snprintf(p, n, "%s/%s", s->dir, rest);
	return p;
}

static char *
pack_path(const struct meter_store *s, uint32_t pack)
{
	char rest[40];
	snprintf(rest, sizeof rest, "packs/%010" PRIu32 ".pack", pack);
	return meter_store_path(s, rest);
}

static enum tf_err
no_memory(struct tf_fault *f)
{
	return tf_fault(f, TF_NO_MEMORY, "no memory for the store");
}

static enum tf_err
decide(void *state, void *command, tf_time now, uint32_t *out_type, struct tf_str *out_bytes, struct tf_fault *f)
{
	struct meter_store *s = state;
	struct meter_command *c = command;
	(void)now;
	TF_TRY(meter_ingest_decide(&s->ingest, c, out_type, out_bytes, f));
	if (!c->around)
		return TF_OK;
	TF_ASSERT(c->type == METER_EVENT_DELIVERED);
	c->around->event = *out_bytes;
	tf_buf_reset(&s->record);
	tf_decision_put(&s->record, c->around);
	*out_type = METER_EVENT_POSTED;
	*out_bytes = tf_buf_view(&s->record);
	return s->record.err ? no_memory(f) : TF_OK;
}

enum tf_err
meter_event_unwrap(uint32_t *type, struct tf_str *bytes, struct tf_decision *out, struct tf_fault *f)
{
	*out = (struct tf_decision){0};
	if (*type != METER_EVENT_POSTED)
		return TF_OK;
	TF_TRY(tf_decision_get(*bytes, out, f));
	*type = METER_EVENT_DELIVERED;
	*bytes = out->event;
	return TF_OK;
}

static enum tf_err
apply(void *state, const struct tf_flow_event *event, struct tf_fault *f)
{
	struct meter_store *s = state;
	struct tf_decision d;
	uint32_t type = event->type;
	struct tf_str bytes = event->bytes;
	TF_TRY(meter_event_unwrap(&type, &bytes, &d, f));
	TF_TRY(meter_ingest_apply(&s->ingest, bytes, f));
	return s->keys ? tf_idem_apply(s->keys, event->offset, &d, f) : TF_OK;
}

static enum tf_err
published(void *ctx, uint64_t *out_next, struct tf_fault *f)
{
	struct meter_store *s = ctx;
	int64_t next;
	TF_TRY(meter_catalog_get(&s->catalog, "applied", 0, &next, f));
	*out_next = (uint64_t)next;
	return TF_OK;
}

static void
tell(void *token, uint64_t offset)
{
	*(uint64_t *)token = offset;
}

static const struct tf_flow_ops flow_ops = {decide, apply, meter_publish, published, tell};

static enum tf_err
load_deliveries(struct meter_store *s, struct tf_fault *f)
{
	if (meter_ingest_init(&s->ingest))
		return no_memory(f);
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, "SELECT number, key FROM delivery", &q, f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		struct meter_delivery_key key = {0};
		struct tf_str k = tf_stmt_get_blob(q, 1);
		if (k.n == sizeof key.bytes)
			memcpy(key.bytes, k.p, k.n);
		if (meter_ingest_known(&s->ingest, &key, (uint32_t)tf_stmt_get_i64(q, 0))) {
			e = no_memory(f);
			break;
		}
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
open_catalog(struct meter_store *s, struct tf_fault *f)
{
	char *path = meter_store_path(s, "meter.db");
	if (!path)
		return no_memory(f);
	enum tf_err e = meter_catalog_open(s->os, path, s->read_only, &s->catalog, f);
	tf_free(path);
	return e;
}

static enum tf_err
open_log(struct meter_store *s, struct tf_fault *f)
{
	char *path = meter_store_path(s, "log");
	if (!path)
		return no_memory(f);
	struct tf_log_options o = {.segment_bytes = 64u << 20, .read_only = s->read_only};
	enum tf_err e = tf_log_open(s->os, path, &o, &s->log, f);
	tf_free(path);
	return e;
}

static enum tf_err
open_cold(struct meter_store *s, struct tf_fault *f)
{
	char *path = meter_store_path(s, "cold");
	if (!path)
		return no_memory(f);
	enum tf_err e = tf_blob_open(s->os, tf_str(path), &s->cold, f);
	tf_free(path);
	return e;
}

static enum tf_err
make_dirs(struct meter_store *s, struct tf_fault *f)
{
	char *packs = meter_store_path(s, "packs");
	if (!packs)
		return no_memory(f);
	enum tf_err e = tf_os_mkdirs(s->os, packs, f);
	tf_free(packs);
	return e ? e : tf_os_sync_dir(s->os, s->dir, f);
}

static enum tf_err
open_writer(struct meter_store *s, const struct meter_store_options *o, struct tf_fault *f)
{
	TF_TRY(make_dirs(s, f));
	TF_TRY(open_log(s, f));
	TF_TRY(open_catalog(s, f));
	TF_TRY(meter_catalog_load(&s->catalog, f));
	TF_TRY(load_deliveries(s, f));
	TF_TRY(meter_store_sweep(s, f));
	TF_TRY(meter_cold_sweep(s, f));
	struct tf_flow_options fo = {.publish_bytes = o->publish_bytes, .queue_bytes = o->queue_bytes, .wait = o->wait};
	return tf_flow_open(s->os, s->log, &flow_ops, s, s, &fo, &s->flow, f);
}

enum tf_err
meter_store_open(struct tf_os *os, const char *dir, const struct meter_store_options *o, struct meter_store **out,
		 struct tf_fault *f)
{
	struct meter_store *s = tf_calloc(1, sizeof *s);
	if (!s)
		return no_memory(f);
	s->os = os;
	s->read_only = o->read_only;
	tf_buf_init(&s->record, 0);
	s->dir = tf_strndup(dir, strlen(dir));
	enum tf_err e = s->dir ? open_cold(s, f) : no_memory(f);
	if (!e)
		e = o->read_only ? open_catalog(s, f) : open_writer(s, o, f);
	if (e) {
		meter_store_close(&s);
		return tf_fault_wrap(f, e, "cannot open '%s'", dir);
	}
	*out = s;
	return TF_OK;
}

void
meter_store_close(struct meter_store **store)
{
	struct meter_store *s = *store;
	if (!s)
		return;
	tf_flow_close(&s->flow);
	tf_idem_close(&s->keys);
	tf_buf_release(&s->record);
	tf_lake_close(&s->lake);
	tf_blob_close(&s->cold);
	tf_free(s->user_lake);
	meter_ingest_release(&s->ingest);
	meter_catalog_close(&s->catalog);
	if (s->notes)
		meter_catalog_close(s->notes);
	tf_free(s->notes);
	tf_log_close(&s->log);
	tf_free(s->dir);
	tf_free(s);
	*store = NULL;
}

enum tf_err
meter_store_behind(struct meter_store *s, bool *out, struct tf_fault *f)
{
	uint64_t applied;
	TF_TRY(published(s, &applied, f));
	TF_TRY(open_log(s, f));
	*out = tf_log_end(s->log, 0) > applied;
	tf_log_close(&s->log);
	return TF_OK;
}

enum tf_err
meter_store_read_log(struct meter_store *s, struct tf_fault *f)
{
	TF_ASSERT(s->read_only);
	return s->log ? TF_OK : open_log(s, f);
}

static enum tf_err
read_pack(struct meter_store *s, const struct meter_block_ref *ref, char *to, struct tf_fault *f)
{
	char *path = pack_path(s, ref->pack);
	if (!path)
		return no_memory(f);
	struct tf_file *file = NULL;
	enum tf_err e = tf_os_open(s->os, path, TF_OPEN_READ, &file, f);
	if (!e)
		e = tf_file_read_exact(file, to, ref->bytes, ref->offset, f);
	tf_file_close(&file);
	if (!e && XXH3_64bits(to, ref->bytes) != ref->hash)
		e = tf_fault(f, TF_CORRUPT, "'%s': block of bucket %u at byte %" PRIu64 " fails its checksum", path,
			     ref->bucket, ref->offset);
	tf_free(path);
	return e;
}

enum tf_err
meter_store_read_block(struct meter_store *s, const struct meter_block_ref *ref, char **out, struct tf_fault *f)
{
	char *p = tf_malloc(ref->bytes);
	if (!p)
		return no_memory(f);
	enum tf_err e = read_pack(s, ref, p, f);
	if (e) {
		tf_free(p);
		return e;
	}
	*out = p;
	return TF_OK;
}

static enum tf_err
write_file(struct meter_store *s, const char *path, struct tf_str bytes, struct tf_fault *f)
{
	struct tf_file *file = NULL;
	TF_TRY(tf_os_open(s->os, path, TF_OPEN_WRITE | TF_OPEN_CREATE | TF_OPEN_TRUNCATE, &file, f));
	enum tf_err e = tf_file_write(file, bytes.p, bytes.n, 0, f);
	if (!e)
		e = tf_file_sync(file, f);
	tf_file_close(&file);
	return e;
}

enum tf_err
meter_store_write_pack(struct meter_store *s, struct tf_str bytes, uint32_t *out_pack, struct tf_fault *f)
{
	int64_t next;
	TF_TRY(meter_catalog_get(&s->catalog, "next_pack", 1, &next, f));
	char *path = pack_path(s, (uint32_t)next), *dir = meter_store_path(s, "packs");
	enum tf_err e = path && dir ? write_file(s, path, bytes, f) : no_memory(f);
	if (!e)
		e = tf_os_sync_dir(s->os, dir, f);
	tf_free(path);
	tf_free(dir);
	if (!e)
		*out_pack = (uint32_t)next;
	return e;
}

enum tf_err
meter_store_pack_bytes(struct meter_store *s, uint32_t pack, uint64_t *out, struct tf_fault *f)
{
	struct tf_stat st;
	char *path = pack_path(s, pack);
	enum tf_err e = path ? tf_os_stat(s->os, path, &st, f) : no_memory(f);
	tf_free(path);
	if (!e)
		*out = st.size;
	return e;
}

struct sweep {
	struct meter_store *s;
	struct tf_map used; /* pack numbers (4 bytes) that blocks lie in */
	struct tf_fault *f;
};

static enum tf_err
read_used(struct sweep *w)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(w->s->catalog.db, "SELECT DISTINCT pack FROM block", &q, w->f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, w->f))) {
		uint32_t pack = (uint32_t)tf_stmt_get_i64(q, 0);
		if (tf_map_put(&w->used, tf_str_n(&pack, sizeof pack), 1)) {
			e = no_memory(w->f);
			break;
		}
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
sweep_entry(void *ctx, const char *name, bool is_dir)
{
	struct sweep *w = ctx;
	uint32_t pack;
	uint64_t one;
	char tail;
	if (is_dir || sscanf(name, "%10" SCNu32 ".pac%c", &pack, &tail) != 2 ||
	    tf_map_get(&w->used, tf_str_n(&pack, sizeof pack), &one))
		return TF_OK;
	char *path = pack_path(w->s, pack);
	enum tf_err e = path ? tf_os_unlink(w->s->os, path, w->f) : no_memory(w->f);
	tf_free(path);
	return e;
}

enum tf_err
meter_store_sweep(struct meter_store *s, struct tf_fault *f)
{
	char *dir = meter_store_path(s, "packs");
	struct sweep w = {.s = s, .f = f};
	enum tf_err e = dir ? tf_map_init(&w.used, TF_MAP_OWN_KEYS) : no_memory(f);
	if (!e)
		e = read_used(&w);
	if (!e)
		e = tf_os_list(s->os, dir, sweep_entry, &w, f);
	tf_map_release(&w.used);
	tf_free(dir);
	return e;
}
