/* Command lines by table: a command is a row with its parameters; parsing, defaults, ranges and help all read the same table.
 *
 * `--name value`, `--name=value`, `--flag`, `--` ends options, everything else is positional. An unknown option, a missing or malformed
 * value, or one out of range is TF_USAGE, named. Pure: help goes into a buffer, the caller prints. */
#pragma once
#include "base/buf.h"

enum tf_param_kind {
	TF_PARAM_FLAG,
	TF_PARAM_TEXT,
	TF_PARAM_INT, /* within [min, max] */
};

struct tf_param {
	const char *name; /* without the dashes */
	enum tf_param_kind kind;
	bool required;
	const char *value;    /* what help calls the value: "DIR", "N" */
	const char *fallback; /* NULL: none */
	int64_t min, max;     /* of TF_PARAM_INT */
	const char *help;
};

#define TF_PARAMS_MAX 24
#define TF_POSITIONALS_MAX 100000

struct tf_command {
	const char *name;
	const char *summary;
	const char *positional; /* "FILE...", or NULL: takes none */
	int positional_min;
	const struct tf_param *params; /* ends with a NULL name */
	int (*run)(void *ctx, const struct tf_command *self, int argc, char **argv);
};

struct tf_args {
	const struct tf_command *command;
	struct tf_str value[TF_PARAMS_MAX];
	bool given[TF_PARAMS_MAX];
	bool help;            /* -h or --help was there; nothing else was checked */
	char **positional;    /* into argv */
	int positional_count;
};

/* argv without the program and the command's name; it is reordered so that positionals stand together. */
enum tf_err tf_args_parse(const struct tf_command *c, int argc, char **argv, struct tf_args *out, struct tf_fault *f) TF_MUST_USE;
/* By name; a name that is not in the table is a bug. Text that is not given and has no default is empty, a number then 0. */
struct tf_str tf_args_text(const struct tf_args *a, const char *name);
/* NUL-terminated, from argv or the table; NULL when not given. */
const char *tf_args_cstr(const struct tf_args *a, const char *name);
int64_t tf_args_int(const struct tf_args *a, const char *name);
bool tf_args_flag(const struct tf_args *a, const char *name);
bool tf_args_given(const struct tf_args *a, const char *name);
/* Help for one command; program is what stands before the command's name ("tenfold meter"). */
void tf_args_help(const struct tf_command *c, const char *program, struct tf_buf *out);
/* Help for a table of commands that ends with a NULL name. */
void tf_args_help_all(const struct tf_command *commands, const char *program, const char *purpose, struct tf_buf *out);
/* The command of that name, or NULL; *out_near (may be NULL) is the closest name. */
const struct tf_command *tf_args_find(const struct tf_command *commands, const char *name, const char **out_near);
