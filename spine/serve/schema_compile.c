/* From JSON to a graph of struct tf_schema: the set, references, and the keywords that combine schemas.
 *
 * Schemas are compiled from a list of tasks, so that references may be as deep and as cyclic as they like. The dynamic
 * scope is settled here and not while checking: a schema is compiled once for each scope it is reached in, and
 * $dynamicRef becomes a plain edge. Almost always there is one scope. */
#include "serve/schema_impl.h"

#include "base/mem.h"

#define NODES_DEFAULT  100000
#define MEMORY_DEFAULT ((size_t)256 << 20)

enum tf_err
tf_schemas_new(const struct tf_schemas_options *o, struct tf_schemas **out, struct tf_fault *f)
{
	struct tf_schemas *s = tf_calloc(1, sizeof *s);
	if (!s)
		return tf_fault(f, TF_NO_MEMORY, "out of memory");
	s->o = *o;
	s->o.nodes_max = o->nodes_max ? o->nodes_max : NODES_DEFAULT;
	tf_arena_init(&s->arena, "schemas", o->memory_max ? o->memory_max : MEMORY_DEFAULT);
	if (tf_map_init(&s->resources, TF_MAP_BORROW_KEYS) || tf_map_init(&s->spots, TF_MAP_OWN_KEYS) ||
	    tf_map_init(&s->anchors, TF_MAP_BORROW_KEYS) || tf_map_init(&s->compiled, TF_MAP_OWN_KEYS)) {
		tf_schemas_free(&s);
		return tf_fault(f, TF_NO_MEMORY, "out of memory");
	}
	*out = s;
	return TF_OK;
}

static void
release_choices(struct tf_schemas *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->all[i]->logic && s->all[i]->logic->choice)
			tf_map_release(&s->all[i]->logic->choice->by_value);
}

void
tf_schemas_free(struct tf_schemas **sp)
{
	struct tf_schemas *s = *sp;
	if (!s)
		return;
	*sp = NULL;
	release_choices(s);
	while (s->patterns) {
		struct schema_pattern *p = s->patterns;
		s->patterns = p->next;
		schema_pattern_release(p);
	}
	tf_map_release(&s->resources);
	tf_map_release(&s->spots);
	tf_map_release(&s->anchors);
	tf_map_release(&s->compiled);
	tf_free(s->all);
	tf_arena_release(&s->arena);
	tf_free(s);
}

struct tf_str
tf_schema_place(const struct tf_schema *s)
{
	return s->place;
}

enum tf_err
schema_wrong(const struct schema_build *b, const char *keyword, const char *what)
{
	return tf_fault(b->fault, TF_INVALID, "invalid schema: '%.*s': %s%s%s", TF_FMT(b->spot.place), keyword,
			*keyword ? ": " : "", what);
}

enum tf_err
schema_no_room(const struct schema_build *b)
{
	enum tf_err e = tf_arena_fault(&b->s->arena, b->fault);
	return e ? e : tf_fault(b->fault, TF_NO_MEMORY, "out of memory");
}

bool
schema_drafty(const struct schema_build *b)
{
	return b->spot.resource->dialect == TF_DIALECT_DRAFT_7;
}

static bool
same_scope(const struct schema_scope *a, const struct schema_scope *b)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->first[i].resource != b->first[i].resource || !tf_str_eq(a->first[i].name, b->first[i].name))
			return false;
	return a->count == b->count;
}

static const struct schema_scope *
intern_scope(struct tf_schemas *s, struct schema_scope *scope)
{
	for (const struct schema_scope *had = s->scopes; had; had = had->next)
		if (same_scope(had, scope))
			return had;
	scope->id = ++s->scope_count;
	scope->next = s->scopes;
	s->scopes = scope;
	return scope;
}

/* The name of a dynamic anchor of the resource: its key is uri#name. */
static bool
dynamic_anchor(const struct tf_map_entry *e, struct tf_str uri, struct tf_str *out_name)
{
	const char *p = e->key.borrowed;
	if (!e->hash || !p || !(e->value & 1) || e->key_n <= uri.n || !uri.p)
		return false;
	if (memcmp(p, uri.p, uri.n) != 0 || p[uri.n] != '#')
		return false;
	*out_name = tf_str_n(p + uri.n + 1, e->key_n - uri.n - 1);
	return true;
}

/* The scope after entering a resource: its dynamic anchors are added where no outer resource has them. NULL without
 * memory. Anchors are few: their map is walked. */
