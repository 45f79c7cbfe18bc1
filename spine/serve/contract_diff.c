/* Comparing two versions of a contract, operation by operation; see contract.h. Schemas: contract_diff_schema.c. */
#include "serve/contract_diff_impl.h"

#include <stdarg.h>
#include <stdio.h>

static void
put_where(struct diff *d, const char *fmt, va_list args)
{
	char text[256];
	vsnprintf(text, sizeof text, fmt, args);
	tf_buf_cstr(&d->where, text);
	if (d->where.err)
		d->err = d->where.err;
}

size_t
diff_enter(struct diff *d, const char *fmt, ...)
{
	size_t before = d->where.n;
	va_list args;
	va_start(args, fmt);
	put_where(d, fmt, args);
	va_end(args);
	return before;
}

void
diff_leave(struct diff *d, size_t before)
{
	d->where.n = before;
}

enum tf_change_level
diff_level(const struct diff *d, enum diff_way way)
{
	if (way == DIFF_OTHER)
		return TF_CHANGE_BREAKING;
	return (way == DIFF_NARROWER) != d->answers ? TF_CHANGE_BREAKING : TF_CHANGE_COMPATIBLE;
}

void
diff_tell(struct diff *d, enum tf_change_level level, const struct tf_json *old, const struct tf_json *now,
	  const char *fmt, ...)
{
	char text[384];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	const char *whom = d->answers ? "clients that read" : "clients that send";
	struct tf_change c = {.level = level,
			      .whom = level == TF_CHANGE_BREAKING ? whom : "",
			      .where = tf_buf_view(&d->where),
			      .text = tf_str(text),
			      .old_at = old ? old->at : UINT32_MAX,
			      .new_at = now ? now->at : UINT32_MAX};
	if (d->op) {
		c.method = d->op->method;
		c.path = d->op->path;
	}
	d->fn(d->ctx, &c);
}

/* Templates are the same when they match the same paths, whatever their parameters are called. */
static bool
same_path(const struct operation_parts *a, const struct operation_parts *b)
{
	if (a->segment_count != b->segment_count)
		return false;
	for (uint32_t i = 0; i < a->segment_count; i++) {
		bool x = memchr(a->segments[i].p, '{', a->segments[i].n),
		     y = memchr(b->segments[i].p, '{', b->segments[i].n);
		if (x != y || (!x && !tf_str_eq(a->segments[i], b->segments[i])))
			return false;
	}
	return true;
}

static const struct tf_operation *
find_operation(const struct tf_contract *c, const struct tf_operation *op)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (tf_str_eq(c->operations[i].method, op->method) && same_path(c->operations[i].parts, op->parts))
			return &c->operations[i];
	return NULL;
}

/* Which path parameter it is, from 0; so that a renamed one is found. */
static uint32_t
path_index(const struct operation_parts *parts, struct tf_str name)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < parts->segment_count; i++) {
		struct tf_str ignored;
		if (contract_segment_value(parts->segments[i], parts->segments[i], name, &ignored))
			return n;
		n += memchr(parts->segments[i].p, '{', parts->segments[i].n) != NULL;
	}
	return UINT32_MAX;
}

static const struct operation_parameter *
find_parameter(const struct operation_parts *in, const struct operation_parts *from,
	       const struct operation_parameter *p)
{
	for (uint32_t i = 0; i < in->parameter_count; i++) {
		const struct operation_parameter *q = &in->parameters[i];
		if (q->in != p->in)
			continue;
		if (p->in == TF_IN_PATH     ? path_index(in, q->name) == path_index(from, p->name)
		    : p->in == TF_IN_HEADER ? tf_str_eq_nocase(q->name, p->name)
					    : tf_str_eq(q->name, p->name))
			return q;
	}
	return NULL;
}

static struct schema_spot
schema_of(const struct diff *d, const struct tf_contract *c, const struct operation_parameter *p)
{
	struct tf_schemas *s = d->answers ? c->responses : c->requests;
	struct schema_spot content = contract_member(s, p->spot, TF_STR("content"));
	if (content.node && content.node->first)
		return contract_member(s, contract_member(s, content, content.node->first->key), TF_STR("schema"));
	return contract_member(s, p->spot, TF_STR("schema"));
}

