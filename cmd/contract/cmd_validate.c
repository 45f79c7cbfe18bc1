/* tenfold contract validate: one instance against one schema; every violation with its place. */
#include <stdio.h>

#include "cli.h"
#include "serve/schema.h"

static const struct tf_param params[] = {
	{"schema", TF_PARAM_TEXT, true, "FILE", NULL, 0, 0, "JSON or YAML; FILE#/pointer for a schema inside"},
	{"instance", TF_PARAM_TEXT, true, "FILE", NULL, 0, 0, "the value to check, JSON or YAML"},
	CONTRACT_PARAM_REFS,
	{"dialect", TF_PARAM_CHOICE, false, "2020-12|draft-7|openapi-3.0|openapi-3.1", "2020-12", 0, 0,
	 "of schemas without $schema"},
	{"format", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "check formats too"},
	{"max", TF_PARAM_INT, false, "N", "100", 1, 1000000, "violations told"},
	CONTRACT_PARAM_JSON,
	{NULL},
};

struct printing {
	struct tf_buf out;
	struct tf_str text; /* of the instance */
	const char *path;
	bool json;
};

static bool
print_one(void *ctx, const struct tf_violation *v)
{
	struct printing *p = ctx;
	unsigned line, column;
	tf_json_place(p->text, v->at, &line, &column);
	if (!p->json) {
		tf_buf_printf(&p->out, "%s:%u:%u: %.*s: %.*s (%.*s)\n", p->path, line, column,
			      v->instance.n ? (int)v->instance.n : 9, v->instance.n ? v->instance.p : "the whole",
			      (int)v->message.n, v->message.p, (int)v->schema.n, v->schema.p);
		return true;
	}
	struct tf_json_out w = tf_json_out(&p->out);
	tf_json_begin_object(&w);
	tf_json_set_str(&w, "instance", v->instance);
	tf_json_set_str(&w, "schema", v->schema);
	tf_json_set_cstr(&w, "keyword", v->keyword);
	tf_json_set_str(&w, "message", v->message);
	tf_json_set_i64(&w, "line", line);
	tf_json_set_i64(&w, "column", column);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	return true;
}

/* "FILE#/pointer" to its file and the reference by the file's URI. */
static enum tf_err
read_schema(struct contract_files *fs, struct tf_str name, struct tf_str *out_ref, const struct contract_file **out,
	    struct tf_fault *f)
{
	const char *hash = memchr(name.p, '#', name.n);
	struct tf_str path = tf_arena_str(&fs->arena, tf_str_n(name.p, hash ? (size_t)(hash - name.p) : name.n));
	struct tf_buf b;
	if (!path.p)
		return tf_arena_fault(&fs->arena, f);
	TF_TRY(contract_file_read(fs, path.p, out, f));
	tf_buf_init(&b, 0);
	tf_buf_str(&b, (*out)->uri);
	if (hash)
		tf_buf_str(&b, tf_str_n(hash, name.n - path.n));
	*out_ref = tf_arena_str(&fs->arena, tf_buf_view(&b));
	tf_buf_release(&b);
	return out_ref->p ? TF_OK : tf_arena_fault(&fs->arena, f);
}

static enum tf_err
check(struct contract_files *fs, const struct tf_args *a, struct tf_schemas *s, struct printing *p, bool *out_valid,
      struct tf_fault *f)
{
	const struct contract_file *file = NULL, *instance = NULL;
	const struct tf_schema *schema;
	struct tf_checker *checker;
	struct tf_str ref = TF_STR("");
	struct tf_checker_options o = {.violations_max = (uint32_t)tf_args_int(a, "max")};
	TF_TRY(read_schema(fs, tf_args_text(a, "schema"), &ref, &file, f));
	TF_TRY(contract_file_read(fs, tf_args_cstr(a, "instance"), &instance, f));
	TF_ASSERT(file && instance);
	bool whole = !memchr(ref.p, '#', ref.n);
	TF_TRY(tf_schemas_add(s, file->uri, file->tree, whole, f));
	TF_TRY(tf_schemas_compile(s, ref, &schema, f));
	if (tf_checker_new(&o, &checker))
		return tf_fault(f, TF_NO_MEMORY, "out of memory");
	p->text = instance->text;
	p->path = tf_args_cstr(a, "instance");
	p->json = tf_args_flag(a, "json");
	enum tf_err e = tf_schema_check(schema, instance->tree, checker, print_one, p, out_valid, f);
	tf_checker_free(&checker);
	return e;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct contract_files fs;
	struct tf_schemas *s = NULL;
	struct printing p = {0};
	bool valid = false;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	contract_files_init(&fs, tf_args_cstr(&a, "refs"));
	static const enum tf_dialect dialects[] = {TF_DIALECT_2020_12, TF_DIALECT_DRAFT_7, TF_DIALECT_OPENAPI_3_0,
						   TF_DIALECT_OPENAPI_3_1};
	struct tf_schemas_options o = {.dialect = dialects[tf_args_int(&a, "dialect")],
				       .formats = tf_args_flag(&a, "format"),
				       .load = contract_files_load,
				       .ctx = &fs};
	tf_buf_init(&p.out, 0);
	enum tf_err e = tf_schemas_new(&o, &s, &f);
	if (!e)
		e = check(&fs, &a, s, &p, &valid, &f);
	tf_program_print(&p.out);
	tf_schemas_free(&s);
	contract_files_release(&fs);
	return e ? contract_cli_fail(&f) : tf_program_finish(valid ? 0 : 1);
}

const struct tf_command contract_cmd_validate = {
	.name = "validate",
	.summary = "check an instance against a JSON Schema; exit 1 when it is not valid",
	.params = params,
	.run = run,
};
