/* tenfold-meter: the wiring. Outside bytes come in by in_*, are decided by core_*, kept by the log, moved by out_tier,
 * and seen through scan, view_usage and the verbs (cmd_*).
 *
 *   files, HTTP -> in -> batch -> core_ingest -> flow (log) -> publish -> core_revise -> blocks, aggregates, catalog
 *   hot -> warm -> cold: out_tier        queries: scan (tiers), view_usage (aggregates) */
#include <signal.h>
#include <stdio.h>

#include "cli.h"

static struct tf_command commands[24];

static void
wire(void)
{
	const struct tf_command *all[] = {
		&meter_cmd_load,       &meter_cmd_read, &meter_cmd_tier,     &meter_cmd_usage, &meter_cmd_verify,
		&meter_cmd_quarantine, &meter_cmd_sql,  &meter_cmd_network,  &meter_cmd_cost,  &meter_cmd_missing,
		&meter_cmd_replay,     &meter_cmd_bill, &meter_cmd_simulate, &meter_cmd_serve, &meter_cmd_report};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		commands[i] = *all[i];
}

static int
help(FILE *to, int code)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_args_help_all(commands, "tenfold meter", "smart meter data in four cost tiers, from head-end file to bill",
			 &b);
	fwrite(b.p, 1, b.n, to);
	tf_buf_release(&b);
	return code ? code : meter_cli_finish(0);
}

int
main(int argc, char **argv)
{
	struct meter_cli cli = {tf_os_real()};
	signal(SIGPIPE, SIG_IGN);
	wire();
	if (argc < 2)
		return help(stderr, 2);
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help(stdout, 0);
	if (strcmp(argv[1], "--version") == 0) {
		printf("tenfold-meter " TF_VERSION "\n");
		return meter_cli_finish(0);
	}
	const char *near;
	const struct tf_command *c = tf_args_find(commands, argv[1], &near);
	if (!c) {
		fprintf(stderr, "tenfold meter: unknown verb '%.60s'%s%s%s\n", argv[1], near ? "; did you mean " : "",
			near ? near : "", near ? "?" : "");
		return 2;
	}
	return c->run(&cli, c, argc - 2, argv + 2);
}
