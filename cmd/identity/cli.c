/* What the verbs share; see cli.h. */
#include "cli.h"

#include "state.h"

bool
identity_name_ok(struct tf_str name)
{
	if (!name.n || name.n > 64 || name.p[0] == '.' || name.p[0] == '-')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '.' &&
		    c != '_' && c != '-')
			return false;
	}
	return true;
}

int
identity_cli_list(struct tf_os *os, const struct tf_command *self, int argc, char **argv, const char *file,
		  void (*put)(struct tf_json_out *w, const struct tf_json *v))
{
	struct tf_args a;
	struct tf_fault f = {0};
	struct identity id;
	const struct tf_json *v = NULL;
	struct tf_buf b;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	if (identity_open(os, tf_args_cstr(&a, "dir"), false, &id, &f))
		return tf_program_fail(&f);
	tf_buf_init(&b, 0);
	enum tf_err e = identity_list(&id, file, &v, &f);
	for (; !e && v; v = v->next) {
		struct tf_json_out w = tf_json_out(&b);
		put(&w, v);
		tf_json_finish(&w);
	}
	tf_program_print(&b);
	identity_close(&id);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}
