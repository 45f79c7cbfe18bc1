/* A program of verbs; see program.h. */
#include "os/program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static const struct tf_program *program;

static const char *
front(char out[static 80])
{
	snprintf(out, 80, "tenfold %.60s", program->name);
	return out;
}

int
tf_program_fail(const struct tf_fault *f)
{
	fprintf(stderr, "tenfold %s: %s\n", program->name, f->text[0] ? f->text : tf_err_text(f->code));
	return tf_err_exit(f->code);
}

int
tf_program_finish(int code)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	if (errno == EPIPE || !errno)
		return code; /* the reader had enough: `... | head` */
	struct tf_fault f = {TF_IO, ""};
	snprintf(f.text, sizeof f.text, "cannot write: %s", strerror(errno));
	return tf_program_fail(&f);
}

void
tf_program_print(struct tf_buf *b)
{
	if (b->n)
		fwrite(b->p, 1, b->n, stdout);
	tf_buf_release(b);
}

bool
tf_program_args(const struct tf_command *self, int argc, char **argv, struct tf_args *a, int *out_exit)
{
	struct tf_fault f = {0};
	struct tf_buf help;
	char name[80];
	if (tf_args_parse(self, argc, argv, a, &f)) {
		*out_exit = tf_program_fail(&f);
		fprintf(stderr, "%s %s -h tells its options\n", front(name), self->name);
		return false;
	}
	if (!a->help)
		return true;
	tf_buf_init(&help, 0);
	tf_args_help(self, front(name), &help);
	tf_program_print(&help);
	*out_exit = tf_program_finish(0);
	return false;
}

static int
help_all(const struct tf_command *commands, FILE *to, int code)
{
	struct tf_buf b;
	char name[80];
	tf_buf_init(&b, 0);
	tf_args_help_all(commands, front(name), program->purpose, &b);
	fwrite(b.p, 1, b.n, to);
	tf_buf_release(&b);
	return code ? code : tf_program_finish(0);
}

static int
unknown(const char *verb, const char *near)
{
	fprintf(stderr, "tenfold %s: unknown verb '%.60s'%s%s%s\n", program->name, verb, near ? "; did you mean " : "",
		near ? near : "", near ? "?" : "");
	return 2;
}

/* A verb may be of two words, "cert issue"; *used is how many of argv it took. */
static const struct tf_command *
find(const struct tf_command *commands, int argc, char **argv, const char **near, int *used)
{
	char two[64];
	*used = 2;
	const struct tf_command *c = tf_args_find(commands, argv[1], near);
	if (c || argc < 3 || snprintf(two, sizeof two, "%s %s", argv[1], argv[2]) >= (int)sizeof two)
		return c;
	*used = 3;
	return tf_args_find(commands, two, near);
}

int
tf_program_main(const struct tf_program *p, int argc, char **argv)
{
	struct tf_command commands[TF_PROGRAM_VERBS + 1] = {0};
	const char *near;
	program = p;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; p->verbs[i]; i++) {
		TF_ASSERT(i < TF_PROGRAM_VERBS);
		commands[i] = *p->verbs[i];
	}
	if (argc < 2)
		return help_all(commands, stderr, 2);
	struct tf_str word = tf_str(argv[1]);
	if (tf_str_eq(word, TF_STR("-h")) || tf_str_eq(word, TF_STR("--help")) || tf_str_eq(word, TF_STR("help")))
		return help_all(commands, stdout, 0);
	if (tf_str_eq(word, TF_STR("--version"))) {
		printf("tenfold-%s %s\n", p->name, p->version);
		return tf_program_finish(0);
	}
	int used;
	const struct tf_command *c = find(commands, argc, argv, &near, &used);
	return c ? c->run(p->ctx, c, argc - used, argv + used) : unknown(argv[1], near);
}
