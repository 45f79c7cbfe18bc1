/* Requests as fields and pieces of a body, as a table: what is understood of them, or why they are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "serve/http.h"

#define BODY_MAX 16
#define FIELDS   12

struct row {
	const char *fields[FIELDS][2]; /* ends with a NULL name */
	const char *body;              /* NULL: the head ends the request */
	const char *want;              /* "METHOD path?query host {name:value|...} 'body'", or "status why" */
};

/* clang-format off */
#define TARGET(path) {":method", "GET"}, {":scheme", "https"}, {":path", path}, {":authority", "h"}
#define GET          TARGET("/p")
#define POST         {":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/p"}

static const struct row rows[] = {
	{{GET}, NULL, "GET /p h {host:h} ''"},
	{{TARGET("/a%20b?c=d"), {"x", "y"}, {"accept", "*/*"}}, NULL, "GET /a%20b?c=d h {host:h|x:y|accept:*/*} ''"},
	{{POST, {"content-length", "3"}}, "abc", "POST /p h {host:h|content-length:3} 'abc'"},
	{{POST}, "abc", "POST /p h {host:h} 'abc'"},
	{{POST}, "", "POST /p h {host:h} ''"},
	{{POST, {"content-length", "0"}}, NULL, "POST /p h {host:h|content-length:0} ''"},
	{{{":method", "GET"}, {":scheme", "http"}, {":path", "/p"}, {"host", "h"}}, NULL, "GET /p h {host:h} ''"},
	{{GET, {"host", "H"}, {"x", ""}}, NULL, "GET /p h {host:h|x:} ''"},
	{{{":method", "OPTIONS"}, {":scheme", "https"}, {":path", "*"}, {":authority", "h"}}, NULL, "OPTIONS * h {host:h} ''"},
	{{GET, {"te", "trailers"}}, NULL, "GET /p h {host:h|te:trailers} ''"},

	/* Pseudo-header fields: each once, none more. */
	{{{":method", "GET"}, {":scheme", "https"}, {":authority", "h"}}, NULL, "400 a pseudo-header field is missing"},
	{{{":method", "GET"}, {":path", "/p"}, {":authority", "h"}}, NULL, "400 a pseudo-header field is missing"},
	{{{":path", "/p"}, {":scheme", "https"}, {":authority", "h"}}, NULL, "400 a pseudo-header field is missing"},
	{{GET, {":path", "/q"}}, NULL, "400 an empty or repeated pseudo-header field"},
	{{GET, {":method", "GET"}}, NULL, "400 an empty or repeated pseudo-header field"},
	{{{":method", ""}}, NULL, "400 an empty or repeated pseudo-header field"},
	{{GET, {":status", "200"}}, NULL, "400 an unknown pseudo-header field"},
	{{GET, {":", "x"}}, NULL, "400 an unknown pseudo-header field"},
	{{{":method", "GET /x HTTP/1.1\r\nA:"}}, NULL, "400 a blank or control character in a pseudo-header field"},
	{{TARGET("/p HTTP/1.1\r\nA: b")}, NULL, "400 a blank or control character in a pseudo-header field"},
	{{TARGET("/p q")}, NULL, "400 a blank or control character in a pseudo-header field"},
	{{TARGET("http://h/p")}, NULL, "400 the target is not a path"},
	{{TARGET("p")}, NULL, "400 the target is not a path"},
	{{TARGET("*")}, NULL, "400 target '*' is for OPTIONS only"},
	{{TARGET("/p#f")}, NULL, "400 the target has a character that must be percent-encoded"},
	{{TARGET("/%g0")}, NULL, "400 the target has a character that must be percent-encoded"},
	{{{":method", "G(T"}, {":scheme", "https"}, {":path", "/p"}, {":authority", "h"}}, NULL, "400 the request line is malformed"},
	{{{":method", "GET"}, {":scheme", "ftp"}, {":path", "/p"}, {":authority", "h"}}, NULL, "400 the target's scheme is not https"},
	{{{":method", "GET"}, {":scheme", "https"}, {":path", "/p"}, {":authority", "a@b"}}, NULL, "400 bad Host"},

	/* Whom it is for. */
	{{{":method", "GET"}, {":scheme", "https"}, {":path", "/p"}}, NULL, "400 no Host"},
	{{GET, {"host", "other"}}, NULL, "400 the target's authority is not the Host"},
	{{GET, {"host", ""}}, NULL, "400 the target's authority is not the Host"},
	{{GET, {"host", "h"}, {"host", "h"}}, NULL, "400 repeated Host"},

	/* Names and values that would be other lines, or belong to a connection. */
	{{GET, {"X", "y"}}, NULL, "400 a header's name is not in lower case"},
	{{GET, {"", "y"}}, NULL, "400 a header's name is malformed"},
	{{GET, {"a b", "y"}}, NULL, "400 a blank before a header's colon"},
	{{GET, {"a:b", "y"}}, NULL, "400 a header's name is malformed"},
	{{GET, {"a\r\nb", "y"}}, NULL, "400 a header's name is malformed"},
	{{GET, {"x", "y\r\nhost: other"}}, NULL, "400 a header's value has a control character"},
	{{GET, {"x", "y\nz"}}, NULL, "400 a header's value has a control character"},
	{{GET, {"connection", "close"}}, NULL, "400 a header that belongs to a connection of HTTP/1.1"},
	{{GET, {"keep-alive", "1"}}, NULL, "400 a header that belongs to a connection of HTTP/1.1"},
	{{GET, {"proxy-connection", "close"}}, NULL, "400 a header that belongs to a connection of HTTP/1.1"},
	{{GET, {"transfer-encoding", "chunked"}}, "abc", "400 a header that belongs to a connection of HTTP/1.1"},
	{{GET, {"upgrade", "h2c"}}, NULL, "400 a header that belongs to a connection of HTTP/1.1"},
	{{GET, {"te", "gzip"}}, NULL, "400 a header that belongs to a connection of HTTP/1.1"},
	{{GET, {"expect", "tea"}}, NULL, "417 only 100-continue can be expected"},

	/* The body and its length. */
	{{POST, {"content-length", "3"}, {"content-length", "3"}}, "abc", "400 repeated Content-Length"},
	{{POST, {"content-length", "+3"}}, "abc", "400 bad Content-Length"},
	{{POST, {"content-length", "3"}}, "ab", "400 the body is shorter than Content-Length says"},
	{{POST, {"content-length", "3"}}, NULL, "400 the body is shorter than Content-Length says"},
	{{POST, {"content-length", "3"}}, "abcd", "400 the body is longer than Content-Length says"},
	{{POST, {"content-length", "17"}}, "", "413 the body is too large"},
	{{POST}, "0123456789abcdefg", "413 the body is too large"},
	{{POST}, "0123456789abcdef", "POST /p h {host:h} '0123456789abcdef'"},
};
/* clang-format on */

