/* Pack files that are mostly unused: what is still needed of them is copied, as it is, into new ones. */
#include "base/mem.h"
#include "out_tier.h"

#define STEP_BYTES (32u << 20) /* blocks copied before they are published: bounds the memory */

struct compact {
	struct meter_store *s;
	struct meter_step st;
	struct tf_map worth; /* pack number (4 bytes) -> 1: less than three quarters of it is in use */
};

static struct tf_str
pack_key(const uint32_t *pack)
{
	return tf_str_n(pack, sizeof *pack);
}

static enum tf_err
find_worth(struct compact *c, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->s->catalog.db, "SELECT pack, sum(bytes) FROM block GROUP BY pack", &q, f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		uint32_t pack = (uint32_t)tf_stmt_get_i64(q, 0);
		uint64_t size, used = (uint64_t)tf_stmt_get_i64(q, 1);
		if ((e = meter_store_pack_bytes(c->s, pack, &size, f)))
			break;
		if (used < size / 4 * 3 && (e = tf_map_put(&c->worth, pack_key(&pack), 1))) {
			tf_fault(f, e, "no memory for packs");
			break;
		}
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
publish_copies(struct compact *c, struct tf_fault *f)
{
	struct meter_store *s = c->s;
	if (!c->st.made[0].ref_count)
		return TF_OK;
	TF_TRY(meter_step_pack(s, &c->st, f));
	TF_TRY(tf_sql_begin(s->catalog.db, f));
	enum tf_err e = meter_step_put(s, &c->st, f);
	if (!e)
		e = tf_sql_commit(s->catalog.db, f);
	if (e)
		tf_sql_rollback(s->catalog.db);
	meter_step_release(&c->st);
	return e;
}

static enum tf_err
copy_block(struct compact *c, const struct meter_block_ref *ref, struct tf_fault *f)
{
	char *bytes;
	TF_TRY(meter_store_read_block(c->s, ref, &bytes, f));
	enum tf_err e = meter_made_copy(&c->st.made[0], ref, bytes);
	tf_free(bytes);
	if (e)
		return tf_fault(f, e, "no memory for blocks");
	return c->st.made[0].bytes.n >= STEP_BYTES ? publish_copies(c, f) : TF_OK;
}

/* The keys first: the loop changes the table it would otherwise be reading. */
static enum tf_err
list_blocks(struct compact *c, struct tf_buf *keys, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(c->s->catalog.db,
			      "SELECT bucket, level, span, pack FROM block ORDER BY bucket, level, span", &q, f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		uint64_t one;
		uint32_t pack = (uint32_t)tf_stmt_get_i64(q, 3);
		if (!tf_map_get(&c->worth, pack_key(&pack), &one))
			continue;
		for (int i = 0; i < 3; i++)
			tf_buf_u32(keys, (uint32_t)tf_stmt_get_i64(q, i));
	}
	tf_stmt_free(&q);
	return e != TF_END ? e : keys->err ? tf_fault(f, keys->err, "no memory for blocks") : TF_OK;
}

static enum tf_err
copy_all(struct compact *c, struct tf_fault *f)
{
	struct tf_buf keys;
	tf_buf_init(&keys, 0);
	enum tf_err e = list_blocks(c, &keys, f);
	struct tf_cur k = tf_cur(tf_buf_view(&keys));
	while (!e && tf_cur_left(&k)) {
		struct meter_block_ref ref;
		uint32_t bucket = tf_cur_u32(&k), level = tf_cur_u32(&k);
		e = meter_catalog_find_block(&c->s->catalog, bucket, (enum meter_level)level, (int32_t)tf_cur_u32(&k),
					     &ref, f);
		if (!e)
			e = copy_block(c, &ref, f);
	}
	tf_buf_release(&keys);
	return e ? e : publish_copies(c, f);
}

enum tf_err
meter_compact(struct meter_store *s, struct tf_fault *f)
{
	struct compact c = {.s = s};
	if (tf_map_init(&c.worth, TF_MAP_OWN_KEYS))
		return tf_fault(f, TF_NO_MEMORY, "no memory for packs");
	enum tf_err e = find_worth(&c, f);
	if (!e && c.worth.count)
		e = copy_all(&c, f);
	meter_step_release(&c.st);
	tf_map_release(&c.worth);
	return e ? e : meter_store_sweep(s, f);
}
