/* Fields as a request: what is taken has the fields that were given, one by one, and no other; a field is a length
 * byte, that many bytes of name, a length byte, that many of value; behind a zero length comes the body. */
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "serve/http.h"

#define BODY_MAX 64
#define MANY     100

struct given {
	struct tf_str name[MANY], value[MANY];
	size_t count;
};

static struct tf_str
take(struct tf_str *rest)
{
	size_t n = rest->n ? (uint8_t)*rest->p : 0;
	if (rest->n)
		*rest = tf_str_n(rest->p + 1, rest->n - 1);
	n = n < rest->n ? n : rest->n;
	struct tf_str part = tf_str_n(rest->p, n);
	*rest = tf_str_n(rest->p + n, rest->n - n);
	return part;
}

static void
check(const struct tf_http_request *r, const struct given *g)
{
	size_t at = 0;
	TF_ASSERT(r->method.n && r->path.n && r->host.n && !r->close);
	TF_ASSERT(r->header_count && tf_str_eq(r->headers[at].name, TF_STR("host")));
	for (size_t i = 0; i < g->count; i++) {
		struct tf_str name = g->name[i], value = g->value[i];
		if (*name.p == ':') {
			if (tf_str_eq(name, TF_STR(":path")))
				TF_ASSERT(tf_str_eq(r->target, value));
			if (tf_str_eq(name, TF_STR(":method")))
				TF_ASSERT(tf_str_eq(r->method, value));
			continue;
		}
		if (tf_str_eq(name, TF_STR("host"))) {
			TF_ASSERT(tf_str_eq_nocase(r->host, tf_str_trim(value)));
			continue;
		}
		TF_ASSERT(++at < r->header_count && tf_str_eq(r->headers[at].name, name));
		TF_ASSERT(tf_str_eq(r->headers[at].value, tf_str_trim(value)));
		TF_ASSERT(!tf_str_eq(name, TF_STR("transfer-encoding")) && !tf_str_eq(name, TF_STR("connection")));
	}
	TF_ASSERT(at + 1 == r->header_count);
}

static void
read_body(struct tf_http_in *in, struct tf_str body)
{
	in->body_max = BODY_MAX;
	enum tf_http_event e = tf_http_in_data(in, (struct tf_str){0});
	while (e != TF_HTTP_REFUSED && body.n) {
		struct tf_str part = tf_str_n(body.p, body.n < 7 ? body.n : 7);
		body = tf_str_n(body.p + part.n, body.n - part.n);
		e = tf_http_in_data(in, part);
		TF_ASSERT(e == TF_HTTP_REFUSED || tf_str_eq(in->piece, part));
	}
	TF_ASSERT(in->body <= BODY_MAX);
	if (e == TF_HTTP_REFUSED)
		return;
	e = tf_http_in_end(in);
	TF_ASSERT(e == TF_HTTP_REFUSED || in->request.length == TF_HTTP_BODY_NONE || in->request.length == in->body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct tf_http_fields f;
	struct tf_http_in in;
	struct given g = {.count = 0};
	struct tf_str rest = tf_str_n(p, n), name;
	tf_http_fields_init(&f);
	tf_http_in_init(&in, 0);
	while (g.count < MANY && (name = take(&rest)).n) {
		g.name[g.count] = name;
		g.value[g.count] = take(&rest);
		tf_http_fields_add(&f, name, g.value[g.count]);
		g.count++;
	}
	if (tf_http_in_fields(&in, &f, !rest.n) == TF_HTTP_HEAD) {
		check(&in.request, &g);
		read_body(&in, rest);
	} else {
		TF_ASSERT(in.status >= 400 && in.why);
	}
	tf_http_fields_release(&f);
	tf_http_in_release(&in);
	return 0;
}
