/* Checking what is asserted of numbers, strings, arrays and objects; see schema_impl.h. */
#include "serve/schema_impl.h"

/* Most required names that are ticked off in a set; more are looked up one by one. */
#define REQUIRED_MAX 256

/* A lexeme of plain digits as a number; false: look at it properly. */
static bool
small_integer(struct tf_str s, int64_t *out)
{
	size_t i = s.p[0] == '-';
	int64_t v = 0;
	if (s.n - i > 18)
		return false;
	for (; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = s.p[0] == '-' ? -v : v;
	return true;
}

static int
compare(const struct tf_json *v, const struct schema_bound *b)
{
	int64_t i;
	if (b->small && small_integer(v->text, &i))
		return (i > b->value) - (i < b->value);
	struct schema_number n = schema_number(v->text);
	return schema_number_cmp(&n, &b->number);
}

static bool
check_bound(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v, const struct schema_bound *b,
	    bool ok, const char *wanted)
{
	if (ok)
		return true;
	return schema_tell(c, s, v, b->keyword, "is %.*s: %s %.*s is wanted", TF_FMT(v->text), wanted, TF_FMT(b->text));
}

static bool
is_multiple(const struct tf_json *v, const struct schema_bound *b)
{
	int64_t i;
	if (b->small && small_integer(v->text, &i))
		return i % b->value == 0;
	struct schema_number n = schema_number(v->text);
	return schema_number_multiple(&n, &b->number);
}

bool
schema_check_number(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_numbers *n = s->numbers;
	bool ok = true;
	if (n->low.text.p)
		ok &= check_bound(c, s, v, &n->low, compare(v, &n->low) >= 0, "at least");
	if (n->high.text.p)
		ok &= check_bound(c, s, v, &n->high, compare(v, &n->high) <= 0, "at most");
	if (n->low_open.text.p)
		ok &= check_bound(c, s, v, &n->low_open, compare(v, &n->low_open) > 0, "more than");
	if (n->high_open.text.p)
		ok &= check_bound(c, s, v, &n->high_open, compare(v, &n->high_open) < 0, "less than");
	if (n->multiple.text.p)
		ok &= check_bound(c, s, v, &n->multiple, is_multiple(v, &n->multiple), "a multiple of");
	return ok;
}

/* Code points: the text is well-formed UTF-8. */
static uint32_t
length(struct tf_str s)
{
	uint32_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

bool
schema_check_string(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_strings *r = s->strings;
	bool ok = true;
	/* A character takes one to four bytes: mostly there is no need to count. */
	if (v->text.n > r->max || (v->text.n + 3) / 4 < r->min) {
		uint32_t n = length(v->text);
		if (n < r->min)
			ok = schema_tell(c, s, v, "minLength", "has %u characters: at least %u are wanted", n, r->min);
		if (n > r->max)
			ok = schema_tell(c, s, v, "maxLength", "has %u characters: at most %u are allowed", n, r->max);
	}
	if (r->pattern && (ok || c->telling) && !schema_matches(c, r->pattern, v->text))
		ok = schema_tell(c, s, v, "pattern", "does not match %.*s", TF_FMT(r->pattern->text));
	return ok;
}

static bool
check_size(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v, uint32_t min, uint32_t max)
{
	bool array = v->kind == TF_JSON_ARRAY;
	const char *of = array ? "elements" : "members";
	if (v->count < min)
		return schema_tell(c, s, v, array ? "minItems" : "minProperties", "has %u %s: at least %u are wanted",
				   v->count, of, min);
	if (v->count > max)
		return schema_tell(c, s, v, array ? "maxItems" : "maxProperties", "has %u %s: at most %u are allowed",
				   v->count, of, max);
	return true;
}

static bool
check_contains(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_arrays *a = s->arrays;
	uint32_t found = 0;
	for (const struct tf_json *m = v->first; m && !c->err; m = m->next) {
		found += schema_quiet(c, a->contains, m);
		if (found >= a->contains_min && a->contains_max == UINT32_MAX)
			return true;
	}
	if (found < a->contains_min)
		return schema_tell(c, s, v, a->contains_min == 1 ? "contains" : "minContains",
				   "has %u elements of the kind wanted: at least %u are wanted", found,
				   a->contains_min);
	if (found > a->contains_max)
		return schema_tell(c, s, v, "maxContains", "has %u elements of the kind wanted: at most %u are allowed",
				   found, a->contains_max);
	return true;
}

bool
schema_check_array(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_arrays *a = s->arrays;
	bool ok = check_size(c, s, v, a->min, a->max);
	uint32_t i = 0, first, second;
	for (const struct tf_json *m = v->first; m && (ok || c->telling); m = m->next, i++) {
		const struct tf_schema *item = i < a->prefix_count ? a->prefix[i] : a->rest;
		if (item)
			ok = schema_valid_child(c, item, m) && ok;
		else if (i >= a->prefix_count)
			break;
	}
	if (a->contains && (ok || c->telling))
		ok = check_contains(c, s, v) && ok;
	if (a->unique && (ok || c->telling) && !schema_unique(c, v, &first, &second))
		ok = schema_tell(c, s, v, "uniqueItems", "elements %u and %u are the same", first, second);
	return ok;
}

/* One member: what properties, patternProperties and additionalProperties say. */
static bool
check_member(struct tf_checker *c, const struct schema_objects *o, const struct schema_property *p,
	     const struct tf_json *m)
{
	bool ok = true, met = false;
	if (p && p->schema) {
		met = true;
		ok = schema_valid_child(c, p->schema, m);
	}
	for (uint32_t i = 0; i < o->pattern_count && (ok || c->telling); i++)
		if (schema_matches(c, o->patterns[i].pattern, m->key)) {
			met = true;
			ok = schema_valid_child(c, o->patterns[i].schema, m) && ok;
		}
	if (!met && o->rest && !c->err)
		ok = schema_valid_child(c, o->rest, m);
	return ok;
}

/* A name as a value of its own, beside the member it names. */
static bool
check_name(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *m)
{
	struct tf_json *name = tf_arena_calloc(&c->arena, 1, sizeof *name);
	if (!name)
		return schema_stop(c, c->arena.err, "the memory of a check does not suffice");
	name->kind = TF_JSON_STRING;
	name->text = name->key = m->key;
	name->at = m->key_at;
	struct schema_at here = {c->at, m};
	c->at = &here;
	bool ok = schema_valid(c, s->objects->names, name);
	c->at = here.up;
	return ok;
}

static bool
tell_missing(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_objects *o = s->objects;
	for (uint32_t i = 0; i < o->required_count; i++)
		if (!tf_json_get_n(v, o->required[i])) {
			if (c->telling)
				c->missing = o->required[i];
			schema_tell(c, s, v, "required", "the member '%.*s' is missing", TF_FMT(o->required[i]));
			if (!c->telling)
				return false;
		}
	return false;
}

static bool
has_all(const struct schema_objects *o, const struct tf_json *v)
{
	for (uint32_t i = 0; i < o->required_count; i++)
		if (!tf_json_get_n(v, o->required[i]))
			return false;
	return true;
}

static bool
check_dependency(struct tf_checker *c, const struct tf_schema *s, const struct schema_dependency *d,
		 const struct tf_json *v)
{
	bool ok = true;
	if (!tf_json_get_n(v, d->name))
		return true;
	for (uint32_t i = 0; i < d->name_count; i++)
		if (!tf_json_get_n(v, d->names[i])) {
			ok = schema_tell(c, s, v, d->keyword, "the member '%.*s' is missing, which '%.*s' wants",
					 TF_FMT(d->names[i]), TF_FMT(d->name));
			if (!c->telling)
				return false;
		}
	return d->schema ? schema_valid(c, d->schema, v) && ok : ok;
}

bool
schema_check_object(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v)
{
	const struct schema_objects *o = s->objects;
	bool ok = check_size(c, s, v, o->min, o->max), tick = o->required_count <= REQUIRED_MAX;
	uint64_t seen[REQUIRED_MAX / 64] = {0};
	uint32_t met = 0;
	for (const struct tf_json *m = v->first; m && (ok || c->telling); m = m->next) {
		const struct schema_property *p = schema_property(o, m->key);
		if (p && p->required >= 0 && tick) {
			/* A well-formed object has each name once; a tree from elsewhere may not. */
			uint64_t bit = (uint64_t)1 << (p->required % 64);
			met += !(seen[p->required / 64] & bit);
			seen[p->required / 64] |= bit;
		}
		ok = check_member(c, o, p, m) && ok;
		if (o->names && (ok || c->telling))
			ok = check_name(c, s, m) && ok;
	}
	if ((ok || c->telling) && !(tick ? met == o->required_count : has_all(o, v)))
		ok = tell_missing(c, s, v);
	for (uint32_t i = 0; i < o->dependency_count && (ok || c->telling); i++)
		ok = check_dependency(c, s, &o->dependencies[i], v) && ok;
	return ok;
}
