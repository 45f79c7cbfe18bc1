/* Requests and responses held against an operation; see contract.h. */
#include "serve/contract_impl.h"

#include "base/mem.h"

#define WORK_BYTES ((size_t)64 << 20)
#define QUERY_MAX  64 /* parameters of a query */

enum tf_err
tf_contract_work_new(struct tf_contract_work **out)
{
	struct tf_contract_work *w = tf_calloc(1, sizeof *w);
	if (!w)
		return TF_NO_MEMORY;
	tf_arena_init(&w->arena, "contract", WORK_BYTES);
	if (tf_checker_new(NULL, &w->checker)) {
		tf_contract_work_free(&w);
		return TF_NO_MEMORY;
	}
	*out = w;
	return TF_OK;
}

void
tf_contract_work_free(struct tf_contract_work **wp)
{
	struct tf_contract_work *w = *wp;
	if (!w)
		return;
	*wp = NULL;
	tf_checker_free(&w->checker);
	tf_arena_release(&w->arena);
	tf_free(w);
}

void
tf_contract_findings_init(struct tf_contract_findings *found)
{
	found->count = 0;
	found->status = 0;
	found->problem_type = NULL;
	found->used = 0;
}

static void
check_path(struct contract_check *k, const struct tf_operation *op, struct tf_str path)
{
	const struct operation_parts *parts = op->parts;
	struct tf_str segments[OPERATION_SEGMENTS_MAX], value;
	uint32_t count;
	struct tf_str below = contract_below(parts->contract, path);
	bool cut = below.p && contract_segments(below, segments, &count) && count == parts->segment_count;
	for (uint32_t i = 0; i < parts->parameter_count && !k->err; i++) {
		const struct operation_parameter *p = &parts->parameters[i];
		uint32_t found = 0;
		if (p->in != TF_IN_PATH)
			continue;
		for (uint32_t n = 0; cut && n < count && !found; n++)
			if (contract_segment_value(parts->segments[n], segments[n], p->name, &value)) {
				value = schema_uri_decode(&k->w->arena, value);
				found = value.p != NULL;
			}
		contract_check_parameter(k, p, &value, found);
	}
}

struct query {
	struct tf_str name, value;
};

static struct tf_str
decode_form(struct contract_check *k, struct tf_str s)
{
	struct tf_str d = schema_uri_decode(&k->w->arena, s);
	if (!d.p)
		k->err = tf_arena_fault(&k->w->arena, k->fault);
	return d;
}

/* False: told, or failed. */
static bool
cut_query(struct contract_check *k, struct tf_str text, struct query *all, uint32_t *out_count)
{
	struct tf_str left = text, pair;
	uint32_t n = 0;
	while (text.n && tf_str_cut(&left, '&', &pair)) {
		struct tf_str value = pair, name;
		if (!pair.n)
			continue;
		if (n == QUERY_MAX) {
			k->where = TF_IN_QUERY;
			contract_find(k, "INVALID", 400, TF_STR(""), "more than %d parameters", QUERY_MAX);
			return false;
		}
		tf_str_cut(&value, '=', &name);
		all[n].name = decode_form(k, name);
		all[n].value = decode_form(k, value);
		if (k->err)
			return false;
		n++;
	}
	*out_count = n;
	return true;
}

static bool
known_query(const struct operation_parts *parts, struct tf_str name)
{
	for (uint32_t i = 0; i < parts->parameter_count; i++)
		if (parts->parameters[i].in == TF_IN_QUERY && tf_str_eq(parts->parameters[i].name, name))
			return true;
	return false;
}

static void
check_query(struct contract_check *k, const struct tf_operation *op, struct tf_str text)
{
	const struct operation_parts *parts = op->parts;
	struct query all[QUERY_MAX];
	struct tf_str values[QUERY_MAX];
	uint32_t count = 0;
	if (!cut_query(k, text, all, &count))
		return;
	for (uint32_t i = 0; i < count && !parts->contract->o.unknown_query; i++)
		if (!known_query(parts, all[i].name)) {
			k->where = TF_IN_QUERY;
			k->field = all[i].name;
			contract_find(k, "UNKNOWN", 400, TF_STR(""), "no such parameter");
		}
	for (uint32_t i = 0; i < parts->parameter_count && !k->err; i++) {
		const struct operation_parameter *p = &parts->parameters[i];
		uint32_t n = 0;
		if (p->in != TF_IN_QUERY)
			continue;
		for (uint32_t m = 0; m < count; m++)
			if (tf_str_eq(all[m].name, p->name))
				values[n++] = all[m].value;
		contract_check_parameter(k, p, values, n);
	}
}

