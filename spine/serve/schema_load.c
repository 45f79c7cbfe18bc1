/* Documents, and what names a place in them: $id, anchors, JSON pointers; see schema_impl.h.
 *
 * A document is walked once when it is given, only where schemas stand: a "$id" inside of an enum or an example is no
 * $id. What a JSON pointer names elsewhere is walked when it is referred to. */
#include "serve/schema_impl.h"

#include <stdio.h>

enum holds { ONE, LIST, NAMED, ONE_OR_LIST };

static const struct {
	const char *name;
	enum holds holds;
} keywords[] = {
	{"additionalProperties", ONE},
	{"additionalItems", ONE},
	{"allOf", LIST},
	{"anyOf", LIST},
	{"contains", ONE},
	{"contentSchema", ONE},
	{"definitions", NAMED},
	{"dependencies", NAMED},
	{"dependentSchemas", NAMED},
	{"else", ONE},
	{"if", ONE},
	{"items", ONE_OR_LIST},
	{"not", ONE},
	{"oneOf", LIST},
	{"patternProperties", NAMED},
	{"prefixItems", LIST},
	{"properties", NAMED},
	{"propertyNames", ONE},
	{"then", ONE},
	{"unevaluatedItems", ONE},
	{"unevaluatedProperties", ONE},
	{"$defs", NAMED},
};

static struct tf_str
key_of(const struct tf_json *const *node)
{
	return tf_str_n(node, sizeof *node);
}

static enum tf_err
no_room(struct tf_schemas *s, struct tf_fault *f)
{
	enum tf_err e = tf_arena_fault(&s->arena, f);
	return e ? e : tf_fault(f, TF_NO_MEMORY, "out of memory");
}

bool
schema_spot(const struct tf_schemas *s, const struct tf_json *node, struct schema_spot *out)
{
	uint64_t v;
	if (!tf_map_get(&s->spots, key_of(&node), &v))
		return false;
	*out = *(const struct schema_spot *)(uintptr_t)v;
	return true;
}

static struct tf_str
join(struct tf_arena *a, struct tf_str x, struct tf_str between, struct tf_str y)
{
	char *p = tf_arena_alloc(a, x.n + between.n + y.n + 1);
	if (!p)
		return (struct tf_str){NULL, 0};
	if (x.n)
		memcpy(p, x.p, x.n);
	if (between.n)
		memcpy(p + x.n, between.p, between.n);
	if (y.n)
		memcpy(p + x.n + between.n, y.p, y.n);
	return tf_str_n(p, x.n + between.n + y.n);
}

struct tf_str
schema_place_join(struct tf_arena *a, struct tf_str place, struct tf_str key)
{
	char *p = tf_arena_alloc(a, place.n + 2 * key.n + 3), *to = p;
	if (!p)
		return (struct tf_str){NULL, 0};
	if (place.n)
		memcpy(to, place.p, place.n);
	to += place.n;
	if (!place.n || !memchr(place.p, '#', place.n))
		*to++ = '#';
	*to++ = '/';
	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];
		if (c == '~' || c == '/')
			*to++ = '~';
		*to++ = c == '~' ? '0' : c == '/' ? '1' : c;
	}
	return tf_str_n(p, (size_t)(to - p));
}

struct tf_str
schema_place_index(struct tf_arena *a, struct tf_str place, uint32_t index)
{
	char text[16];
	snprintf(text, sizeof text, "%u", index);
	return schema_place_join(a, place, tf_str(text));
}

/* What $schema says. A URI of one's own is a meta-schema that must be given, with its vocabularies. */
static enum tf_err read_dialect(struct tf_schemas *s, const struct tf_json *root, struct schema_resource *r,
				struct tf_fault *f);

static enum tf_err
put_resource(struct tf_schemas *s, struct tf_str uri, const struct schema_resource *r, struct tf_fault *f)
{
	uint64_t had;
	if (tf_map_get(&s->resources, uri, &had))
		return tf_fault(f, TF_EXISTS, "two schemas are called '%.*s'", TF_FMT(uri));
	return tf_map_put(&s->resources, uri, (uintptr_t)r) ? no_room(s, f) : TF_OK;
}