static void
compare_parameter(struct diff *d, const struct operation_parameter *a, const struct operation_parameter *b)
{
	if (a->required != b->required)
		diff_tell(d, diff_level(d, b->required ? DIFF_NARROWER : DIFF_WIDER), a->spot.node, b->spot.node,
			  b->required ? "is required now" : "is required no more");
	if (a->style != b->style || a->explode != b->explode)
		diff_tell(d, TF_CHANGE_BREAKING, a->spot.node, b->spot.node, "is written in another style");
	diff_schemas(d, schema_of(d, d->old, a), schema_of(d, d->now, b));
}

static void
compare_parameters(struct diff *d, const struct operation_parts *a, const struct operation_parts *b)
{
	static const char *const words[] = {"path", "query", "header", "cookie"};
	for (uint32_t i = 0; i < a->parameter_count && !d->err; i++) {
		const struct operation_parameter *p = &a->parameters[i], *q = find_parameter(b, a, p);
		size_t before = diff_enter(d, "%s %.*s", words[p->in], TF_FMT(p->name));
		if (q)
			compare_parameter(d, p, q);
		else
			diff_tell(d, p->in == TF_IN_QUERY ? TF_CHANGE_BREAKING : TF_CHANGE_COMPATIBLE, p->spot.node,
				  NULL, "is taken no more%s",
				  p->in == TF_IN_QUERY ? ": unknown query parameters are refused" : "");
		diff_leave(d, before);
	}
	for (uint32_t i = 0; i < b->parameter_count && !d->err; i++) {
		const struct operation_parameter *q = &b->parameters[i];
		if (find_parameter(a, b, q))
			continue;
		size_t before = diff_enter(d, "%s %.*s", words[q->in], TF_FMT(q->name));
		diff_tell(d, q->required ? TF_CHANGE_BREAKING : TF_CHANGE_COMPATIBLE, NULL, q->spot.node, "is new%s",
			  q->required ? " and required" : "");
		diff_leave(d, before);
	}
}

static const struct operation_media *
find_media(const struct operation_content *in, struct tf_str type)
{
	for (uint32_t i = 0; i < in->count; i++)
		if (tf_str_eq_nocase(in->of[i].type, type))
			return &in->of[i];
	return NULL;
}

/* What is gone breaks whoever sends or reads it; what is new, nobody. */
static void
compare_content(struct diff *d, const struct operation_content *a, const struct operation_content *b, const char *what)
{
	for (uint32_t i = 0; i < a->count && !d->err; i++) {
		const struct operation_media *m = &a->of[i], *n = find_media(b, m->type);
		size_t before = diff_enter(d, "%s %.*s%s", what, a->count > 1 ? (int)m->type.n : 0, m->type.p,
					   a->count > 1 ? " " : "");
		if (n)
			diff_schemas(d, m->spot, n->spot);
		else
			diff_tell(d, TF_CHANGE_BREAKING, m->spot.node, NULL, "the media type %.*s is gone",
				  TF_FMT(m->type));
		diff_leave(d, before);
	}
	for (uint32_t i = 0; i < b->count && !d->err; i++)
		if (!find_media(a, b->of[i].type)) {
			size_t before = diff_enter(d, "%s", what);
			diff_tell(d, TF_CHANGE_COMPATIBLE, NULL, b->of[i].spot.node, "the media type %.*s is new",
				  TF_FMT(b->of[i].type));
			diff_leave(d, before);
		}
}

static void
compare_body(struct diff *d, const struct operation_parts *a, const struct operation_parts *b)
{
	size_t before = diff_enter(d, "request body");
	if (a->has_body && !b->has_body)
		diff_tell(d, TF_CHANGE_BREAKING, a->spot.node, b->spot.node, "is taken no more");
	else if (a->body_required != b->body_required)
		diff_tell(d, diff_level(d, b->body_required ? DIFF_NARROWER : DIFF_WIDER), a->spot.node, b->spot.node,
			  b->body_required ? "is required now" : "is required no more");
	else if (!a->has_body && b->has_body)
		diff_tell(d, TF_CHANGE_COMPATIBLE, a->spot.node, b->spot.node, "is taken now");
	diff_leave(d, before);
	if (a->has_body && b->has_body)
		compare_content(d, &a->body, &b->body, "request body");
}

