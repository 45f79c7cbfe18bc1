/* Prepared statements: a thin, cheap skin over SQLite's, so that a bulk load pays for SQLite and nothing else. */
#include "base/mem.h"
#include "store/sql_impl.h"

struct tf_stmt {
	sqlite3_stmt *s;
	struct tf_sql *db;
	int bind_rc;  /* first failed binding; reported by the next step */
	bool running; /* stepped, neither to its end nor to a failure, and not reset */
	bool done;    /* stepped to the end */
};

enum tf_err
tf_sql_prepare(struct tf_sql *db, const char *sql, struct tf_stmt **out, struct tf_fault *f)
{
	TF_TRY(tf_sql_usable(db, f));
	struct tf_stmt *s = tf_calloc(1, sizeof *s);
	if (!s)
		return tf_fault(f, TF_NO_MEMORY, "cannot prepare '%.200s': out of memory", sql);
	s->db = db;
	const char *tail = NULL;
	int rc = sqlite3_prepare_v3(db->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->s, &tail);
	enum tf_err e = TF_OK;
	if (rc != SQLITE_OK)
		e = tf_sql_fail(db, rc, f, "prepare", sql);
	else if (!s->s || tail[strspn(tail, " \t\r\n;")])
		e = tf_fault(f, TF_INVALID, "cannot prepare '%.200s': not one statement", sql);
	if (e) {
		sqlite3_finalize(s->s);
		tf_free(s);
		return e;
	}
	*out = s;
	return TF_OK;
}

/* A statement that writes, left at one of its rows, commits only now; nobody hears of a failure, so it must stop the
 * database. Any other failure was reported by the step. */
static void
settle(struct tf_stmt *s, int rc)
{
	if (s->running && rc != SQLITE_OK)
		s->db->broken = true;
	s->running = s->done = false;
}

void
tf_stmt_free(struct tf_stmt **s)
{
	if (!*s)
		return;
	settle(*s, sqlite3_finalize((*s)->s));
	tf_free(*s);
	*s = NULL;
}

/* A binding to a running statement starts it over: SQLite would refuse it. */
static void
bound(struct tf_stmt *s, int rc)
{
	TF_ASSERT(rc != SQLITE_RANGE && rc != SQLITE_MISUSE);
	if (rc != SQLITE_OK && s->bind_rc == SQLITE_OK)
		s->bind_rc = rc;
}

static void
rewind_if_running(struct tf_stmt *s)
{
	if (s->running || s->done)
		tf_stmt_reset(s);
}

void
tf_stmt_i64(struct tf_stmt *s, int i, int64_t v)
{
	rewind_if_running(s);
	bound(s, sqlite3_bind_int64(s->s, i, v));
}

void
tf_stmt_str(struct tf_stmt *s, int i, struct tf_str v)
{
	rewind_if_running(s);
	bound(s, sqlite3_bind_text64(s->s, i, v.p ? v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void
tf_stmt_blob(struct tf_stmt *s, int i, struct tf_str v)
{
	rewind_if_running(s);
	bound(s, sqlite3_bind_blob64(s->s, i, v.p ? v.p : "", v.n, SQLITE_STATIC));
}

void
tf_stmt_null(struct tf_stmt *s, int i)
{
	rewind_if_running(s);
	bound(s, sqlite3_bind_null(s->s, i));
}

static enum tf_err
step_failed(struct tf_stmt *s, int rc, struct tf_fault *f)
{
	return tf_sql_fail(s->db, rc, f, "run", sqlite3_sql(s->s));
}

enum tf_err
tf_stmt_step(struct tf_stmt *s, struct tf_fault *f)
{
	TF_TRY(tf_sql_usable(s->db, f));
	if (s->done)
		return TF_END;
	if (s->bind_rc != SQLITE_OK) {
		int rc = s->bind_rc;
		s->bind_rc = SQLITE_OK;
		return step_failed(s, rc, f);
	}
	int rc = sqlite3_step(s->s);
	s->running = rc == SQLITE_ROW;
	if (s->running)
		return TF_OK;
	s->done = rc == SQLITE_DONE;
	if (s->done)
		return TF_END;
	enum tf_err e = step_failed(s, rc, f);
	sqlite3_reset(s->s); /* a failed statement takes no bindings */
	return e;
}

enum tf_err
tf_stmt_run(struct tf_stmt *s, struct tf_fault *f)
{
	rewind_if_running(s);
	enum tf_err e;
	do
		e = tf_stmt_step(s, f);
	while (e == TF_OK);
	tf_stmt_reset(s);
	return e == TF_END ? TF_OK : e;
}

void
tf_stmt_reset(struct tf_stmt *s)
{
	settle(s, sqlite3_reset(s->s));
}

int64_t
tf_stmt_get_i64(struct tf_stmt *s, int i)
{
	return sqlite3_column_int64(s->s, i);
}

struct tf_str
tf_stmt_get_str(struct tf_stmt *s, int i)
{
	const void *p = sqlite3_column_text(s->s, i);
	return tf_str_n(p, (size_t)sqlite3_column_bytes(s->s, i));
}

struct tf_str
tf_stmt_get_blob(struct tf_stmt *s, int i)
{
	const void *p = sqlite3_column_blob(s->s, i);
	return tf_str_n(p, (size_t)sqlite3_column_bytes(s->s, i));
}

bool
tf_stmt_is_null(struct tf_stmt *s, int i)
{
	return sqlite3_column_type(s->s, i) == SQLITE_NULL;
}

int
tf_stmt_columns(struct tf_stmt *s)
{
	return sqlite3_column_count(s->s);
}

const char *
tf_stmt_column_name(struct tf_stmt *s, int i)
{
	return sqlite3_column_name(s->s, i);
}