/* Takes $id: a new resource, or in draft 7 perhaps only an anchor. */
static enum tf_err
take_id(struct tf_schemas *s, struct tf_str id, const struct tf_json *node, struct tf_str place,
	const struct schema_resource **r, struct tf_str *out_anchor, struct tf_fault *f)
{
	struct tf_str fragment = schema_uri_fragment(&id);
	if (fragment.n)
		*out_anchor = fragment;
	if (!id.n)
		return TF_OK;
	struct schema_resource *own = tf_arena_calloc(&s->arena, 1, sizeof *own);
	if (!own)
		return no_room(s, f);
	*own = **r;
	own->root = node;
	own->uri = schema_uri_resolve(&s->arena, (*r)->uri, id);
	own->place = own->uri;
	if (!own->uri.p)
		return no_room(s, f);
	uint64_t had;
	bool same = tf_map_get(&s->resources, own->uri, &had) &&
		    ((const struct schema_resource *)(uintptr_t)had)->root == node;
	if (!same)
		TF_TRY(put_resource(s, own->uri, own, f));
	TF_TRY(read_dialect(s, node, own, f));
	*r = own;
	return TF_OK;
}

static enum tf_err
put_anchor(struct tf_schemas *s, const struct schema_resource *r, struct tf_str name, const struct schema_spot *spot,
	   bool dynamic, struct tf_fault *f)
{
	struct tf_str key = join(&s->arena, r->uri, TF_STR("#"), name);
	uint64_t had, value = (uintptr_t)spot | dynamic;
	if (!key.p)
		return no_room(s, f);
	if (tf_map_get(&s->anchors, key, &had) && (had & ~(uint64_t)1) != (uintptr_t)spot)
		return tf_fault(f, TF_INVALID, "two schemas are called '%.*s'", TF_FMT(key));
	return tf_map_put(&s->anchors, key, value) ? no_room(s, f) : TF_OK;
}

static enum tf_err
index_children(struct tf_schemas *s, const struct tf_json *list, const struct schema_resource *r, struct tf_str place,
	       struct tf_fault *f)
{
	uint32_t i = 0;
	for (const struct tf_json *m = tf_json_first(list); m; m = m->next, i++) {
		struct tf_str at = list->kind == TF_JSON_OBJECT ? schema_place_join(&s->arena, place, m->key)
								: schema_place_index(&s->arena, place, i);
		if (!at.p)
			return no_room(s, f);
		TF_TRY(schema_index(s, m, r, at, f));
	}
	return TF_OK;
}

static enum tf_err
index_keywords(struct tf_schemas *s, const struct tf_json *node, const struct schema_resource *r, struct tf_str place,
	       struct tf_fault *f)
{
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
		const struct tf_json *v = tf_json_get(node, keywords[i].name);
		if (!v)
			continue;
		struct tf_str at = schema_place_join(&s->arena, place, tf_str(keywords[i].name));
		if (!at.p)
			return no_room(s, f);
		bool list = keywords[i].holds == LIST || (keywords[i].holds == ONE_OR_LIST && v->kind == TF_JSON_ARRAY);
		if (list || keywords[i].holds == NAMED)
			TF_TRY(index_children(s, v, r, at, f));
		else
			TF_TRY(schema_index(s, v, r, at, f));
	}
	return TF_OK;
}

/* $id, $anchor and $dynamicAnchor of a node, which say what it is called. */
static enum tf_err
index_names(struct tf_schemas *s, struct schema_spot *spot, struct tf_fault *f)
{
	const struct tf_json *node = spot->node;
	const struct schema_resource *r = spot->resource;
	struct tf_str text, anchor = {NULL, 0};
	bool draft7 = r->dialect == TF_DIALECT_DRAFT_7;
	if (r->dialect == TF_DIALECT_OPENAPI_3_0 || (draft7 && tf_json_get(node, "$ref")))
		return TF_OK;
	if (tf_json_str(tf_json_get(node, "$id"), &text)) {
		TF_TRY(take_id(s, text, node, spot->place, &r, &anchor, f));
		spot->resource = r;
	}
	if (anchor.n)
		TF_TRY(put_anchor(s, r, anchor, spot, false, f));
	if (draft7)
		return TF_OK;
	if (tf_json_str(tf_json_get(node, "$anchor"), &text))
		TF_TRY(put_anchor(s, r, text, spot, false, f));
	if (tf_json_str(tf_json_get(node, "$dynamicAnchor"), &text))
		TF_TRY(put_anchor(s, r, text, spot, true, f));
	return TF_OK;
}

enum tf_err
schema_index(struct tf_schemas *s, const struct tf_json *node, const struct schema_resource *r, struct tf_str place,
	     struct tf_fault *f)
{
	uint64_t had;
	if (tf_map_get(&s->spots, key_of(&node), &had))
		return TF_OK;
	struct schema_spot *spot = tf_arena_calloc(&s->arena, 1, sizeof *spot);
	if (!spot)
		return no_room(s, f);
	*spot = (struct schema_spot){node, r, place};
	if (tf_map_put(&s->spots, key_of(&node), (uintptr_t)spot))
		return no_room(s, f);
	if (node->kind != TF_JSON_OBJECT)
		return TF_OK;
	TF_TRY(index_names(s, spot, f));
	return index_keywords(s, node, spot->resource, place, f);
}

