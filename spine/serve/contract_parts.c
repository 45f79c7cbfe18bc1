/* What an operation is made of: parameters, bodies by media type, responses; see contract_impl.h. */
#include "serve/contract_impl.h"

struct reading {
	struct tf_contract *c;
	struct tf_schemas *set; /* of the direction */
	struct tf_fault *fault;
};

static enum tf_err
wrong(struct reading *r, struct schema_spot spot, const char *what)
{
	return tf_fault(r->fault, TF_INVALID, "'%.*s': %s", TF_FMT(spot.place), what);
}

static enum tf_err
no_room(struct reading *r)
{
	enum tf_err e = tf_arena_fault(&r->c->arena, r->fault);
	return e ? e : tf_fault(r->fault, TF_NO_MEMORY, "out of memory");
}

bool
contract_is_json(struct tf_str t)
{
	struct tf_str json = TF_STR("application/json");
	return tf_str_eq_nocase(t, json) || (t.n > 5 && tf_str_eq_nocase(tf_str_n(t.p + t.n - 5, 5), TF_STR("+json")));
}

static enum tf_err
compile(struct reading *r, struct schema_spot spot, const struct tf_schema **out)
{
	if (!spot.node)
		return TF_OK;
	/* A spot belongs to the set it was found by: its resource is looked up again. */
	struct schema_spot own;
	TF_TRY(schema_resolve(r->set, NULL, spot.resource->uri, &own, NULL, r->fault));
	spot.resource = own.resource;
	return schema_compile_spot(r->set, spot, out, r->fault);
}

/* Which types a schema leaves, through references and allOf. */
static uint8_t
types_of(const struct tf_schema *s, int depth)
{
	uint8_t bits = s->types, any = 0;
	if (depth > 16 || !s->logic)
		return bits;
	if (s->logic->ref)
		bits &= types_of(s->logic->ref, depth + 1);
	for (uint32_t i = 0; i < s->logic->all.count; i++)
		bits &= types_of(s->logic->all.of[i], depth + 1);
	const struct schema_branches *of = s->logic->any.count ? &s->logic->any : &s->logic->one;
	for (uint32_t i = 0; i < of->count; i++)
		any |= types_of(of->of[i], depth + 1);
	return of->count ? bits & any : bits;
}

static const struct tf_schema *
items_of(const struct tf_schema *s, int depth)
{
	if (s->arrays && s->arrays->rest)
		return s->arrays->rest;
	if (depth > 16 || !s->logic)
		return NULL;
	const struct tf_schema *items = s->logic->ref ? items_of(s->logic->ref, depth + 1) : NULL;
	for (uint32_t i = 0; i < s->logic->all.count && !items; i++)
		items = items_of(s->logic->all.of[i], depth + 1);
	return items;
}

static enum tf_err
read_style(struct reading *r, struct operation_parameter *p)
{
	static const struct {
		const char *name;
		enum parameter_style style;
	} styles[] = {{"simple", STYLE_SIMPLE},
		      {"form", STYLE_FORM},
		      {"spaceDelimited", STYLE_SPACE},
		      {"pipeDelimited", STYLE_PIPE}};
	struct tf_str name;
	bool query = p->in == TF_IN_QUERY || p->in == TF_IN_COOKIE, known = false;
	p->style = query ? STYLE_FORM : STYLE_SIMPLE;
	if (tf_json_str(tf_json_get(p->spot.node, "style"), &name)) {
		for (size_t i = 0; i < sizeof styles / sizeof *styles; i++)
			if (tf_str_eq(name, tf_str(styles[i].name))) {
				p->style = styles[i].style;
				known = (p->style == STYLE_SIMPLE) == !query;
			}
		if (!known)
			return wrong(r, p->spot, "this style is not supported");
	}
	p->explode = p->style == STYLE_FORM;
	tf_json_bool(tf_json_get(p->spot.node, "explode"), &p->explode);
	return TF_OK;
}

