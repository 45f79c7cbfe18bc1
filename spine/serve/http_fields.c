/* A request that comes as fields and pieces of a body, as HTTP/2 brings it; see http.h.
 *
 * The fields are put together as the head they would have been over HTTP/1.1, and that head is read by http_head.c: one
 * grammar, one set of limits. What could make another head of them (a line feed, a colon in a name, a blank in the
 * target) is refused before, and so is what belongs to a connection and not to a request (RFC 9113, 8.2 and 8.3). */
#include "http_impl.h"

void
tf_http_fields_init(struct tf_http_fields *f)
{
	*f = (struct tf_http_fields){0};
	tf_buf_init(&f->method, 64);
	tf_buf_init(&f->target, TF_HTTP_TARGET_BYTES);
	tf_buf_init(&f->authority, 512);
	tf_buf_init(&f->scheme, 8);
	tf_buf_init(&f->lines, TF_HTTP_HEAD_BYTES);
}

void
tf_http_fields_release(struct tf_http_fields *f)
{
	tf_buf_release(&f->method);
	tf_buf_release(&f->target);
	tf_buf_release(&f->authority);
	tf_buf_release(&f->scheme);
	tf_buf_release(&f->lines);
	tf_http_fields_init(f);
}

static void
refuse(struct tf_http_fields *f, int status, const char *why)
{
	if (f->status)
		return; /* the first reason is told */
	f->status = status;
	f->why = why;
}

/* Bytes that were not taken: there were too many, or memory was out. */
static void
refuse_full(struct tf_http_fields *f, const struct tf_buf *b, int too_long, const char *why)
{
	if (b->err == TF_NO_MEMORY)
		refuse(f, 503, "out of memory");
	else if (b->err)
		refuse(f, too_long, why);
}

static void
add_pseudo(struct tf_http_fields *f, struct tf_str name, struct tf_str value)
{
	const struct {
		struct tf_str name;
		struct tf_buf *into;
		int too_long;
	} known[] = {{TF_STR(":method"), &f->method, 501},
		     {TF_STR(":path"), &f->target, 414},
		     {TF_STR(":authority"), &f->authority, 400},
		     {TF_STR(":scheme"), &f->scheme, 400}};
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] <= ' ' || value.p[i] == 127) {
			refuse(f, 400, "a blank or control character in a pseudo-header field");
			return;
		}
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!tf_str_eq(name, known[i].name))
			continue;
		if (!value.n || known[i].into->n)
			refuse(f, 400, "an empty or repeated pseudo-header field");
		tf_buf_str(known[i].into, value);
		refuse_full(f, known[i].into, known[i].too_long, "a pseudo-header field is too long");
		return;
	}
	refuse(f, 400, "an unknown pseudo-header field");
}

