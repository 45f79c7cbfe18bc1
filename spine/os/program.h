/* A program of verbs, tenfold-NAME behind `tenfold NAME`: what every one of them does the same. stdout is data, stderr
 * is talk; exit codes are err.def's. One program a process. */
#pragma once
#include "base/args.h"
#include "os/os.h"

#define TF_PROGRAM_VERBS 31

struct tf_program {
	const char *name; /* "meter" */
	const char *purpose;
	const char *version;
	const struct tf_command *const *verbs; /* ends with NULL; TF_PROGRAM_VERBS at most */
	void *ctx;                             /* given to each verb's run */
};

/* main's whole work: finds the verb (of one word or two) and runs it; help and --version. Returns the exit code. */
int tf_program_main(const struct tf_program *p, int argc, char **argv);

/* For a verb: parses its arguments; on help or an error prints that and returns false with *out_exit set. */
bool tf_program_args(const struct tf_command *self, int argc, char **argv, struct tf_args *a, int *out_exit);
/* Prints the fault on stderr; returns the exit code of its error. */
int tf_program_fail(const struct tf_fault *f);
/* stdout flushed and checked: what cannot be written is TF_IO's exit code, else code. A reader that went away is none.
 */
int tf_program_finish(int code);
/* A buffer to stdout, and released. */
void tf_program_print(struct tf_buf *b);
