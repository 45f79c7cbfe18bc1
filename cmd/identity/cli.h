/* What the verbs share: options, names. */
#pragma once
#include "base/json.h"
#include "os/program.h"

#define IDENTITY_PARAM_DIR                                                                                             \
	{                                                                                                              \
		"dir", TF_PARAM_TEXT, true, "DIR", NULL, 0, 0, "the issuer's directory"                                \
	}
#define IDENTITY_PARAM_JSON                                                                                            \
	{                                                                                                              \
		"json", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "one JSON object on stdout"                            \
	}

/* May a name be a file's? Letters, digits, "._-", at most 64, no dot in front. */
bool identity_name_ok(struct tf_str name);

/* A verb that lists: each element of the directory's file (state.h) by put, a line each. */
int identity_cli_list(struct tf_os *os, const struct tf_command *self, int argc, char **argv, const char *file,
		      void (*put)(struct tf_json_out *w, const struct tf_json *v));

/* The verbs. Two words where a noun has several. */
extern const struct tf_command identity_cmd_init, identity_cmd_cert_issue, identity_cmd_cert_revoke,
	identity_cmd_cert_list, identity_cmd_client_add, identity_cmd_client_remove, identity_cmd_client_list,
	identity_cmd_keys_rotate, identity_cmd_keys_list, identity_cmd_serve, identity_cmd_check;
