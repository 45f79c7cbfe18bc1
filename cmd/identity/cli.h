/* What the verbs share: arguments, saying what went wrong, JSON on stdout. */
#pragma once
#include "base/args.h"
#include "base/json.h"
#include "os/os.h"

#define IDENTITY_PARAM_DIR                                                                                             \
	{                                                                                                              \
		"dir", TF_PARAM_TEXT, true, "DIR", NULL, 0, 0, "the issuer's directory"                                \
	}
#define IDENTITY_PARAM_JSON                                                                                            \
	{                                                                                                              \
		"json", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "one JSON object on stdout"                            \
	}

/* Parses a verb's arguments; on help or an error prints it and returns false with *out_exit set. */
bool identity_cli_args(const struct tf_command *self, int argc, char **argv, struct tf_args *a, int *out_exit);
/* Prints the fault on stderr; returns the exit code of its error. */
int identity_cli_fail(const struct tf_fault *f);
/* Flushes stdout; code, unless that failed. */
int identity_cli_finish(int code);
/* Prints and releases. */
void identity_cli_print(struct tf_buf *b);

/* May a name be a file's? Letters, digits, "._-", at most 64, no dot in front. */
bool identity_name_ok(struct tf_str name);

/* The verbs. Two words where a noun has several. */
extern const struct tf_command identity_cmd_init, identity_cmd_cert_issue, identity_cmd_cert_revoke,
	identity_cmd_cert_list, identity_cmd_client_add, identity_cmd_client_remove, identity_cmd_client_list,
	identity_cmd_keys_rotate, identity_cmd_keys_list, identity_cmd_serve, identity_cmd_check;
