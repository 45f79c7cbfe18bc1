/* The schema compiler and checker: two JSON texts in one line each. Any schema is refused or compiles; a check ends
 * within its bounds, answers the same twice, and tells a violation exactly when it says no. */
#include <stddef.h>
#include <stdint.h>

#include "serve/schema.h"

static bool
count(void *ctx, const struct tf_violation *v)
{
	TF_ASSERT(v->message.n);
	++*(int *)ctx;
	return true;
}

static void
check(const struct tf_json *schema, const struct tf_json *v, enum tf_dialect dialect)
{
	struct tf_schemas_options o = {
		.dialect = dialect, .formats = true, .nodes_max = 2000, .memory_max = (size_t)16 << 20};
	struct tf_checker_options limits = {.steps_max = 20000, .memory_max = (size_t)4 << 20, .match_limit = 2000};
	struct tf_schemas *s = NULL;
	struct tf_checker *c = NULL;
	const struct tf_schema *compiled;
	struct tf_fault f = {0};
	if (tf_schemas_new(&o, &s, &f) || tf_checker_new(&limits, &c))
		__builtin_trap();
	enum tf_err e = tf_schemas_add(s, TF_STR("test:fuzz"), schema, true, &f);
	if (!e)
		e = tf_schemas_compile(s, TF_STR("test:fuzz"), &compiled, &f);
	TF_ASSERT(!e || (f.code == e && f.text[0]));
	if (!e) {
		bool first = false, second = false;
		int told = 0;
		enum tf_err x = tf_schema_check(compiled, v, c, NULL, NULL, &first, &f);
		enum tf_err y = tf_schema_check(compiled, v, c, count, &told, &second, &f);
		TF_ASSERT(x || y || (first == second && first == (told == 0)));
	}
	tf_checker_free(&c);
	tf_schemas_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tf_arena arena;
	struct tf_str text = tf_str_n(data, size), line;
	const struct tf_json *schema, *v;
	tf_arena_init(&arena, "fuzz", 1 << 22);
	if (tf_str_cut(&text, '\n', &line) && tf_json_parse(line, &arena, 0, &schema, NULL) == TF_OK &&
	    tf_json_parse(text, &arena, 0, &v, NULL) == TF_OK)
		for (int dialect = 0; dialect <= TF_DIALECT_OPENAPI_3_1; dialect++)
			check(schema, v, (enum tf_dialect)dialect);
	tf_arena_release(&arena);
	return 0;
}
