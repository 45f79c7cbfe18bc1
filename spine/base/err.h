/* Errors: one table (err.def), one fault record.
 *
 * Fallible functions return enum tf_err; TF_OK is 0. Outputs are untouched on failure. What parses input or touches the
 * world takes a last `struct tf_fault *` (may be NULL) and fills it with the code and a message: lower case, failure
 * first, subject quoted, wrapped outer: inner. Libraries never log or exit; whoever handles the fault does, once. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define TF_MUST_USE          __attribute__((warn_unused_result))
#define TF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum tf_err {
#define X(name, text, retry, http, exit) TF_##name,
#include "base/err.def"
#undef X
	TF_ERR_COUNT
};

#define TF_FAULT_TEXT_MAX 512

struct tf_fault {
	enum tf_err code;
	char text[TF_FAULT_TEXT_MAX]; /* NUL-terminated, cut at the limit */
};

/* "NOT_FOUND": the table's name of an error. */
const char *tf_err_name(enum tf_err e);
/* "not found": what the error means, for people. */
const char *tf_err_text(enum tf_err e);
/* Can the same call succeed later? */
bool tf_err_retry(enum tf_err e);
int tf_err_http(enum tf_err e);
int tf_err_exit(enum tf_err e);

/* Records code and message in f (which may be NULL) and returns code, so that `return tf_fault(f, TF_IO, ...)` reads
 * well. */
enum tf_err tf_fault(struct tf_fault *f, enum tf_err code, const char *fmt, ...) TF_PRINTF(3, 4);
/* Prefixes the message already in f: "outer: inner". Returns f's code (code where f is NULL). */
enum tf_err tf_fault_wrap(struct tf_fault *f, enum tf_err code, const char *fmt, ...) TF_PRINTF(3, 4);

/* Passes a failure on to the caller. */
#define TF_TRY(expr)                                                                                                   \
	do {                                                                                                           \
		enum tf_err tf_try_err_ = (expr);                                                                      \
		if (tf_try_err_ != TF_OK)                                                                              \
			return tf_try_err_;                                                                            \
	} while (0)

/* Stays compiled in: a false condition is a bug in Tenfold, never bad input. Prints the place and aborts. */
#define TF_ASSERT(cond) ((cond) ? (void)0 : tf_bug(__FILE__, __LINE__, #cond))
_Noreturn void tf_bug(const char *file, int line, const char *what);
