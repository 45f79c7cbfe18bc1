/* Which handler a request is for, and its parameters; see server.h. */
#include <stdio.h>

#include "server_impl.h"

/* Takes the text up to the next '/' off *path, which begins with one. */
static bool
next_segment(struct tf_str *path, struct tf_str *out)
{
	if (!path->n || *path->p != '/')
		return false;
	const char *at = path->p + 1, *end = path->p + path->n;
	const char *slash = memchr(at, '/', (size_t)(end - at));
	*out = tf_str_n(at, (size_t)((slash ? slash : end) - at));
	*path = tf_str_n(at + out->n, path->n - 1 - out->n);
	return true;
}

static enum tf_err
decode(struct tf_exchange *x, struct tf_str s, struct tf_str *out)
{
	if (!memchr(s.p, '%', s.n)) {
		*out = s;
		return TF_OK;
	}
	struct tf_buf b;
	tf_buf_init(&b, s.n);
	enum tf_err e = tf_http_decode(s, &b);
	if (!e) {
		*out = tf_arena_str(&x->arena, tf_buf_view(&b));
		e = out->p ? TF_OK : TF_NO_MEMORY;
	}
	tf_buf_release(&b);
	return e;
}

/* Fills params as they came. */
static bool
matches(struct tf_exchange *x, const struct tf_route *r, struct tf_str path)
{
	struct tf_str pattern = tf_str(r->path), want, got;
	unsigned n = 0;
	while (next_segment(&pattern, &want)) {
		if (!next_segment(&path, &got))
			return false;
		if (want.n && *want.p == '{') {
			TF_ASSERT(n < TF_ROUTE_PARAMS_MAX);
			if (!got.n)
				return false;
			x->params[n++] = got;
		} else if (!tf_str_eq(want, got)) {
			return false;
		}
	}
	return !path.n;
}

static bool
listed(const char *names, struct tf_str name)
{
	struct tf_str rest = tf_str(names), word;
	while (names && tf_str_cut(&rest, ' ', &word))
		if (tf_str_eq(word, name))
			return true;
	return false;
}

/* Answers 400 to what the client asked badly; false. */
static bool
bad(struct tf_exchange *x, const char *what, struct tf_str name)
{
	char text[256], field[80];
	snprintf(field, sizeof field, "%.*s", (int)(name.n > 60 ? 60 : name.n), name.p ? name.p : "");
	snprintf(text, sizeof text, "%s: '%s'", what, field);
	struct tf_problem p = {400, "INVALID", tf_str(text), field};
	tf_reply_problem(x, &p);
	return false;
}

static bool
badly_encoded(struct tf_exchange *x, enum tf_err e, const char *what, struct tf_str name)
{
	struct tf_fault f = {e, "no memory for a request"};
	if (e == TF_INVALID)
		return bad(x, what, name);
	tf_reply_fault(x, &f, NULL);
	return false;
}

static bool
decode_params(struct tf_exchange *x)
{
	struct tf_str pattern = tf_str(x->route->path), name;
	for (unsigned n = 0; next_segment(&pattern, &name);) {
		if (!name.n || *name.p != '{')
			continue;
		enum tf_err e = decode(x, x->params[n], &x->params[n]);
		if (e)
			return badly_encoded(x, e, "badly encoded path parameter", tf_str_n(name.p + 1, name.n - 2));
		n++;
	}
	return true;
}

static bool
read_query(struct tf_exchange *x)
{
	struct tf_str rest = x->conn->in.request.query, pair;
	while (x->conn->in.request.query.n && tf_str_cut(&rest, '&', &pair)) {
		struct tf_http_header q;
		const char *eq = memchr(pair.p, '=', pair.n);
		size_t n = eq ? (size_t)(eq - pair.p) : pair.n;
		struct tf_str value = eq ? tf_str_n(eq + 1, pair.n - n - 1) : tf_str("");
		if (!pair.n || x->query_count == TF_QUERY_MAX)
			return bad(x, pair.n ? "too many query parameters" : "an empty query parameter", pair);
		enum tf_err e = decode(x, tf_str_n(pair.p, n), &q.name);
		if (!e)
			e = decode(x, value, &q.value);
		if (e)
			return badly_encoded(x, e, "badly encoded query parameter", tf_str_n(pair.p, n));
		if (!listed(x->route->query, q.name))
			return bad(x, "unknown query parameter", tf_str_n(pair.p, n));
		for (unsigned i = 0; i < x->query_count; i++)
			if (tf_str_eq(x->query[i].name, q.name))
				return bad(x, "query parameter given twice", q.name);
		x->query[x->query_count++] = q;
	}
	return true;
}

static bool
method_fits(const struct tf_route *r, struct tf_str method)
{
	return tf_str_eq(tf_str(r->method), method) ||
	       (tf_str_eq(method, TF_STR("HEAD")) && tf_str_eq(tf_str(r->method), TF_STR("GET")));
}

/* Finds it in one table; the methods that the path would take are added to allow. */
static const struct tf_route *
search(struct tf_exchange *x, const struct tf_route *table, char allow[static 128])
{
	const struct tf_http_request *q = &x->conn->in.request;
	for (const struct tf_route *r = table; r->method; r++) {
		if (!matches(x, r, q->path))
			continue;
		if (method_fits(r, q->method))
			return r;
		size_t n = strlen(allow);
		snprintf(allow + n, 128 - n, "%s%s%s", n ? ", " : "", r->method,
			 tf_str_eq(tf_str(r->method), TF_STR("GET")) ? ", HEAD" : "");
	}
	return NULL;
}

bool
tf_route_find(struct tf_exchange *x)
{
	char allow[128] = "";
	x->route = search(x, x->conn->server->o.routes, allow);
	if (!x->route)
		x->route = search(x, tf_builtin_routes, allow);
	if (x->route)
		return decode_params(x) && read_query(x);
	struct tf_problem p = {404, "NOT_FOUND", TF_STR("there is nothing at this path"), NULL};
	if (allow[0]) {
		tf_reply_header(x, "Allow", tf_str(allow));
		p = (struct tf_problem){405, "UNSUPPORTED", TF_STR("this path does not take that method"), NULL};
	}
	tf_reply_problem(x, &p);
	return false;
}

struct tf_str
tf_exchange_query(const struct tf_exchange *x, const char *name)
{
	for (unsigned i = 0; name && i < x->query_count; i++)
		if (tf_str_eq(x->query[i].name, tf_str(name)))
			return x->query[i].value;
	return (struct tf_str){0};
}