/* The schema, or the one of its only media type. */
static enum tf_err
read_schema(struct reading *r, struct operation_parameter *p)
{
	struct schema_spot schema = contract_member(r->set, p->spot, TF_STR("schema"));
	struct schema_spot content = contract_member(r->set, p->spot, TF_STR("content"));
	TF_TRY(read_style(r, p));
	if (content.node && content.node->count == 1) {
		struct schema_spot media = contract_member(r->set, content, content.node->first->key);
		if (!contract_is_json(content.node->first->key))
			return wrong(r, p->spot, "a parameter's content must be JSON");
		p->style = STYLE_JSON;
		schema = contract_member(r->set, media, TF_STR("schema"));
	}
	TF_TRY(compile(r, schema, &p->schema));
	p->types = p->schema ? types_of(p->schema, 0) : SCHEMA_ANY_TYPE;
	const struct tf_schema *items = p->schema ? items_of(p->schema, 0) : NULL;
	p->item_types = items ? types_of(items, 0) : SCHEMA_ANY_TYPE;
	bool object = p->schema && p->types == 1 << TF_JSON_OBJECT && p->style != STYLE_JSON;
	return object ? wrong(r, p->spot, "parameters that are objects are not supported") : TF_OK;
}

static bool
read_in(struct tf_str in, enum tf_finding_where *out)
{
	static const char *const places[] = {"path", "query", "header", "cookie"};
	for (int i = 0; i < 4; i++)
		if (tf_str_eq(in, tf_str(places[i]))) {
			*out = (enum tf_finding_where)i;
			return true;
		}
	return false;
}

static enum tf_err
read_parameter(struct reading *r, struct schema_spot spot, struct operation_parameter *p)
{
	struct tf_str in;
	TF_TRY(contract_follow(r->set, &spot, r->fault));
	*p = (struct operation_parameter){.spot = spot};
	if (!tf_json_str(tf_json_get(spot.node, "name"), &p->name) || !tf_json_str(tf_json_get(spot.node, "in"), &in) ||
	    !read_in(in, &p->in))
		return wrong(r, spot, "a parameter wants a name, and in: path, query, header or cookie");
	tf_json_bool(tf_json_get(spot.node, "required"), &p->required);
	tf_json_bool(tf_json_get(spot.node, "allowEmptyValue"), &p->empty);
	p->required |= p->in == TF_IN_PATH;
	return read_schema(r, p);
}

