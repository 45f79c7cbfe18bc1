/* What the verbs share: reading documents from files, the documents references lead to, printing. */
#pragma once
#include "base/json.h"
#include "os/program.h"

#define CONTRACT_PARAM_JSON                                                                                            \
	{                                                                                                              \
		"json", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "JSON lines on stdout"                                 \
	}

#define CONTRACT_PARAM_REFS                                                                                            \
	{                                                                                                              \
		"refs", TF_PARAM_TEXT, false, "DIR", NULL, 0, 0, "serves http://localhost:1234/ from this folder"      \
	}

/* A file as a tree; text and tree live in the files. */
struct contract_file {
	struct contract_file *next;
	struct tf_str path, uri, text;
	const struct tf_json *tree;
};

/* Documents read so far, by absolute path. */
struct contract_files {
	struct tf_os *os;
	const char *refs; /* --refs, or NULL */
	struct tf_arena arena;
	struct contract_file *first;
};

void contract_files_init(struct contract_files *fs, const char *refs);
void contract_files_release(struct contract_files *fs);
/* JSON, or YAML by its ending .yaml or .yml. Its URI is file:// and the absolute path. */
enum tf_err contract_file_read(struct contract_files *fs, const char *path, const struct contract_file **out,
			       struct tf_fault *f) TF_MUST_USE;
/* The bytes of a file of any kind. */
enum tf_err contract_file_text(struct contract_files *fs, const char *path, struct tf_str *out,
			       struct tf_fault *f) TF_MUST_USE;
/* For tf_schemas_options.load: file: URIs, and http://localhost:1234/ below --refs. ctx is the files. */
bool contract_files_load(void *ctx, struct tf_str uri, const struct tf_json **out);

/* Prints the fault on stderr; returns the exit code of its error, where "not found" is bad input. */
int contract_cli_fail(const struct tf_fault *f);
extern const struct tf_command contract_cmd_validate, contract_cmd_lint, contract_cmd_diff, contract_cmd_replay;
