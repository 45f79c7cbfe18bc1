/* Rows of bytes and what the reader must understand of them; see http_rows_test.h. */
#include "http_rows_test.h"

#include "base/mem.h"

#define BODY_MAX 16 /* of every request read here */

struct reading {
	struct tf_http_in in;
	struct tf_buf out;
};

static void
put_head(struct tf_buf *b, const struct tf_http_request *r)
{
	tf_buf_str(b, r->method);
	tf_buf_u8(b, ' ');
	tf_buf_str(b, r->path);
	if (r->query.n)
		tf_buf_u8(b, '?');
	tf_buf_str(b, r->query);
	tf_buf_u8(b, ' ');
	tf_buf_str(b, r->host);
	for (size_t i = 0; i < r->header_count; i++) {
		tf_buf_cstr(b, i ? "|" : " {");
		tf_buf_str(b, r->headers[i].name);
		tf_buf_u8(b, ':');
		tf_buf_str(b, r->headers[i].value);
	}
	tf_buf_cstr(b, r->chunked ? "} chunked" : "}");
	if (r->length != TF_HTTP_BODY_NONE)
		tf_buf_printf(b, " length=%llu", (unsigned long long)r->length);
	tf_buf_cstr(b, r->expects_continue ? " continue" : "");
	tf_buf_cstr(b, r->close ? " close" : "");
	tf_buf_cstr(b, " '");
}

/* Feeds one piece; false after a refusal. */
static bool
feed(struct reading *r, struct tf_str bytes)
{
	for (;;)
		switch (tf_http_in_feed(&r->in, &bytes)) {
		case TF_HTTP_MORE:
			assert_int_equal(bytes.n, 0);
			return true;
		case TF_HTTP_HEAD:
			put_head(&r->out, &r->in.request);
			break;
		case TF_HTTP_BODY:
			assert_true(r->in.piece.n > 0);
			tf_buf_str(&r->out, r->in.piece);
			break;
		case TF_HTTP_DONE:
			tf_buf_cstr(&r->out, "'\n");
			tf_http_in_next(&r->in, BODY_MAX, bytes.n % 2);
			assert_false(tf_http_in_begun(&r->in));
			break;
		default:
			assert_int_equal(tf_http_in_feed(&r->in, &bytes), TF_HTTP_REFUSED);
			tf_buf_printf(&r->out, "! %d %s", r->in.status, r->in.why);
			return false;
		}
}

struct tf_buf
read_cut(struct tf_str bytes, size_t first, size_t step)
{
	struct reading r;
	tf_http_in_init(&r.in, BODY_MAX);
	tf_buf_init(&r.out, 0);
	bool go = true;
	for (size_t at = 0, n = first; go && at < bytes.n; at += n, n = step) {
		n = n < bytes.n - at ? n : bytes.n - at;
		char *piece = tf_malloc(n + 1); /* + 1: the first may be empty */
		assert_non_null(piece);
		memcpy(piece + 1, bytes.p + at, n);
		go = feed(&r, tf_str_n(piece + 1, n));
		tf_free(piece);
	}
	tf_http_in_release(&r.in);
	tf_buf_u8(&r.out, 0);
	assert_int_equal(r.out.err, TF_OK);
	return r.out;
}

static void
understood(struct tf_str bytes, size_t first, size_t step, const char *want)
{
	struct tf_buf got = read_cut(bytes, first, step);
	if (strcmp((const char *)got.p, want) != 0)
		print_message("of '%.*s' cut at %zu:\n", (int)bytes.n, bytes.p, first);
	assert_string_equal((const char *)got.p, want);
	tf_buf_release(&got);
}

void
understood_however_cut(struct tf_str bytes, const char *want)
{
	understood(bytes, bytes.n, bytes.n, want);
	understood(bytes, 1, 1, want);
	size_t step = bytes.n < 1000 ? 1 : 97;
	for (size_t cut = 1; cut < bytes.n; cut += step)
		understood(bytes, cut, bytes.n, want);
}

void
check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		understood_however_cut(tf_str_n(rows[i].bytes, rows[i].n), rows[i].want);
}
