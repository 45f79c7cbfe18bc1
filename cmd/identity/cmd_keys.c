/* tenfold identity keys rotate | list */
#include "cli.h"
#include "state.h"

static const struct tf_param rotate_params[] = {
	IDENTITY_PARAM_DIR,
	{"alg", TF_PARAM_CHOICE, false, "ES256|RS256|PS256|EdDSA", "ES256", 0, 0, "of the new key"},
	IDENTITY_PARAM_JSON,
	{0},
};

static int
run_rotate(void *os, const struct tf_command *self, int argc, char **argv)
{
	static const unsigned algs[] = {TF_JWS_ES256, TF_JWS_RS256, TF_JWS_PS256, TF_JWS_EDDSA};
	struct tf_args a;
	struct tf_fault f = {0};
	struct identity id;
	struct tf_str kid;
	struct tf_buf b;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	if (identity_open(os, tf_args_cstr(&a, "dir"), true, &id, &f))
		return tf_program_fail(&f);
	enum tf_err e = identity_keys_rotate(&id, algs[tf_args_int(&a, "alg")], &kid, &f);
	tf_buf_init(&b, 0);
	if (!e && tf_args_flag(&a, "json"))
		tf_buf_printf(&b, "{\"kid\":\"%.*s\"}\n", TF_FMT(kid));
	else if (!e)
		tf_buf_printf(&b, "%.*s\n", TF_FMT(kid));
	tf_program_print(&b);
	identity_close(&id);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command identity_cmd_keys_rotate = {
	.name = "keys rotate",
	.summary = "a new key signs; the old one stays published for the overlap",
	.params = rotate_params,
	.run = run_rotate};

static const struct tf_param list_params[] = {IDENTITY_PARAM_DIR, {0}};

static int
run_list(void *os, const struct tf_command *self, int argc, char **argv)
{
	return identity_cli_list(os, self, argc, argv, "keys.json", tf_json_put_node);
}

const struct tf_command identity_cmd_keys_list = {
	.name = "keys list", .summary = "one JSON object a line", .params = list_params, .run = run_list};
