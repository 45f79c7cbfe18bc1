/* Compiling what is asserted of objects, and finding a property by name; see schema_impl.h.
 *
 * Names that the schema knows stand in one hash table with what is to be checked and which required name they are, so
 * that checking asks once per member. The hash takes a name's length and a few of its bytes: the names in the table are
 * the schema's, not a stranger's, and a stranger's name is compared with one or two of them at most. */
#include "serve/schema_impl.h"

struct ends {
	uint64_t head, tail;
};

/* A name's first and last bytes: all of it up to 16. */
static inline struct ends
ends_of(struct tf_str s)
{
	struct ends e = {0, 0};
	if (s.n >= 8) {
		memcpy(&e.head, s.p, 8);
		memcpy(&e.tail, s.p + s.n - 8, 8);
	} else if (s.n >= 4) {
		memcpy(&e.head, s.p, 4);
		memcpy(&e.tail, s.p + s.n - 4, 4);
	} else if (s.n) {
		e.head = (unsigned char)s.p[0];
		e.tail = (uint64_t)(unsigned char)s.p[s.n / 2] << 8 | (unsigned char)s.p[s.n - 1];
	}
	return e;
}

static inline uint32_t
hash_of(struct ends e, size_t n)
{
	uint64_t h = (e.head + n) * 0x9e3779b97f4a7c15u ^ e.tail * 0xc2b2ae3d27d4eb4fu;
	return (uint32_t)(h >> 32 ^ h);
}

static inline bool
is_named(const struct schema_property *p, struct tf_str name, struct ends e)
{
	return p->head == e.head && p->tail == e.tail && p->name.n == name.n &&
	       (name.n <= 16 || memcmp(p->name.p, name.p, name.n) == 0);
}

const struct schema_property *
schema_property(const struct schema_objects *o, struct tf_str name)
{
	if (!o->table)
		return NULL;
	struct ends e = ends_of(name);
	for (uint32_t i = hash_of(e, name.n) & o->mask;; i = (i + 1) & o->mask) {
		const struct schema_property *p = &o->table[i];
		if (!p->name.p)
			return NULL;
		if (is_named(p, name, e))
			return p;
	}
}

static struct schema_property *
place(struct schema_objects *o, struct tf_str name)
{
	struct ends e = ends_of(name);
	uint32_t i = hash_of(e, name.n) & o->mask;
	while (o->table[i].name.p && !is_named(&o->table[i], name, e))
		i = (i + 1) & o->mask;
	if (!o->table[i].name.p)
		o->table[i] = (struct schema_property){name.p ? name : TF_STR(""), NULL, e.head, e.tail, -1};
	return &o->table[i];
}

static enum tf_err
names_of(struct schema_build *b, const struct tf_json *list, const char *keyword, struct tf_str **out)
{
	if (list->kind != TF_JSON_ARRAY)
		return schema_wrong(b, keyword, "a list of names is wanted");
	struct tf_str *names = tf_arena_calloc(&b->s->arena, list->count + 1, sizeof *names);
	if (!names)
		return schema_no_room(b);
	*out = names;
	for (const struct tf_json *m = list->first; m; m = m->next)
		if (!tf_json_str(m, names++))
			return schema_wrong(b, keyword, "a list of names is wanted");
	return TF_OK;
}

/* A property that is not required in the direction the set is for: readOnly in a request. */
static bool
lifted(const struct schema_build *b, const struct tf_json *property)
{
	const char *lifts = b->s->o.lifts;
	for (int i = 0; lifts && property && i < 8; i++) {
		const struct tf_json *flag = tf_json_get(property, lifts), *ref = tf_json_get(property, "$ref");
		struct schema_spot spot;
		if (flag && flag->truth)
			return true;
		if (!tf_json_is(ref, TF_JSON_STRING) ||
		    schema_resolve(b->s, b->spot.resource, ref->text, &spot, NULL, NULL))
			return false;
		property = spot.node;
	}
	return false;
}

static enum tf_err
take_table(struct schema_build *b, bool asserts, struct schema_objects *o)
{
	const struct tf_json *properties = tf_json_get(b->spot.node, "properties");
	const struct tf_json *required = asserts ? tf_json_get(b->spot.node, "required") : NULL;
	if (properties && properties->kind != TF_JSON_OBJECT)
		return schema_wrong(b, "properties", "an object is wanted");
	if (required)
		TF_TRY(names_of(b, required, "required", &o->required));
	uint32_t count = (properties ? properties->count : 0) + (required ? required->count : 0), size = 4;
	if (!count)
		return TF_OK;
	while (size < count * 3)
		size *= 2;
	o->table = tf_arena_calloc(&b->s->arena, size, sizeof *o->table);
	if (!o->table)
		return schema_no_room(b);
	o->mask = size - 1;
	for (const struct tf_json *m = tf_json_first(properties); m; m = m->next)
		TF_TRY(schema_sub(b, m, &place(o, m->key)->schema));
	/* A name that is listed twice counts once. */
	uint32_t kept = 0;
	for (uint32_t i = 0; required && o->required && i < required->count; i++) {
		struct schema_property *p = place(o, o->required[i]);
		if (p->required >= 0 || lifted(b, tf_json_get_n(properties, p->name)))
			continue;
		p->required = (int32_t)kept;
		o->required[kept++] = p->name;
	}
	o->required_count = kept;
	return TF_OK;
}

