/* Command lines by table: a command is a row with its parameters; parsing, defaults, ranges and help all read the same
 * table.
 *
 * `--name value`, `--name=value`, `--flag`; `--` ends options, everything else is positional, options and positionals
 * in any order. An unknown option (the closest one is suggested), a missing or malformed value, one given twice, or one
 * out of range is TF_USAGE, named. Pure: help goes into a buffer, the caller prints. Ownership: values point into argv
 * and the table, which outlive the struct tf_args. */
#pragma once
#include "base/buf.h"
#include "base/time.h"

enum tf_param_kind {
	TF_PARAM_FLAG,
	TF_PARAM_TEXT,
	TF_PARAM_LIST,     /* a text that may be given more than once */
	TF_PARAM_INT,      /* within [min, max] */
	TF_PARAM_SIZE,     /* bytes: 64MiB, 10k (units.h); within [min, max] */
	TF_PARAM_DURATION, /* 90s, 15m, 7d (units.h); microseconds, within [min, max] */
	TF_PARAM_TIME,     /* what tf_when_parse takes; its zone is settled later */
	TF_PARAM_DATE,     /* YYYY-MM-DD */
	TF_PARAM_MONTH,    /* YYYY-MM */
	TF_PARAM_CHOICE,   /* one of the words in value: "nem12|csv|jsonl" */
};

struct tf_param {
	const char *name; /* without the dashes */
	enum tf_param_kind kind;
	bool required;
	const char *value;    /* what help calls the value: "DIR", "N"; the words of a choice */
	const char *fallback; /* the default, as it would be typed; NULL: none */
	int64_t min, max;     /* both 0: any */
	const char *help;     /* lower case, no full stop */
};

#define TF_PARAMS_MAX 48
#define TF_LIST_MAX   64 /* values of all lists together */

struct tf_command {
	const char *name;
	const char *summary;
	const char *positional; /* "FILE...": any number; "FILE": one; NULL: none */
	int positional_min;
	const struct tf_param *params; /* ends with a NULL name */
	int (*run)(void *ctx, const struct tf_command *self, int argc, char **argv);
	int positional_max; /* 0: as positional's form says */
};

struct tf_args {
	const struct tf_command *command;
	struct tf_str value[TF_PARAMS_MAX];
	int64_t number[TF_PARAMS_MAX];
	bool given[TF_PARAMS_MAX];
	bool help;         /* -h or --help was there; nothing else was checked */
	char **positional; /* into argv */
	int positional_count;
	struct {
		int param;
		struct tf_str value;
	} list[TF_LIST_MAX];
	int list_count;
};

/* argv without the program and the command's name; it is reordered so that positionals stand together. */
enum tf_err tf_args_parse(const struct tf_command *c, int argc, char **argv, struct tf_args *out,
			  struct tf_fault *f) TF_MUST_USE;

/* By name; a name that is not in the table is a bug. Text that is not given and has no default is empty. */
struct tf_str tf_args_text(const struct tf_args *a, const char *name);
/* NUL-terminated, from argv or the table; NULL when not given and without default. */
const char *tf_args_cstr(const struct tf_args *a, const char *name);
/* An int, size (bytes), duration (microseconds), date or month (time.h) or the index of a choice; 0 when not given and
 * without default. */
int64_t tf_args_int(const struct tf_args *a, const char *name);
bool tf_args_flag(const struct tf_args *a, const char *name);
/* On the command line: a default does not count. */
bool tf_args_given(const struct tf_args *a, const char *name);
/* The i-th value of a list, from 0; false after the last. */
bool tf_args_list(const struct tf_args *a, const char *name, int i, struct tf_str *out);

/* Help for one command, within 80 columns; program is what stands before the command's name ("tenfold meter"). */
void tf_args_help(const struct tf_command *c, const char *program, struct tf_buf *out);
/* Help for a table of commands that ends with a NULL name. */
void tf_args_help_all(const struct tf_command *commands, const char *program, const char *purpose, struct tf_buf *out);
/* The command of that name, or NULL; *out_near (may be NULL) is the closest name, NULL when none is close. */
const struct tf_command *tf_args_find(const struct tf_command *commands, const char *name, const char **out_near);
