/* Comparing what two schemas take, keyword by keyword; see contract_diff_impl.h.
 *
 * Every difference is a narrowing, a widening, or neither (two patterns): whether it breaks depends on who sends the
 * value. Schemas are compared as written, not as sets: a rewriting into other keywords that takes the same values is
 * told as a change. */
#include "serve/contract_diff_impl.h"

#define DEPTH_MAX 64

static struct tf_schemas *
set_of(const struct diff *d, const struct tf_contract *c)
{
	return d->answers ? c->responses : c->requests;
}

static void
types_text(uint8_t bits, struct tf_buf *b)
{
	static const char *const names[] = {"null", "boolean", "number", "string", "array", "object", "integer"};
	bool some = false;
	for (int i = 0; i <= SCHEMA_INTEGER; i++) {
		bool implied = i == SCHEMA_INTEGER && (bits >> TF_JSON_NUMBER & 1);
		if (!(bits >> i & 1) || implied)
			continue;
		tf_buf_printf(b, "%s%s", some ? ", " : "", names[i]);
		some = true;
	}
}

static void
compare_types(struct diff *d, const struct view *old, const struct view *now, const struct tf_json *at_old,
	      const struct tf_json *at_now)
{
	uint8_t lost = old->types & (uint8_t)~now->types, gained = now->types & (uint8_t)~old->types;
	struct tf_buf b;
	for (int way = 0; way < 2; way++) {
		uint8_t bits = way ? gained : lost;
		if (!bits)
			continue;
		tf_buf_init(&b, 0);
		types_text(bits, &b);
		diff_tell(d, diff_level(d, way ? DIFF_WIDER : DIFF_NARROWER), at_old, at_now, "the type %.*s is %s",
			  TF_FMT(tf_buf_view(&b)), way ? "possible now" : "possible no more");
		tf_buf_release(&b);
	}
}

static bool
listed(const struct tf_json *list, const struct tf_json *v)
{
	for (const struct tf_json *m = tf_json_first(list); m; m = m->next)
		if (tf_json_same(m, v))
			return true;
	return false;
}

static void
tell_value(struct diff *d, enum diff_way way, const struct tf_json *v, const struct tf_json *at_old,
	   const struct tf_json *at_now)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_put_node(&w, v);
	diff_tell(d, diff_level(d, way), at_old, at_now, "the value %.*s is %s", TF_FMT(tf_buf_view(&b)),
		  way == DIFF_WIDER ? "possible now" : "possible no more");
	tf_buf_release(&b);
}

static void
compare_values(struct diff *d, const struct view *old, const struct view *now, const struct tf_json *at_old,
	       const struct tf_json *at_now)
{
	bool was = old->values || old->value, is = now->values || now->value;
	if (was != is) {
		diff_tell(d, diff_level(d, is ? DIFF_NARROWER : DIFF_WIDER), at_old, at_now,
			  is ? "only listed values are possible now" : "not only listed values are possible now");
		return;
	}
	if (!was)
		return;
	const struct tf_json *a = old->values ? old->values->first : old->value;
	const struct tf_json *b = now->values ? now->values->first : now->value;
	for (const struct tf_json *m = a; m; m = old->values ? m->next : NULL)
		if (!(now->values ? listed(now->values, m) : tf_json_same(now->value, m)))
			tell_value(d, DIFF_NARROWER, m, at_old, at_now);
	for (const struct tf_json *m = b; m; m = now->values ? m->next : NULL)
		if (!(old->values ? listed(old->values, m) : tf_json_same(old->value, m)))
			tell_value(d, DIFF_WIDER, m, at_old, at_now);
}

static void
compare_bound(struct diff *d, int bound, const struct tf_json *a, const struct tf_json *b)
{
	const char *name = view_bounds[bound];
	bool lower = bound < 5;
	if (!a && !b)
		return;
	if (!a || !b) {
		const struct tf_json *v = a ? a : b;
		diff_tell(d, diff_level(d, b ? DIFF_NARROWER : DIFF_WIDER), a, b, "%s %.*s is %s", name,
			  TF_FMT(v->text), b ? "new" : "gone");
		return;
	}
	if (a->kind != b->kind || a->kind != TF_JSON_NUMBER) {
		if (!tf_json_same(a, b))
			diff_tell(d, TF_CHANGE_BREAKING, a, b, "%s changed", name);
		return;
	}
	int c = tf_json_number_cmp(b, a);
	if (c)
		diff_tell(d, diff_level(d, (c > 0) == lower ? DIFF_NARROWER : DIFF_WIDER), a, b,
			  "%s was %.*s and is %.*s", name, TF_FMT(a->text), TF_FMT(b->text));
}

static bool
is_multiple(const struct tf_json *a, const struct tf_json *b)
{
	struct schema_number x = schema_number(a->text), y = schema_number(b->text);
	return schema_number_multiple(&x, &y);
}