static void
compare_headers(struct diff *d, const struct operation_response *a, const struct operation_response *b)
{
	for (uint32_t i = 0; i < a->header_count; i++) {
		const struct operation_parameter *p = &a->headers[i], *q = NULL;
		for (uint32_t k = 0; k < b->header_count; k++)
			if (tf_str_eq_nocase(b->headers[k].name, p->name))
				q = &b->headers[k];
		size_t before = diff_enter(d, "response %.*s header %.*s", TF_FMT(a->status), TF_FMT(p->name));
		if (q)
			compare_parameter(d, p, q);
		else
			diff_tell(d, TF_CHANGE_BREAKING, p->spot.node, b->spot.node, "is given no more");
		diff_leave(d, before);
	}
}

static const struct operation_response *
find_response(const struct operation_parts *in, struct tf_str status, bool ranges)
{
	const struct operation_response *other = NULL;
	for (uint32_t i = 0; i < in->response_count; i++) {
		struct tf_str s = in->responses[i].status;
		if (tf_str_eq_nocase(s, status))
			return &in->responses[i];
		bool range = s.n == 3 && status.n == 3 && s.p[0] == status.p[0] && (s.p[1] | 0x20) == 'x';
		if (ranges && (range || (!other && tf_str_eq(s, TF_STR("default")))))
			other = &in->responses[i];
	}
	return other;
}

static void
compare_response(struct diff *d, const struct operation_response *a, const struct operation_response *b)
{
	char what[64];
	snprintf(what, sizeof what, "response %.*s body", (int)(b->status.n > 16 ? 16 : b->status.n), b->status.p);
	compare_headers(d, a, b);
	compare_content(d, &a->content, &b->content, what);
}

static void
compare_responses(struct diff *d, const struct operation_parts *a, const struct operation_parts *b)
{
	d->answers = true;
	for (uint32_t i = 0; i < b->response_count && !d->err; i++) {
		const struct operation_response *r = &b->responses[i], *before = find_response(a, r->status, true);
		if (before) {
			compare_response(d, before, r);
			continue;
		}
		bool error = r->status.p[0] == '4' || r->status.p[0] == '5';
		size_t at = diff_enter(d, "response %.*s", TF_FMT(r->status));
		diff_tell(d, error ? TF_CHANGE_COMPATIBLE : TF_CHANGE_BREAKING, a->spot.node, r->spot.node, "is new");
		diff_leave(d, at);
	}
	for (uint32_t i = 0; i < a->response_count && !d->err; i++)
		if (!find_response(b, a->responses[i].status, false)) {
			size_t at = diff_enter(d, "response %.*s", TF_FMT(a->responses[i].status));
			diff_tell(d, TF_CHANGE_COMPATIBLE, a->responses[i].spot.node, b->spot.node, "is given no more");
			diff_leave(d, at);
		}
	d->answers = false;
}

static const struct tf_json *
security_of(const struct tf_contract *c, const struct operation_parts *p)
{
	const struct tf_json *own = tf_json_get(p->spot.node, "security");
	own = own ? own : tf_json_get(c->document, "security");
	return own && own->count ? own : NULL;
}

static bool
listed_security(const struct tf_json *list, const struct tf_json *way)
{
	for (const struct tf_json *m = list->first; m; m = m->next)
		if (m->kind == TF_JSON_OBJECT && (!m->count || tf_json_same(m, way)))
			return true;
	return false;
}

/* Each way in of the old version must still be one; an empty way is open to all. */
static void
compare_security(struct diff *d, const struct operation_parts *a, const struct operation_parts *b)
{
	const struct tf_json *old = security_of(d->old, a), *now = security_of(d->now, b);
	static const struct tf_json open = {.kind = TF_JSON_OBJECT};
	if (!now)
		return;
	size_t before = diff_enter(d, "security");
	for (const struct tf_json *m = old ? old->first : &open; m; m = m->next)
		if (!listed_security(now, m))
			diff_tell(d, TF_CHANGE_BREAKING, old, now,
				  old ? "a way to be let in is gone or changed"
				      : "nobody is let in without a credential now");
	diff_leave(d, before);
}

