/* SQL tables on SQLite: opening, migrating, transactions, upkeep. Statements are in sql_stmt.c, the disk in sql_vfs.c.
 *
 * Several processes may read a database while one writes it: on the kernel SQLite's own VFS shares its WAL index
 * between them. Every other os gets ours. The durable unit is a commit: WAL with synchronous=FULL syncs the WAL before
 * it returns. What moves pages from the WAL to the file is our hook, not SQLite's, because SQLite's drops the result,
 * and a failed sync must stop the process. */
#include "store/sql.h"

#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "store/path.h"
#include "store/sql_impl.h"

#define CHECKPOINT_BYTES (16u << 20) /* WAL length that a commit folds back: 4 times SQLite's, for bulk loads */
#define WAL_KEEP_BYTES   (64u << 20) /* a longer WAL file is cut back to this */
#define BUSY_MS          2000        /* wait for another process's transaction before TF_BUSY */
#define PATH_MAX_BYTES   500         /* SQLite's VFS for the kernel takes 512 with its suffixes */

static const char migration_table[] = "CREATE TABLE IF NOT EXISTS tf_migration ("
				      "version INTEGER PRIMARY KEY, applied_us INTEGER NOT NULL)";

static enum tf_err
code_of(int rc)
{
	if (rc == SQLITE_IOERR_NOMEM)
		return TF_NO_MEMORY;
	if (rc == SQLITE_IOERR_SHMSIZE) /* no room for the WAL index */
		return TF_NO_SPACE;
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return TF_CONFLICT;
	case SQLITE_FULL:
		return TF_NO_SPACE;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return TF_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return TF_CORRUPT;
	case SQLITE_NOMEM:
		return TF_NO_MEMORY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return TF_DENIED;
	case SQLITE_TOOBIG:
		return TF_TOO_LARGE;
	case SQLITE_ERROR:
		return TF_INVALID;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return TF_IO;
	default:
		return TF_BUG;
	}
}

enum tf_err
tf_sql_usable(const struct tf_sql *db, struct tf_fault *f)
{
	return db->broken ? tf_fault(f, TF_IO, "cannot use '%s': an earlier sync failed", db->path) : TF_OK;
}

enum tf_err
tf_sql_fail(struct tf_sql *db, int rc, struct tf_fault *f, const char *verb, const char *subject)
{
	if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC)
		db->broken = true;
	bool disk = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_FULL;
	const char *last = disk && db->vfs ? tf_sql_vfs_last(db->vfs) : "";
	const char *text = sqlite3_errcode(db->db) == (rc & 0xff) || sqlite3_extended_errcode(db->db) == rc
				   ? sqlite3_errmsg(db->db)
				   : sqlite3_errstr(rc);
	return tf_fault(f, code_of(rc), "cannot %s '%.160s': %s%s%s", verb, subject, text, *last ? ": " : "", last);
}

/* Runs after each commit in WAL mode. A failed checkpoint loses nothing (the WAL still has it all) unless a sync
 * failed. */
static int
fold_wal(void *ctx, sqlite3 *handle, const char *schema, int pages)
{
	struct tf_sql *db = ctx;
	if (pages < db->checkpoint_pages)
		return SQLITE_OK;
	int rc = sqlite3_wal_checkpoint_v2(handle, schema, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC)
		db->broken = true;
	return SQLITE_OK;
}

static enum tf_err
one_i64(struct tf_sql *db, const char *sql, int64_t *out, struct tf_fault *f)
{
	struct tf_stmt *s = NULL;
	TF_TRY(tf_sql_prepare(db, sql, &s, f));
	enum tf_err e = tf_stmt_step(s, f);
	if (e == TF_OK)
		*out = tf_stmt_get_i64(s, 0);
	tf_stmt_free(&s);
	return e == TF_END ? tf_fault(f, TF_BUG, "cannot run '%s': no row", sql) : e;
}

/* 0 for a file without migrations. */
static enum tf_err
version_of(struct tf_sql *db, int64_t *out, struct tf_fault *f)
{
	int64_t there = 0;
	TF_TRY(one_i64(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'tf_migration'", &there,
		       f));
	if (!there) {
		*out = 0;
		return TF_OK;
	}
	return one_i64(db, "SELECT coalesce(max(version), 0) FROM tf_migration", out, f);
}

static enum tf_err
record_migration(struct tf_sql *db, int version, struct tf_fault *f)
{
	struct tf_stmt *s = NULL;
	TF_TRY(tf_sql_exec(db, migration_table, f));
	TF_TRY(tf_sql_prepare(db, "INSERT INTO tf_migration VALUES (?1, ?2)", &s, f));
	tf_stmt_i64(s, 1, version);
	tf_stmt_i64(s, 2, tf_os_now(db->os));
	enum tf_err e = tf_stmt_run(s, f);
	tf_stmt_free(&s);
	return e;
}

