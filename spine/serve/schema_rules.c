/* Compiling what is asserted of a value by its kind: type, enum, const, numbers, strings, arrays; see schema_impl.h. */
#include "serve/schema_impl.h"

static const struct tf_json *
get(const struct schema_build *b, const char *keyword)
{
	return tf_json_get(b->spot.node, keyword);
}

static bool
openapi30(const struct schema_build *b)
{
	return b->spot.resource->dialect == TF_DIALECT_OPENAPI_3_0;
}

static bool
modern(const struct schema_build *b)
{
	return !openapi30(b) && !schema_drafty(b);
}

static uint8_t
type_bits(struct tf_str name)
{
	static const struct {
		const char *name;
		uint8_t bits;
	} types[] = {{"null", 1 << TF_JSON_NULL},     {"boolean", 1 << TF_JSON_BOOL}, {"number", 1 << TF_JSON_NUMBER},
		     {"string", 1 << TF_JSON_STRING}, {"array", 1 << TF_JSON_ARRAY},  {"object", 1 << TF_JSON_OBJECT},
		     {"integer", 1 << SCHEMA_INTEGER}};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (tf_str_eq(name, tf_str(types[i].name)))
			return types[i].bits;
	return 0;
}

static enum tf_err
take_types(struct schema_build *b)
{
	const struct tf_json *v = get(b, "type"), *nullable = get(b, "nullable");
	if (!v)
		return TF_OK;
	uint8_t bits = 0;
	if (v->kind == TF_JSON_STRING)
		bits = type_bits(v->text);
	else if (v->kind == TF_JSON_ARRAY && !openapi30(b))
		for (const struct tf_json *m = v->first; m; m = m->next) {
			uint8_t one = m->kind == TF_JSON_STRING ? type_bits(m->text) : 0;
			if (!one)
				return schema_wrong(b, "type", "there is no such type");
			bits |= one;
		}
	if (!bits)
		return schema_wrong(b, "type", "a type, or a list of types, is wanted");
	if (openapi30(b) && nullable && nullable->truth)
		bits |= 1 << TF_JSON_NULL;
	b->schema->types = bits;
	return TF_OK;
}

static enum tf_err
take_values(struct schema_build *b)
{
	const struct tf_json *v = get(b, "enum"), *one = openapi30(b) ? NULL : get(b, "const");
	struct tf_schema *s = b->schema;
	if (v && v->kind != TF_JSON_ARRAY)
		return schema_wrong(b, "enum", "a list is wanted");
	if (!v && !one)
		return TF_OK;
	const struct tf_json **values = tf_arena_calloc(&b->s->arena, (v ? v->count : 0) + 1, sizeof *values);
	if (!values)
		return schema_no_room(b);
	s->values_keyword = one ? "const" : "enum";
	s->values = values;
	/* Both: const, if it is among the enum. */
	for (const struct tf_json *m = tf_json_first(v); m; m = m->next)
		if (!one || tf_json_same(m, one))
			values[s->value_count++] = m;
	if (one && !v)
		values[s->value_count++] = one;
	if (openapi30(b) && (s->types & 1 << TF_JSON_NULL) && s->types != SCHEMA_ANY_TYPE && v) {
		/* nullable means null too, whether or not the enum has it (OpenAPI 3.0.3 wants it there; few have it).
		 */
		static const struct tf_json null = {.kind = TF_JSON_NULL};
		values[s->value_count++] = &null;
	}
	return TF_OK;
}

static enum tf_err
take_bound(struct schema_build *b, const char *keyword, struct schema_bound *out)
{
	const struct tf_json *v = get(b, keyword);
	if (!v)
		return TF_OK;
	if (v->kind != TF_JSON_NUMBER)
		return schema_wrong(b, keyword, "a number is wanted");
	out->number = schema_number(v->text);
	out->text = v->text;
	out->keyword = keyword;
	out->small = tf_json_i64(v, &out->value);
	return TF_OK;
}

/* OpenAPI 3.0: exclusiveMinimum: true makes minimum an open bound. */
static enum tf_err
take_open(struct schema_build *b, const char *keyword, struct schema_bound *closed, struct schema_bound *open)
{
	const struct tf_json *v = get(b, keyword);
	if (!openapi30(b))
		return take_bound(b, keyword, open);
	if (v && v->kind != TF_JSON_BOOL)
		return schema_wrong(b, keyword, "a bool is wanted");
	if (v && v->truth && closed->text.p) {
		*open = *closed;
		*closed = (struct schema_bound){0};
	}
	return TF_OK;
}

static enum tf_err
take_numbers(struct schema_build *b)
{
	struct schema_numbers n = {0};
	TF_TRY(take_bound(b, "minimum", &n.low));
	TF_TRY(take_bound(b, "maximum", &n.high));
	TF_TRY(take_open(b, "exclusiveMinimum", &n.low, &n.low_open));
	TF_TRY(take_open(b, "exclusiveMaximum", &n.high, &n.high_open));
	TF_TRY(take_bound(b, "multipleOf", &n.multiple));
	const struct schema_number *m = &n.multiple.number;
	if (n.multiple.text.p && (m->negative || m->from == m->to || m->to - m->from > SCHEMA_DIVISOR_MAX))
		return schema_wrong(b, "multipleOf", "a number above 0, of at most 1024 digits, is wanted");
	if (!n.low.text.p && !n.high.text.p && !n.low_open.text.p && !n.high_open.text.p && !n.multiple.text.p)
		return TF_OK;
	struct schema_numbers *own = tf_arena_alloc(&b->s->arena, sizeof *own);
	if (!own)
		return schema_no_room(b);
	*own = n;
	b->schema->numbers = own;
	return TF_OK;
}

