/* From an OpenAPI document to its operations; see contract_impl.h. What an operation is made of: contract_parts.c. */
#include "serve/contract_impl.h"

#include "base/mem.h"

static const char *const methods[] = {"get", "put", "post", "delete", "options", "head", "patch", "trace"};

bool
contract_is_method(struct tf_str name)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (tf_str_eq(name, tf_str(methods[i])))
			return true;
	return false;
}

struct schema_spot
contract_member(struct tf_schemas *s, struct schema_spot spot, struct tf_str name)
{
	struct schema_spot m = {tf_json_get_n(spot.node, name), spot.resource, spot.place};
	if (m.node)
		m.place = schema_place_join(&s->arena, spot.place, name);
	return m;
}

struct schema_spot
contract_element(struct tf_schemas *s, struct schema_spot spot, const struct tf_json *element, uint32_t index)
{
	return (struct schema_spot){element, spot.resource, schema_place_index(&s->arena, spot.place, index)};
}

enum tf_err
contract_follow(struct tf_schemas *s, struct schema_spot *spot, struct tf_fault *f)
{
	struct tf_str ref;
	for (int i = 0; i < OPERATION_REFS_MAX; i++) {
		if (!tf_json_str(tf_json_get(spot->node, "$ref"), &ref))
			return TF_OK;
		struct schema_spot to;
		if (schema_resolve(s, spot->resource, ref, &to, NULL, f))
			return tf_fault_wrap(f, TF_INVALID, "'%.*s'", TF_FMT(spot->place));
		*spot = to;
	}
	return tf_fault(f, TF_INVALID, "'%.*s': $ref leads in a circle", TF_FMT(spot->place));
}

enum tf_err
contract_dialect(const struct tf_json *document, enum tf_dialect *out, struct tf_fault *f)
{
	struct tf_str version;
	if (!tf_json_str(tf_json_get(document, "openapi"), &version))
		return tf_fault(f, TF_INVALID, "no OpenAPI document: 'openapi' must be a string like \"3.1.0\"");
	if (tf_str_starts(version, TF_STR("3.0.")))
		*out = TF_DIALECT_OPENAPI_3_0;
	else if (tf_str_starts(version, TF_STR("3.1.")))
		*out = TF_DIALECT_OPENAPI_3_1;
	else
		return tf_fault(f, TF_UNSUPPORTED, "OpenAPI '%.*s' is not known: 3.0 and 3.1 are", TF_FMT(version));
	return TF_OK;
}

static tf_time
read_time(const struct tf_json *v)
{
	tf_time t;
	return tf_json_is(v, TF_JSON_STRING) && tf_time_parse(v->text, NULL, &t, NULL) == TF_OK ? t : 0;
}

static struct tf_str
upper(struct tf_arena *a, struct tf_str s)
{
	struct tf_str copy = tf_arena_str(a, s);
	char *p = (char *)(uintptr_t)copy.p;
	for (size_t i = 0; p && i < s.n; i++)
		if (p[i] >= 'a' && p[i] <= 'z')
			p[i] = (char)(p[i] - 'a' + 'A');
	return copy;
}

/* Strings of a list with single blanks between them; *out becomes NULL where there are none. A word that has a blank,
 * or is no text, is refused: it would be read as another. */
static enum tf_err
read_words(struct tf_contract *c, const struct tf_json *list, const char *what, const char **out, struct tf_fault *f)
{
	size_t n = 0, at = 0;
	struct tf_str s;
	for (const struct tf_json *v = tf_json_first(list); v; v = v->next) {
		if (!tf_json_str(v, &s) || !s.n || memchr(s.p, ' ', s.n))
			return tf_fault(f, TF_INVALID, "'%s': words are wanted", what);
		n += s.n + 1;
	}
	*out = NULL;
	if (!n)
		return TF_OK;
	char *text = tf_arena_alloc(&c->arena, n);
	if (!text)
		return tf_arena_fault(&c->arena, f);
	for (const struct tf_json *v = tf_json_first(list); v; v = v->next) {
		(void)tf_json_str(v, &s);
		memcpy(text + at, s.p, s.n);
		at += s.n;
		text[at++] = v->next ? ' ' : 0;
	}
	*out = text;
	return TF_OK;
}

static enum tf_err
read_rights(struct tf_contract *c, const struct tf_json *operation, struct tf_operation *op, struct tf_fault *f)
{
	const struct tf_json *ways = tf_json_get(operation, "security");
	ways = ways ? ways : tf_json_get(c->document, "security");
	for (const struct tf_json *way = tf_json_first(ways); way; way = way->next)
		for (const struct tf_json *scheme = tf_json_first(way); scheme && !op->scopes; scheme = scheme->next)
			TF_TRY(read_words(c, scheme, "security", &op->scopes, f));
	TF_TRY(read_words(c, tf_json_get(operation, "x-roles"), "x-roles", &op->roles, f));
	return read_words(c, tf_json_get(operation, "x-own-unless"), "x-own-unless", &op->own_unless, f);
}