/* The next missing migration in its own transaction; another process may have been faster, so the version is read
 * inside. */
static enum tf_err
migrate_one(struct tf_sql *db, const struct tf_sql_migration *m, size_t m_count, struct tf_fault *f)
{
	int64_t version = 0;
	TF_TRY(version_of(db, &version, f));
	if ((size_t)version >= m_count)
		return TF_OK;
	TF_TRY(tf_sql_exec(db, m[version].sql, f));
	TF_ASSERT(!sqlite3_get_autocommit(db->db)); /* a migration that commits by itself is a bug */
	return record_migration(db, m[version].version, f);
}

static enum tf_err
migrate(struct tf_sql *db, bool read_only, const struct tf_sql_migration *m, size_t m_count, struct tf_fault *f)
{
	for (size_t i = 0; i < m_count; i++)
		TF_ASSERT(m[i].version == (int)i + 1);
	int64_t version = 0;
	TF_TRY(version_of(db, &version, f));
	while ((size_t)version < m_count) {
		if (read_only)
			return tf_fault(f, TF_UNSUPPORTED,
					"cannot open '%s': at version %d, this program reads %zu: open it for writing "
					"once",
					db->path, (int)version, m_count);
		TF_TRY(tf_sql_begin(db, f));
		enum tf_err e = migrate_one(db, m, m_count, f);
		if (e == TF_OK)
			e = tf_sql_commit(db, f);
		if (e) {
			tf_sql_rollback(db);
			return tf_fault_wrap(f, e, "cannot migrate '%s' from version %d", db->path, (int)version);
		}
		TF_TRY(version_of(db, &version, f));
	}
	if ((size_t)version > m_count)
		return tf_fault(f, TF_UNSUPPORTED, "cannot open '%s': at version %d, this program knows %zu", db->path,
				(int)version, m_count);
	return TF_OK;
}

/* The pragma answers "wal" before the switch is committed, and a failed commit leaves the old mode: ask again. */
static enum tf_err
set_journal(struct tf_sql *db, struct tf_fault *f)
{
	struct tf_stmt *s = NULL;
	TF_TRY(tf_sql_exec(db, "PRAGMA journal_mode=WAL", f));
	TF_TRY(tf_sql_prepare(db, "PRAGMA journal_mode", &s, f));
	enum tf_err e = tf_stmt_step(s, f);
	if (e == TF_OK && !tf_str_eq(tf_stmt_get_str(s, 0), TF_STR("wal")))
		e = tf_fault(f, TF_UNSUPPORTED, "cannot open '%s': no write-ahead log there", db->path);
	tf_stmt_free(&s);
	return e;
}

static enum tf_err
configure(struct tf_sql *db, const struct tf_sql_options *o, struct tf_fault *f)
{
	char sql[400];
	uint32_t page = o->page_bytes ? o->page_bytes : 4096;
	uint64_t cache = o->cache_bytes ? o->cache_bytes : 16u << 20;
	db->checkpoint_pages = (int)(CHECKPOINT_BYTES / page);
	sqlite3_busy_timeout(db->db, db->vfs ? 0 : BUSY_MS);
	sqlite3_extended_result_codes(db->db, 1);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	snprintf(sql, sizeof sql,
		 "PRAGMA page_size=%u; PRAGMA cache_size=-%llu; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
		 "PRAGMA secure_delete=OFF; PRAGMA trusted_schema=OFF; PRAGMA journal_size_limit=%u;%s%s",
		 page, (unsigned long long)(cache >> 10), WAL_KEEP_BYTES, db->vfs ? "PRAGMA temp_store=MEMORY;" : "",
		 o->read_only ? "PRAGMA query_only=ON;" : "");
	TF_TRY(tf_sql_exec(db, sql, f));
	if (!o->read_only)
		TF_TRY(set_journal(db, f));
	sqlite3_wal_hook(db->db, fold_wal, db);
	return TF_OK;
}

static void
tune_sqlite(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* its counters cost a mutex for each allocation */
	sqlite3_initialize();
}

static enum tf_err
connect_file(struct tf_sql *db, bool read_only, struct tf_fault *f)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, tune_sqlite);
	if (db->os != tf_os_real())
		TF_TRY(tf_sql_vfs_new(db->os, &db->vfs, f));
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	/* A reader opens for writing too, where it may: so the last one to close tidies the WAL and its index away. */
	flags |= SQLITE_OPEN_READWRITE | (read_only ? 0 : SQLITE_OPEN_CREATE);
	int rc = sqlite3_open_v2(db->path, &db->db, flags, db->vfs ? tf_sql_vfs_name(db->vfs) : NULL);
	if (db->vfs)
		tf_sql_vfs_hide(db->vfs);
	return rc == SQLITE_OK ? TF_OK : tf_sql_fail(db, rc, f, "open", db->path);
}

