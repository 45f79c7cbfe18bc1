/* Reading requests; see http.h. Framing is here, what a head says is http_head.c's. */
#include "http_impl.h"

#define HEAD_ROOM 1024 /* most heads need no more: it grows once, not by and by */

enum state { HEAD, BODY_BEGIN, BODY_LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, WHOLE, REFUSED };

void
tf_http_in_init(struct tf_http_in *in, uint64_t body_max)
{
	*in = (struct tf_http_in){.state = HEAD, .body_max = body_max};
	tf_buf_init(&in->head, TF_HTTP_HEAD_BYTES);
}

void
tf_http_in_release(struct tf_http_in *in)
{
	tf_buf_release(&in->head);
}

void
tf_http_in_next(struct tf_http_in *in, uint64_t body_max, bool keep_memory)
{
	if (!keep_memory)
		tf_buf_release(&in->head);
	tf_buf_reset(&in->head);
	in->state = HEAD;
	in->line_n = in->trailers = 0;
	in->left = in->body = 0;
	in->blank = false;
	struct tf_http_request *r = &in->request;
	r->method = r->target = r->path = r->query = r->host = (struct tf_str){0};
	r->header_count = 0;
	in->body_max = body_max;
}

bool
tf_http_in_begun(const struct tf_http_in *in)
{
	return in->state != HEAD || in->head.n > 0 || in->line_n > 0;
}

enum tf_http_event
tf_http_refuse(struct tf_http_in *in, int status, const char *why)
{
	in->state = REFUSED;
	in->status = status;
	in->why = why;
	return TF_HTTP_REFUSED;
}

/* The bytes through the next line feed, or all there are; taken off *bytes. */
static struct tf_str
take_line(struct tf_str *bytes, bool *out_whole)
{
	const char *lf = memchr(bytes->p, '\n', bytes->n);
	struct tf_str part = tf_str_n(bytes->p, lf ? (size_t)(lf - bytes->p) + 1 : bytes->n);
	*out_whole = lf != NULL;
	bytes->p += part.n;
	bytes->n -= part.n;
	return part;
}

static enum tf_http_event
head_too_long(struct tf_http_in *in)
{
	bool first = !in->head.n || !memchr(in->head.p, '\n', in->head.n);
	return first ? tf_http_refuse(in, 414, "the request line is too long")
		     : tf_http_refuse(in, 431, "the header section is too long");
}

/* TLS, or another protocol, on this port: refused at its first byte. */
static bool
no_method(char first)
{
	unsigned char c = (unsigned char)first;
	return (c < ' ' && c != '\r' && c != '\n') || c >= 127;
}

static enum tf_http_event
read_head(struct tf_http_in *in, struct tf_str *bytes)
{
	while (bytes->n) {
		bool whole;
		if (!in->head.n && no_method(*bytes->p))
			return tf_http_refuse(in, 400, "these bytes are no HTTP");
		struct tf_str part = take_line(bytes, &whole);
		if (in->head.n + part.n > TF_HTTP_HEAD_BYTES)
			return head_too_long(in);
		if (!in->head.n)
			(void)tf_buf_room(&in->head, HEAD_ROOM);
		tf_buf_str(&in->head, part);
		if (in->head.err)
			return tf_http_refuse(in, 503, "out of memory");
		if (!whole)
			continue;
		const uint8_t *p = in->head.p;
		size_t n = in->head.n;
		if (n < 2 || p[n - 2] != '\r')
			return tf_http_refuse(in, 400, "a line ends in a bare line feed");
		if (n == 2) {
			if (in->blank)
				return tf_http_refuse(in, 400, "empty lines before the request");
			in->blank = true;
			tf_buf_reset(&in->head);
		} else if (n >= 4 && p[n - 3] == '\n') {
			in->state = BODY_BEGIN;
			return tf_http_parse_head(in);
		}
	}
	return TF_HTTP_MORE;
}

static enum tf_http_event
begin_body(struct tf_http_in *in)
{
	const struct tf_http_request *r = &in->request;
	if (r->chunked) {
		in->state = CHUNK_SIZE;
		return TF_HTTP_MORE;
	}
	if (r->length == TF_HTTP_BODY_NONE || r->length == 0) {
		in->state = WHOLE;
		return TF_HTTP_DONE;
	}
	if (r->length > in->body_max)
		return tf_http_refuse(in, 413, "the body is too large");
	in->left = r->length;
	in->state = BODY_LENGTH;
	return TF_HTTP_MORE;
}