static enum tf_err
read_operation(struct tf_contract *c, struct tf_str path, struct schema_spot item, struct schema_spot spot,
	       struct tf_str method, struct tf_fault *f)
{
	struct tf_operation *op = &c->operations[c->count];
	struct operation_parts *parts = tf_arena_calloc(&c->arena, 1, sizeof *parts);
	if (!parts)
		return tf_arena_fault(&c->arena, f);
	if (spot.node->kind != TF_JSON_OBJECT)
		return tf_fault(f, TF_INVALID, "'%.*s': an object is wanted", TF_FMT(spot.place));
	*op = (struct tf_operation){.method = upper(&c->arena, method), .path = path, .place = spot.place};
	tf_json_str(tf_json_get(spot.node, "operationId"), &op->id);
	tf_json_bool(tf_json_get(spot.node, "deprecated"), &op->deprecated);
	op->deprecated_at = read_time(tf_json_get(spot.node, "x-deprecated-at"));
	op->sunset = read_time(tf_json_get(spot.node, "x-sunset"));
	op->deprecated |= op->deprecated_at != 0;
	TF_TRY(read_rights(c, spot.node, op, f));
	op->parts = parts;
	if (!contract_segments(path, parts->segments, &parts->segment_count))
		return tf_fault(f, TF_TOO_LARGE, "'%.*s': more than %d segments", TF_FMT(path), OPERATION_SEGMENTS_MAX);
	parts->contract = c;
	parts->spot = spot;
	if (contract_parts(c, item, spot, parts, f))
		return tf_fault_wrap(f, TF_INVALID, "%.*s %.*s", TF_FMT(op->method), TF_FMT(path));
	c->count++;
	return TF_OK;
}

static uint32_t
count_operations(const struct tf_contract *c, struct schema_spot paths)
{
	uint32_t n = 0;
	for (const struct tf_json *item = tf_json_first(paths.node); item; item = item->next) {
		struct schema_spot spot = {item, paths.resource, paths.place};
		if (contract_follow(c->requests, &spot, NULL) == TF_OK)
			n += spot.node->count;
	}
	return n;
}

static enum tf_err
read_paths(struct tf_contract *c, struct tf_fault *f)
{
	struct schema_spot paths = contract_member(c->requests, c->root, TF_STR("paths"));
	c->operations = tf_arena_calloc(&c->arena, count_operations(c, paths) + 1, sizeof *c->operations);
	if (!c->operations)
		return tf_arena_fault(&c->arena, f);
	for (const struct tf_json *m = tf_json_first(paths.node); m; m = m->next) {
		if (!tf_str_starts(m->key, TF_STR("/")))
			continue;
		struct schema_spot item = contract_member(c->requests, paths, m->key);
		TF_TRY(contract_follow(c->requests, &item, f));
		for (const struct tf_json *o = tf_json_first(item.node); o; o = o->next)
			if (contract_is_method(o->key))
				TF_TRY(read_operation(c, m->key, item, contract_member(c->requests, item, o->key),
						      o->key, f));
	}
	return TF_OK;
}

/* The path of each server's URL: "https://a/v1/" is "/v1". Variables in the path are not known here: none. */
static enum tf_err
read_servers(struct tf_contract *c, struct tf_fault *f)
{
	const struct tf_json *servers = tf_json_get(c->document, "servers");
	c->bases = tf_arena_calloc(&c->arena, (servers ? servers->count : 0) + 1, sizeof *c->bases);
	if (!c->bases)
		return tf_arena_fault(&c->arena, f);
	for (const struct tf_json *m = tf_json_first(servers); m; m = m->next) {
		struct tf_str url;
		if (!tf_json_str(tf_json_get(m, "url"), &url))
			continue;
		const char *mark = url.n > 2 ? memmem(url.p, url.n, "://", 3) : NULL;
		if (mark) {
			url = tf_str_n(mark + 3, url.n - (size_t)(mark + 3 - url.p));
			const char *slash = url.n ? memchr(url.p, '/', url.n) : NULL;
			url = slash ? tf_str_n(slash, url.n - (size_t)(slash - url.p)) : TF_STR("");
		}
		while (url.n && url.p[url.n - 1] == '/')
			url.n--;
		if (url.n && url.p[0] == '/' && !memchr(url.p, '{', url.n))
			c->bases[c->base_count++] = url;
	}
	return TF_OK;
}

static enum tf_err
new_set(struct tf_contract *c, struct tf_str uri, const char *lifts, struct tf_schemas **out, struct tf_fault *f)
{
	struct tf_schemas_options o = {.dialect = c->dialect,
				       .formats = !c->o.formats_off,
				       .lifts = lifts,
				       .load = c->o.load,
				       .ctx = c->o.ctx};
	TF_TRY(tf_schemas_new(&o, out, f));
	return tf_schemas_add(*out, uri, c->document, false, f);
}

static enum tf_err
read_document(struct tf_contract *c, struct tf_str uri, struct tf_fault *f)
{
	TF_TRY(contract_dialect(c->document, &c->dialect, f));
	TF_TRY(new_set(c, uri, "readOnly", &c->requests, f));
	TF_TRY(new_set(c, uri, "writeOnly", &c->responses, f));
	TF_TRY(schema_resolve(c->requests, NULL, uri, &c->root, NULL, f));
	TF_TRY(read_servers(c, f));
	return read_paths(c, f);
}

enum tf_err
tf_contract_new(struct tf_str uri, const struct tf_json *document, const struct tf_contract_options *o,
		struct tf_contract **out, struct tf_fault *f)
{
	struct tf_contract *c = tf_calloc(1, sizeof *c);
	if (!c)
		return tf_fault(f, TF_NO_MEMORY, "out of memory");
	if (o)
		c->o = *o;
	tf_arena_init(&c->arena, "contract", (size_t)256 << 20);
	c->document = document;
	enum tf_err e = read_document(c, uri, f);
	if (e)
		tf_contract_free(&c);
	else
		*out = c;
	return e;
}

void
tf_contract_free(struct tf_contract **cp)
{
	struct tf_contract *c = *cp;
	if (!c)
		return;
	*cp = NULL;
	tf_schemas_free(&c->requests);
	tf_schemas_free(&c->responses);
	tf_arena_release(&c->arena);
	tf_free(c);
}

const struct tf_operation *
tf_contract_at(const struct tf_contract *c, uint32_t i)
{
	return i < c->count ? &c->operations[i] : NULL;
}
