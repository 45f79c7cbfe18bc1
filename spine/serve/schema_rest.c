/* unevaluatedProperties and unevaluatedItems: what no other keyword of the schema, or of those that apply in place,
 * evaluated; see schema_impl.h.
 *
 * Nothing is noted while checking. When the keyword is met, everything else of the schema holds; the schemas that apply
 * in place are walked again, and which of them hold is asked again: a look into what is remembered. */
#include "serve/schema_impl.h"

#define MARKS_LOCAL 512 /* members or elements whose marks stand on the stack */

struct marks {
	struct tf_checker *c;
	const struct tf_json *v;
	uint8_t *of; /* by index */
	uint32_t stamp;
	bool all;
};

static void collect(struct marks *k, const struct tf_schema *s);

static void
mark_members(struct marks *k, const struct tf_schema *s)
{
	const struct schema_objects *o = s->objects;
	uint32_t i = 0;
	if (o->rest) {
		k->all = true;
		return;
	}
	for (const struct tf_json *m = k->v->first; m && !k->c->err; m = m->next, i++) {
		const struct schema_property *p = k->of[i] ? NULL : schema_property(o, m->key);
		if (p && p->schema)
			k->of[i] = 1;
		for (uint32_t n = 0; n < o->pattern_count && !k->of[i]; n++)
			k->of[i] = schema_matches(k->c, o->patterns[n].pattern, m->key);
	}
}

static void
mark_elements(struct marks *k, const struct tf_schema *s)
{
	const struct schema_arrays *a = s->arrays;
	uint32_t i = 0;
	if (a->rest) {
		k->all = true;
		return;
	}
	for (const struct tf_json *m = k->v->first; m && !k->c->err; m = m->next, i++) {
		if (i < a->prefix_count)
			k->of[i] = 1;
		else if (!k->of[i] && a->contains && a->contains_marks)
			k->of[i] = schema_quiet(k->c, a->contains, m);
	}
}

static void
collect_if_valid(struct marks *k, const struct tf_schema *s)
{
	if (!k->all && !k->c->err && schema_quiet(k->c, s, k->v))
		collect(k, s);
}

static void
collect_logic(struct marks *k, const struct schema_logic *l)
{
	if (l->ref)
		collect(k, l->ref);
	for (uint32_t i = 0; i < l->all.count; i++)
		collect(k, l->all.of[i]);
	for (uint32_t i = 0; i < l->any.count; i++)
		collect_if_valid(k, l->any.of[i]);
	for (uint32_t i = 0; i < l->one.count; i++)
		collect_if_valid(k, l->one.of[i]);
	if (!l->if_)
		return;
	bool holds = schema_quiet(k->c, l->if_, k->v);
	const struct tf_schema *then = holds ? l->then : l->else_;
	if (holds)
		collect(k, l->if_);
	if (then)
		collect(k, then);
}

/* s holds for the value. */
static void
collect(struct marks *k, const struct tf_schema *s)
{
	if (k->all || k->c->err || k->c->stamps[s->id] == k->stamp)
		return;
	k->c->stamps[s->id] = k->stamp;
	bool object = k->v->kind == TF_JSON_OBJECT;
	if (object ? s->rest_properties : s->rest_items) {
		k->all = true;
		return;
	}
	if (object && s->objects)
		mark_members(k, s);
	if (!object && s->arrays)
		mark_elements(k, s);
	for (uint32_t i = 0; object && s->objects && i < s->objects->dependency_count; i++) {
		const struct schema_dependency *d = &s->objects->dependencies[i];
		if (d->schema && tf_json_get_n(k->v, d->name))
			collect(k, d->schema);
	}
	if (s->logic)
		collect_logic(k, s->logic);
}

/* The schema itself, without its own unevaluated... */
static void
collect_root(struct marks *k, const struct tf_schema *s)
{
	struct tf_schema own = *s;
	own.rest_items = own.rest_properties = NULL;
	collect(k, &own);
}

static bool
get_stamps(struct tf_checker *c, const struct tf_schema *s)
{
	if (!c->stamps)
		c->stamps = tf_arena_calloc(&c->arena, s->set->count, sizeof *c->stamps);
	return c->stamps || schema_stop(c, c->arena.err, "the memory of a check does not suffice");
}

bool
schema_check_rest(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct tf_schema *rest = v->kind == TF_JSON_OBJECT  ? s->rest_properties
				       : v->kind == TF_JSON_ARRAY ? s->rest_items
								  : NULL;
	uint8_t local[MARKS_LOCAL];
	if (!rest || !v->count)
		return true;
	if (!get_stamps(c, s))
		return false;
	struct marks k = {c, v, local, ++c->stamp, false};
	if (v->count > MARKS_LOCAL)
		k.of = tf_arena_alloc(&c->arena, v->count);
	if (!k.of)
		return schema_stop(c, c->arena.err, "the memory of a check does not suffice");
	memset(k.of, 0, v->count);
	collect_root(&k, s);
	bool ok = true;
	uint32_t i = 0;
	for (const struct tf_json *m = v->first; m && !k.all && (ok || c->telling) && !c->err; m = m->next, i++)
		if (!k.of[i])
			ok = schema_valid_child(c, rest, m) && ok;
	return ok && !c->err;
}
