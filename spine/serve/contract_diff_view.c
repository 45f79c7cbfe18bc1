/* A schema seen as one object: references followed, allOf merged; see contract_diff_impl.h. */
#include "serve/contract_diff_impl.h"

#define DEPTH_MAX 32

const char *const view_bounds[VIEW_BOUNDS] = {"minimum",       "exclusiveMinimum", "minLength",        "minItems",
					      "minProperties", "maximum",          "exclusiveMaximum", "maxLength",
					      "maxItems",      "maxProperties",    "maxContains"};

static uint8_t
types_of(const struct tf_json *node, enum tf_dialect dialect)
{
	static const char *const names[] = {"null", "boolean", "number", "string", "array", "object", "integer"};
	const struct tf_json *v = tf_json_get(node, "type"), *nullable = tf_json_get(node, "nullable");
	const struct tf_json *one = tf_json_is(v, TF_JSON_ARRAY) ? v->first : v;
	uint8_t bits = 0;
	for (; one && one->kind == TF_JSON_STRING; one = v->kind == TF_JSON_ARRAY ? one->next : NULL)
		for (int i = 0; i <= SCHEMA_INTEGER; i++)
			if (tf_str_eq(one->text, tf_str(names[i])))
				bits |= (uint8_t)(1 << i);
	if (!bits)
		return SCHEMA_ANY_TYPE;
	if (dialect == TF_DIALECT_OPENAPI_3_0 && nullable && nullable->truth)
		bits |= 1 << TF_JSON_NULL;
	if (bits >> TF_JSON_NUMBER & 1)
		bits |= 1 << SCHEMA_INTEGER;
	return bits;
}

const struct view_member *
view_find(const struct view *v, struct tf_str name)
{
	for (const struct view_member *m = v->members; m; m = m->next)
		if (tf_str_eq(m->name, name))
			return m;
	return NULL;
}

static struct view_member *
add_member(struct diff *d, struct view *v, struct tf_str name)
{
	struct view_member *m = (struct view_member *)(uintptr_t)view_find(v, name), **end = &v->members;
	if (m)
		return m;
	m = tf_arena_calloc(&d->arena, 1, sizeof *m);
	if (!m) {
		d->err = TF_NO_MEMORY;
		return NULL;
	}
	m->name = name;
	while (*end)
		end = &(*end)->next;
	*end = m;
	return m;
}

static bool
is_lifted(const struct diff *d, struct tf_schemas *s, struct schema_spot spot)
{
	const char *word = d->answers ? "writeOnly" : "readOnly";
	const struct tf_json *flag = tf_json_get(spot.node, word);
	if (!flag && contract_follow(s, &spot, NULL) == TF_OK)
		flag = tf_json_get(spot.node, word);
	return flag && flag->truth;
}

static void
take_members(struct diff *d, struct tf_schemas *s, struct schema_spot spot, struct view *v)
{
	struct schema_spot properties = contract_member(s, spot, TF_STR("properties"));
	const struct tf_json *required = tf_json_get(spot.node, "required");
	for (const struct tf_json *m = tf_json_first(properties.node); m && !d->err; m = m->next) {
		struct view_member *to = add_member(d, v, m->key);
		if (!to)
			return;
		to->spot = contract_member(s, properties, m->key);
		to->lifted = is_lifted(d, s, to->spot);
	}
	for (const struct tf_json *m = tf_json_first(required); m && !d->err; m = m->next) {
		struct view_member *to = m->kind == TF_JSON_STRING ? add_member(d, v, m->text) : NULL;
		if (to)
			to->required = true;
	}
}

static void
take_rest(struct tf_schemas *s, struct schema_spot spot, struct view *v)
{
	struct schema_spot rest = contract_member(s, spot, TF_STR("additionalProperties"));
	struct schema_spot more = contract_member(s, spot, TF_STR("unevaluatedProperties"));
	rest = rest.node ? rest : more;
	if (rest.node && rest.node->kind == TF_JSON_BOOL)
		v->closed |= !rest.node->truth;
	else if (rest.node)
		v->rest = rest;
}

static void
take(const struct tf_json *node, const char *name, const struct tf_json **out)
{
	const struct tf_json *v = tf_json_get(node, name);
	if (v)
		*out = v;
}

static void
merge(struct diff *d, struct tf_schemas *s, enum tf_dialect dialect, struct schema_spot spot, struct view *v, int depth)
{
	struct tf_str ref;
	if (depth > DEPTH_MAX || d->err || !tf_json_is(spot.node, TF_JSON_OBJECT))
		return;
	if (tf_json_str(tf_json_get(spot.node, "$ref"), &ref)) {
		struct schema_spot to;
		if (schema_resolve(s, spot.resource, ref, &to, NULL, NULL) == TF_OK)
			merge(d, s, dialect, to, v, depth + 1);
	}
	struct schema_spot all = contract_member(s, spot, TF_STR("allOf"));
	uint32_t i = 0;
	for (const struct tf_json *m = tf_json_first(all.node); m; m = m->next, i++)
		merge(d, s, dialect, contract_element(s, all, m, i), v, depth + 1);
	v->types &= types_of(spot.node, dialect);
	take_members(d, s, spot, v);
	take_rest(s, spot, v);
	take(spot.node, "enum", &v->values);
	take(spot.node, "const", &v->value);
	take(spot.node, "multipleOf", &v->multiple);
	take(spot.node, "pattern", &v->pattern);
	take(spot.node, "format", &v->format);
	take(spot.node, "uniqueItems", &v->unique);
	for (int b = 0; b < VIEW_BOUNDS; b++)
		take(spot.node, view_bounds[b], &v->bounds[b]);
	struct schema_spot items = contract_member(s, spot, TF_STR("items"));
	struct schema_spot one = contract_member(s, spot, TF_STR("oneOf"));
	struct schema_spot any = contract_member(s, spot, TF_STR("anyOf"));
	v->items = items.node ? items : v->items;
	v->alternatives = one.node ? one : any.node ? any : v->alternatives;
}

void
diff_view(struct diff *d, struct tf_schemas *s, enum tf_dialect dialect, struct schema_spot spot, struct view *out)
{
	*out = (struct view){.types = SCHEMA_ANY_TYPE};
	merge(d, s, dialect, spot, out, 0);
}
