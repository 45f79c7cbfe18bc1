/* What a request's head and a chunk's size line say: the grammar of RFC 9110 and 9112; see http.h. */
#include "http_impl.h"

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool
in_set(const char *set, unsigned char c)
{
	return c && strchr(set, c);
}

static bool
is_token(unsigned char c)
{
	return is_alnum(c) || c == '-' || in_set("!#$%&'*+.^_`|~", c);
}

static int
hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t
token_bytes(struct tf_str s)
{
	size_t n = 0;
	while (n < s.n && is_token((unsigned char)s.p[n]))
		n++;
	return n;
}

static struct tf_str
skip(struct tf_str s, size_t n)
{
	return tf_str_n(s.p + n, s.n - n);
}

static struct tf_str
skip_blanks(struct tf_str s)
{
	while (s.n && (*s.p == ' ' || *s.p == '\t'))
		s = skip(s, 1);
	return s;
}

const char *
tf_http_header_line(struct tf_str line, struct tf_http_header *out)
{
	if (line.n && (*line.p == ' ' || *line.p == '\t'))
		return "a header line begins with a blank (obs-fold)";
	size_t n = token_bytes(line);
	if (!n || n == line.n || line.p[n] != ':')
		return n < line.n && (line.p[n] == ' ' || line.p[n] == '\t') ? "a blank before a header's colon"
									     : "a header's name is malformed";
	struct tf_str value = skip_blanks(skip(line, n + 1));
	while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
		value.n--;
	for (size_t i = tf_str_plain(value); i < value.n; i++)
		if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 127)
			return "a header's value has a control character";
	*out = (struct tf_http_header){tf_str_n(line.p, n), value};
	return NULL;
}

/* path-absolute [ "?" query ]: the characters of RFC 3986, percent signs in order. */
static bool
good_target(struct tf_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '%') {
			if (s.n - i < 3 || hex((unsigned char)s.p[i + 1]) < 0 || hex((unsigned char)s.p[i + 2]) < 0)
				return false;
		} else if (!is_alnum(c) && c != '/' && !in_set("-._~!$&'()*+,;=:@?", c)) {
			return false;
		}
	}
	return true;
}

static bool
good_port(struct tf_str s)
{
	uint64_t port;
	return !s.n || (s.n <= 5 && tf_str_u64(s, &port) && port <= 65535);
}

/* uri-host [ ":" port ] with a name, an IPv4 or a bracketed IPv6 address. */
static bool
good_host(struct tf_str s)
{
	size_t n = 0;
	if (s.n && *s.p == '[') {
		for (n = 1; n < s.n && (hex((unsigned char)s.p[n]) >= 0 || in_set(":.", (unsigned char)s.p[n]));)
			n++;
		if (n < 3 || n == s.n || s.p[n++] != ']')
			return false;
	} else {
		while (n < s.n && (is_alnum((unsigned char)s.p[n]) || in_set("-._~", (unsigned char)s.p[n])))
			n++;
	}
	if (!n || n > 255)
		return false;
	return n == s.n || (s.p[n] == ':' && good_port(skip(s, n + 1)));
}

static const char *
split_target(struct tf_http_request *r, struct tf_str *out_authority)
{
	struct tf_str t = r->target;
	*out_authority = (struct tf_str){0};
	if (tf_str_eq(t, TF_STR("*"))) {
		r->path = t;
		return tf_str_eq(r->method, TF_STR("OPTIONS")) ? NULL : "target '*' is for OPTIONS only";
	}
	if (t.n > 7 && tf_str_eq_nocase(tf_str_n(t.p, 7), TF_STR("http://"))) {
		t = skip(t, 7);
		size_t n = 0;
		while (n < t.n && t.p[n] != '/' && t.p[n] != '?')
			n++;
		*out_authority = tf_str_n(t.p, n);
		t = skip(t, n);
		if (!n || !t.n || *t.p != '/')
			return "the target's authority or path is missing";
	}
	if (!t.n || *t.p != '/')
		return "the target is not a path";
	if (!good_target(t))
		return "the target has a character that must be percent-encoded";
	const char *mark = memchr(t.p, '?', t.n);
	r->path = tf_str_n(t.p, mark ? (size_t)(mark - t.p) : t.n);
	r->query = mark ? skip(t, r->path.n + 1) : tf_str("");
	return NULL;
}

