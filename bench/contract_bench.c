/* Parsing and checking one body against one schema: contract_bench SCHEMA BODY [ROUNDS]. Prints the median and the 95th
 * percentile of rounds of 20, in µs: both together, then parsing alone. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "serve/schema.h"

#define ROUND 20

static struct tf_fault fault;

static void
must(enum tf_err e)
{
	if (e == TF_OK)
		return;
	fprintf(stderr, "%s\n", fault.text);
	exit(tf_err_exit(e));
}

static double
now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static struct tf_str
read_file(const char *path)
{
	static char bytes[2][1 << 20];
	static int which;
	char *p = bytes[which++ % 2];
	FILE *in = fopen(path, "rb");
	size_t n = in ? fread(p, 1, sizeof bytes[0], in) : 0;
	if (!n)
		must(tf_fault(&fault, TF_IO, "cannot read '%s'", path));
	fclose(in);
	return tf_str_n(p, n);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void
once(struct tf_str body, struct tf_arena *arena, const struct tf_schema *schema, struct tf_checker *checker)
{
	const struct tf_json *v;
	bool valid = true;
	tf_arena_reset(arena);
	must(tf_json_parse(body, arena, 0, &v, &fault));
	if (schema)
		must(tf_schema_check(schema, v, checker, NULL, NULL, &valid, &fault));
	if (!valid)
		must(tf_fault(&fault, TF_BUG, "the body is not valid"));
}

static void
measure(const char *name, struct tf_str body, const struct tf_schema *schema, struct tf_checker *checker, int rounds)
{
	struct tf_arena arena;
	double *took = calloc((size_t)rounds, sizeof *took);
	tf_arena_init(&arena, "body", 0);
	for (int i = 0; i < 500 * ROUND; i++)
		once(body, &arena, schema, checker);
	for (int r = 0; r < rounds; r++) {
		double start = now_us();
		for (int i = 0; i < ROUND; i++)
			once(body, &arena, schema, checker);
		took[r] = (now_us() - start) / ROUND;
	}
	qsort(took, (size_t)rounds, sizeof *took, by_value);
	printf("%s %.3f %.3f\n", name, took[rounds / 2], took[rounds * 95 / 100]);
	free(took);
	tf_arena_release(&arena);
}

int
main(int argc, char **argv)
{
	struct tf_arena arena;
	const struct tf_json *document;
	const struct tf_schema *schema;
	struct tf_schemas *set;
	struct tf_checker *checker;
	struct tf_schemas_options o = {.formats = true};
	if (argc < 3)
		return 2;
	int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 4000;
	struct tf_str text = read_file(argv[1]), body = read_file(argv[2]);
	tf_arena_init(&arena, "schema", 0);
	must(tf_json_parse(text, &arena, 0, &document, &fault));
	must(tf_schemas_new(&o, &set, &fault));
	must(tf_schemas_add(set, TF_STR("bench:schema"), document, true, &fault));
	must(tf_schemas_compile(set, TF_STR("bench:schema"), &schema, &fault));
	must(tf_checker_new(NULL, &checker));
	measure("both", body, schema, checker, rounds);
	measure("parse", body, NULL, checker, rounds);
	tf_checker_free(&checker);
	tf_schemas_free(&set);
	tf_arena_release(&arena);
	return 0;
}
