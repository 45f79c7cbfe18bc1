/* What the verbs share: opening the store, saying what went wrong, printing tables and JSON. */
#pragma once
#include "os/program.h"
#include "store.h"

struct meter_cli {
	struct tf_os *os;
};

/* Options that many verbs take. */
#define METER_PARAM_DATA                                                                                               \
	{                                                                                                              \
		"data", TF_PARAM_TEXT, true, "DIR", NULL, 0, 0, "the data directory"                                   \
	}
#define METER_PARAM_JSON                                                                                               \
	{                                                                                                              \
		"json", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "one JSON object on stdout"                            \
	}

/* Opens --data: for writing, or to read what was last published. What a crash left in the log is published first,
 * unless a live writer will do it or nothing can be written. A reader does not hold the writer's lock. */
enum tf_err meter_cli_open(struct meter_cli *cli, const struct tf_args *a, bool writer, struct meter_store **out,
			   struct tf_fault *f) TF_MUST_USE;
/* For who looks at the log too: as a writer, or where that cannot be had, as a reader. */
enum tf_err meter_cli_open_log(struct meter_cli *cli, const struct tf_args *a, struct meter_store **out,
			       struct tf_fault *f) TF_MUST_USE;
/* Runs read as of one state of the catalog. A writer may move blocks meanwhile and remove the packs they were in: then
 * it runs again, a few times, unless it has set *out_printed; TF_BUSY when it does not get through. */
enum tf_err meter_cli_read(struct meter_store *s, enum tf_err (*read)(void *ctx, bool *out_printed, struct tf_fault *f),
			   void *ctx, struct tf_fault *f) TF_MUST_USE;
/* --from and --to (or other names) in the zone; TF_TIME_FIRST and TF_TIME_LAST when not given. */
enum tf_err meter_cli_time(struct meter_cli *cli, const struct tf_args *a, const char *name, const char *zone,
			   tf_time fallback, tf_time *out, struct tf_fault *f) TF_MUST_USE;

/* The verbs: X(name, summary) each with a table in cmd_*.c. */
extern const struct tf_command meter_cmd_simulate, meter_cmd_load, meter_cmd_read, meter_cmd_tier, meter_cmd_usage,
	meter_cmd_bill, meter_cmd_sql, meter_cmd_verify, meter_cmd_cost, meter_cmd_replay, meter_cmd_missing,
	meter_cmd_quarantine, meter_cmd_network, meter_cmd_serve, meter_cmd_report;
