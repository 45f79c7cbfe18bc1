/* What the tests of HTTP share: the reader, fed with the bytes of a connection however they are cut, and what it
 * understood.
 *
 * A row is the bytes of a connection and what must be understood of them: per request
 *   METHOD path[?query] host {name:value|...} [chunked] [length=N] [continue] [close] 'body'
 * and "! status why" for a refusal, behind which nothing is read. Each row is fed whole, byte by byte, and cut in two
 * at every place; all must be understood the same way. Every piece fed is a copy of its own, so that the sanitizers see
 * a reader that looks past it or keeps it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "serve/http.h"

struct row {
	const char *bytes;
	size_t n;
	const char *want;
};

#define ROW(bytes, want)                                                                                               \
	{                                                                                                              \
		bytes, sizeof(bytes) - 1, want                                                                         \
	}
#define COUNT(table) (sizeof(table) / sizeof *(table))
/* Requests with one good Host header. */
#define GET(headers)  "GET / HTTP/1.1\r\nHost: a\r\n" headers "\r\n"
#define POST(headers) "POST / HTTP/1.1\r\nHost: a\r\n" headers "\r\n"
#define CHUNKED       POST("Transfer-Encoding: chunked\r\n")
#define IN_CHUNKS     "POST / a {Host:a|Transfer-Encoding:chunked} chunked "

/* What is understood of the bytes: the first piece has `first`, the others `step` bytes. Release it. */
struct tf_buf read_cut(struct tf_str bytes, size_t first, size_t step);
/* However the bytes are cut, this is understood. */
void understood_however_cut(struct tf_str bytes, const char *want);
void check(const struct row *rows, size_t count);