static void
compare_words(struct diff *d, const struct tf_operation *a, const struct tf_operation *b)
{
	static const char *const words[] = {"summary", "description", "operationId", "tags"};
	const struct tf_json *x = a->parts->spot.node, *y = b->parts->spot.node;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const struct tf_json *v = tf_json_get(x, words[i]), *w = tf_json_get(y, words[i]);
		if ((v || w) && !(v && w && tf_json_same(v, w)))
			diff_tell(d, TF_CHANGE_DOCUMENTATION, v, w, "%s changed", words[i]);
	}
	if (b->deprecated && !a->deprecated) {
		char date[TF_OPERATION_DATE_MAX];
		bool sunset = tf_operation_sunset(b, date);
		diff_tell(d, TF_CHANGE_DOCUMENTATION, x, y, "is deprecated%s%s", sunset ? ", and ends on " : "",
			  sunset ? date : "");
	}
}

static bool
has_word(const char *words, struct tf_str wanted)
{
	struct tf_str rest = tf_str(words), word;
	while (tf_str_cut(&rest, ' ', &word))
		if (tf_str_eq(word, wanted))
			return true;
	return false;
}

/* Roles that one list has and the other has not. */
static void
tell_roles(struct diff *d, const char *have, const char *lack, enum tf_change_level level, const char *what)
{
	struct tf_str rest = tf_str(have), role;
	while (tf_str_cut(&rest, ' ', &role))
		if (!has_word(lack, role))
			diff_tell(d, level, NULL, NULL, "the role %.*s %s", TF_FMT(role), what);
}

/* Lists of roles that open something: NULL is open to all. */
static void
compare_roles(struct diff *d, const char *name, const char *old, const char *now)
{
	size_t before = diff_enter(d, "%s", name);
	if (!old && now)
		diff_tell(d, TF_CHANGE_BREAKING, NULL, NULL, "only with one of these roles now: %s", now);
	else if (old && !now)
		diff_tell(d, TF_CHANGE_COMPATIBLE, NULL, NULL, "no role is needed any more");
	else if (old) {
		tell_roles(d, old, now, TF_CHANGE_BREAKING, "opens it no more");
		tell_roles(d, now, old, TF_CHANGE_COMPATIBLE, "opens it too");
	}
	diff_leave(d, before);
}

static void
compare_operations(struct diff *d)
{
	for (uint32_t i = 0; i < d->old->count && !d->err; i++) {
		const struct tf_operation *op = &d->old->operations[i], *next = find_operation(d->now, op);
		d->op = op;
		if (!next) {
			diff_tell(d, TF_CHANGE_BREAKING, op->parts->spot.node, NULL, "the operation is gone");
			continue;
		}
		compare_words(d, op, next);
		compare_security(d, op->parts, next->parts);
		compare_roles(d, "x-roles", op->roles, next->roles);
		compare_roles(d, "x-own-unless", op->own_unless, next->own_unless);
		compare_parameters(d, op->parts, next->parts);
		compare_body(d, op->parts, next->parts);
		compare_responses(d, op->parts, next->parts);
		tf_map_clear(&d->met);
	}
	for (uint32_t i = 0; i < d->now->count && !d->err; i++) {
		d->op = &d->now->operations[i];
		if (!find_operation(d->old, d->op))
			diff_tell(d, TF_CHANGE_COMPATIBLE, NULL, d->op->parts->spot.node, "the operation is new");
	}
	d->op = NULL;
}

static void
compare_servers(struct diff *d)
{
	for (uint32_t i = 0; i < d->old->base_count; i++) {
		bool found = false;
		for (uint32_t k = 0; k < d->now->base_count; k++)
			found |= tf_str_eq(d->old->bases[i], d->now->bases[k]);
		if (!found)
			diff_tell(d, TF_CHANGE_BREAKING, d->old->document, d->now->document,
				  "nothing is served below '%.*s' any more", TF_FMT(d->old->bases[i]));
	}
}

enum tf_err
tf_contract_diff(const struct tf_contract *old, const struct tf_contract *now, tf_change_fn *fn, void *ctx,
		 struct tf_fault *f)
{
	struct diff d = {.old = old, .now = now, .fn = fn, .ctx = ctx};
	tf_buf_init(&d.where, 1 << 16);
	tf_arena_init(&d.arena, "diff", (size_t)256 << 20);
	TF_TRY(tf_map_init(&d.met, TF_MAP_OWN_KEYS));
	compare_servers(&d);
	compare_operations(&d);
	tf_map_release(&d.met);
	tf_arena_release(&d.arena);
	tf_buf_release(&d.where);
	return d.err ? tf_fault(f, d.err, "cannot compare: %s", tf_err_text(d.err)) : TF_OK;
}