static enum tf_http_event
read_piece(struct tf_http_in *in, struct tf_str *bytes)
{
	size_t n = bytes->n < in->left ? bytes->n : (size_t)in->left;
	if (!n)
		return TF_HTTP_MORE;
	in->piece = tf_str_n(bytes->p, n);
	bytes->p += n;
	bytes->n -= n;
	in->left -= n;
	in->body += n;
	if (!in->left)
		in->state = in->state == CHUNK_DATA ? CHUNK_END : WHOLE;
	return TF_HTTP_BODY;
}

/* One line of chunk framing in in->line, its CRLF taken off; false while it is not whole or after a refusal. */
static bool
read_line(struct tf_http_in *in, struct tf_str *bytes, const char *too_long)
{
	bool whole;
	if (!bytes->n)
		return false;
	struct tf_str part = take_line(bytes, &whole);
	if (in->line_n + part.n > sizeof in->line) {
		tf_http_refuse(in, in->state == TRAILER ? 431 : 400, too_long);
		return false;
	}
	memcpy(in->line + in->line_n, part.p, part.n);
	in->line_n += part.n;
	if (!whole)
		return false;
	if (in->line_n < 2 || in->line[in->line_n - 2] != '\r') {
		tf_http_refuse(in, 400, "a line ends in a bare line feed");
		return false;
	}
	in->line_n -= 2;
	return true;
}

static enum tf_http_event
read_chunk_size(struct tf_http_in *in, struct tf_str *bytes)
{
	uint64_t size;
	if (!read_line(in, bytes, "a chunk's size line is too long"))
		return in->state == REFUSED ? TF_HTTP_REFUSED : TF_HTTP_MORE;
	if (!tf_http_chunk_line(tf_str_n(in->line, in->line_n), &size))
		return tf_http_refuse(in, 400, "bad chunk size");
	in->line_n = 0;
	if (size > in->body_max || in->body > in->body_max - size)
		return tf_http_refuse(in, 413, "the body is too large");
	in->left = size;
	in->state = size ? CHUNK_DATA : TRAILER;
	return TF_HTTP_MORE;
}

static enum tf_http_event
read_chunk_end(struct tf_http_in *in, struct tf_str *bytes)
{
	while (bytes->n && in->line_n < 2) {
		if (*bytes->p != "\r\n"[in->line_n])
			return tf_http_refuse(in, 400, "a chunk is longer than its size says");
		in->line_n++;
		bytes->p++;
		bytes->n--;
	}
	if (in->line_n == 2) {
		in->line_n = 0;
		in->state = CHUNK_SIZE;
	}
	return TF_HTTP_MORE;
}

/* Trailers are checked and dropped: nothing here has a use for them, and one that named a length would be a trick. */
static enum tf_http_event
read_trailer(struct tf_http_in *in, struct tf_str *bytes)
{
	struct tf_http_header h;
	if (!read_line(in, bytes, "a trailer is too long"))
		return in->state == REFUSED ? TF_HTTP_REFUSED : TF_HTTP_MORE;
	if (!in->line_n) {
		in->state = WHOLE;
		return TF_HTTP_DONE;
	}
	const char *why = tf_http_header_line(tf_str_n(in->line, in->line_n), &h);
	if (why)
		return tf_http_refuse(in, 400, why);
	if (++in->trailers > TF_HTTP_TRAILERS_MAX)
		return tf_http_refuse(in, 431, "too many trailers");
	in->line_n = 0;
	return TF_HTTP_MORE;
}

static enum tf_http_event
step(struct tf_http_in *in, struct tf_str *bytes)
{
	switch (in->state) {
	case HEAD:
		return read_head(in, bytes);
	case BODY_BEGIN:
		return begin_body(in);
	case BODY_LENGTH:
	case CHUNK_DATA:
		return read_piece(in, bytes);
	case CHUNK_SIZE:
		return read_chunk_size(in, bytes);
	case CHUNK_END:
		return read_chunk_end(in, bytes);
	case TRAILER:
		return read_trailer(in, bytes);
	case WHOLE:
		return TF_HTTP_DONE;
	default:
		return TF_HTTP_REFUSED;
	}
}

enum tf_http_event
tf_http_in_feed(struct tf_http_in *in, struct tf_str *bytes)
{
	for (;;) {
		int before = in->state;
		enum tf_http_event e = step(in, bytes);
		if (e != TF_HTTP_MORE || (!bytes->n && in->state == before))
			return e;
	}
}
