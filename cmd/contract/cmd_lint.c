/* tenfold contract lint: what is wrong with an OpenAPI document; exit 1 when an error was found. */
#include <stdio.h>

#include "cli.h"
#include "serve/contract.h"

static const struct tf_param params[] = {
	{"warnings", TF_PARAM_CHOICE, false, "show|hide|fail", "show", 0, 0, "what becomes of warnings"},
	CONTRACT_PARAM_REFS,
	CONTRACT_PARAM_JSON,
	{NULL},
};

struct linting {
	const struct contract_file *file;
	const char *path;
	bool json, hide;
	uint32_t errors, warnings;
	struct tf_buf out;
};

/* The JSON pointer of an absolute reference, for people. */
static struct tf_str
pointer_of(struct tf_str place)
{
	const char *hash = place.n ? memchr(place.p, '#', place.n) : NULL;
	return hash ? tf_str_n(hash, place.n - (size_t)(hash - place.p)) : TF_STR("#");
}

static void
print_text(struct linting *x, const struct tf_lint *l, unsigned line, unsigned column)
{
	const char *level = l->level == TF_LINT_ERROR ? "error" : "warning";
	struct tf_str pointer = l->in_document ? pointer_of(l->place) : l->place;
	if (l->in_document)
		tf_buf_printf(&x->out, "%s:%u:%u: ", x->path, line, column);
	tf_buf_printf(&x->out, "%s: %.*s [%s] (%.*s)\n", level, (int)l->text.n, l->text.p, l->rule, (int)pointer.n,
		      pointer.p);
}

static void
print_json(struct linting *x, const struct tf_lint *l, unsigned line, unsigned column)
{
	struct tf_json_out w = tf_json_out(&x->out);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "level", l->level == TF_LINT_ERROR ? "error" : "warning");
	tf_json_set_cstr(&w, "rule", l->rule);
	tf_json_set_str(&w, "place", l->place);
	if (l->in_document) {
		tf_json_set_cstr(&w, "file", x->path);
		tf_json_set_i64(&w, "line", line);
		tf_json_set_i64(&w, "column", column);
	}
	tf_json_set_str(&w, "text", l->text);
	tf_json_end_object(&w);
	tf_json_finish(&w);
}

static void
print_one(void *ctx, const struct tf_lint *l)
{
	struct linting *x = ctx;
	unsigned line = 0, column = 0;
	x->errors += l->level == TF_LINT_ERROR;
	x->warnings += l->level == TF_LINT_WARNING;
	if (x->hide && l->level == TF_LINT_WARNING)
		return;
	if (l->in_document)
		tf_json_place(x->file->text, l->at, &line, &column);
	if (x->json)
		print_json(x, l, line, column);
	else
		print_text(x, l, line, column);
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct contract_files fs;
	struct linting x = {0};
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	contract_files_init(&fs, tf_args_cstr(&a, "refs"));
	struct tf_contract_options o = {.load = contract_files_load, .ctx = &fs};
	x.path = a.positional[0];
	x.json = tf_args_flag(&a, "json");
	x.hide = tf_args_int(&a, "warnings") == 1;
	tf_buf_init(&x.out, 0);
	enum tf_err e = contract_file_read(&fs, x.path, &x.file, &f);
	if (!e)
		e = tf_contract_lint(x.file->uri, x.file->tree, &o, print_one, &x, &f);
	tf_program_print(&x.out);
	contract_files_release(&fs);
	if (e)
		return contract_cli_fail(&f);
	fprintf(stderr, "%u errors, %u warnings\n", x.errors, x.warnings);
	bool fail = x.errors || (x.warnings && tf_args_int(&a, "warnings") == 2);
	return tf_program_finish(fail ? 1 : 0);
}

const struct tf_command contract_cmd_lint = {
	.name = "lint",
	.summary = "look for mistakes in an OpenAPI document; exit 1 when there are errors",
	.positional = "FILE",
	.positional_min = 1,
	.params = params,
	.run = run,
};
