/* Lint: every reference, schema, example and default of a document, found by walking from its paths; what is not
 * reached is told as unused and then walked as well. Rules of operations: contract_lint_rules.c. */
#include "serve/contract_lint_impl.h"

#include <stdarg.h>
#include <stdio.h>

void
lint_tell(struct lint *l, enum tf_lint_level level, const char *rule, struct schema_spot spot, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	size_t length = n < 0 ? 0 : n < (int)sizeof text ? (size_t)n : sizeof text - 1;
	struct tf_lint told = {level, rule, spot.place, tf_str_n(text, length), 0, false};
	told.in_document = spot.resource && spot.node && tf_str_eq(spot.resource->uri, l->root.resource->uri);
	if (told.in_document)
		told.at = spot.node->key.p ? spot.node->key_at : spot.node->at;
	l->fn(l->ctx, &told);
}

static bool
first_visit(struct lint *l, const struct tf_json *node)
{
	struct tf_str key = tf_str_n(&node, sizeof node);
	uint64_t had;
	if (l->err || tf_map_get(&l->met, key, &had))
		return false;
	l->err = tf_map_put(&l->met, key, 1);
	return !l->err;
}

static void
later(struct lint *l, struct schema_spot spot, bool schema, const char *lifts)
{
	struct lint_todo *t = tf_arena_calloc(&l->set->arena, 1, sizeof *t);
	if (!t) {
		l->err = tf_arena_fault(&l->set->arena, l->fault);
		return;
	}
	*t = (struct lint_todo){l->todo, spot, schema, lifts};
	l->todo = t;
}

static void
follow(struct lint *l, struct schema_spot spot, struct tf_str ref, const struct lint_todo *from)
{
	struct schema_spot to;
	struct tf_fault f = {0};
	if (schema_resolve(l->set, spot.resource, ref, &to, NULL, &f))
		lint_tell(l, TF_LINT_ERROR, "unresolved-ref", spot, "%s", f.text);
	else
		later(l, to, from->schema, from->lifts);
}

static enum tf_err
fresh_set(struct lint *l, int which)
{
	struct tf_schemas_options o = {.dialect = l->dialect,
				       .formats = !l->o->formats_off,
				       .lifts = which ? "readOnly" : NULL,
				       .load = l->o->load,
				       .ctx = l->o->ctx};
	tf_schemas_free(&l->sets[which]);
	TF_TRY(tf_schemas_new(&o, &l->sets[which], l->fault));
	return tf_schemas_add(l->sets[which], l->uri, l->document, false, l->fault);
}

/* NULL: it does not compile, which is told once, and not at all where a reference that leads nowhere is the reason:
 * that is told itself. */
static const struct tf_schema *
compile(struct lint *l, struct schema_spot spot, const char *lifts)
{
	int which = lifts != NULL;
	struct schema_spot own;
	struct tf_fault f = {0};
	const struct tf_schema *schema = NULL;
	const struct schema_spot *before;
	if (!l->sets[which] && fresh_set(l, which)) {
		l->err = l->fault ? l->fault->code : TF_NO_MEMORY;
		return NULL;
	}
	enum tf_err e = schema_resolve(l->sets[which], NULL, spot.resource->uri, &own, NULL, &f);
	if (!e) {
		spot.resource = own.resource;
		e = schema_compile_spot(l->sets[which], spot, &schema, &f);
	}
	if (!e)
		return schema;
	if (!strstr(f.text, "cannot resolve") && !lint_had(l, "schema ", tf_str(f.text), &spot, &before))
		lint_tell(l, TF_LINT_ERROR, "invalid-schema", spot, "%s", f.text);
	tf_schemas_free(&l->sets[which]);
	return NULL;
}

struct example {
	struct lint *l;
	struct schema_spot spot;
	const char *rule, *what;
};

static bool
tell_example(void *ctx, const struct tf_violation *v)
{
	struct example *x = ctx;
	lint_tell(x->l, TF_LINT_ERROR, x->rule, x->spot, "%s does not match its schema: %.*s%s%.*s", x->what,
		  TF_FMT(v->instance), v->instance.n ? ": " : "", TF_FMT(v->message));
	return false;
}

