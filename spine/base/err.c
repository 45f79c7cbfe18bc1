/* Errors: the readers of err.def, and fault messages. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *text;
	bool retry;
	int http, exit;
} table[TF_ERR_COUNT] = {
#define X(name, text, retry, http, exit) {#name, text, retry, http, exit},
#include "base/err.def"
#undef X
};

static unsigned
row(enum tf_err e)
{
	return (unsigned)e < TF_ERR_COUNT ? (unsigned)e : TF_BUG;
}

const char *
tf_err_name(enum tf_err e)
{
	return table[row(e)].name;
}

const char *
tf_err_text(enum tf_err e)
{
	return table[row(e)].text;
}

bool
tf_err_retry(enum tf_err e)
{
	return table[row(e)].retry;
}

int
tf_err_http(enum tf_err e)
{
	return table[row(e)].http;
}

int
tf_err_exit(enum tf_err e)
{
	return table[row(e)].exit;
}

enum tf_err
tf_fault(struct tf_fault *f, enum tf_err code, const char *fmt, ...)
{
	if (!f)
		return code;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	f->code = code;
	return code;
}

enum tf_err
tf_fault_wrap(struct tf_fault *f, enum tf_err code, const char *fmt, ...)
{
	if (!f)
		return code;
	char inner[TF_FAULT_TEXT_MAX];
	memcpy(inner, f->text, sizeof inner);
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof f->text)
		snprintf(f->text + n, sizeof f->text - (size_t)n, ": %s", inner);
	if (f->code == TF_OK)
		f->code = code;
	return f->code;
}

void
tf_bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "bug: %s:%d: %s\n", file, line, what);
	abort();
}