static void
compare_multiple(struct diff *d, const struct tf_json *a, const struct tf_json *b)
{
	if (a && b && tf_json_same(a, b))
		return;
	enum diff_way way = DIFF_OTHER;
	if (!a || !b)
		way = b ? DIFF_NARROWER : DIFF_WIDER;
	else if (is_multiple(b, a))
		way = DIFF_NARROWER;
	else if (is_multiple(a, b))
		way = DIFF_WIDER;
	if (a || b)
		diff_tell(d, diff_level(d, way), a, b, "multipleOf was %.*s and is %.*s",
			  TF_FMT(a ? a->text : TF_STR("none")), TF_FMT(b ? b->text : TF_STR("none")));
}

static void
compare_word(struct diff *d, const char *name, const struct tf_json *a, const struct tf_json *b)
{
	if ((!a && !b) || (a && b && tf_json_same(a, b)))
		return;
	enum diff_way way = a && b ? DIFF_OTHER : b ? DIFF_NARROWER : DIFF_WIDER;
	diff_tell(d, diff_level(d, way), a, b, "%s was %.*s and is %.*s", name, TF_FMT(a ? a->text : TF_STR("none")),
		  TF_FMT(b ? b->text : TF_STR("none")));
}

static void
compare_unique(struct diff *d, const struct tf_json *a, const struct tf_json *b)
{
	bool was = a && a->truth, is = b && b->truth;
	if (was != is)
		diff_tell(d, diff_level(d, is ? DIFF_NARROWER : DIFF_WIDER), a, b,
			  is ? "elements must be unique now" : "elements may be the same now");
}

/* A property that is not in the new version. */
static void
lost_member(struct diff *d, const struct view *now, const struct view_member *m, const struct tf_json *at_now)
{
	if (d->answers)
		diff_tell(d, TF_CHANGE_BREAKING, m->spot.node, at_now, "is given no more");
	else if (now->closed)
		diff_tell(d, TF_CHANGE_BREAKING, m->spot.node, at_now, "is taken no more");
	else
		diff_tell(d, TF_CHANGE_COMPATIBLE, m->spot.node, at_now, "is no longer described");
}

static void
new_member(struct diff *d, const struct view *old, const struct view_member *m, const struct tf_json *at_old)
{
	if (d->answers && old->closed)
		diff_tell(d, TF_CHANGE_BREAKING, at_old, m->spot.node,
			  "is new, and the old schema allowed no more members");
	else if (!m->required || d->answers)
		diff_tell(d, TF_CHANGE_COMPATIBLE, at_old, m->spot.node, "is new");
}

static void
compare_member(struct diff *d, const struct view *old, const struct view *now, const struct view_member *a,
	       const struct view_member *b, const struct tf_json *at_old, const struct tf_json *at_now)
{
	bool was = a && a->required && !a->lifted, is = b && b->required && !b->lifted;
	if (a && a->spot.node && b && b->spot.node)
		diff_schemas(d, a->spot, b->spot);
	else if (a && a->spot.node && !(b && b->required))
		lost_member(d, now, a, at_now);
	else if (b && b->spot.node && !(a && a->required))
		new_member(d, old, b, at_old);
	if (was != is && !(d->answers && was && !b))
		diff_tell(d, diff_level(d, is ? DIFF_NARROWER : DIFF_WIDER), a ? a->spot.node : at_old,
			  b ? b->spot.node : at_now, is ? "is required now" : "is required no more");
}

static void
compare_members(struct diff *d, const struct view *old, const struct view *now, const struct tf_json *at_old,
		const struct tf_json *at_now)
{
	for (const struct view_member *m = old->members; m && !d->err; m = m->next) {
		size_t before = diff_enter(d, "/%.*s", TF_FMT(m->name));
		compare_member(d, old, now, m, view_find(now, m->name), at_old, at_now);
		diff_leave(d, before);
	}
	for (const struct view_member *m = now->members; m && !d->err; m = m->next) {
		if (view_find(old, m->name))
			continue;
		size_t before = diff_enter(d, "/%.*s", TF_FMT(m->name));
		compare_member(d, old, now, NULL, m, at_old, at_now);
		diff_leave(d, before);
	}
	if (old->closed != now->closed)
		diff_tell(d, diff_level(d, now->closed ? DIFF_NARROWER : DIFF_WIDER), at_old, at_now,
			  now->closed ? "other members are allowed no more" : "other members are allowed now");
}

/* Alternatives belong together by the end of their reference, else by being the same, else by their place. */
static bool
same_alternative(const struct tf_json *a, const struct tf_json *b)
{
	struct tf_str x, y;
	if (!tf_json_str(tf_json_get(a, "$ref"), &x) || !tf_json_str(tf_json_get(b, "$ref"), &y))
		return tf_json_same(a, b);
	const char *p = memrchr(x.p, '/', x.n), *q = memrchr(y.p, '/', y.n);
	if (!p || !q)
		return tf_str_eq(x, y);
	return tf_str_eq(tf_str_n(p, x.n - (size_t)(p - x.p)), tf_str_n(q, y.n - (size_t)(q - y.p)));
}

