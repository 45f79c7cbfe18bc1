/* Idempotency keys; see api_keys.h. */
#include "api_keys.h"

static const struct tf_sql_migration migrations[] = {
	{1, "CREATE TABLE used(key TEXT PRIMARY KEY, hash BLOB NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;"
	    "CREATE INDEX used_at ON used(at);"}};

enum tf_err
meter_keys_open(struct tf_os *os, const char *path, struct meter_api_keys *out, struct tf_fault *f)
{
	*out = (struct meter_api_keys){.os = os};
	struct tf_sql_options o = {.cache_bytes = 4u << 20};
	enum tf_err e = tf_sql_open(os, path, &o, migrations, 1, &out->db, f);
	if (!e)
		e = tf_sql_prepare(out->db, "SELECT hash FROM used WHERE key=?", &out->find, f);
	if (!e)
		e = tf_sql_prepare(out->db, "INSERT OR IGNORE INTO used VALUES(?,?,?)", &out->put, f);
	if (e)
		meter_keys_close(out);
	return e;
}

void
meter_keys_close(struct meter_api_keys *k)
{
	tf_stmt_free(&k->find);
	tf_stmt_free(&k->put);
	if (k->db && k->open)
		tf_sql_rollback(k->db);
	tf_sql_close(&k->db);
	k->open = false;
}

enum tf_err
meter_keys_check(struct meter_api_keys *k, struct tf_str key, struct tf_str hash, struct tf_fault *f)
{
	tf_stmt_str(k->find, 1, key);
	enum tf_err e = tf_stmt_step(k->find, f);
	bool same = !e && tf_str_eq(tf_stmt_get_blob(k->find, 0), hash);
	tf_stmt_reset(k->find);
	if (e == TF_END || same)
		return TF_OK;
	return e ? e : tf_fault(f, TF_CONFLICT, "this Idempotency-Key was used with another body");
}

enum tf_err
meter_keys_put(struct meter_api_keys *k, struct tf_str key, struct tf_str hash, struct tf_fault *f)
{
	if (!k->open)
		TF_TRY(tf_sql_begin(k->db, f));
	k->open = true;
	tf_stmt_str(k->put, 1, key);
	tf_stmt_blob(k->put, 2, hash);
	tf_stmt_i64(k->put, 3, tf_os_now(k->os));
	return tf_stmt_run(k->put, f);
}

static enum tf_err
forget_old(struct meter_api_keys *k, tf_time now, struct tf_fault *f)
{
	struct tf_stmt *q;
	k->cleaned = now;
	TF_TRY(tf_sql_prepare(k->db, "DELETE FROM used WHERE at<?", &q, f));
	tf_stmt_i64(q, 1, now - METER_KEYS_KEEP);
	enum tf_err e = tf_stmt_run(q, f);
	tf_stmt_free(&q);
	return e;
}

enum tf_err
meter_keys_commit(struct meter_api_keys *k, struct tf_fault *f)
{
	if (!k->open)
		return TF_OK;
	tf_time now = tf_os_now(k->os);
	if (now - k->cleaned > TF_HOUR)
		TF_TRY(forget_old(k, now, f));
	TF_TRY(tf_sql_commit(k->db, f));
	k->open = false;
	return TF_OK;
}