static void
check_example(struct lint *l, const struct tf_schema *schema, struct schema_spot spot, const char *rule,
	      const char *what)
{
	struct example x = {l, spot, rule, what};
	bool ok;
	struct tf_fault f = {0};
	if (schema && tf_schema_check(schema, spot.node, l->checker, tell_example, &x, &ok, &f))
		lint_tell(l, TF_LINT_WARNING, rule, spot, "%s", f.text);
}

/* `example` and `examples` beside a schema: a map of {value}, or in a 3.1 schema a list. */
static void
check_examples(struct lint *l, const struct tf_schema *schema, struct schema_spot owner)
{
	struct schema_spot one = contract_member(l->set, owner, TF_STR("example"));
	struct schema_spot all = contract_member(l->set, owner, TF_STR("examples"));
	uint32_t i = 0;
	if (one.node)
		check_example(l, schema, one, "example-mismatch", "the example");
	for (const struct tf_json *m = tf_json_first(all.node); m; m = m->next, i++) {
		struct schema_spot x = all.node->kind == TF_JSON_ARRAY ? contract_element(l->set, all, m, i)
								       : contract_member(l->set, all, m->key);
		if (all.node->kind == TF_JSON_OBJECT) {
			if (contract_follow(l->set, &x, NULL))
				continue;
			x = contract_member(l->set, x, TF_STR("value"));
		}
		if (x.node)
			check_example(l, schema, x, "example-mismatch", "the example");
	}
}

static void walk(struct lint *l, const struct lint_todo *t, bool names);

/* What a member's value is: a schema, data, or more of the document. */
static void
walk_member(struct lint *l, const struct lint_todo *t, const struct tf_json *m, bool names)
{
	static const char *const data[] = {"example", "examples", "enum", "const", "default", "value"};
	static const char *const maps[] = {"properties",
					   "patternProperties",
					   "$defs",
					   "definitions",
					   "dependentSchemas",
					   "schemas",
					   "parameters",
					   "responses",
					   "headers",
					   "requestBodies",
					   "callbacks",
					   "links",
					   "content",
					   "paths"};
	struct lint_todo sub = *t;
	bool map = false;
	for (size_t i = 0; i < sizeof data / sizeof *data && !names; i++)
		if (tf_str_eq(m->key, tf_str(data[i])))
			return;
	if (!names && tf_str_starts(m->key, TF_STR("x-")))
		return;
	for (size_t i = 0; i < sizeof maps / sizeof *maps && !names; i++)
		map |= tf_str_eq(m->key, tf_str(maps[i])) && m->kind == TF_JSON_OBJECT;
	if (!names && (tf_str_eq(m->key, TF_STR("schema")) || tf_str_eq(m->key, TF_STR("schemas"))))
		sub.schema = true;
	if (!names && (tf_str_eq(m->key, TF_STR("requestBody")) || tf_str_eq(m->key, TF_STR("requestBodies"))))
		sub.lifts = "readOnly";
	sub.spot = contract_member(l->set, t->spot, m->key);
	walk(l, &sub, map);
}

static void
walk_mapping(struct lint *l, const struct lint_todo *t)
{
	struct schema_spot d = contract_member(l->set, t->spot, TF_STR("discriminator"));
	struct schema_spot mapping = contract_member(l->set, d, TF_STR("mapping"));
	for (const struct tf_json *m = tf_json_first(mapping.node); m; m = m->next)
		if (m->kind == TF_JSON_STRING && memchr(m->text.p, '#', m->text.n))
			follow(l, contract_member(l->set, mapping, m->key), m->text, t);
}

static void
look_at_schema(struct lint *l, const struct lint_todo *t)
{
	const struct tf_json *node = t->spot.node;
	bool examples = tf_json_get(node, "example") || tf_json_get(node, "examples") || tf_json_get(node, "default");
	const struct tf_schema *schema = compile(l, t->spot, t->lifts);
	struct schema_spot other = contract_member(l->set, t->spot, TF_STR("default"));
	walk_mapping(l, t);
	if (!schema || !examples)
		return;
	check_examples(l, schema, t->spot);
	if (other.node)
		check_example(l, schema, other, "default-mismatch", "the default");
}