static void
put_head(struct tf_buf *b, const struct tf_http_request *r)
{
	tf_buf_printf(b, "%.*s %.*s", TF_FMT(r->method), TF_FMT(r->path));
	if (r->query.n)
		tf_buf_printf(b, "?%.*s", TF_FMT(r->query));
	tf_buf_printf(b, " %.*s", TF_FMT(r->host));
	for (size_t i = 0; i < r->header_count; i++)
		tf_buf_printf(b, "%s%.*s:%.*s", i ? "|" : " {", TF_FMT(r->headers[i].name),
			      TF_FMT(r->headers[i].value));
	tf_buf_cstr(b, "} '");
}

/* The whole of a request, its body in pieces of `step` bytes; what came of it, as text. */
static enum tf_http_event
read_row(struct tf_http_in *in, const struct row *row, size_t step, struct tf_buf *out)
{
	struct tf_http_fields f;
	tf_http_fields_init(&f);
	for (size_t i = 0; row->fields[i][0]; i++)
		tf_http_fields_add(&f, tf_str(row->fields[i][0]), tf_str(row->fields[i][1]));
	enum tf_http_event e = tf_http_in_fields(in, &f, !row->body);
	tf_http_fields_release(&f);
	if (e == TF_HTTP_REFUSED)
		return e;
	assert_int_equal(e, TF_HTTP_HEAD);
	assert_int_equal(in->request.chunked, row->body && in->request.length == TF_HTTP_BODY_NONE);
	put_head(out, &in->request);
	in->body_max = BODY_MAX;
	struct tf_str rest = tf_str(row->body);
	if ((e = tf_http_in_data(in, (struct tf_str){0})) == TF_HTTP_REFUSED)
		return e;
	while (rest.n) {
		struct tf_str part = tf_str_n(rest.p, rest.n < step ? rest.n : step);
		if ((e = tf_http_in_data(in, part)) == TF_HTTP_REFUSED)
			return e;
		assert_int_equal(e, TF_HTTP_BODY);
		tf_buf_str(out, in->piece);
		rest = tf_str_n(rest.p + part.n, rest.n - part.n);
	}
	return tf_http_in_end(in);
}

static void
each_row_is_understood_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t step = 1; step < 20; step += 6) {
			struct tf_http_in in;
			struct tf_buf out;
			tf_http_in_init(&in, 0);
			tf_buf_init(&out, 0);
			enum tf_http_event e = read_row(&in, &rows[i], step, &out);
			if (e == TF_HTTP_REFUSED) {
				tf_buf_reset(&out);
				tf_buf_printf(&out, "%d %s", in.status, in.why);
			} else {
				assert_int_equal(e, TF_HTTP_DONE);
				tf_buf_u8(&out, '\'');
			}
			if (!tf_str_eq(tf_buf_view(&out), tf_str(rows[i].want)))
				print_message("row %zu: %.*s\n", i, TF_FMT(tf_buf_view(&out)));
			assert_true(tf_str_eq(tf_buf_view(&out), tf_str(rows[i].want)));
			tf_buf_release(&out);
			tf_http_in_release(&in);
		}
}

