/* What the verbs share; see cli.h. */
#include "cli.h"
#include "serve/yaml.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX ((size_t)256 << 20)
#define REMOTE   "http://localhost:1234/"

int
contract_cli_fail(const struct tf_fault *f)
{
	int code = tf_program_fail(f);
	return f->code == TF_NOT_FOUND || f->code == TF_EXISTS ? 2 : code;
}

void
contract_files_init(struct contract_files *fs, const char *refs)
{
	*fs = (struct contract_files){.os = tf_os_real(), .refs = refs};
	tf_arena_init(&fs->arena, "documents", (size_t)2 << 30);
}

void
contract_files_release(struct contract_files *fs)
{
	tf_arena_release(&fs->arena);
}

enum tf_err
contract_file_text(struct contract_files *fs, const char *path, struct tf_str *out, struct tf_fault *f)
{
	FILE *in = fopen(path, "rb");
	struct tf_buf b;
	size_t n = 1;
	if (!in)
		return tf_fault(f, TF_NOT_FOUND, "cannot open '%s': %s", path, strerror(errno));
	tf_buf_init(&b, FILE_MAX);
	while (n && !b.err) {
		uint8_t *room = tf_buf_room(&b, 1 << 16);
		n = room ? fread(room, 1, 1 << 16, in) : 0;
		b.n += n;
	}
	enum tf_err e = b.err ? b.err : ferror(in) ? TF_IO : TF_OK;
	fclose(in);
	if (!e)
		*out = tf_arena_str(&fs->arena, tf_buf_view(&b));
	tf_buf_release(&b);
	if (e || !out->p)
		return tf_fault(f, e ? e : TF_NO_MEMORY, "cannot read '%s': %s", path,
				e == TF_TOO_LARGE ? "more than 256 MiB" : tf_err_text(e ? e : TF_NO_MEMORY));
	return TF_OK;
}

static struct tf_str
uri_of(struct contract_files *fs, const char *path)
{
	char *p = tf_arena_alloc(&fs->arena, strlen(path) * 3 + 8);
	size_t n = 7;
	if (!p)
		return (struct tf_str){NULL, 0};
	memcpy(p, "file://", n);
	for (; *path; path++) {
		bool plain = *path > ' ' && *path < 0x7f && !strchr("#?%\"<>", *path);
		if (plain)
			p[n++] = *path;
		else
			n += (size_t)snprintf(p + n, 4, "%%%02X", (unsigned char)*path);
	}
	return tf_str_n(p, n);
}

static bool
is_yaml(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

enum tf_err
contract_file_read(struct contract_files *fs, const char *path, const struct contract_file **out, struct tf_fault *f)
{
	char real[PATH_MAX];
	if (!realpath(path, real))
		return tf_fault(f, TF_NOT_FOUND, "cannot open '%s': %s", path, strerror(errno));
	for (struct contract_file *had = fs->first; had; had = had->next)
		if (tf_str_eq(had->path, tf_str(real))) {
			*out = had;
			return TF_OK;
		}
	struct contract_file *n = tf_arena_calloc(&fs->arena, 1, sizeof *n);
	if (!n)
		return tf_arena_fault(&fs->arena, f);
	n->path = tf_arena_str(&fs->arena, tf_str(real));
	n->uri = uri_of(fs, real);
	if (!n->path.p || !n->uri.p)
		return tf_arena_fault(&fs->arena, f);
	TF_TRY(contract_file_text(fs, real, &n->text, f));
	if (is_yaml(path) ? tf_yaml_parse(n->text, &fs->arena, TF_JSON_DEPTH_MAX, &n->tree, f)
			  : tf_json_parse(n->text, &fs->arena, TF_JSON_DEPTH_MAX, &n->tree, f))
		return tf_fault_wrap(f, TF_INVALID, "%s", path);
	n->next = fs->first;
	fs->first = n;
	*out = n;
	return TF_OK;
}

/* A path that a URI names below a folder; "..": none. */
static bool
path_of(const char *folder, struct tf_str rest, char out[static PATH_MAX])
{
	struct tf_buf b;
	bool ok = false;
	tf_buf_init(&b, PATH_MAX - 1);
	tf_buf_cstr(&b, folder);
	for (size_t i = 0; i < rest.n; i++) {
		unsigned byte;
		char two[3] = {0};
		if (rest.p[i] == '%' && i + 2 < rest.n) {
			memcpy(two, rest.p + i + 1, 2);
			if (sscanf(two, "%2x", &byte) == 1 && byte) {
				tf_buf_u8(&b, (uint8_t)byte);
				i += 2;
				continue;
			}
		}
		tf_buf_u8(&b, (uint8_t)rest.p[i]);
	}
	if (!b.err && b.n < PATH_MAX) {
		memcpy(out, b.p, b.n);
		out[b.n] = '\0';
		ok = !strstr(out, "/../") && (b.n < 3 || strcmp(out + b.n - 3, "/..") != 0);
	}
	tf_buf_release(&b);
	return ok;
}

bool
contract_files_load(void *ctx, struct tf_str uri, const struct tf_json **out)
{
	struct contract_files *fs = ctx;
	char path[PATH_MAX], folder[PATH_MAX];
	const struct contract_file *file;
	struct tf_fault f = {0};
	struct tf_str remote = TF_STR(REMOTE), local = TF_STR("file://");
	if (fs->refs && tf_str_starts(uri, remote)) {
		if (snprintf(folder, sizeof folder, "%s/", fs->refs) >= (int)sizeof folder ||
		    !path_of(folder, tf_str_n(uri.p + remote.n, uri.n - remote.n), path))
			return false;
	} else if (!tf_str_starts(uri, local) || !path_of("", tf_str_n(uri.p + local.n, uri.n - local.n), path)) {
		return false;
	}
	if (contract_file_read(fs, path, &file, &f)) {
		if (f.code != TF_NOT_FOUND)
			fprintf(stderr, "tenfold contract: %s\n", f.text);
		return false;
	}
	*out = file->tree;
	return true;
}
