/* What the verbs share; see cli.h. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>

#define READ_ATTEMPTS 8

/* TF_NOT_FOUND where no store is; a reader makes none. */
static enum tf_err
is_there(struct meter_cli *cli, const char *dir, struct tf_fault *f)
{
	struct tf_stat st;
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/meter.db", dir) >= sizeof path)
		return tf_fault(f, TF_USAGE, "--data is too long");
	return tf_os_stat(cli->os, path, &st, NULL) ? tf_fault(f, TF_NOT_FOUND, "no meter data in '%s'", dir) : TF_OK;
}

/* Opening as a writer failed: may a reader go on with what was published before? */
static bool
may_read(enum tf_err e, const struct tf_fault *f)
{
	if (e == TF_NO_SPACE)
		fprintf(stderr, "tenfold meter: %s: what was published before is read\n", f->text);
	return e == TF_BUSY || e == TF_DENIED || e == TF_NO_SPACE;
}

static const struct meter_store_options as_writer = {.wait = true}, as_reader = {.read_only = true};

enum tf_err
meter_cli_open_log(struct meter_cli *cli, const struct tf_args *a, struct meter_store **out, struct tf_fault *f)
{
	const char *dir = tf_args_cstr(a, "data");
	TF_TRY(is_there(cli, dir, f));
	enum tf_err e = meter_store_open(cli->os, dir, &as_writer, out, f);
	return e && may_read(e, f) ? meter_store_open(cli->os, dir, &as_reader, out, f) : e;
}

/* Opening as a writer publishes what waits in the log. */
static enum tf_err
publish_rest(struct meter_cli *cli, const char *dir, struct meter_store **s, struct tf_fault *f)
{
	meter_store_close(s);
	enum tf_err e = meter_store_open(cli->os, dir, &as_writer, s, f);
	if (e && !may_read(e, f))
		return e;
	meter_store_close(s);
	return meter_store_open(cli->os, dir, &as_reader, s, f);
}

enum tf_err
meter_cli_open(struct meter_cli *cli, const struct tf_args *a, bool writer, struct meter_store **out,
	       struct tf_fault *f)
{
	const char *dir = tf_args_cstr(a, "data");
	if (writer)
		return meter_store_open(cli->os, dir, &as_writer, out, f);
	TF_TRY(is_there(cli, dir, f));
	struct meter_store *s;
	struct tf_fault why = {0};
	bool behind = false;
	enum tf_err e = meter_store_open(cli->os, dir, &as_reader, &s, &why);
	if (e) /* an older catalog, a WAL that a crash left: a writer puts it right */
		return meter_cli_open_log(cli, a, out, f);
	if (meter_store_behind(s, &behind, &why) || behind)
		TF_TRY(publish_rest(cli, dir, &s, f));
	*out = s;
	return TF_OK;
}

enum tf_err
meter_cli_read(struct meter_store *s, enum tf_err (*read)(void *ctx, bool *out_printed, struct tf_fault *f), void *ctx,
	       struct tf_fault *f)
{
	struct tf_sql *db = s->catalog.db;
	for (int attempt = 1;; attempt++) {
		struct tf_fault ignored = {0};
		int64_t before = 0, after = 0;
		bool printed = false;
		TF_TRY(tf_sql_data_version(db, &before, f));
		TF_TRY(tf_sql_exec(db, "BEGIN", f));
		enum tf_err e = read(ctx, &printed, f);
		tf_sql_rollback(db);
		if (!e || tf_sql_data_version(db, &after, &ignored) || before == after)
			return e;
		if (printed || attempt == READ_ATTEMPTS)
			return tf_fault_wrap(f, TF_BUSY, "a writer moved what was read, try again");
		*f = (struct tf_fault){0};
	}
}

enum tf_err
meter_cli_time(struct meter_cli *cli, const struct tf_args *a, const char *name, const char *zone, tf_time fallback,
	       tf_time *out, struct tf_fault *f)
{
	if (!tf_args_given(a, name)) {
		*out = fallback;
		return TF_OK;
	}
	struct tf_zone *z;
	TF_TRY(tf_os_zone(cli->os, tf_str(zone), &z, f));
	enum tf_err e = tf_time_parse(tf_args_text(a, name), z, out, f);
	tf_zone_free(&z);
	return e ? tf_fault_wrap(f, TF_USAGE, "--%s", name) : TF_OK;
}