/* Opens the file as it lies there, without locks and WAL index. Only right while nobody writes it. */
static enum tf_err
connect_still_file(struct tf_sql *db, struct tf_fault *f)
{
	static const char hex[] = "0123456789ABCDEF";
	char uri[3 * PATH_MAX_BYTES + 32] = "file:";
	size_t n = strlen(uri);
	for (const char *p = db->path; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '%' || c == '?' || c == '#') {
			uri[n++] = '%';
			uri[n++] = hex[c >> 4];
			c = (unsigned char)hex[c & 15];
		}
		uri[n++] = (char)c;
	}
	snprintf(uri + n, sizeof uri - n, "?immutable=1");
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
	int rc = sqlite3_open_v2(uri, &db->db, flags, NULL);
	return rc == SQLITE_OK ? TF_OK : tf_sql_fail(db, rc, f, "open", db->path);
}

/* Is there no WAL to read beside the file? */
static bool
wal_is_folded(struct tf_sql *db)
{
	char path[PATH_MAX_BYTES + 8];
	struct tf_stat st;
	snprintf(path, sizeof path, "%s-wal", db->path);
	enum tf_err e = tf_os_stat(db->os, path, &st, NULL);
	return e == TF_NOT_FOUND || (e == TF_OK && st.size == 0);
}

/* A reader that can make no WAL index (a directory it may not write, a full disk) reads the file as it lies there, if
 * that is all there is: a live writer has its WAL open, and then its index is there to be read. */
static enum tf_err
read_file(struct tf_sql *db, const struct tf_sql_options *o, const struct tf_sql_migration *m, size_t m_count,
	  struct tf_fault *f)
{
	enum tf_err e = connect_file(db, true, f);
	if (e == TF_OK)
		e = configure(db, o, f);
	if (e == TF_OK)
		e = migrate(db, true, m, m_count, f);
	bool no_index = e == TF_DENIED || e == TF_IO || e == TF_NO_SPACE;
	if (!no_index || db->vfs || !wal_is_folded(db))
		return e;
	struct tf_fault again = {0};
	TF_ASSERT(sqlite3_close(db->db) == SQLITE_OK);
	db->db = NULL;
	if (connect_still_file(db, &again) || configure(db, o, &again) || migrate(db, true, m, m_count, &again))
		return e; /* with the first fault, which says more */
	return TF_OK;
}

static enum tf_err
open_file(struct tf_sql *db, const struct tf_sql_options *o, const struct tf_sql_migration *m, size_t m_count,
	  struct tf_fault *f)
{
	char dir[PATH_MAX_BYTES + 1];
	struct tf_stat st;
	if (!tf_path_dir(db->path, dir, sizeof dir) || strlen(db->path) > PATH_MAX_BYTES)
		return tf_fault(f, TF_INVALID, "cannot open '%.100s...': path too long", db->path);
	enum tf_err there = tf_os_stat(db->os, db->path, &st, f);
	if (there && (there != TF_NOT_FOUND || o->read_only))
		return tf_fault_wrap(f, there, "cannot open '%s'", db->path);
	if (o->read_only) {
		enum tf_err e = read_file(db, o, m, m_count, f);
		return e ? tf_fault_wrap(f, e, "cannot read '%s'", db->path) : TF_OK;
	}
	TF_TRY(connect_file(db, false, f));
	enum tf_err e = configure(db, o, f);
	if (e)
		return tf_fault_wrap(f, e, "cannot open '%s'", db->path);
	TF_TRY(migrate(db, false, m, m_count, f));
	return there == TF_NOT_FOUND ? tf_os_sync_dir(db->os, dir, f) : TF_OK;
}

enum tf_err
tf_sql_open(struct tf_os *os, const char *path, const struct tf_sql_options *o, const struct tf_sql_migration *m,
	    size_t m_count, struct tf_sql **out, struct tf_fault *f)
{
	static const struct tf_sql_options defaults;
	struct tf_sql *db = tf_calloc(1, sizeof *db);
	char *copy = tf_strndup(path, strlen(path));
	if (!db || !copy) {
		tf_free(db);
		tf_free(copy);
		return tf_fault(f, TF_NO_MEMORY, "cannot open '%s': out of memory", path);
	}
	db->os = os;
	db->path = copy;
	enum tf_err e = open_file(db, o ? o : &defaults, m, m_count, f);
	if (e)
		tf_sql_close(&db);
	else
		*out = db;
	return e;
}