static void
walk(struct lint *l, const struct lint_todo *t, bool names)
{
	const struct tf_json *node = t->spot.node;
	struct tf_str ref;
	uint32_t i = 0;
	if (!node || node->kind < TF_JSON_ARRAY || !first_visit(l, node))
		return;
	if (!names && tf_json_str(tf_json_get(node, "$ref"), &ref))
		follow(l, t->spot, ref, t);
	if (t->schema && !names && node->kind == TF_JSON_OBJECT) {
		look_at_schema(l, t);
	} else if (!t->schema && !names && tf_json_get(node, "schema") &&
		   (tf_json_get(node, "example") || tf_json_get(node, "examples"))) {
		struct schema_spot schema = contract_member(l->set, t->spot, TF_STR("schema"));
		check_examples(l, compile(l, schema, t->lifts), t->spot);
	}
	for (const struct tf_json *m = node->first; m; m = m->next, i++) {
		if (node->kind == TF_JSON_OBJECT) {
			walk_member(l, t, m, names);
			continue;
		}
		struct lint_todo sub = *t;
		sub.spot = contract_element(l->set, t->spot, m, i);
		walk(l, &sub, false);
	}
}

static void
walk_all(struct lint *l)
{
	while (l->todo && !l->err) {
		struct lint_todo t = *l->todo;
		l->todo = l->todo->next;
		walk(l, &t, false);
	}
}

static void
walk_part(struct lint *l, const char *name)
{
	struct lint_todo t = {.spot = contract_member(l->set, l->root, tf_str(name))};
	if (t.spot.node)
		walk(l, &t, true);
	walk_all(l);
}

static void
walk_components(struct lint *l)
{
	static const char *const kinds[] = {"schemas",       "responses", "parameters",
					    "requestBodies", "headers",   "pathItems"};
	struct schema_spot components = contract_member(l->set, l->root, TF_STR("components"));
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct schema_spot kind = contract_member(l->set, components, tf_str(kinds[i]));
		for (const struct tf_json *m = tf_json_first(kind.node); m; m = m->next) {
			struct lint_todo t = {.spot = contract_member(l->set, kind, m->key), .schema = i == 0};
			uint64_t had;
			if (!tf_map_get(&l->met, tf_str_n(&m, sizeof m), &had) && m->kind >= TF_JSON_ARRAY)
				lint_tell(l, TF_LINT_WARNING, "unused-component", t.spot, "nothing refers to '%.*s'",
					  TF_FMT(m->key));
			walk(l, &t, false);
			walk_all(l);
		}
	}
}

static enum tf_err
run(struct lint *l)
{
	struct tf_schemas_options o = {.dialect = l->dialect, .load = l->o->load, .ctx = l->o->ctx};
	TF_TRY(tf_schemas_new(&o, &l->set, l->fault));
	TF_TRY(tf_schemas_add(l->set, l->uri, l->document, false, l->fault));
	TF_TRY(schema_resolve(l->set, NULL, l->uri, &l->root, NULL, l->fault));
	if (tf_checker_new(NULL, &l->checker))
		return tf_fault(l->fault, TF_NO_MEMORY, "out of memory");
	lint_paths(l);
	walk_part(l, "paths");
	walk_part(l, "webhooks");
	walk_components(l);
	return l->err;
}

enum tf_err
tf_contract_lint(struct tf_str uri, const struct tf_json *document, const struct tf_contract_options *o, tf_lint_fn *fn,
		 void *ctx, struct tf_fault *f)
{
	static const struct tf_contract_options none;
	struct lint l = {.o = o ? o : &none, .uri = uri, .document = document, .fn = fn, .ctx = ctx, .fault = f};
	TF_TRY(contract_dialect(document, &l.dialect, f));
	TF_TRY(tf_map_init(&l.met, TF_MAP_OWN_KEYS));
	TF_TRY(tf_map_init(&l.names, TF_MAP_OWN_KEYS));
	enum tf_err e = run(&l);
	tf_schemas_free(&l.set);
	tf_schemas_free(&l.sets[0]);
	tf_schemas_free(&l.sets[1]);
	tf_checker_free(&l.checker);
	tf_map_release(&l.met);
	tf_map_release(&l.names);
	return e;
}