static enum tf_err
add(struct tf_schemas *s, struct tf_str uri, const struct tf_json *document, bool is_schema, struct tf_fault *f)
{
	struct schema_resource *r = tf_arena_calloc(&s->arena, 1, sizeof *r);
	uri = tf_arena_str(&s->arena, uri);
	if (!r || !uri.p)
		return no_room(s, f);
	*r = (struct schema_resource){uri, document, uri, s->o.dialect, true, s->o.formats};
	TF_TRY(put_resource(s, uri, r, f));
	if (!is_schema)
		return TF_OK;
	TF_TRY(read_dialect(s, document, r, f));
	TF_TRY(schema_index(s, document, r, uri, f));
	struct schema_spot spot;
	if (schema_spot(s, document, &spot) && spot.resource != r && spot.resource->root == document)
		if (tf_map_put(&s->resources, uri, (uintptr_t)spot.resource))
			return no_room(s, f);
	return TF_OK;
}

enum tf_err
tf_schemas_add(struct tf_schemas *s, struct tf_str uri, const struct tf_json *document, bool is_schema,
	       struct tf_fault *f)
{
	schema_uri_fragment(&uri);
	return add(s, uri, document, is_schema, f);
}

/* The resource of a URI without fragment: given, built in, or the loader's. */
static enum tf_err
find_resource(struct tf_schemas *s, struct tf_str uri, const struct schema_resource **out, struct tf_fault *f)
{
	uint64_t v;
	if (tf_map_get(&s->resources, uri, &v)) {
		*out = (const struct schema_resource *)(uintptr_t)v;
		return TF_OK;
	}
	struct tf_str text;
	const struct tf_json *document = NULL;
	if (schema_meta(uri, &text))
		TF_TRY(tf_json_parse(text, &s->arena, 0, &document, f));
	else if (!s->o.load || !s->o.load(s->o.ctx, uri, &document) || !document)
		return tf_fault(f, TF_INVALID, "cannot resolve '%.*s': no such document was given", TF_FMT(uri));
	TF_TRY(add(s, uri, document, true, f));
	if (!tf_map_get(&s->resources, uri, &v))
		return no_room(s, f);
	*out = (const struct schema_resource *)(uintptr_t)v;
	return TF_OK;
}

static enum tf_err
read_vocabulary(struct tf_schemas *s, const struct tf_json *words, struct schema_resource *r, struct tf_fault *f)
{
	static const char prefix[] = "https://json-schema.org/draft/2020-12/vocab/";
	r->asserts = r->formats = false;
	for (const struct tf_json *m = words->first; m; m = m->next) {
		bool known = tf_str_starts(m->key, tf_str(prefix));
		if (!known && m->truth)
			return tf_fault(f, TF_UNSUPPORTED, "the vocabulary '%.*s' is not known", TF_FMT(m->key));
		size_t n = sizeof prefix - 1;
		struct tf_str name = known ? tf_str_n(m->key.p + n, m->key.n - n) : (struct tf_str){"", 0};
		r->asserts |= tf_str_eq(name, TF_STR("validation"));
		r->formats |= tf_str_eq(name, TF_STR("format-assertion"));
	}
	r->formats |= s->o.formats;
	return TF_OK;
}

static enum tf_err
read_dialect(struct tf_schemas *s, const struct tf_json *root, struct schema_resource *r, struct tf_fault *f)
{
	struct tf_str uri;
	if (r->dialect == TF_DIALECT_OPENAPI_3_0 || !tf_json_str(tf_json_get(root, "$schema"), &uri))
		return TF_OK;
	struct tf_str fragment = schema_uri_fragment(&uri);
	r->asserts = true;
	if (tf_str_eq(uri, TF_STR("https://json-schema.org/draft/2020-12/schema"))) {
		r->dialect = TF_DIALECT_2020_12;
	} else if (tf_str_eq(uri, TF_STR("http://json-schema.org/draft-07/schema")) ||
		   tf_str_eq(uri, TF_STR("http://json-schema.org/draft-06/schema"))) {
		r->dialect = TF_DIALECT_DRAFT_7;
	} else if (tf_str_eq(uri, TF_STR("https://spec.openapis.org/oas/3.1/dialect/base"))) {
		r->dialect = TF_DIALECT_OPENAPI_3_1;
	} else {
		const struct schema_resource *meta;
		struct tf_str own = uri;
		if (fragment.n || find_resource(s, own, &meta, f))
			return tf_fault(f, TF_UNSUPPORTED, "the dialect '%.*s' is not known", TF_FMT(uri));
		r->dialect = meta->dialect;
		const struct tf_json *words = tf_json_get(meta->root, "$vocabulary");
		if (tf_json_is(words, TF_JSON_OBJECT))
			return read_vocabulary(s, words, r, f);
	}
	return TF_OK;
}

