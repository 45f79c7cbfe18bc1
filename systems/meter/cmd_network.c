/* tenfold meter network: which account, transformer, feeder, zone and region each meter belongs to. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli.h"
#include "network.h"

static const struct tf_param params[] = {METER_PARAM_DATA, METER_PARAM_JSON, {0}};

static enum tf_err
load_file(struct meter_cli *cli, struct meter_store *s, const char *path, struct meter_network_report *total,
	  struct tf_fault *f)
{
	char *csv;
	size_t n;
	struct meter_network_report r;
	TF_TRY(tf_os_read_file(cli->os, path, METER_NETWORK_BYTES_MAX, &csv, &n, f));
	enum tf_err e = meter_network_load(&s->catalog, tf_str(path), tf_str_n(csv, n), &r, f);
	tf_free(csv);
	if (!e) {
		total->rows += r.rows;
		total->nodes = r.nodes;
	}
	return e;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct meter_store *s;
	struct meter_network_report r = {0};
	if (meter_cli_open(ctx, &a, true, &s, &f))
		return tf_program_fail(&f);
	enum tf_err e = TF_OK;
	for (int i = 0; !e && i < a.positional_count; i++)
		e = load_file(ctx, s, a.positional[i], &r, &f);
	meter_store_close(&s);
	if (e)
		return tf_program_fail(&f);
	printf(tf_args_flag(&a, "json") ? "{\"rows\":%" PRIu64 ",\"node_days\":%" PRIu64 "}\n"
					: "%" PRIu64 " rows taken; %" PRIu64 " sums per node and day\n",
	       r.rows, r.nodes);
	return tf_program_finish(0);
}

const struct tf_command meter_cmd_network = {
	.name = "network",
	.summary = "take the network file: account, transformer, feeder, zone, region",
	.positional = "FILE...",
	.positional_min = 1,
	.params = params,
	.run = run};
