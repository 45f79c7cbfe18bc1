/* Checking what combines schemas: $ref, allOf, anyOf, oneOf, not, if; see schema_impl.h. */
#include "serve/schema_impl.h"

/* Why no alternative holds: each that the value's type does not rule out tells it. */
static bool
tell_alternatives(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v,
		  const struct schema_branches *of, const char *keyword)
{
	if (!c->telling)
		return false;
	schema_tell(c, s, v, keyword, "matches none of %u alternatives", of->count);
	for (uint32_t i = 0; i < of->count && !c->err; i++) {
		const struct tf_schema *a = of->of[i];
		const struct tf_schema *of_type = a->logic && a->logic->ref ? a->logic->ref : a;
		bool integer = v->kind == TF_JSON_NUMBER && (of_type->types >> SCHEMA_INTEGER & 1);
		if ((of_type->types >> v->kind & 1) || integer)
			(void)schema_valid(c, a, v);
	}
	return false;
}

static bool
check_any(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_branches *of = &s->logic->any;
	for (uint32_t i = 0; i < of->count && !c->err; i++)
		if (schema_quiet(c, of->of[i], v))
			return true;
	return tell_alternatives(c, s, v, of, "anyOf");
}

static bool
check_one(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_branches *of = &s->logic->one;
	uint32_t first = of->count;
	for (uint32_t i = 0; i < of->count && !c->err; i++) {
		if (!schema_quiet(c, of->of[i], v))
			continue;
		if (first < of->count)
			return schema_tell(c, s, v, "oneOf", "matches the alternatives %u and %u: one is wanted", first,
					   i);
		first = i;
	}
	return first < of->count || tell_alternatives(c, s, v, of, "oneOf");
}

/* With a discriminator only the alternative it names is looked at. */
static bool
check_choice(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_logic *l = s->logic;
	const struct schema_branches *of = l->one.count ? &l->one : &l->any;
	if (v->kind != TF_JSON_OBJECT)
		return schema_tell(c, s, v, "discriminator", "an object is wanted");
	const struct tf_json *m = tf_json_get_n(v, l->choice->property);
	uint64_t index;
	if (!m)
		return schema_tell(c, s, v, "discriminator", "the member '%.*s' is missing",
				   TF_FMT(l->choice->property));
	if (m->kind == TF_JSON_STRING && tf_map_get(&l->choice->by_value, m->text, &index))
		return schema_valid(c, of->of[index], v);
	struct schema_at here = {c->at, m};
	c->at = &here;
	schema_tell(c, s, m, "discriminator", "names no alternative");
	c->at = here.up;
	return false;
}

static bool
check_if(struct tf_checker *c, const struct schema_logic *l, const struct tf_json *v)
{
	bool holds = schema_quiet(c, l->if_, v);
	const struct tf_schema *then = holds ? l->then : l->else_;
	return !c->err && (!then || schema_valid(c, then, v));
}

bool
schema_check_logic(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_logic *l = s->logic;
	bool ok = !l->ref || schema_valid(c, l->ref, v);
	for (uint32_t i = 0; i < l->all.count && (ok || c->telling); i++)
		ok = schema_valid(c, l->all.of[i], v) && ok;
	if (l->choice && (ok || c->telling))
		ok = check_choice(c, s, v) && ok;
	if (l->any.count && !(l->choice && !l->one.count) && (ok || c->telling))
		ok = check_any(c, s, v) && ok;
	if (l->one.count && !l->choice && (ok || c->telling))
		ok = check_one(c, s, v) && ok;
	if (l->not &&(ok || c->telling) && schema_quiet(c, l->not, v))
		ok = schema_tell(c, s, v, "not", "is what is not allowed");
	if (l->if_ && (ok || c->telling))
		ok = check_if(c, l, v) && ok;
	return ok && !c->err;
}