static struct tf_str
header(const struct tf_http_header *all, size_t count, struct tf_str name)
{
	for (size_t i = 0; i < count; i++)
		if (tf_str_eq_nocase(all[i].name, name))
			return all[i].value.p ? all[i].value : TF_STR("");
	return (struct tf_str){NULL, 0};
}

static struct tf_str
cookie(const struct tf_http_header *all, size_t count, struct tf_str name)
{
	struct tf_str left = header(all, count, TF_STR("Cookie")), pair, key;
	while (left.p && tf_str_cut(&left, ';', &pair)) {
		struct tf_str value = tf_str_trim(pair);
		if (tf_str_cut(&value, '=', &key) && tf_str_eq(key, name))
			return value.p ? value : TF_STR("");
	}
	return (struct tf_str){NULL, 0};
}

static void
check_headers(struct contract_check *k, const struct operation_parameter *parameters, uint32_t parameter_count,
	      const struct tf_http_header *all, size_t count)
{
	for (uint32_t i = 0; i < parameter_count && !k->err; i++) {
		const struct operation_parameter *p = &parameters[i];
		if (p->in != TF_IN_HEADER && p->in != TF_IN_COOKIE)
			continue;
		struct tf_str v = p->in == TF_IN_HEADER ? header(all, count, p->name) : cookie(all, count, p->name);
		contract_check_parameter(k, p, &v, v.p ? 1 : 0);
	}
}

/* A range takes any subtype; parameters like charset say nothing here. */
static bool
takes(struct tf_str pattern, struct tf_str type)
{
	struct tf_str left = type, bare, wanted, whole = pattern;
	if (!tf_str_cut(&left, ';', &bare) || !tf_str_cut(&whole, ';', &wanted))
		return false;
	bare = tf_str_trim(bare);
	wanted = tf_str_trim(wanted);
	if (tf_str_eq(wanted, TF_STR("*/*")))
		return true;
	if (wanted.n > 2 && wanted.p[wanted.n - 1] == '*')
		return bare.n >= wanted.n &&
		       tf_str_eq_nocase(tf_str_n(wanted.p, wanted.n - 1), tf_str_n(bare.p, wanted.n - 1));
	return tf_str_eq_nocase(wanted, bare);
}

/* The media type that takes it: the one named, before one with a star. */
static const struct operation_media *
media_of(const struct operation_content *content, struct tf_str type)
{
	const struct operation_media *star = NULL;
	for (uint32_t i = 0; i < content->count; i++) {
		const struct operation_media *m = &content->of[i];
		if (!takes(m->type, type))
			continue;
		if (!memchr(m->type.p, '*', m->type.n))
			return m;
		star = m;
	}
	return star;
}

static void
check_json(struct contract_check *k, const struct operation_media *m, struct tf_str type, struct tf_str body,
	   int syntax_status, const struct tf_json **out_body)
{
	const struct tf_json *v;
	struct tf_fault f = {0};
	struct tf_str left = type, bare;
	tf_str_cut(&left, ';', &bare);
	if (!contract_is_json(tf_str_trim(bare)))
		return;
	enum tf_err e = tf_json_parse(body, &k->w->arena, 0, &v, &f);
	if (e == TF_NO_MEMORY) {
		k->err = tf_fault(k->fault, e, "%s", f.text);
		return;
	}
	if (e) {
		contract_find(k, "SYNTAX", syntax_status, TF_STR(""), "%s", f.text);
		return;
	}
	if (out_body)
		*out_body = v;
	contract_check_value(k, m->schema, v);
}

