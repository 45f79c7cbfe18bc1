/* tenfold meter verify: checksums and aggregates. */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "verify.h"

static const struct tf_param params[] = {METER_PARAM_DATA, METER_PARAM_JSON, {0}};

static void
on_finding(void *ctx, const struct meter_finding *finding)
{
	(void)ctx;
	fprintf(stderr, "%s: %s\n", finding->what, finding->text);
}

static void
print(bool json, const struct meter_verify_report *r, double seconds)
{
	printf(json ? "{\"ok\":%s,\"findings\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"block_bytes\":%" PRIu64
		      ",\"readings\":%" PRIu64 ",\"days\":%" PRIu64 ",\"months\":%" PRIu64 ",\"log_records\":%" PRIu64
		      ",\"seconds\":%.3f}\n"
		    : "verify: %s, %" PRIu64 " findings\n%" PRIu64 " blocks of %" PRIu64 " bytes, %" PRIu64
		      " readings, %" PRIu64 " day and %" PRIu64 " month aggregates, %" PRIu64
		      " log records in %.3f s\n",
	       json          ? (r->findings ? "false" : "true")
	       : r->findings ? "DIFFERENCES"
			     : "clean",
	       r->findings, r->blocks, r->block_bytes, r->readings, r->days, r->months, r->log_records, seconds);
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct meter_cli *cli = ctx;
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct meter_store *s;
	tf_dur begun = tf_os_ticks(cli->os);
	if (meter_cli_open(cli, &a, false, &s, &f)) /* a reader: loads and moves go on meanwhile */
		return tf_program_fail(&f);
	struct meter_verify_report r;
	enum tf_err e = meter_verify(s, on_finding, NULL, &r, &f);
	meter_store_close(&s);
	if (e)
		return tf_program_fail(&f);
	print(tf_args_flag(&a, "json"), &r, (double)(tf_os_ticks(cli->os) - begun) / 1e6);
	return tf_program_finish(r.findings ? 1 : 0);
}

const struct tf_command meter_cmd_verify = {
	.name = "verify", .summary = "every checksum, every aggregate recomputed", .params = params, .run = run};