/* method SP target SP version: exactly one space each. 0, or the status of a refusal. */
static int
request_line(struct tf_http_request *r, struct tf_str line, const char **why)
{
	size_t n = token_bytes(line);
	*why = "the request line is malformed";
	if (!n || n == line.n || line.p[n] != ' ')
		return 400;
	r->method = tf_str_n(line.p, n);
	struct tf_str rest = skip(line, n + 1);
	if (!tf_str_cut(&rest, ' ', &r->target) || !r->target.n)
		return 400;
	if (r->target.n > TF_HTTP_TARGET_BYTES) {
		*why = "the target is too long";
		return 414;
	}
	if (rest.n != 8 || !tf_str_starts(rest, TF_STR("HTTP/")) || rest.p[6] != '.' || rest.p[5] < '0' ||
	    rest.p[5] > '9' || rest.p[7] < '0' || rest.p[7] > '9')
		return 400;
	*why = "only HTTP/1.1 is spoken here";
	return rest.p[5] == '1' && rest.p[7] >= '1' ? 0 : 505;
}

static int
content_length(struct tf_http_request *r, struct tf_str value, const char **why)
{
	*why = r->length != TF_HTTP_BODY_NONE ? "repeated Content-Length" : "bad Content-Length";
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] < '0' || value.p[i] > '9')
			return 400;
	if (r->length != TF_HTTP_BODY_NONE || !tf_str_u64(value, &r->length) || r->length == TF_HTTP_BODY_NONE)
		return 400;
	return 0;
}

static int
transfer_encoding(struct tf_http_request *r, struct tf_str value, const char **why)
{
	*why = "repeated Transfer-Encoding";
	if (r->chunked)
		return 400;
	r->chunked = true;
	if (tf_str_eq_nocase(value, TF_STR("chunked")))
		return 0;
	struct tf_str last = {0}, part;
	unsigned chunked = 0;
	while (tf_str_cut(&value, ',', &part)) {
		last = tf_str_trim(part);
		chunked += tf_str_eq_nocase(last, TF_STR("chunked"));
	}
	bool final = tf_str_eq_nocase(last, TF_STR("chunked"));
	*why = final && chunked == 1 ? "only the chunked transfer coding is offered"
				     : "chunked is not the last transfer coding, once";
	return final && chunked == 1 ? 501 : 400;
}

static int
host(struct tf_http_request *r, struct tf_str value, const char **why)
{
	*why = "repeated Host";
	if (r->host.p)
		return 400;
	*why = "bad Host";
	r->host = value;
	return good_host(value) ? 0 : 400;
}

static int
expect(struct tf_http_request *r, struct tf_str value, const char **why)
{
	*why = "only 100-continue can be expected";
	r->expects_continue = tf_str_eq_nocase(value, TF_STR("100-continue"));
	return r->expects_continue ? 0 : 417;
}

static int
connection(struct tf_http_request *r, struct tf_str value, const char **why)
{
	struct tf_str part;
	(void)why;
	while (tf_str_cut(&value, ',', &part))
		if (tf_str_eq_nocase(tf_str_trim(part), TF_STR("close")))
			r->close = true;
	return 0;
}

static int
known_header(struct tf_http_request *r, const struct tf_http_header *h, const char **why)
{
	static const struct {
		struct tf_str name;
		int (*take)(struct tf_http_request *r, struct tf_str value, const char **why);
	} known[] = {{TF_STR("content-length"), content_length},
		     {TF_STR("transfer-encoding"), transfer_encoding},
		     {TF_STR("host"), host},
		     {TF_STR("expect"), expect},
		     {TF_STR("connection"), connection}};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (tf_str_eq_nocase(h->name, known[i].name))
			return known[i].take(r, h->value, why);
	return 0;
}

/* The next line of the head without its CRLF; a CR inside stays and is refused as a control character. */
static struct tf_str
next_line(struct tf_str *head)
{
	struct tf_str line;
	tf_str_cut(head, '\n', &line);
	line.n--;
	return line;
}

