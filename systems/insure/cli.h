/* What the verbs share: options, help, faults, stdout. */
#pragma once
#include "base/args.h"
#include "store.h"

struct insure_cli {
	struct tf_os *os;
};

#define INSURE_PARAM_DATA                                                                                              \
	{                                                                                                              \
		"data", TF_PARAM_TEXT, true, "DIR", NULL, 0, 0, "the data directory"                                   \
	}
#define INSURE_PARAM_JSON                                                                                              \
	{                                                                                                              \
		"json", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "one JSON object on stdout"                            \
	}

/* Parses a verb's arguments; on help or an error prints it and returns false with *out_exit set. */
bool insure_cli_args(const struct tf_command *self, int argc, char **argv, struct tf_args *a, int *out_exit);
/* Prints the fault on stderr; returns the exit code of its error. */
int insure_cli_fail(const struct tf_fault *f);
/* stdout, checked: an error while writing is exit 75. */
int insure_cli_finish(int code);

extern const struct tf_command insure_cmd_serve, insure_cmd_simulate, insure_cmd_verify;
