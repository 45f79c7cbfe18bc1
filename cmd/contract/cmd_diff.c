/* tenfold contract diff OLD NEW: what changed, and whom it breaks; exit 1 when it breaks anyone. */
#include <stdio.h>

#include "cli.h"
#include "serve/contract.h"

static const struct tf_param params[] = {
	{"only", TF_PARAM_CHOICE, false, "all|breaking", "all", 0, 0, "which changes are told"},
	CONTRACT_PARAM_REFS,
	CONTRACT_PARAM_JSON,
	{NULL},
};

struct version {
	const struct contract_file *file;
	struct tf_contract *contract;
};

struct comparing {
	struct version old, now;
	bool json, breaking_only;
	uint32_t counts[3];
	struct tf_buf out;
};

static const char *const levels[] = {"breaking", "compatible", "documentation"};

static void
set_line(struct tf_json_out *w, const char *name, const struct version *v, uint32_t at)
{
	unsigned line, column;
	if (at == UINT32_MAX)
		return;
	tf_json_place(v->file->text, at, &line, &column);
	tf_json_set_i64(w, name, line);
}

static void
print_json(struct comparing *x, const struct tf_change *c)
{
	struct tf_json_out w = tf_json_out(&x->out);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "level", levels[c->level]);
	if (*c->whom)
		tf_json_set_cstr(&w, "breaks", c->whom);
	if (c->method.n) {
		tf_json_set_str(&w, "method", c->method);
		tf_json_set_str(&w, "path", c->path);
	}
	tf_json_set_str(&w, "where", c->where);
	tf_json_set_str(&w, "text", c->text);
	set_line(&w, "old_line", &x->old, c->old_at);
	set_line(&w, "new_line", &x->now, c->new_at);
	tf_json_end_object(&w);
	tf_json_finish(&w);
}

static void
print_one(void *ctx, const struct tf_change *c)
{
	struct comparing *x = ctx;
	x->counts[c->level]++;
	if (x->breaking_only && c->level != TF_CHANGE_BREAKING)
		return;
	if (x->json) {
		print_json(x, c);
		return;
	}
	tf_buf_printf(&x->out, "%s: %.*s %.*s: %.*s%s%.*s", levels[c->level], TF_FMT(c->method), TF_FMT(c->path),
		      (int)c->where.n, c->where.p, c->where.n ? ": " : "", TF_FMT(c->text));
	if (*c->whom)
		tf_buf_printf(&x->out, " (breaks %s)", c->whom);
	tf_buf_u8(&x->out, '\n');
}

static enum tf_err
open_version(struct contract_files *fs, const char *path, struct version *v, struct tf_fault *f)
{
	struct tf_contract_options o = {.load = contract_files_load, .ctx = fs};
	TF_TRY(contract_file_read(fs, path, &v->file, f));
	if (tf_contract_new(v->file->uri, v->file->tree, &o, &v->contract, f))
		return tf_fault_wrap(f, TF_INVALID, "%s", path);
	return TF_OK;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct contract_files fs;
	struct comparing x = {0};
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	contract_files_init(&fs, tf_args_cstr(&a, "refs"));
	x.json = tf_args_flag(&a, "json");
	x.breaking_only = tf_args_int(&a, "only") == 1;
	tf_buf_init(&x.out, 0);
	enum tf_err e = open_version(&fs, a.positional[0], &x.old, &f);
	if (!e)
		e = open_version(&fs, a.positional[1], &x.now, &f);
	if (!e)
		e = tf_contract_diff(x.old.contract, x.now.contract, print_one, &x, &f);
	tf_program_print(&x.out);
	tf_contract_free(&x.old.contract);
	tf_contract_free(&x.now.contract);
	contract_files_release(&fs);
	if (e)
		return contract_cli_fail(&f);
	fprintf(stderr, "%u breaking, %u compatible, %u of documentation\n", x.counts[0], x.counts[1], x.counts[2]);
	return tf_program_finish(x.counts[0] ? 1 : 0);
}

const struct tf_command contract_cmd_diff = {
	.name = "diff",
	.summary = "what changed between two versions, and whom it breaks; exit 1 when it breaks anyone",
	.positional = "OLD NEW",
	.positional_min = 2,
	.positional_max = 2,
	.params = params,
	.run = run,
};
