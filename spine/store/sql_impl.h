/* What sql.c, sql_stmt.c and sql_vfs.c share; nobody else includes it. */
#pragma once
#include <sqlite3.h>

#include "store/sql.h"

struct tf_sql_vfs;

struct tf_sql {
	sqlite3 *db;
	struct tf_os *os;
	struct tf_sql_vfs *vfs; /* NULL: SQLite's own for the kernel */
	char *path;
	int checkpoint_pages;
	bool broken; /* a sync failed: what is on disk is unknown, nothing may go on */
};

/* TF_OK while the database may be used; TF_IO once a sync has failed. */
enum tf_err tf_sql_usable(const struct tf_sql *db, struct tf_fault *f) TF_MUST_USE;
/* Turns SQLite's result code of "cannot <verb> '<subject>'" into ours, with SQLite's and the disk's message. */
enum tf_err tf_sql_fail(struct tf_sql *db, int rc, struct tf_fault *f, const char *verb,
			const char *subject) TF_MUST_USE;

/* A SQLite VFS over one os. It registers itself under a name of its own, which tf_sql_vfs_name tells; hide takes the
 * name out of SQLite's list again (open connections keep working). The VFS must outlive its connections. */
enum tf_err tf_sql_vfs_new(struct tf_os *os, struct tf_sql_vfs **out, struct tf_fault *f) TF_MUST_USE;
const char *tf_sql_vfs_name(const struct tf_sql_vfs *v);
void tf_sql_vfs_hide(struct tf_sql_vfs *v);
void tf_sql_vfs_free(struct tf_sql_vfs **v);
/* The last failure of its disk: "" when there was none. */
const char *tf_sql_vfs_last(const struct tf_sql_vfs *v);