static const struct schema_scope *
enter(struct tf_schemas *s, const struct schema_scope *scope, const struct schema_resource *r)
{
	TF_ASSERT(r);
	size_t most = (scope ? scope->count : 0) + s->anchors.count;
	struct schema_scope *n = tf_arena_calloc(&s->arena, 1, sizeof *n + most * sizeof n->first[0]);
	if (!n)
		return NULL;
	for (uint32_t i = 0; scope && i < scope->count; i++)
		n->first[n->count++] = scope->first[i];
	for (size_t i = 0; i < s->anchors.size; i++) {
		const struct tf_map_entry *e = &s->anchors.entries[i];
		struct tf_str name;
		if (!dynamic_anchor(e, r->uri, &name))
			continue;
		bool had = false;
		for (uint32_t k = 0; k < n->count; k++)
			had |= tf_str_eq(n->first[k].name, name);
		if (!had) {
			n->first[n->count].name = name;
			n->first[n->count++].resource = r;
		}
	}
	return intern_scope(s, n);
}

static enum tf_err
keep(struct tf_schemas *s, struct tf_schema *schema, struct tf_fault *f)
{
	if (s->count == s->o.nodes_max)
		return tf_fault(f, TF_TOO_LARGE, "more than %u schemas", s->o.nodes_max);
	if (s->count == s->size) {
		uint32_t size = s->size ? s->size * 2 : 64;
		struct tf_schema **all = tf_realloc(s->all, size * sizeof(*all));
		if (!all)
			return tf_fault(f, TF_NO_MEMORY, "out of memory");
		s->all = all;
		s->size = size;
	}
	schema->id = s->count;
	s->all[s->count++] = schema;
	return TF_OK;
}

static enum tf_err
out_of_room(struct tf_schemas *s, struct tf_fault *f)
{
	enum tf_err e = tf_arena_fault(&s->arena, f);
	return e ? e : tf_fault(f, TF_NO_MEMORY, "out of memory");
}

/* The schema of a spot in a scope, compiled or to be compiled. */
static enum tf_err
schema_at(struct tf_schemas *s, struct schema_spot spot, const struct schema_scope *scope,
	  const struct schema_resource *from, const struct tf_schema **out, struct tf_fault *f)
{
	uint64_t had;
	if (spot.resource != from || !scope)
		scope = enter(s, scope, spot.resource);
	if (!scope)
		return out_of_room(s, f);
	struct {
		const void *node;
		uint64_t scope;
	} key = {spot.node, scope->id};
	if (tf_map_get(&s->compiled, tf_str_n(&key, sizeof key), &had)) {
		*out = (const struct tf_schema *)(uintptr_t)had;
		return TF_OK;
	}
	struct tf_schema *schema = tf_arena_calloc(&s->arena, 1, sizeof *schema);
	struct schema_task *task = tf_arena_calloc(&s->arena, 1, sizeof *task);
	if (!schema || !task)
		return out_of_room(s, f);
	TF_TRY(keep(s, schema, f));
	if (tf_map_put(&s->compiled, tf_str_n(&key, sizeof key), (uintptr_t)schema))
		return out_of_room(s, f);
	schema->source = spot.node;
	schema->place = spot.place;
	schema->set = s;
	schema->types = SCHEMA_ANY_TYPE;
	*task = (struct schema_task){schema, spot, scope, s->tasks};
	s->tasks = task;
	*out = schema;
	return TF_OK;
}

enum tf_err
schema_sub(const struct schema_build *b, const struct tf_json *node, const struct tf_schema **out)
{
	struct schema_spot spot;
	if (!schema_spot(b->s, node, &spot))
		return schema_wrong(b, "", "a schema is wanted");
	return schema_at(b->s, spot, b->scope, b->spot.resource, out, b->fault);
}

enum tf_err
schema_sub_list(const struct schema_build *b, const struct tf_json *list, const char *keyword,
		struct schema_branches *out)
{
	if (!list)
		return TF_OK;
	if (list->kind != TF_JSON_ARRAY || !list->count)
		return schema_wrong(b, keyword, "a list of schemas is wanted, and not an empty one");
	out->of = tf_arena_calloc(&b->s->arena, list->count, sizeof(*out->of));
	if (!out->of)
		return schema_no_room(b);
	for (const struct tf_json *m = list->first; m; m = m->next)
		TF_TRY(schema_sub(b, m, &out->of[out->count++]));
	return TF_OK;
}

