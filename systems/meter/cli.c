/* What the verbs share; see cli.h. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>

int
meter_cli_fail(const struct tf_fault *f)
{
	fprintf(stderr, "tenfold meter: %s\n", f->text[0] ? f->text : tf_err_text(f->code));
	return tf_err_exit(f->code);
}

bool
meter_cli_args(const struct tf_command *self, int argc, char **argv, struct tf_args *a, int *out_exit)
{
	struct tf_fault f = {0};
	if (tf_args_parse(self, argc, argv, a, &f)) {
		*out_exit = meter_cli_fail(&f);
		fprintf(stderr, "tenfold meter %s -h tells its options\n", self->name);
		return false;
	}
	if (!a->help)
		return true;
	struct tf_buf help;
	tf_buf_init(&help, 0);
	tf_args_help(self, "tenfold meter", &help);
	fwrite(help.p, 1, help.n, stdout);
	tf_buf_release(&help);
	*out_exit = meter_cli_finish(0);
	return false;
}

enum tf_err
meter_cli_open(struct meter_cli *cli, const struct tf_args *a, bool writer, struct meter_store **out,
	       struct tf_fault *f)
{
	const char *dir = tf_args_cstr(a, "data");
	struct meter_store_options o = {.wait = true};
	if (writer)
		return meter_store_open(cli->os, dir, &o, out, f);
	/* What a crash left in the log is published first, unless a live writer will do it. */
	struct tf_stat st;
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/meter.db", dir) >= sizeof path)
		return tf_fault(f, TF_USAGE, "--data is too long");
	if (tf_os_stat(cli->os, path, &st, NULL))
		return tf_fault(f, TF_NOT_FOUND, "no meter data in '%s'", dir);
	enum tf_err e = meter_store_open(cli->os, dir, &o, out, f);
	if (e != TF_BUSY && e != TF_DENIED && e != TF_NO_SPACE)
		return e;
	if (e == TF_NO_SPACE)
		fprintf(stderr, "tenfold meter: %s: what was published before is read\n", f->text);
	o.read_only = true;
	return meter_store_open(cli->os, dir, &o, out, f);
}

int
meter_cli_finish(int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno == EPIPE || errno == 0)
		return code; /* the reader had enough: `... | head` */
	fprintf(stderr, "tenfold meter: cannot write to stdout\n");
	return tf_err_exit(TF_IO);
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
