/* SQL tables: SQLite behind a small interface, its files on tf_os (through a VFS), so that the simulation can tear them
 * too.
 *
 * Journal mode WAL, synchronous=FULL, foreign keys on, strict errors: a constraint is TF_CONFLICT, a full disk
 * TF_NO_SPACE, a locked database TF_BUSY, a damaged file TF_CORRUPT. A commit that returned TF_OK is durable. Thread
 * rule: one tf_sql per thread. Ownership: text and blobs from a column are valid until the next step, reset or free. */
#pragma once
#include "os/os.h"

struct tf_sql;
struct tf_stmt;

struct tf_sql_migration {
	int version;     /* 1, 2, 3, ... without holes */
	const char *sql; /* several statements; runs in one transaction with the version's record */
};

struct tf_sql_options {
	bool read_only;
	uint32_t page_bytes;  /* at creation; 0 means 4096 */
	uint64_t cache_bytes; /* 0 means 16 MiB */
};

/* Opens (creates unless read_only) and migrates to the last version. TF_UNSUPPORTED when the file is newer than the
 * program. read_only needs no right to write and no space, unless a crash left a WAL to be recovered. */
enum tf_err tf_sql_open(struct tf_os *os, const char *path, const struct tf_sql_options *o,
			const struct tf_sql_migration *m, size_t m_count, struct tf_sql **out,
			struct tf_fault *f) TF_MUST_USE;
/* Checkpoints and removes the WAL when it is the last writer. */
void tf_sql_close(struct tf_sql **db);
/* Statements without results. */
enum tf_err tf_sql_exec(struct tf_sql *db, const char *sql, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_sql_begin(struct tf_sql *db, struct tf_fault *f) TF_MUST_USE; /* BEGIN IMMEDIATE */
enum tf_err tf_sql_commit(struct tf_sql *db, struct tf_fault *f) TF_MUST_USE;
void tf_sql_rollback(struct tf_sql *db); /* nothing when no transaction is open */
/* Folds the WAL into the file and truncates it. */
enum tf_err tf_sql_checkpoint(struct tf_sql *db, struct tf_fault *f) TF_MUST_USE;
/* PRAGMA integrity_check; TF_CORRUPT with the first finding. */
enum tf_err tf_sql_verify(struct tf_sql *db, struct tf_fault *f) TF_MUST_USE;
/* Bytes of the file's pages used by a table and its indexes (dbstat); name NULL: everything else not owned by any
 * table. */
enum tf_err tf_sql_table_bytes(struct tf_sql *db, const char *name, uint64_t *out, struct tf_fault *f) TF_MUST_USE;
int64_t tf_sql_changes(struct tf_sql *db);
/* Another number than before: another connection committed since. Not inside a transaction, which sees one state. */
enum tf_err tf_sql_data_version(struct tf_sql *db, int64_t *out, struct tf_fault *f) TF_MUST_USE;

enum tf_err tf_sql_prepare(struct tf_sql *db, const char *sql, struct tf_stmt **out, struct tf_fault *f) TF_MUST_USE;
void tf_stmt_free(struct tf_stmt **s);
/* Parameters count from 1. Bound text and blobs must stay valid until reset or free. */
void tf_stmt_i64(struct tf_stmt *s, int i, int64_t v);
void tf_stmt_str(struct tf_stmt *s, int i, struct tf_str v);
void tf_stmt_blob(struct tf_stmt *s, int i, struct tf_str v);
void tf_stmt_null(struct tf_stmt *s, int i);
/* TF_OK: a row is there; TF_END: no (more) rows. */
enum tf_err tf_stmt_step(struct tf_stmt *s, struct tf_fault *f) TF_MUST_USE;
/* For statements without rows: step to the end, then reset (bindings are kept). */
enum tf_err tf_stmt_run(struct tf_stmt *s, struct tf_fault *f) TF_MUST_USE;
void tf_stmt_reset(struct tf_stmt *s);
/* Columns count from 0. */
int64_t tf_stmt_get_i64(struct tf_stmt *s, int i);
struct tf_str tf_stmt_get_str(struct tf_stmt *s, int i);
struct tf_str tf_stmt_get_blob(struct tf_stmt *s, int i);
bool tf_stmt_is_null(struct tf_stmt *s, int i);
int tf_stmt_columns(struct tf_stmt *s);
const char *tf_stmt_column_name(struct tf_stmt *s, int i);
