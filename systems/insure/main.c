/* tenfold-insure: the wiring. An insurer's side of an exchange: policies are sold, looked up and cancelled.
 *
 *   HTTP -> api -> in_purchase -> core_policy -> flow (log, one sync for many) -> answer, from the log's record
 *                  flow/idem: known key -> the stored answer        state: slots in memory, snapshot by flow/pages
 *   look-up: api_get -> slot -> view_policy */
#include <signal.h>
#include <stdio.h>

#include "cli.h"

static struct tf_command commands[4];

static void
wire(void)
{
	const struct tf_command *all[] = {&insure_cmd_serve, &insure_cmd_simulate, &insure_cmd_verify};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		commands[i] = *all[i];
}

static int
help(FILE *to, int code)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_args_help_all(commands, "tenfold insure", "an insurer's side of an exchange: policies sold and looked up",
			 &b);
	fwrite(b.p, 1, b.n, to);
	tf_buf_release(&b);
	return code ? code : insure_cli_finish(0);
}

int
main(int argc, char **argv)
{
	struct insure_cli cli = {tf_os_real()};
	signal(SIGPIPE, SIG_IGN);
	wire();
	if (argc < 2)
		return help(stderr, 2);
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(stdout, 0);
	if (strcmp(argv[1], "--version") == 0) {
		printf("tenfold-insure " TF_VERSION "\n");
		return insure_cli_finish(0);
	}
	const char *near;
	const struct tf_command *c = tf_args_find(commands, argv[1], &near);
	if (!c) {
		fprintf(stderr, "tenfold insure: unknown verb '%.60s'%s%s%s\n", argv[1], near ? "; did you mean " : "",
			near ? near : "", near ? "?" : "");
		return 2;
	}
	return c->run(&cli, c, argc - 2, argv + 2);
}