/* RFC 9110 fields that OpenAPI says are none of a parameter's business. */
static bool
ignored(const struct operation_parameter *p)
{
	static const char *const names[] = {"Accept", "Content-Type", "Authorization"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (p->in == TF_IN_HEADER && tf_str_eq_nocase(p->name, tf_str(names[i])))
			return true;
	return false;
}

/* Adds a list; one of the operation replaces one of the path. */
static enum tf_err
read_parameters(struct reading *r, struct schema_spot owner, struct operation_parts *out)
{
	struct schema_spot list = contract_member(r->set, owner, TF_STR("parameters"));
	uint32_t index = 0;
	if (!list.node)
		return TF_OK;
	struct operation_parameter *all =
		tf_arena_calloc(&r->c->arena, out->parameter_count + list.node->count + 1, sizeof *all);
	if (!all)
		return no_room(r);
	if (out->parameter_count)
		memcpy(all, out->parameters, out->parameter_count * sizeof *all);
	out->parameters = all;
	for (const struct tf_json *m = list.node->first; m; m = m->next) {
		struct operation_parameter p;
		TF_TRY(read_parameter(r, contract_element(r->set, list, m, index++), &p));
		uint32_t i = 0;
		while (i < out->parameter_count && (all[i].in != p.in || !tf_str_eq(all[i].name, p.name)))
			i++;
		if (ignored(&p))
			continue;
		all[i] = p;
		out->parameter_count += i == out->parameter_count;
	}
	return TF_OK;
}

static enum tf_err
read_content(struct reading *r, struct schema_spot owner, struct operation_content *out)
{
	struct schema_spot content = contract_member(r->set, owner, TF_STR("content"));
	if (!content.node)
		return TF_OK;
	out->of = tf_arena_calloc(&r->c->arena, content.node->count + 1, sizeof *out->of);
	if (!out->of)
		return no_room(r);
	for (const struct tf_json *m = content.node->first; m; m = m->next) {
		struct operation_media *media = &out->of[out->count++];
		media->type = m->key;
		media->json = contract_is_json(m->key);
		media->spot = contract_member(r->set, contract_member(r->set, content, m->key), TF_STR("schema"));
		if (media->json)
			TF_TRY(compile(r, media->spot, &media->schema));
	}
	return TF_OK;
}

static enum tf_err
read_body(struct reading *r, struct schema_spot operation, struct operation_parts *out)
{
	struct schema_spot body = contract_member(r->set, operation, TF_STR("requestBody"));
	if (!body.node)
		return TF_OK;
	TF_TRY(contract_follow(r->set, &body, r->fault));
	out->has_body = true;
	tf_json_bool(tf_json_get(body.node, "required"), &out->body_required);
	return read_content(r, body, &out->body);
}

static enum tf_err
read_headers(struct reading *r, struct operation_response *out)
{
	struct schema_spot headers = contract_member(r->set, out->spot, TF_STR("headers"));
	if (!headers.node)
		return TF_OK;
	out->headers = tf_arena_calloc(&r->c->arena, headers.node->count + 1, sizeof *out->headers);
	if (!out->headers)
		return no_room(r);
	for (const struct tf_json *m = headers.node->first; m; m = m->next) {
		struct operation_parameter *p = &out->headers[out->header_count];
		p->spot = contract_member(r->set, headers, m->key);
		TF_TRY(contract_follow(r->set, &p->spot, r->fault));
		p->in = TF_IN_HEADER;
		p->name = m->key;
		tf_json_bool(tf_json_get(p->spot.node, "required"), &p->required);
		TF_TRY(read_schema(r, p));
		out->header_count += !tf_str_eq_nocase(m->key, TF_STR("Content-Type"));
	}
	return TF_OK;
}

static enum tf_err
read_responses(struct reading *r, struct schema_spot operation, struct operation_parts *out)
{
	struct schema_spot all = contract_member(r->set, operation, TF_STR("responses"));
	if (!all.node)
		return TF_OK;
	out->responses = tf_arena_calloc(&r->c->arena, all.node->count + 1, sizeof *out->responses);
	if (!out->responses)
		return no_room(r);
	for (const struct tf_json *m = all.node->first; m; m = m->next) {
		if (tf_str_starts(m->key, TF_STR("x-")))
			continue;
		struct operation_response *response = &out->responses[out->response_count++];
		response->status = m->key;
		response->spot = contract_member(r->set, all, m->key);
		TF_TRY(contract_follow(r->set, &response->spot, r->fault));
		TF_TRY(read_headers(r, response));
		TF_TRY(read_content(r, response->spot, &response->content));
	}
	return TF_OK;
}

enum tf_err
contract_parts(struct tf_contract *c, struct schema_spot item, struct schema_spot operation,
	       struct operation_parts *out, struct tf_fault *f)
{
	struct reading sent = {c, c->requests, f}, given = {c, c->responses, f};
	TF_TRY(read_parameters(&sent, item, out));
	TF_TRY(read_parameters(&sent, operation, out));
	TF_TRY(read_body(&sent, operation, out));
	struct schema_spot spot = operation;
	struct schema_spot own;
	TF_TRY(schema_resolve(c->responses, NULL, operation.resource->uri, &own, NULL, f));
	spot.resource = own.resource;
	return read_responses(&given, spot, out);
}
