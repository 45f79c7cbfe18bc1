/* A simulator's file: one large buffer, written when full, under a temporary name until it is whole. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim_files.h"

enum tf_err
sim_out_init(struct sim_out *out, struct tf_os *os, struct tf_fault *f)
{
	*out = (struct sim_out){.os = os};
	out->p = tf_malloc(SIM_OUT_SIZE);
	return out->p ? TF_OK : tf_fault(f, TF_NO_MEMORY, "cannot buffer a file");
}

static void
forget(struct sim_out *out)
{
	tf_file_close(&out->file);
	tf_free(out->path);
	tf_free(out->tmp);
	out->path = out->tmp = NULL;
}

void
sim_out_release(struct sim_out *out)
{
	if (out->file) {
		tf_file_close(&out->file);
		(void)!tf_os_unlink(out->os, out->tmp, NULL);
	}
	forget(out);
	tf_free(out->p);
	out->p = NULL;
}

static char *
join(const char *dir, const char *name, const char *suffix)
{
	size_t n = strlen(dir) + strlen(name) + strlen(suffix) + 2;
	char *path = tf_malloc(n);
	if (path)
		snprintf(path, n, "%s/%s%s", dir, name, suffix);
	return path;
}

enum tf_err
sim_out_open(struct sim_out *out, const char *dir, const char *name, struct tf_fault *f)
{
	out->n = 0;
	out->written = 0;
	out->err = TF_OK;
	out->path = join(dir, name, "");
	out->tmp = join(dir, name, ".tmp");
	if (!out->path || !out->tmp) {
		forget(out);
		return tf_fault(f, TF_NO_MEMORY, "cannot name '%s'", name);
	}
	enum tf_err e = tf_os_open(out->os, out->tmp, TF_OPEN_CREATE | TF_OPEN_TRUNCATE, &out->file, f);
	if (e != TF_OK)
		forget(out);
	return e;
}

static void
flush(struct sim_out *out)
{
	if (out->err == TF_OK)
		out->err = tf_file_write(out->file, out->p, out->n, out->written, &out->fault);
	out->written += out->n;
	out->n = 0;
}

char *
sim_out_room(struct sim_out *out, size_t n)
{
	TF_ASSERT(n <= SIM_ROOM_MAX);
	if (SIM_OUT_SIZE - out->n < n)
		flush(out);
	return out->p + out->n;
}

void
sim_out_printf(struct sim_out *out, const char *fmt, ...)
{
	enum { MAX = 4096 };
	char *p = sim_out_room(out, MAX);
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(p, MAX, fmt, ap);
	va_end(ap);
	TF_ASSERT(n >= 0 && n < MAX);
	sim_out_to(out, p + n);
}

enum tf_err
sim_out_close(struct sim_out *out, uint64_t *out_bytes, struct tf_fault *f)
{
	flush(out);
	enum tf_err e = out->err;
	if (e != TF_OK && f)
		*f = out->fault;
	tf_file_close(&out->file);
	if (e == TF_OK)
		e = tf_os_rename(out->os, out->tmp, out->path, f);
	if (e != TF_OK)
		(void)!tf_os_unlink(out->os, out->tmp, NULL);
	else
		*out_bytes = out->written;
	forget(out);
	return e;
}