enum tf_err
schema_target(const struct schema_build *b, struct tf_str ref, bool dynamic, const struct tf_schema **out)
{
	struct schema_spot spot;
	struct tf_str name;
	struct tf_schemas *s = b->s;
	if (schema_resolve(s, b->spot.resource, ref, &spot, &name, b->fault))
		return tf_fault_wrap(b->fault, TF_INVALID, "invalid schema: '%.*s'", TF_FMT(b->spot.place));
	TF_TRY(schema_index(s, spot.node, spot.resource, spot.place, b->fault));
	schema_spot(s, spot.node, &spot);
	for (uint32_t i = 0; dynamic && name.n && i < b->scope->count; i++)
		if (tf_str_eq(b->scope->first[i].name, name)) {
			/* It is there, or the scope would not have it. */
			if (!schema_dynamic(s, b->scope->first[i].resource, name, &spot))
				return schema_no_room(b);
			break;
		}
	return schema_at(s, spot, b->scope, b->spot.resource, out, b->fault);
}

static enum tf_err
take_ref(struct schema_build *b, struct schema_logic *l)
{
	const struct tf_json *ref = tf_json_get(b->spot.node, "$ref");
	const struct tf_json *dynamic = tf_json_get(b->spot.node, "$dynamicRef");
	bool modern =
		b->spot.resource->dialect == TF_DIALECT_2020_12 || b->spot.resource->dialect == TF_DIALECT_OPENAPI_3_1;
	struct tf_str text;
	if (ref) {
		if (!tf_json_str(ref, &text))
			return schema_wrong(b, "$ref", "a string is wanted");
		l->ref_keyword = "$ref";
		TF_TRY(schema_target(b, text, false, &l->ref));
	}
	if (!dynamic || !modern)
		return TF_OK;
	if (!tf_json_str(dynamic, &text))
		return schema_wrong(b, "$dynamicRef", "a string is wanted");
	if (!l->ref) {
		l->ref_keyword = "$dynamicRef";
		return schema_target(b, text, true, &l->ref);
	}
	/* Both: as one more of allOf. */
	const struct tf_schema **of = tf_arena_calloc(&b->s->arena, l->all.count + 1, sizeof(*of));
	if (!of)
		return schema_no_room(b);
	if (l->all.count)
		memcpy(of, l->all.of, l->all.count * sizeof(*of));
	l->all.of = of;
	return schema_target(b, text, true, &of[l->all.count++]);
}

/* The alternative that a reference or schema name of a mapping means; count: none. */
static uint32_t
alternative(const struct schema_build *b, const struct schema_branches *of, struct tf_str ref)
{
	uint32_t i = 0;
	const struct tf_schema *target = NULL;
	bool local = ref.n && (memchr(ref.p, '#', ref.n) || memchr(ref.p, '/', ref.n) || memchr(ref.p, '.', ref.n));
	struct tf_fault ignored;
	struct schema_build quiet = *b;
	quiet.fault = &ignored;
	if (local && schema_target(&quiet, ref, false, &target))
		return of->count;
	for (; i < of->count; i++) {
		const struct tf_json *r = tf_json_get(of->of[i]->source, "$ref");
		const struct tf_schema *leads = NULL;
		if (of->of[i] == target)
			break;
		if (!r || r->kind != TF_JSON_STRING)
			continue;
		if (target && !schema_target(&quiet, r->text, false, &leads) && leads == target)
			break;
		if (!target && r->text.n > ref.n && r->text.p[r->text.n - ref.n - 1] == '/' &&
		    memcmp(r->text.p + r->text.n - ref.n, ref.p, ref.n) == 0)
			break;
	}
	return i;
}

static enum tf_err
put_choice(struct schema_build *b, struct schema_choice *c, struct tf_str value, uint32_t index)
{
	return tf_map_put(&c->by_value, value, index) ? schema_no_room(b) : TF_OK;
}

