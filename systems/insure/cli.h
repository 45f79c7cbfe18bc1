/* What the verbs share: options. */
#pragma once
#include "os/program.h"
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

extern const struct tf_command insure_cmd_serve, insure_cmd_simulate, insure_cmd_verify;