static bool
of_connection(struct tf_str name, struct tf_str value)
{
	static const char *const names[] = {"connection", "keep-alive", "proxy-connection", "transfer-encoding",
					    "upgrade"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (tf_str_eq(name, tf_str(names[i])))
			return true;
	return tf_str_eq(name, TF_STR("te")) && !tf_str_eq(value, TF_STR("trailers"));
}

static bool
lower_case(struct tf_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return false;
	return true;
}

/* host says the same as :authority, or in its place. */
static void
add_host(struct tf_http_fields *f, struct tf_str value)
{
	if (f->host)
		refuse(f, 400, "repeated Host");
	f->host = true;
	if (!f->authority.n)
		tf_buf_str(&f->authority, value);
	refuse_full(f, &f->authority, 400, "bad Host");
	if (!value.n || !tf_str_eq_nocase(value, tf_buf_view(&f->authority)))
		refuse(f, 400, "the target's authority is not the Host");
}

void
tf_http_fields_add(struct tf_http_fields *f, struct tf_str name, struct tf_str value)
{
	struct tf_http_header h;
	size_t at = f->lines.n;
	f->bytes += name.n + value.n + 32; /* as RFC 9113, 6.5.2 counts them */
	f->count++;
	if (f->status)
		return;
	if (name.n && *name.p == ':') {
		add_pseudo(f, name, value);
		return;
	}
	tf_buf_str(&f->lines, name);
	tf_buf_cstr(&f->lines, ": ");
	tf_buf_str(&f->lines, value);
	refuse_full(f, &f->lines, 431, "the header section is too long");
	if (f->status)
		return;
	const char *why = tf_http_header_line(tf_str_n(f->lines.p + at, f->lines.n - at), &h);
	if (!why && h.name.n != name.n)
		why = "a header's name is malformed";
	if (!why && !lower_case(name))
		why = "a header's name is not in lower case";
	if (!why && of_connection(name, value))
		why = "a header that belongs to a connection of HTTP/1.1";
	if (why) {
		refuse(f, 400, why);
	} else if (tf_str_eq(name, TF_STR("host"))) {
		add_host(f, h.value);
		f->lines.n = at;
	} else {
		tf_buf_cstr(&f->lines, "\r\n");
		refuse_full(f, &f->lines, 431, "the header section is too long");
	}
}

static enum tf_http_event
put_together(struct tf_http_in *in, struct tf_http_fields *f)
{
	tf_buf_str(&in->head, tf_buf_view(&f->method));
	tf_buf_u8(&in->head, ' ');
	tf_buf_str(&in->head, tf_buf_view(&f->target));
	tf_buf_cstr(&in->head, " HTTP/1.1\r\n");
	if (f->authority.n) {
		tf_buf_cstr(&in->head, "host: ");
		tf_buf_str(&in->head, tf_buf_view(&f->authority));
		tf_buf_cstr(&in->head, "\r\n");
	}
	tf_buf_str(&in->head, tf_buf_view(&f->lines));
	tf_buf_cstr(&in->head, "\r\n");
	if (in->head.err == TF_NO_MEMORY)
		return tf_http_refuse(in, 503, "out of memory");
	if (in->head.err)
		return tf_http_refuse(in, 431, "the header section is too long");
	return tf_http_parse_head(in);
}

enum tf_http_event
tf_http_in_fields(struct tf_http_in *in, struct tf_http_fields *f, bool ends)
{
	struct tf_http_request *r = &in->request;
	struct tf_str scheme = tf_buf_view(&f->scheme), target = tf_buf_view(&f->target);
	if (f->status)
		return tf_http_refuse(in, f->status, f->why);
	if (!f->method.n || !target.n || !scheme.n)
		return tf_http_refuse(in, 400, "a pseudo-header field is missing");
	if (!tf_str_eq(scheme, TF_STR("https")) && !tf_str_eq(scheme, TF_STR("http")))
		return tf_http_refuse(in, 400, "the target's scheme is not https");
	if (*target.p != '/' && !tf_str_eq(target, TF_STR("*")))
		return tf_http_refuse(in, 400, "the target is not a path");
	if (put_together(in, f) == TF_HTTP_REFUSED)
		return TF_HTTP_REFUSED;
	r->chunked = !ends && r->length == TF_HTTP_BODY_NONE;
	return TF_HTTP_HEAD;
}

enum tf_http_event
tf_http_in_data(struct tf_http_in *in, struct tf_str bytes)
{
	const struct tf_http_request *r = &in->request;
	bool known = r->length != TF_HTTP_BODY_NONE;
	if ((known && r->length > in->body_max) || bytes.n > in->body_max - in->body)
		return tf_http_refuse(in, 413, "the body is too large");
	if (known && bytes.n > r->length - in->body)
		return tf_http_refuse(in, 400, "the body is longer than Content-Length says");
	if (!bytes.n)
		return TF_HTTP_MORE;
	in->piece = bytes;
	in->body += bytes.n;
	return TF_HTTP_BODY;
}

enum tf_http_event
tf_http_in_end(struct tf_http_in *in)
{
	const struct tf_http_request *r = &in->request;
	if (r->length != TF_HTTP_BODY_NONE && in->body != r->length)
		return tf_http_refuse(in, 400, "the body is shorter than Content-Length says");
	return TF_HTTP_DONE;
}