/* A discriminator: by the names at the end of the references, and by its mapping. */
static enum tf_err
take_choice(struct schema_build *b, struct schema_logic *l)
{
	const struct tf_json *d = tf_json_get(b->spot.node, "discriminator");
	const struct schema_branches *of = l->one.count ? &l->one : &l->any;
	bool openapi = b->spot.resource->dialect >= TF_DIALECT_OPENAPI_3_0;
	struct schema_choice *c;
	if (!d || !openapi || !of->count)
		return TF_OK;
	c = tf_arena_calloc(&b->s->arena, 1, sizeof *c);
	if (!c)
		return schema_no_room(b);
	if (!tf_json_str(tf_json_get(d, "propertyName"), &c->property))
		return schema_wrong(b, "discriminator", "propertyName is wanted");
	TF_TRY(tf_map_init(&c->by_value, TF_MAP_BORROW_KEYS));
	l->choice = c;
	for (uint32_t i = 0; i < of->count; i++) {
		const struct tf_json *r = tf_json_get(of->of[i]->source, "$ref");
		if (!r || r->kind != TF_JSON_STRING)
			continue;
		size_t at = r->text.n;
		while (at && r->text.p[at - 1] != '/')
			at--;
		TF_TRY(put_choice(b, c, tf_str_n(r->text.p + at, r->text.n - at), i));
	}
	const struct tf_json *mapping = tf_json_get(d, "mapping");
	for (const struct tf_json *m = tf_json_first(mapping); m; m = m->next) {
		uint32_t i = m->kind == TF_JSON_STRING ? alternative(b, of, m->text) : of->count;
		if (i == of->count)
			return schema_wrong(b, "discriminator", "the mapping names what is no alternative");
		TF_TRY(put_choice(b, c, m->key, i));
	}
	return TF_OK;
}

static enum tf_err
take_one(struct schema_build *b, const char *keyword, const struct tf_schema **out)
{
	const struct tf_json *v = tf_json_get(b->spot.node, keyword);
	return v ? schema_sub(b, v, out) : TF_OK;
}

static enum tf_err
take_logic(struct schema_build *b)
{
	struct schema_logic *l = tf_arena_calloc(&b->s->arena, 1, sizeof *l);
	const struct tf_json *node = b->spot.node;
	if (!l)
		return schema_no_room(b);
	b->schema->logic = l;
	bool openapi30 = b->spot.resource->dialect == TF_DIALECT_OPENAPI_3_0;
	if ((openapi30 || schema_drafty(b)) && tf_json_get(node, "$ref"))
		return take_ref(b, l);
	TF_TRY(schema_sub_list(b, tf_json_get(node, "allOf"), "allOf", &l->all));
	TF_TRY(schema_sub_list(b, tf_json_get(node, "anyOf"), "anyOf", &l->any));
	TF_TRY(schema_sub_list(b, tf_json_get(node, "oneOf"), "oneOf", &l->one));
	TF_TRY(take_one(b, "not", &l->not ));
	if (!openapi30 && tf_json_get(node, "if")) {
		TF_TRY(take_one(b, "if", &l->if_));
		TF_TRY(take_one(b, "then", &l->then));
		TF_TRY(take_one(b, "else", &l->else_));
	}
	TF_TRY(take_ref(b, l));
	TF_TRY(take_choice(b, l));
	if (!l->ref && !l->all.count && !l->any.count && !l->one.count && !l->not &&!l->if_)
		b->schema->logic = NULL;
	return TF_OK;
}

static enum tf_err
compile(struct tf_schemas *s, const struct schema_task *t, struct tf_fault *f)
{
	struct schema_build b = {s, t->schema, t->spot, t->scope, f};
	const struct tf_json *node = t->spot.node;
	if (node->kind == TF_JSON_BOOL) {
		t->schema->never = !node->truth;
		return TF_OK;
	}
	if (node->kind != TF_JSON_OBJECT)
		return schema_wrong(&b, "", "a schema is an object or a bool");
	TF_TRY(take_logic(&b));
	bool alone = schema_drafty(&b) || t->spot.resource->dialect == TF_DIALECT_OPENAPI_3_0;
	if (alone && tf_json_get(node, "$ref"))
		return TF_OK;
	return schema_rules(&b);
}

enum tf_err
schema_compile_spot(struct tf_schemas *s, struct schema_spot spot, const struct tf_schema **out, struct tf_fault *f)
{
	const struct tf_schema *schema;
	TF_TRY(schema_index(s, spot.node, spot.resource, spot.place, f));
	schema_spot(s, spot.node, &spot);
	TF_TRY(schema_at(s, spot, NULL, NULL, &schema, f));
	while (s->tasks) {
		struct schema_task *t = s->tasks;
		s->tasks = t->next;
		TF_TRY(compile(s, t, f));
	}
	TF_TRY(schema_graph(s, f));
	*out = schema;
	return TF_OK;
}

enum tf_err
tf_schemas_compile(struct tf_schemas *s, struct tf_str ref, const struct tf_schema **out, struct tf_fault *f)
{
	struct schema_spot spot;
	TF_TRY(schema_resolve(s, NULL, ref, &spot, NULL, f));
	return schema_compile_spot(s, spot, out, f);
}
