/* What the verbs share; see cli.h. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>

int
identity_cli_fail(const struct tf_fault *f)
{
	fprintf(stderr, "tenfold identity: %s\n", f->text[0] ? f->text : tf_err_text(f->code));
	return tf_err_exit(f->code);
}

bool
identity_cli_args(const struct tf_command *self, int argc, char **argv, struct tf_args *a, int *out_exit)
{
	struct tf_fault f = {0};
	if (tf_args_parse(self, argc, argv, a, &f)) {
		*out_exit = identity_cli_fail(&f);
		fprintf(stderr, "tenfold identity %s -h tells its options\n", self->name);
		return false;
	}
	if (!a->help)
		return true;
	struct tf_buf help;
	tf_buf_init(&help, 0);
	tf_args_help(self, "tenfold identity", &help);
	identity_cli_print(&help);
	*out_exit = identity_cli_finish(0);
	return false;
}

int
identity_cli_finish(int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno == EPIPE || errno == 0)
		return code; /* the reader had enough */
	fprintf(stderr, "tenfold identity: cannot write to stdout\n");
	return tf_err_exit(TF_IO);
}

void
identity_cli_print(struct tf_buf *b)
{
	if (b->n)
		fwrite(b->p, 1, b->n, stdout);
	tf_buf_release(b);
}

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
