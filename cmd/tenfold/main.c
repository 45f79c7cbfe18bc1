/* The front: `tenfold <system> <verb> [options]` becomes `tenfold-<system> <verb> [options]`, found beside this program
 * or in ../libexec/tenfold. It is a name for a folder of programs, nothing more: no option of a system is known here,
 * and the system's own exit code is what the caller sees, because exec leaves no process in between. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

#define PREFIX      "tenfold-"
#define SYSTEM_MAX  64 /* bytes in a system's name: it becomes part of a file name */
#define SYSTEMS_MAX 64 /* listed; the design has ten */

static const char *const folders[] = {"", "/../libexec/tenfold"}; /* relative to this program's own */
#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

static int
complain(const struct tf_fault *f)
{
	fprintf(stderr, "tenfold: %s\n", f->text);
	return tf_err_exit(f->code);
}

/* The folder this program stands in, whatever it was called by. */
static enum tf_err
own_folder(char out[static PATH_MAX], struct tf_fault *f)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	if (n <= 0)
		return tf_fault(f, TF_IO, "cannot find own folder: /proc/self/exe: %s", strerror(errno));
	out[n] = '\0';
	char *slash = strrchr(out, '/');
	if (!slash)
		return tf_fault(f, TF_IO, "cannot find own folder: '%s' has none", out);
	*slash = '\0';
	return TF_OK;
}

static bool
is_system_name(struct tf_str s)
{
	if (s.n == 0 || s.n > SYSTEM_MAX || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return true;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

struct systems {
	char names[SYSTEMS_MAX][SYSTEM_MAX + 1];
	size_t count;
};

static void
add_system(struct systems *s, const char *folder, const char *file)
{
	struct tf_str name = tf_str(file);
	if (!tf_str_starts(name, TF_STR(PREFIX)))
		return;
	name = tf_str_n(name.p + strlen(PREFIX), name.n - strlen(PREFIX));
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (!is_system_name(name) || n >= (int)sizeof(path) || access(path, X_OK) || s->count == SYSTEMS_MAX)
		return;
	for (size_t i = 0; i < s->count; i++)
		if (tf_str_eq(tf_str(s->names[i]), name))
			return;
	memcpy(s->names[s->count], name.p, name.n);
	s->names[s->count++][name.n] = '\0';
}

static void
find_systems(const char *own, struct systems *s)
{
	s->count = 0;
	for (size_t i = 0; i < FOLDERS; i++) {
		char folder[PATH_MAX];
		if (snprintf(folder, sizeof(folder), "%s%s", own, folders[i]) >= (int)sizeof(folder))
			continue;
		DIR *d = opendir(folder);
		if (!d)
			continue;
		for (struct dirent *e = readdir(d); e; e = readdir(d))
			add_system(s, folder, e->d_name);
		closedir(d);
	}
	qsort(s->names, s->count, sizeof(s->names[0]), by_name);
}

static void
print_systems(FILE *to, const char *own)
{
	struct systems s;
	find_systems(own, &s);
	if (s.count == 0)
		fprintf(to, " none (no %s* beside this program)", PREFIX);
	for (size_t i = 0; i < s.count; i++)
		fprintf(to, " %s", s.names[i]);
	fputc('\n', to);
}

static void
print_help(FILE *to, const char *own)
{
	fputs("usage: tenfold <system> <verb> [options]\n"
	      "       tenfold --help | --version\n"
	      "\n"
	      "`tenfold <system> --help` lists a system's verbs. Exit: 0 yes, 1 no, 2 usage or bad input,\n"
	      "70 bug, 75 temporary, try again.\n"
	      "\n"
	      "systems:",
	      to);
	print_systems(to, own);
}

/* Returns only when the program could not be started. */
static enum tf_err
run_system(const char *own, char **argv, struct tf_fault *f)
{
	for (size_t i = 0; i < FOLDERS; i++) {
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%s%s/%s%s", own, folders[i], PREFIX, argv[0]);
		if (n >= (int)sizeof(path) || access(path, F_OK))
			continue;
		execv(path, argv);
		return tf_fault(f, TF_IO, "cannot start '%s': %s", path, strerror(errno));
	}
	return tf_fault(f, TF_USAGE, "no system '%s'", argv[0]);
}

int
main(int argc, char **argv)
{
	struct tf_fault f = {0};
	char own[PATH_MAX];
	if (own_folder(own, &f))
		return complain(&f);
	struct tf_str word = argc > 1 ? tf_str(argv[1]) : TF_STR("");
	if (tf_str_eq(word, TF_STR("--version"))) {
		puts("tenfold " TF_VERSION);
		return 0;
	}
	if (tf_str_eq(word, TF_STR("--help")) || tf_str_eq(word, TF_STR("-h")) || tf_str_eq(word, TF_STR("help"))) {
		print_help(stdout, own);
		return 0;
	}
	if (argc < 2) {
		print_help(stderr, own);
		return tf_err_exit(TF_USAGE);
	}
	if (!is_system_name(word)) {
		tf_fault(&f, TF_USAGE, "no system '%.*s'", TF_FMT(word));
	} else {
		run_system(own, argv + 1, &f);
	}
	complain(&f);
	if (f.code == TF_USAGE) {
		fputs("systems:", stderr);
		print_systems(stderr, own);
	}
	return tf_err_exit(f.code);
}