static enum tf_http_event
headers(struct tf_http_in *in, struct tf_str head)
{
	struct tf_http_request *r = &in->request;
	struct tf_str line;
	while ((line = next_line(&head)).n) {
		if (r->header_count == TF_HTTP_HEADERS_MAX)
			return tf_http_refuse(in, 431, "too many headers");
		struct tf_http_header *h = &r->headers[r->header_count];
		const char *why = tf_http_header_line(line, h);
		if (why)
			return tf_http_refuse(in, 400, why);
		r->header_count++; /* not before: its place may hold pointers of the request before */
		int status = known_header(r, h, &why);
		if (status)
			return tf_http_refuse(in, status, why);
	}
	return TF_HTTP_HEAD;
}

enum tf_http_event
tf_http_parse_head(struct tf_http_in *in)
{
	struct tf_http_request *r = &in->request;
	struct tf_str head = tf_buf_view(&in->head), authority;
	const char *why;
	r->header_count = 0;
	r->length = TF_HTTP_BODY_NONE;
	r->chunked = r->expects_continue = r->close = false;
	r->host = r->path = r->query = (struct tf_str){0};
	int status = request_line(r, next_line(&head), &why);
	if (status)
		return tf_http_refuse(in, status, why);
	if ((why = split_target(r, &authority)))
		return tf_http_refuse(in, 400, why);
	if (headers(in, head) == TF_HTTP_REFUSED)
		return TF_HTTP_REFUSED;
	if (!r->host.p)
		return tf_http_refuse(in, 400, "no Host");
	if (authority.n && !tf_str_eq_nocase(authority, r->host))
		return tf_http_refuse(in, 400, "the target's authority is not the Host");
	if (r->chunked && r->length != TF_HTTP_BODY_NONE)
		return tf_http_refuse(in, 400, "Content-Length with Transfer-Encoding");
	return TF_HTTP_HEAD;
}

/* A quoted-string at the start of s: its bytes, 0 when it is none. */
static size_t
quoted_bytes(struct tf_str s)
{
	if (!s.n || *s.p != '"')
		return 0;
	for (size_t i = 1; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '"')
			return i + 1;
		if (c == '\\' && ++i == s.n)
			return 0;
		c = (unsigned char)s.p[i];
		if ((c < ' ' && c != '\t') || c == 127)
			return 0;
	}
	return 0;
}

bool
tf_http_chunk_line(struct tf_str s, uint64_t *out_size)
{
	size_t digits = 0;
	uint64_t size = 0;
	while (digits < s.n && hex((unsigned char)s.p[digits]) >= 0)
		size = size << 4 | (unsigned)hex((unsigned char)s.p[digits++]);
	if (!digits || digits > 15)
		return false;
	s = skip(s, digits);
	while (s.n) {
		s = skip_blanks(s);
		if (!s.n || *s.p != ';')
			return false;
		s = skip_blanks(skip(s, 1));
		size_t n = token_bytes(s);
		if (!n)
			return false;
		s = skip(s, n);
		struct tf_str value = skip_blanks(s);
		if (!value.n || *value.p != '=')
			continue;
		value = skip_blanks(skip(value, 1));
		n = token_bytes(value);
		if (!n && !(n = quoted_bytes(value)))
			return false;
		s = skip(value, n);
	}
	*out_size = size;
	return true;
}

enum tf_err
tf_http_decode(struct tf_str s, struct tf_buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			tf_buf_u8(out, (uint8_t)s.p[i]);
			continue;
		}
		int high = s.n - i > 2 ? hex((unsigned char)s.p[i + 1]) : -1;
		int low = s.n - i > 2 ? hex((unsigned char)s.p[i + 2]) : -1;
		if (high < 0 || low < 0 || !(high | low))
			return TF_INVALID;
		tf_buf_u8(out, (uint8_t)(high << 4 | low));
		i += 2;
	}
	return out->err;
}

struct tf_str
tf_http_header(const struct tf_http_request *r, const char *name)
{
	struct tf_str wanted = tf_str(name);
	for (size_t i = 0; i < r->header_count; i++)
		if (tf_str_eq_nocase(r->headers[i].name, wanted))
			return r->headers[i].value;
	return (struct tf_str){0};
}

bool
tf_http_repeated(const struct tf_http_request *r, const char *name)
{
	struct tf_str wanted = tf_str(name);
	unsigned n = 0;
	for (size_t i = 0; i < r->header_count; i++)
		n += tf_str_eq_nocase(r->headers[i].name, wanted);
	return n > 1;
}
