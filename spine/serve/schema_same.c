/* Equality of JSON values, and arrays without equal elements; see schema.h.
 *
 * A long array is sorted by hash; elements of one hash are compared. Who finds many values of one hash makes it slow,
 * which the bound on steps ends. */
#include "serve/schema_impl.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FEW 8 /* elements that are compared pair by pair */

static bool
same_members(const struct tf_json *a, const struct tf_json *b)
{
	const struct tf_json *y = b->first;
	for (const struct tf_json *x = a->first; x; x = x->next) {
		/* Mostly they come in one order. */
		const struct tf_json *m = y && tf_str_eq(y->key, x->key) ? y : tf_json_get_n(b, x->key);
		if (!m || !tf_json_same(x, m))
			return false;
		y = m->next;
	}
	return true;
}

bool
tf_json_same(const struct tf_json *a, const struct tf_json *b)
{
	if (a->kind != b->kind || a->count != b->count)
		return false;
	switch ((enum tf_json_kind)a->kind) {
	case TF_JSON_NULL:
		return true;
	case TF_JSON_BOOL:
		return a->truth == b->truth;
	case TF_JSON_NUMBER:
		return tf_str_eq(a->text, b->text) || tf_json_number_cmp(a, b) == 0;
	case TF_JSON_STRING:
		return tf_str_eq(a->text, b->text);
	case TF_JSON_OBJECT:
		return same_members(a, b);
	default:
		break;
	}
	const struct tf_json *y = b->first;
	for (const struct tf_json *x = a->first; x; x = x->next, y = y->next)
		if (!tf_json_same(x, y))
			return false;
	return true;
}

static uint64_t
hash_of(const struct tf_json *v)
{
	uint64_t h = v->kind + 1;
	switch ((enum tf_json_kind)v->kind) {
	case TF_JSON_BOOL:
		return h + 0x10 * v->truth;
	case TF_JSON_NUMBER: {
		struct schema_number n = schema_number(v->text);
		return schema_number_hash(&n);
	}
	case TF_JSON_STRING:
		return XXH3_64bits(v->text.n ? v->text.p : "", v->text.n);
	case TF_JSON_ARRAY:
		for (const struct tf_json *m = v->first; m; m = m->next)
			h = (h ^ hash_of(m)) * 0x9e3779b97f4a7c15u;
		return h;
	case TF_JSON_OBJECT: /* in any order */
		for (const struct tf_json *m = v->first; m; m = m->next) {
			uint64_t pair[2] = {XXH3_64bits(m->key.n ? m->key.p : "", m->key.n), hash_of(m)};
			h += XXH3_64bits(pair, sizeof pair);
		}
		return h;
	default:
		return h;
	}
}

struct element {
	uint64_t hash;
	const struct tf_json *v;
	uint32_t index;
};

static int
by_hash(const void *a, const void *b)
{
	const struct element *x = a, *y = b;
	int order = (x->hash > y->hash) - (x->hash < y->hash);
	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static bool
unique_few(const struct tf_json *array, uint32_t *out_first, uint32_t *out_second)
{
	uint32_t i = 0;
	for (const struct tf_json *x = array->first; x; x = x->next, i++) {
		uint32_t k = i + 1;
		for (const struct tf_json *y = x->next; y; y = y->next, k++)
			if (tf_json_same(x, y)) {
				*out_first = i;
				*out_second = k;
				return false;
			}
	}
	return true;
}

bool
schema_unique(struct tf_checker *c, const struct tf_json *array, uint32_t *out_first, uint32_t *out_second)
{
	*out_first = *out_second = 0;
	if (array->count <= FEW)
		return unique_few(array, out_first, out_second);
	struct element *e = tf_arena_alloc(&c->arena, array->count * sizeof *e);
	if (!e)
		return schema_stop(c, c->arena.err, "the memory of a check does not suffice");
	uint32_t n = 0;
	for (const struct tf_json *m = array->first; m; m = m->next, n++)
		e[n] = (struct element){hash_of(m), m, n};
	qsort(e, n, sizeof *e, by_hash);
	for (uint32_t i = 1; i < n; i++) {
		for (uint32_t k = i; k-- > 0 && e[k].hash == e[i].hash;) {
			if (c->steps++ >= c->o.steps_max)
				return schema_stop(c, TF_TOO_LARGE, "takes too many steps");
			if (tf_json_same(e[k].v, e[i].v)) {
				*out_first = e[k].index;
				*out_second = e[i].index;
				return false;
			}
		}
	}
	return true;
}
