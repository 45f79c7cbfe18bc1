/* The graph of compiled schemas: cycles that consume nothing are refused, and what must be remembered is found.
 *
 * An edge is "in place" when it applies to the same value ($ref, allOf, if...), else it leads to a child. Without
 * memory, the number of ways that lead to one (schema, value) multiplies with each place where two edges of a schema
 * can meet the same value. So results are kept for every schema that combines others, is reached by more than one edge
 * and stands below such a fork; with unevaluated..., which asks again what applied, for all that combine. */
#include "serve/schema_impl.h"

#include "base/mem.h"

typedef void edge_fn(void *ctx, const struct tf_schema *to, bool in_place);

static void
one_edge(const struct tf_schema *to, bool in_place, edge_fn *fn, void *ctx)
{
	if (to)
		fn(ctx, to, in_place);
}

static void
list_edges(const struct schema_branches *b, edge_fn *fn, void *ctx)
{
	for (uint32_t i = 0; i < b->count; i++)
		fn(ctx, b->of[i], true);
}

static void
logic_edges(const struct schema_logic *l, edge_fn *fn, void *ctx)
{
	one_edge(l->ref, true, fn, ctx);
	list_edges(&l->all, fn, ctx);
	list_edges(&l->any, fn, ctx);
	list_edges(&l->one, fn, ctx);
	one_edge(l->not, true, fn, ctx);
	one_edge(l->if_, true, fn, ctx);
	one_edge(l->then, true, fn, ctx);
	one_edge(l->else_, true, fn, ctx);
}

static void
object_edges(const struct schema_objects *o, edge_fn *fn, void *ctx)
{
	for (uint32_t i = 0; o->table && i <= o->mask; i++)
		one_edge(o->table[i].schema, false, fn, ctx);
	for (uint32_t i = 0; i < o->pattern_count; i++)
		one_edge(o->patterns[i].schema, false, fn, ctx);
	one_edge(o->rest, false, fn, ctx);
	one_edge(o->names, false, fn, ctx);
	for (uint32_t i = 0; i < o->dependency_count; i++)
		one_edge(o->dependencies[i].schema, true, fn, ctx);
}

static void
edges(const struct tf_schema *s, edge_fn *fn, void *ctx)
{
	if (s->logic)
		logic_edges(s->logic, fn, ctx);
	if (s->objects)
		object_edges(s->objects, fn, ctx);
	if (s->arrays) {
		for (uint32_t i = 0; i < s->arrays->prefix_count; i++)
			one_edge(s->arrays->prefix[i], false, fn, ctx);
		one_edge(s->arrays->rest, false, fn, ctx);
		one_edge(s->arrays->contains, false, fn, ctx);
	}
	one_edge(s->rest_items, false, fn, ctx);
	one_edge(s->rest_properties, false, fn, ctx);
}

static bool
combines(const struct tf_schema *s)
{
	return s->logic || s->objects || s->arrays || s->rest_items || s->rest_properties;
}

/* Can two edges of s meet the same value? Own members in objects and arrays count as one edge with any in-place one. */
static bool
forks(const struct tf_schema *s)
{
	uint32_t ways = (s->objects || s->arrays) ? 1 : 0;
	if (s->logic) {
		const struct schema_logic *l = s->logic;
		ways += (l->ref != NULL) + l->all.count + l->any.count + l->one.count + (l->not != NULL) +
			(l->if_ != NULL) + (l->then || l->else_);
	}
	if (s->objects) {
		const struct schema_objects *o = s->objects;
		ways += o->dependency_count + o->pattern_count - (o->pattern_count && !o->table);
	}
	if (s->arrays)
		ways += s->arrays->contains && (s->arrays->rest || s->arrays->prefix_count);
	return ways > 1;
}

struct graph {
	struct tf_schemas *s;
	uint32_t *in;    /* edges that lead to it, from all */
	uint32_t *waits; /* in-place edges that lead to it */
	uint32_t *todo;
	uint32_t todo_count;
};

static void
count_edge(void *ctx, const struct tf_schema *to, bool in_place)
{
	struct graph *g = ctx;
	g->in[to->id]++;
	g->waits[to->id] += in_place;
}

static void
settle_edge(void *ctx, const struct tf_schema *to, bool in_place)
{
	struct graph *g = ctx;
	if (in_place && --g->waits[to->id] == 0)
		g->todo[g->todo_count++] = to->id;
}

/* Kahn's order over the in-place edges: what is left over lies on a cycle, or behind one. */
static const struct tf_schema *
find_cycle(struct graph *g)
{
	uint32_t settled = 0;
	for (uint32_t i = 0; i < g->s->count; i++)
		if (!g->waits[i])
			g->todo[g->todo_count++] = i;
	for (; g->todo_count; settled++)
		edges(g->s->all[g->todo[--g->todo_count]], settle_edge, g);
	for (uint32_t i = 0; i < g->s->count && settled < g->s->count; i++)
		if (g->waits[i])
			return g->s->all[i];
	return NULL;
}

static void
mark_edge(void *ctx, const struct tf_schema *to, bool in_place)
{
	struct graph *g = ctx;
	(void)in_place;
	struct tf_schema *s = g->s->all[to->id];
	if (s->seen)
		return;
	s->seen = true;
	g->todo[g->todo_count++] = s->id;
}

static void
mark(struct graph *g)
{
	for (uint32_t i = 0; i < g->s->count; i++)
		g->s->all[i]->seen = false;
	for (uint32_t i = 0; i < g->s->count; i++)
		if (forks(g->s->all[i]))
			edges(g->s->all[i], mark_edge, g);
	while (g->todo_count)
		edges(g->s->all[g->todo[--g->todo_count]], mark_edge, g);
	for (uint32_t i = 0; i < g->s->count; i++) {
		struct tf_schema *s = g->s->all[i];
		s->leaf = !combines(s);
		s->remember = combines(s) && (g->s->rests || (s->seen && g->in[i] > 1));
	}
}

enum tf_err
schema_graph(struct tf_schemas *s, struct tf_fault *f)
{
	struct graph g = {s, tf_calloc(s->count + 1, sizeof(uint32_t)), tf_calloc(s->count + 1, sizeof(uint32_t)),
			  tf_calloc(s->count + 1, sizeof(uint32_t)), 0};
	enum tf_err e = TF_OK;
	if (!g.in || !g.waits || !g.todo) {
		e = tf_fault(f, TF_NO_MEMORY, "out of memory");
	} else {
		for (uint32_t i = 0; i < s->count; i++)
			edges(s->all[i], count_edge, &g);
		const struct tf_schema *cycle = find_cycle(&g);
		if (cycle)
			e = tf_fault(f, TF_INVALID, "invalid schema: '%.*s' leads back to itself for the same value",
				     TF_FMT(cycle->place));
		else
			mark(&g);
	}
	tf_free(g.in);
	tf_free(g.waits);
	tf_free(g.todo);
	return e;
}