static enum tf_err
take_count(struct schema_build *b, const char *keyword, uint32_t *out)
{
	const struct tf_json *v = get(b, keyword);
	if (v && !schema_number_count(v, out))
		return schema_wrong(b, keyword, "a whole number from 0 is wanted");
	return TF_OK;
}

static enum tf_err
take_strings(struct schema_build *b)
{
	struct schema_strings s = {0, UINT32_MAX, NULL};
	TF_TRY(take_count(b, "minLength", &s.min));
	TF_TRY(take_count(b, "maxLength", &s.max));
	const struct tf_json *pattern = get(b, "pattern");
	if (pattern) {
		if (pattern->kind != TF_JSON_STRING)
			return schema_wrong(b, "pattern", "a string is wanted");
		if (schema_pattern_new(pattern->text, &b->s->arena, &s.pattern, b->fault))
			return tf_fault_wrap(b->fault, TF_INVALID, "invalid schema: '%.*s'", TF_FMT(b->spot.place));
		s.pattern->next = b->s->patterns;
		b->s->patterns = s.pattern;
	}
	if (!s.min && s.max == UINT32_MAX && !s.pattern)
		return TF_OK;
	struct schema_strings *own = tf_arena_alloc(&b->s->arena, sizeof *own);
	if (!own)
		return schema_no_room(b);
	*own = s;
	b->schema->strings = own;
	return TF_OK;
}

static enum tf_err
take_prefix(struct schema_build *b, const char *keyword, struct schema_arrays *a)
{
	const struct tf_json *list = get(b, keyword);
	struct schema_branches of = {0};
	if (list && list->kind == TF_JSON_ARRAY && !list->count && schema_drafty(b))
		return TF_OK; /* "items": [] */
	TF_TRY(schema_sub_list(b, list, keyword, &of));
	a->prefix = of.of;
	a->prefix_count = of.count;
	a->prefix_keyword = keyword;
	return TF_OK;
}

static enum tf_err
take_items(struct schema_build *b, struct schema_arrays *a)
{
	const struct tf_json *items = get(b, "items");
	bool list = items && items->kind == TF_JSON_ARRAY;
	a->rest_keyword = "items";
	if (schema_drafty(b) && list) {
		TF_TRY(take_prefix(b, "items", a));
		items = get(b, "additionalItems");
		a->rest_keyword = "additionalItems";
	} else if (modern(b)) {
		TF_TRY(take_prefix(b, "prefixItems", a));
	}
	return items ? schema_sub(b, items, &a->rest) : TF_OK;
}

static enum tf_err
take_contains(struct schema_build *b, bool asserts, struct schema_arrays *a)
{
	const struct tf_json *v = openapi30(b) ? NULL : get(b, "contains");
	a->contains_min = 1;
	a->contains_max = UINT32_MAX;
	a->contains_marks = modern(b);
	if (!v)
		return TF_OK;
	TF_TRY(schema_sub(b, v, &a->contains));
	if (!modern(b) || !asserts)
		return TF_OK;
	TF_TRY(take_count(b, "minContains", &a->contains_min));
	return take_count(b, "maxContains", &a->contains_max);
}

static enum tf_err
take_arrays(struct schema_build *b, bool asserts)
{
	struct schema_arrays a = {.max = UINT32_MAX};
	TF_TRY(take_items(b, &a));
	TF_TRY(take_contains(b, asserts, &a));
	if (asserts) {
		TF_TRY(take_count(b, "minItems", &a.min));
		TF_TRY(take_count(b, "maxItems", &a.max));
		const struct tf_json *unique = get(b, "uniqueItems");
		if (unique && unique->kind != TF_JSON_BOOL)
			return schema_wrong(b, "uniqueItems", "a bool is wanted");
		a.unique = unique && unique->truth;
	}
	if (!a.prefix_count && !a.rest && !a.contains && !a.min && a.max == UINT32_MAX && !a.unique)
		return TF_OK;
	struct schema_arrays *own = tf_arena_alloc(&b->s->arena, sizeof *own);
	if (!own)
		return schema_no_room(b);
	*own = a;
	b->schema->arrays = own;
	return TF_OK;
}

static enum tf_err
take_rests(struct schema_build *b)
{
	const struct tf_json *items = get(b, "unevaluatedItems"), *properties = get(b, "unevaluatedProperties");
	if (!modern(b))
		return TF_OK;
	if (items)
		TF_TRY(schema_sub(b, items, &b->schema->rest_items));
	if (properties)
		TF_TRY(schema_sub(b, properties, &b->schema->rest_properties));
	b->s->rests |= items || properties;
	return TF_OK;
}

enum tf_err
schema_rules(struct schema_build *b)
{
	bool asserts = b->spot.resource->asserts;
	if (asserts) {
		TF_TRY(take_types(b));
		TF_TRY(take_values(b));
		TF_TRY(take_numbers(b));
		TF_TRY(take_strings(b));
	}
	const struct tf_json *format = get(b, "format");
	if (b->spot.resource->formats && tf_json_is(format, TF_JSON_STRING))
		b->schema->format = schema_format(format->text);
	TF_TRY(take_arrays(b, asserts));
	TF_TRY(take_rests(b));
	return schema_object_rules(b, asserts);
}
