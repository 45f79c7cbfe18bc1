/* tenfold insure verify: every checksum of the log, the state and the keys against it. */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "verify.h"

static const struct tf_param params[] = {INSURE_PARAM_DATA, INSURE_PARAM_JSON, {0}};

static void
on_finding(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "%s\n", text);
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct insure_cli *cli = ctx;
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct tf_stat st;
	struct insure_store *s;
	struct insure_store_options o = {.wait = true};
	const char *dir = tf_args_cstr(&a, "data");
	if (tf_os_stat(cli->os, dir, &st, NULL)) {
		tf_fault(&f, TF_NOT_FOUND, "no insure data in '%s'", dir);
		return tf_program_fail(&f);
	}
	if (insure_store_open(cli->os, dir, &o, &s, &f))
		return tf_program_fail(&f);
	struct insure_verify_report r;
	enum tf_err e = insure_verify(s, on_finding, NULL, &r, &f);
	insure_store_close(&s);
	if (e)
		return tf_program_fail(&f);
	printf(tf_args_flag(&a, "json")
		       ? "{\"ok\":%s,\"findings\":%" PRIu64 ",\"records\":%" PRIu64 ",\"policies\":%" PRIu64
			 ",\"keys\":%" PRIu64 ",\"digest\":\"%016" PRIx64 "\"}\n"
		       : "verify: %s, %" PRIu64 " findings\n%" PRIu64 " log records, %" PRIu64 " policies, %" PRIu64
			 " unexpired keys, state %016" PRIx64 "\n",
	       tf_args_flag(&a, "json") ? (r.findings ? "false" : "true")
	       : r.findings             ? "DIFFERENCES"
					: "clean",
	       r.findings, r.records, r.policies, r.keys, r.digest);
	return tf_program_finish(r.findings ? 1 : 0);
}

const struct tf_command insure_cmd_verify = {.name = "verify",
					     .summary = "the log's checksums; state and keys against the log",
					     .params = params,
					     .run = run};