static struct tf_str
unescape(struct tf_arena *a, struct tf_str token)
{
	char *p = tf_arena_alloc(a, token.n + 1), *to = p;
	if (!p)
		return (struct tf_str){NULL, 0};
	for (size_t i = 0; i < token.n; i++) {
		bool escape = token.p[i] == '~' && i + 1 < token.n && (token.p[i + 1] == '0' || token.p[i + 1] == '1');
		*to++ = !escape ? token.p[i] : token.p[++i] == '0' ? '~' : '/';
	}
	return tf_str_n(p, (size_t)(to - p));
}

static const struct tf_json *
child(const struct tf_json *v, struct tf_str name)
{
	uint64_t index;
	if (v->kind != TF_JSON_ARRAY)
		return tf_json_get_n(v, name);
	if (!tf_str_u64(name, &index) || index >= v->count)
		return NULL;
	v = v->first;
	while (index--)
		v = v->next;
	return v;
}

static enum tf_err
follow_pointer(struct tf_schemas *s, const struct schema_resource *r, struct tf_str pointer, struct schema_spot *out,
	       struct tf_fault *f)
{
	struct schema_spot at = {r->root, r, r->place};
	struct tf_str left = tf_str_n(pointer.p + 1, pointer.n - 1), token;
	while (pointer.n && tf_str_cut(&left, '/', &token)) {
		token = unescape(&s->arena, token);
		if (!token.p)
			return no_room(s, f);
		at.node = child(at.node, token);
		if (!at.node)
			return tf_fault(f, TF_INVALID, "cannot resolve '%.*s#%.*s': there is no '%.*s'", TF_FMT(r->uri),
					TF_FMT(pointer), TF_FMT(token));
		at.place = schema_place_join(&s->arena, at.place, token);
		if (!at.place.p)
			return no_room(s, f);
		schema_spot(s, at.node, &at);
	}
	*out = at;
	return TF_OK;
}

enum tf_err
schema_resolve(struct tf_schemas *s, const struct schema_resource *base, struct tf_str ref, struct schema_spot *out,
	       struct tf_str *out_dynamic, struct tf_fault *f)
{
	struct tf_str uri = base ? schema_uri_resolve(&s->arena, base->uri, ref) : ref;
	if (!uri.p)
		return no_room(s, f);
	struct tf_str fragment = schema_uri_fragment(&uri);
	const struct schema_resource *r;
	if (out_dynamic)
		*out_dynamic = (struct tf_str){NULL, 0};
	TF_TRY(find_resource(s, uri, &r, f));
	fragment = schema_uri_decode(&s->arena, fragment);
	if (!fragment.p)
		return no_room(s, f);
	if (fragment.n && fragment.p[0] != '/') {
		struct tf_str key = join(&s->arena, r->uri, TF_STR("#"), fragment);
		uint64_t v;
		if (!key.p || !tf_map_get(&s->anchors, key, &v))
			return tf_fault(f, TF_INVALID, "cannot resolve '%.*s#%.*s': there is no such anchor",
					TF_FMT(uri), TF_FMT(fragment));
		*out = *(const struct schema_spot *)(uintptr_t)(v & ~(uint64_t)1);
		if (out_dynamic && (v & 1))
			*out_dynamic = fragment;
		return TF_OK;
	}
	if (!fragment.n) {
		*out = (struct schema_spot){r->root, r, r->place};
		schema_spot(s, r->root, out);
		return TF_OK;
	}
	return follow_pointer(s, r, fragment, out, f);
}

bool
schema_dynamic(const struct tf_schemas *s, const struct schema_resource *r, struct tf_str name, struct schema_spot *out)
{
	struct tf_buf key;
	uint64_t v = 0;
	tf_buf_init(&key, 0);
	tf_buf_str(&key, r->uri);
	tf_buf_u8(&key, '#');
	tf_buf_str(&key, name);
	bool found = !key.err && tf_map_get(&s->anchors, tf_buf_view(&key), &v) && (v & 1);
	tf_buf_release(&key);
	if (found)
		*out = *(const struct schema_spot *)(uintptr_t)(v & ~(uint64_t)1);
	return found;
}

enum tf_err
tf_schemas_find(struct tf_schemas *s, struct tf_str ref, const struct tf_json **out, struct tf_fault *f)
{
	struct schema_spot spot;
	TF_TRY(schema_resolve(s, NULL, ref, &spot, NULL, f));
	*out = spot.node;
	return TF_OK;
}