static void
check_body(struct contract_check *k, const struct operation_parts *parts, const struct tf_http_request *r,
	   struct tf_str body, const struct tf_json **out_body)
{
	struct tf_str type = tf_str_trim(header(r->headers, r->header_count, TF_STR("Content-Type")));
	bool there = body.n || (r->length != TF_HTTP_BODY_NONE && r->length) || r->chunked;
	k->where = TF_IN_BODY;
	k->field = TF_STR("");
	k->status = 422;
	if (!parts->has_body) {
		if (there)
			contract_find(k, "UNEXPECTED", 400, TF_STR(""), "a body is not taken here");
		return;
	}
	if (!there) {
		if (parts->body_required)
			contract_find(k, "MISSING", 400, TF_STR(""), "a body is wanted");
		return;
	}
	const struct operation_media *m = type.n ? media_of(&parts->body, type) : NULL;
	if (parts->body.count && !m) {
		k->where = TF_IN_HEADER;
		k->field = TF_STR("Content-Type");
		contract_find(k, type.n ? "MEDIA_TYPE" : "MISSING", 415, TF_STR(""), "%.*s%s%.*s is taken",
			      TF_FMT(type),
			      type.n ? " is not taken: " : "is missing: ", TF_FMT(parts->body.of[0].type));
		return;
	}
	if (m)
		check_json(k, m, type, body, 400, out_body);
}

enum tf_err
tf_contract_request(const struct tf_operation *op, const struct tf_http_request *r, struct tf_str body,
		    struct tf_contract_work *w, struct tf_contract_findings *found, const struct tf_json **out_body,
		    struct tf_fault *f)
{
	struct contract_check k = {.w = w, .found = found, .fault = f};
	tf_arena_reset(&w->arena);
	found->problem_type = op->parts->contract->o.problem_type;
	if (out_body)
		*out_body = NULL;
	check_path(&k, op, r->path);
	if (!k.err)
		check_query(&k, op, r->query);
	if (!k.err)
		check_headers(&k, op->parts->parameters, op->parts->parameter_count, r->headers, r->header_count);
	if (!k.err)
		check_body(&k, op->parts, r, body, out_body);
	return k.err;
}

static const struct operation_response *
response_of(const struct operation_parts *parts, int status)
{
	char first = (char)('0' + status / 100 % 10);
	char exact[3] = {first, (char)('0' + status / 10 % 10), (char)('0' + status % 10)},
	     range[3] = {first, 'X', 'X'};
	const struct operation_response *ranged = NULL, *other = NULL;
	for (uint32_t i = 0; i < parts->response_count; i++) {
		const struct operation_response *r = &parts->responses[i];
		if (tf_str_eq(r->status, tf_str_n(exact, sizeof exact)))
			return r;
		if (tf_str_eq_nocase(r->status, tf_str_n(range, sizeof range)))
			ranged = r;
		if (tf_str_eq(r->status, TF_STR("default")))
			other = r;
	}
	return ranged ? ranged : other;
}

static void
check_answer(struct contract_check *k, const struct operation_response *r, struct tf_str type, struct tf_str body)
{
	k->where = TF_IN_BODY;
	k->field = TF_STR("");
	k->status = 500;
	if (!r->content.count) {
		if (body.n)
			contract_find(k, "UNEXPECTED", 500, TF_STR(""), "a body that the contract does not know");
		return;
	}
	const struct operation_media *m = type.n ? media_of(&r->content, type) : NULL;
	if (m) {
		check_json(k, m, type, body, 500, NULL);
		return;
	}
	k->where = TF_IN_HEADER;
	k->field = TF_STR("Content-Type");
	contract_find(k, "MEDIA_TYPE", 500, TF_STR(""), "%.*s is not what the contract says", TF_FMT(type));
}

enum tf_err
tf_contract_response(const struct tf_operation *op, int status, const struct tf_http_header *headers,
		     size_t header_count, struct tf_str body, struct tf_contract_work *w,
		     struct tf_contract_findings *found, struct tf_fault *f)
{
	struct contract_check k = {.w = w, .found = found, .fault = f, .where = TF_IN_STATUS};
	const struct operation_response *r = response_of(op->parts, status);
	tf_arena_reset(&w->arena);
	if (!r) {
		contract_find(&k, "UNDOCUMENTED", 500, TF_STR(""), "the status %d is not in the contract", status);
		return TF_OK;
	}
	check_headers(&k, r->headers, r->header_count, headers, header_count);
	bool head = tf_str_eq(op->method, TF_STR("HEAD")) || status == 304;
	if (!k.err && !head)
		check_answer(&k, r, tf_str_trim(header(headers, header_count, TF_STR("Content-Type"))), body);
	return k.err;
}