/* A request with `count` fields of `size` bytes, and a path of `path`: the status of its refusal, 0 for none. */
static int
sized(size_t count, size_t size, size_t path)
{
	static char text[70000];
	struct tf_http_fields f;
	struct tf_http_in in;
	memset(text, 'a', sizeof text);
	text[0] = '/';
	tf_http_in_init(&in, 0);
	tf_http_fields_init(&f);
	tf_http_fields_add(&f, TF_STR(":method"), TF_STR("GET"));
	tf_http_fields_add(&f, TF_STR(":scheme"), TF_STR("https"));
	tf_http_fields_add(&f, TF_STR(":path"), tf_str_n(text, path));
	tf_http_fields_add(&f, TF_STR(":authority"), TF_STR("h"));
	for (size_t i = 0; i < count; i++)
		tf_http_fields_add(&f, TF_STR("x"), tf_str_n(text + 1, size));
	assert_int_equal(f.count, 4 + count);
	int status = tf_http_in_fields(&in, &f, true) == TF_HTTP_REFUSED ? in.status : 0;
	tf_http_fields_release(&f);
	tf_http_in_release(&in);
	return status;
}

static void
limits_are_those_of_a_head_in_lines(void **state)
{
	(void)state;
	assert_int_equal(sized(TF_HTTP_HEADERS_MAX - 1, 10, 10), 0); /* and host */
	assert_int_equal(sized(TF_HTTP_HEADERS_MAX, 10, 10), 431);
	assert_int_equal(sized(1, 16000, 10), 0);
	assert_int_equal(sized(1, TF_HTTP_HEAD_BYTES, 10), 431);
	assert_int_equal(sized(1, TF_HTTP_HEAD_BYTES - 20, 10), 431);
	assert_int_equal(sized(3, 60000, 10), 431);
	assert_int_equal(sized(0, 0, TF_HTTP_TARGET_BYTES), 0);
	assert_int_equal(sized(0, 0, TF_HTTP_TARGET_BYTES + 1), 414);
}

/* Without memory for some of it a request is refused; it is never another one. */
static void
a_failed_allocation_refuses(void **state)
{
	(void)state;
	static char long_value[600];
	memset(long_value, 'v', sizeof long_value - 1);
	const struct row row = {{{":method", "GET"},
				 {":scheme", "https"},
				 {":path", "/p"},
				 {"host", "h"},
				 {"x", long_value},
				 {"y", "z"}},
				NULL,
				NULL};
	struct tf_buf want;
	tf_buf_init(&want, 0);
	enum tf_http_event e = TF_HTTP_REFUSED;
	for (uint64_t n = 0; e == TF_HTTP_REFUSED || n < 2; n++) { /* 0: none fails */
		struct tf_http_in in;
		struct tf_buf out;
		tf_buf_init(&out, 0);
		assert_non_null(tf_buf_room(&out, 4096));
		tf_http_in_init(&in, 0);
		tf_mem_fail_at(n);
		e = read_row(&in, &row, 1, &out);
		tf_mem_fail_at(0);
		if (!n)
			tf_buf_str(&want, tf_buf_view(&out));
		if (e == TF_HTTP_REFUSED)
			assert_int_equal(in.status, 503);
		else
			assert_true(tf_str_eq(tf_buf_view(&want), tf_buf_view(&out)));
		tf_http_in_release(&in);
		tf_buf_release(&out);
		assert_true(n < 100);
	}
	tf_buf_release(&want);
}

static void
the_writer_writes_lines_for_http_2(void **state)
{
	(void)state;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_http_put_head(&b, TF_HTTP_2, 200, 3, true, 0);
	tf_http_put_end(&b);
	tf_http_put_chunk(&b, TF_HTTP_2, TF_STR("abc"));
	tf_http_put_last(&b, TF_HTTP_2);
	assert_true(tf_str_eq(tf_buf_view(&b), TF_STR(":status: 200\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
						      "Content-Length: 3\r\n\r\nabc")));
	tf_buf_reset(&b);
	tf_http_put_head(&b, TF_HTTP_2, 200, TF_HTTP_BODY_NONE, false, 0);
	assert_null(memmem(b.p, b.n, "Transfer", 8));
	tf_buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_understood_or_refused),
		cmocka_unit_test(limits_are_those_of_a_head_in_lines),
		cmocka_unit_test(a_failed_allocation_refuses),
		cmocka_unit_test(the_writer_writes_lines_for_http_2),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
