/* What the verbs share; see cli.h. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>

int
insure_cli_fail(const struct tf_fault *f)
{
	fprintf(stderr, "tenfold insure: %s\n", f->text[0] ? f->text : tf_err_text(f->code));
	return tf_err_exit(f->code);
}

bool
insure_cli_args(const struct tf_command *self, int argc, char **argv, struct tf_args *a, int *out_exit)
{
	struct tf_fault f = {0};
	if (tf_args_parse(self, argc, argv, a, &f)) {
		*out_exit = insure_cli_fail(&f);
		fprintf(stderr, "tenfold insure %s -h tells its options\n", self->name);
		return false;
	}
	if (!a->help)
		return true;
	struct tf_buf help;
	tf_buf_init(&help, 0);
	tf_args_help(self, "tenfold insure", &help);
	fwrite(help.p, 1, help.n, stdout);
	tf_buf_release(&help);
	*out_exit = insure_cli_finish(0);
	return false;
}

int
insure_cli_finish(int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno == EPIPE || errno == 0)
		return code; /* the reader had enough: `... | head` */
	fprintf(stderr, "tenfold insure: cannot write to stdout\n");
	return tf_err_exit(TF_IO);
}
