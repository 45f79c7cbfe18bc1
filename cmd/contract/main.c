/* tenfold-contract: what an API promises, looked at from outside: a schema against an instance, an OpenAPI document by
 * itself, two versions of it, recorded traffic against a new one. The work is spine/serve's schema and contract. */
#include <signal.h>
#include <stdio.h>

#include "cli.h"

static struct tf_command commands[8];

static void
wire(void)
{
	const struct tf_command *all[] = {&contract_cmd_validate, &contract_cmd_lint, &contract_cmd_diff,
					  &contract_cmd_replay};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		commands[i] = *all[i];
}

static int
help(FILE *to, int code)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_args_help_all(commands, "tenfold contract", "API contracts: JSON Schema and OpenAPI 3.0 and 3.1", &b);
	fwrite(b.p, 1, b.n, to);
	tf_buf_release(&b);
	return code ? code : contract_cli_finish(0);
}

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	wire();
	if (argc < 2)
		return help(stderr, 2);
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(stdout, 0);
	if (strcmp(argv[1], "--version") == 0) {
		printf("tenfold-contract " TF_VERSION "\n");
		return contract_cli_finish(0);
	}
	const char *near;
	const struct tf_command *c = tf_args_find(commands, argv[1], &near);
	if (!c) {
		fprintf(stderr, "tenfold contract: unknown verb '%.60s'%s%s%s\n", argv[1],
			near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
		return 2;
	}
	return c->run(NULL, c, argc - 2, argv + 2);
}