static const struct tf_json *
find_alternative(const struct tf_json *list, const struct tf_json *v, uint32_t index, bool by_place)
{
	uint32_t i = 0;
	for (const struct tf_json *m = list->first; m; m = m->next)
		if (same_alternative(m, v))
			return m;
	for (const struct tf_json *m = list->first; m && by_place; m = m->next, i++)
		if (i == index && !tf_json_get(m, "$ref") && !tf_json_get(v, "$ref"))
			return m;
	return NULL;
}

static void
compare_alternatives(struct diff *d, struct schema_spot a, struct schema_spot b)
{
	struct tf_schemas *old = set_of(d, d->old), *now = set_of(d, d->now);
	uint32_t i = 0;
	if (!a.node || !b.node) {
		if (a.node || b.node)
			diff_tell(d, diff_level(d, b.node ? DIFF_NARROWER : DIFF_WIDER), a.node, b.node,
				  b.node ? "must be one of several alternatives now"
					 : "need not be one of several alternatives now");
		return;
	}
	bool by_place = a.node->count == b.node->count;
	for (const struct tf_json *m = a.node->first; m && !d->err; m = m->next, i++) {
		const struct tf_json *n = find_alternative(b.node, m, i, by_place);
		size_t before = diff_enter(d, "(alternative %u)", i);
		if (n)
			diff_schemas(d, contract_element(old, a, m, i), contract_element(now, b, n, 0));
		else
			diff_tell(d, diff_level(d, DIFF_NARROWER), m, b.node, "is gone");
		diff_leave(d, before);
	}
	i = 0;
	for (const struct tf_json *m = b.node->first; m && !d->err; m = m->next, i++)
		if (!find_alternative(a.node, m, i, by_place)) {
			size_t before = diff_enter(d, "(alternative %u)", i);
			diff_tell(d, diff_level(d, DIFF_WIDER), a.node, m, "is new");
			diff_leave(d, before);
		}
}

static void
compare_words(struct diff *d, const struct tf_json *a, const struct tf_json *b)
{
	static const char *const words[] = {"title", "description", "example", "examples", "default"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const struct tf_json *x = tf_json_get(a, words[i]), *y = tf_json_get(b, words[i]);
		if ((x || y) && !(x && y && tf_json_same(x, y)))
			diff_tell(d, TF_CHANGE_DOCUMENTATION, x, y, "%s changed", words[i]);
	}
}

static bool
first_visit(struct diff *d, const struct tf_json *a, const struct tf_json *b)
{
	struct {
		const void *a, *b;
		uint64_t answers;
	} key = {a, b, d->answers};
	uint64_t had;
	if (tf_map_get(&d->met, tf_str_n(&key, sizeof key), &had))
		return false;
	d->err = tf_map_put(&d->met, tf_str_n(&key, sizeof key), 1);
	return !d->err;
}

static void
compare_views(struct diff *d, const struct view *x, const struct view *y, const struct tf_json *at_old,
	      const struct tf_json *at_now)
{
	compare_types(d, x, y, at_old, at_now);
	compare_values(d, x, y, at_old, at_now);
	for (int i = 0; i < VIEW_BOUNDS; i++)
		compare_bound(d, i, x->bounds[i], y->bounds[i]);
	compare_multiple(d, x->multiple, y->multiple);
	compare_word(d, "pattern", x->pattern, y->pattern);
	compare_word(d, "format", x->format, y->format);
	compare_unique(d, x->unique, y->unique);
	compare_members(d, x, y, at_old, at_now);
	if (x->items.node || y->items.node) {
		size_t before = diff_enter(d, "[]");
		diff_schemas(d, x->items, y->items);
		diff_leave(d, before);
	}
	if (x->rest.node || y->rest.node) {
		size_t before = diff_enter(d, "/*");
		if (!x->closed && !y->closed)
			diff_schemas(d, x->rest, y->rest);
		diff_leave(d, before);
	}
	compare_alternatives(d, x->alternatives, y->alternatives);
}

static bool
takes_nothing(const struct tf_json *node)
{
	bool truth;
	return tf_json_bool(node, &truth) && !truth;
}

void
diff_schemas(struct diff *d, struct schema_spot old, struct schema_spot now)
{
	struct view x, y;
	if (d->err || (!old.node && !now.node) || d->depth >= DEPTH_MAX || !first_visit(d, old.node, now.node))
		return;
	d->depth++;
	diff_view(d, set_of(d, d->old), d->old->dialect, old, &x);
	diff_view(d, set_of(d, d->now), d->now->dialect, now, &y);
	bool was_never = takes_nothing(old.node), is_never = takes_nothing(now.node);
	if (was_never != is_never)
		diff_tell(d, diff_level(d, is_never ? DIFF_NARROWER : DIFF_WIDER), old.node, now.node,
			  is_never ? "nothing is possible now" : "is possible now");
	else
		compare_views(d, &x, &y, old.node, now.node);
	compare_words(d, old.node, now.node);
	d->depth--;
}