void
tf_sql_close(struct tf_sql **db)
{
	struct tf_sql *d = *db;
	if (!d)
		return;
	if (d->broken) /* the WAL may hold pages that never reached the disk: leave it to recovery */
		sqlite3_db_config(d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	TF_ASSERT(sqlite3_close(d->db) == SQLITE_OK); /* busy: a statement was not freed */
	tf_sql_vfs_free(&d->vfs);
	tf_free(d->path);
	tf_free(d);
	*db = NULL;
}

enum tf_err
tf_sql_exec(struct tf_sql *db, const char *sql, struct tf_fault *f)
{
	TF_TRY(tf_sql_usable(db, f));
	int rc = sqlite3_exec(db->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? TF_OK : tf_sql_fail(db, rc, f, "run", sql);
}

enum tf_err
tf_sql_begin(struct tf_sql *db, struct tf_fault *f)
{
	return tf_sql_exec(db, "BEGIN IMMEDIATE", f);
}

enum tf_err
tf_sql_commit(struct tf_sql *db, struct tf_fault *f)
{
	enum tf_err e = tf_sql_exec(db, "COMMIT", f);
	return e ? tf_fault_wrap(f, e, "cannot commit to '%s'", db->path) : TF_OK;
}

void
tf_sql_rollback(struct tf_sql *db)
{
	if (!sqlite3_get_autocommit(db->db)) /* SQLite rolls back by itself on some failures */
		sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
}

enum tf_err
tf_sql_checkpoint(struct tf_sql *db, struct tf_fault *f)
{
	TF_TRY(tf_sql_usable(db, f));
	int rc = sqlite3_wal_checkpoint_v2(db->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return rc == SQLITE_OK ? TF_OK : tf_sql_fail(db, rc, f, "checkpoint", db->path);
}

enum tf_err
tf_sql_verify(struct tf_sql *db, struct tf_fault *f)
{
	struct tf_stmt *s = NULL;
	TF_TRY(tf_sql_prepare(db, "PRAGMA integrity_check(1)", &s, f));
	enum tf_err e = tf_stmt_step(s, f);
	if (e == TF_OK) {
		struct tf_str found = tf_stmt_get_str(s, 0);
		if (!tf_str_eq(found, TF_STR("ok")))
			e = tf_fault(f, TF_CORRUPT, "cannot trust '%s': %.*s", db->path, TF_FMT(found));
	}
	tf_stmt_free(&s);
	return e;
}

/* Every page of the file counts once: with a table or, for the schema, the migration record and free pages, with
 * none. */
static enum tf_err
rest_bytes(struct tf_sql *db, uint64_t *out, struct tf_fault *f)
{
	int64_t pages = 0, page_bytes = 0, owned = 0;
	TF_TRY(one_i64(db, "PRAGMA page_count", &pages, f));
	TF_TRY(one_i64(db, "PRAGMA page_size", &page_bytes, f));
	TF_TRY(one_i64(db,
		       "SELECT coalesce(sum(d.pgsize), 0) FROM dbstat d JOIN sqlite_schema s ON s.name = d.name "
		       "WHERE d.aggregate = TRUE AND s.tbl_name NOT LIKE 'sqlite|_%' ESCAPE '|' "
		       "AND s.tbl_name <> 'tf_migration'",
		       &owned, f));
	*out = (uint64_t)(pages * page_bytes - owned);
	return TF_OK;
}

enum tf_err
tf_sql_table_bytes(struct tf_sql *db, const char *name, uint64_t *out, struct tf_fault *f)
{
	if (!name)
		return rest_bytes(db, out, f);
	struct tf_stmt *s = NULL;
	TF_TRY(tf_sql_prepare(db,
			      "SELECT count(*), coalesce(sum((SELECT sum(pgsize) FROM dbstat d "
			      "WHERE d.name = s.name AND d.aggregate = TRUE)), 0) "
			      "FROM sqlite_schema s WHERE s.tbl_name = ?1 AND s.rootpage > 0",
			      &s, f));
	tf_stmt_str(s, 1, tf_str(name));
	enum tf_err e = tf_stmt_step(s, f);
	if (e == TF_OK && !tf_stmt_get_i64(s, 0))
		e = tf_fault(f, TF_NOT_FOUND, "cannot measure table '%s': no such table", name);
	if (e == TF_OK)
		*out = (uint64_t)tf_stmt_get_i64(s, 1);
	tf_stmt_free(&s);
	return e;
}

int64_t
tf_sql_changes(struct tf_sql *db)
{
	return sqlite3_changes64(db->db);
}

enum tf_err
tf_sql_data_version(struct tf_sql *db, int64_t *out, struct tf_fault *f)
{
	return one_i64(db, "PRAGMA data_version", out, f);
}
