/* The HTTP reader: however a connection's bytes are cut, the same requests, bodies and refusal come of them. The first
 * byte chooses a cut, the others are the bytes. */
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "serve/http.h"

#define BODY_MAX 4096

struct reading {
	struct tf_http_in in;
	struct tf_buf out; /* what happened, as text; pieces of a body run together */
};

static void
put(struct tf_buf *b, char tag, struct tf_str s)
{
	tf_buf_u8(b, (uint8_t)tag);
	tf_buf_lstr(b, s);
}

static void
check_head(const struct tf_http_request *r)
{
	TF_ASSERT(r->method.n && r->path.n && r->host.n && r->header_count <= TF_HTTP_HEADERS_MAX);
	TF_ASSERT(!r->chunked || r->length == TF_HTTP_BODY_NONE);
	TF_ASSERT(!tf_http_repeated(r, "host") && !tf_http_repeated(r, "content-length"));
	for (size_t i = 0; i < r->header_count; i++) {
		struct tf_str v = r->headers[i].value;
		TF_ASSERT(r->headers[i].name.n && !memchr(v.p, '\r', v.n) && !memchr(v.p, '\n', v.n));
	}
}

static void
put_request(struct tf_buf *b, const struct tf_http_request *r)
{
	check_head(r);
	put(b, 'M', r->method);
	put(b, 'T', r->target);
	put(b, 'P', r->path);
	put(b, 'Q', r->query);
	put(b, 'H', r->host);
	tf_buf_u64(b, r->length);
	tf_buf_u8(b, (uint8_t)(r->chunked | r->expects_continue << 1 | r->close << 2));
	for (size_t i = 0; i < r->header_count; i++) {
		put(b, 'n', r->headers[i].name);
		put(b, 'v', r->headers[i].value);
	}
}

static bool
feed(struct reading *r, struct tf_str bytes)
{
	for (;;)
		switch (tf_http_in_feed(&r->in, &bytes)) {
		case TF_HTTP_MORE:
			TF_ASSERT(!bytes.n);
			return true;
		case TF_HTTP_HEAD:
			put_request(&r->out, &r->in.request);
			break;
		case TF_HTTP_BODY:
			TF_ASSERT(r->in.piece.n && r->in.body <= BODY_MAX);
			tf_buf_str(&r->out, r->in.piece);
			break;
		case TF_HTTP_DONE:
			tf_buf_u8(&r->out, 'D');
			tf_http_in_next(&r->in, BODY_MAX, bytes.n % 2);
			break;
		default:
			TF_ASSERT(r->in.status >= 400 && r->in.why);
			tf_buf_u64(&r->out, (uint64_t)r->in.status);
			tf_buf_cstr(&r->out, r->in.why);
			return false;
		}
}

/* Pieces of 1 to `step` bytes, 0 for one piece; each a copy of its own. */
static void
read_cut(struct reading *r, const uint8_t *p, size_t n, size_t step)
{
	tf_http_in_init(&r->in, BODY_MAX);
	tf_buf_init(&r->out, 0);
	size_t turn = 0;
	while (n) {
		size_t part = step ? 1 + turn++ * 7 % step : n;
		part = part < n ? part : n;
		char *piece = tf_strndup((const char *)p, part);
		TF_ASSERT(piece);
		bool go = feed(r, tf_str_n(piece, part));
		tf_free(piece);
		if (!go)
			break;
		p += part;
		n -= part;
	}
	tf_http_in_release(&r->in);
}

static void
decode(const uint8_t *p, size_t n)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	if (tf_http_decode(tf_str_n(p, n), &b) == TF_OK)
		TF_ASSERT(b.n <= n && (memchr(p, 0, n) || !b.n || !memchr(b.p, 0, b.n)));
	tf_buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (!n)
		return 0;
	struct reading whole, bytes, cut;
	read_cut(&whole, p + 1, n - 1, 0);
	read_cut(&bytes, p + 1, n - 1, 1);
	read_cut(&cut, p + 1, n - 1, 1 + (size_t)*p);
	TF_ASSERT(tf_str_eq(tf_buf_view(&whole.out), tf_buf_view(&bytes.out)));
	TF_ASSERT(tf_str_eq(tf_buf_view(&whole.out), tf_buf_view(&cut.out)));
	tf_buf_release(&whole.out);
	tf_buf_release(&bytes.out);
	tf_buf_release(&cut.out);
	decode(p + 1, n - 1);
	return 0;
}