static enum tf_err
take_patterns(struct schema_build *b, struct schema_objects *o)
{
	const struct tf_json *v = tf_json_get(b->spot.node, "patternProperties");
	if (!v || b->spot.resource->dialect == TF_DIALECT_OPENAPI_3_0)
		return TF_OK;
	if (v->kind != TF_JSON_OBJECT)
		return schema_wrong(b, "patternProperties", "an object is wanted");
	o->patterns = tf_arena_calloc(&b->s->arena, v->count + 1, sizeof *o->patterns);
	if (!o->patterns)
		return schema_no_room(b);
	for (const struct tf_json *m = v->first; m; m = m->next) {
		struct schema_pattern *p;
		if (schema_pattern_new(m->key, &b->s->arena, &p, b->fault))
			return tf_fault_wrap(b->fault, TF_INVALID, "invalid schema: '%.*s'", TF_FMT(b->spot.place));
		p->next = b->s->patterns;
		b->s->patterns = p;
		o->patterns[o->pattern_count].pattern = p;
		TF_TRY(schema_sub(b, m, &o->patterns[o->pattern_count++].schema));
	}
	return TF_OK;
}

static enum tf_err
add_dependencies(struct schema_build *b, const char *keyword, bool names, bool schemas, struct schema_objects *o)
{
	const struct tf_json *v = tf_json_get(b->spot.node, keyword);
	if (!v)
		return TF_OK;
	if (v->kind != TF_JSON_OBJECT)
		return schema_wrong(b, keyword, "an object is wanted");
	struct schema_dependency *all = tf_arena_calloc(&b->s->arena, o->dependency_count + v->count + 1, sizeof *all);
	if (!all)
		return schema_no_room(b);
	if (o->dependency_count)
		memcpy(all, o->dependencies, o->dependency_count * sizeof *all);
	o->dependencies = all;
	for (const struct tf_json *m = v->first; m; m = m->next) {
		struct schema_dependency *d = &all[o->dependency_count];
		d->name = m->key;
		d->keyword = keyword;
		if (m->kind == TF_JSON_ARRAY ? !names : !schemas)
			return schema_wrong(b, keyword, names ? "a list of names is wanted" : "a schema is wanted");
		if (m->kind == TF_JSON_ARRAY) {
			TF_TRY(names_of(b, m, keyword, &d->names));
			d->name_count = m->count;
		} else {
			TF_TRY(schema_sub(b, m, &d->schema));
		}
		o->dependency_count++;
	}
	return TF_OK;
}

static enum tf_err
take_dependencies(struct schema_build *b, bool asserts, struct schema_objects *o)
{
	if (b->spot.resource->dialect == TF_DIALECT_OPENAPI_3_0)
		return TF_OK;
	/* 2020-12 dropped `dependencies`; who still writes it means it, but the specification says it is ignored. */
	if (schema_drafty(b))
		return add_dependencies(b, "dependencies", true, true, o);
	if (asserts)
		TF_TRY(add_dependencies(b, "dependentRequired", true, false, o));
	return add_dependencies(b, "dependentSchemas", false, true, o);
}

static enum tf_err
take_limit(struct schema_build *b, const char *keyword, uint32_t *out)
{
	const struct tf_json *v = tf_json_get(b->spot.node, keyword);
	if (v && !schema_number_count(v, out))
		return schema_wrong(b, keyword, "a whole number from 0 is wanted");
	return TF_OK;
}

enum tf_err
schema_object_rules(struct schema_build *b, bool asserts)
{
	struct schema_objects o = {.max = UINT32_MAX};
	const struct tf_json *rest = tf_json_get(b->spot.node, "additionalProperties");
	const struct tf_json *names = tf_json_get(b->spot.node, "propertyNames");
	TF_TRY(take_table(b, asserts, &o));
	TF_TRY(take_patterns(b, &o));
	TF_TRY(take_dependencies(b, asserts, &o));
	if (rest)
		TF_TRY(schema_sub(b, rest, &o.rest));
	if (names && b->spot.resource->dialect != TF_DIALECT_OPENAPI_3_0)
		TF_TRY(schema_sub(b, names, &o.names));
	if (asserts) {
		TF_TRY(take_limit(b, "minProperties", &o.min));
		TF_TRY(take_limit(b, "maxProperties", &o.max));
	}
	if (!o.table && !o.pattern_count && !o.rest && !o.names && !o.dependency_count && !o.min && o.max == UINT32_MAX)
		return TF_OK;
	struct schema_objects *own = tf_arena_alloc(&b->s->arena, sizeof *own);
	if (!own)
		return schema_no_room(b);
	*own = o;
	b->schema->objects = own;
	return TF_OK;
}
