/* IANA calendars by name from the host's zoneinfo directory, for every implementation of the os: a simulated story uses
 * the same calendars as the process it runs in. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/os.h"

#define ZONE_FILE_MAX (1u << 20) /* the largest in tzdata is under 8 KiB */
#define ZONE_NAME_MAX 64

static const char *
zone_dir(void)
{
	const char *dir = getenv("TZDIR");
	return dir && *dir ? dir : "/usr/share/zoneinfo";
}

static bool
zone_name_ok(struct tf_str name)
{
	if (!name.n || name.n > ZONE_NAME_MAX || name.p[0] == '/' || name.p[name.n - 1] == '/')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];
		bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (!plain && !(c && strchr("_+-/.", c)))
			return false;
		if (c == '.' && i && name.p[i - 1] == '.')
			return false;
	}
	return true;
}

enum tf_err
tf_os_zone(struct tf_os *os, struct tf_str name, struct tf_zone **out, struct tf_fault *f)
{
	char path[4096];
	struct tf_stat st;
	if (!zone_name_ok(name))
		return tf_fault(f, TF_INVALID, "bad time zone name '%.*s'", TF_FMT(name));
	if ((size_t)snprintf(path, sizeof(path), "%s/%.*s", zone_dir(), TF_FMT(name)) >= sizeof(path))
		return tf_fault(f, TF_INVALID, "cannot read time zone '%.*s': TZDIR is too long", TF_FMT(name));
	enum tf_err e = tf_os_stat(tf_os_real(), path, &st, f);
	if (e == TF_NOT_FOUND && tf_str_eq(name, TF_STR("UTC")))
		return tf_zone_fixed(name, 0, out, f); /* no tzdata installed */
	if (e == TF_NOT_FOUND || (e == TF_OK && st.is_dir))
		return tf_fault(f, TF_NOT_FOUND, "no time zone '%.*s' in %s", TF_FMT(name), zone_dir());
	TF_TRY(e);
	char *p;
	size_t n;
	TF_TRY(tf_os_read_file(tf_os_real(), path, ZONE_FILE_MAX, &p, &n, f));
	e = tf_zone_parse(name, tf_str_n(p, n), out, f);
	tf_free(p);
	return e;
}

/* The word after prefix at the start of a file of the zoneinfo directory; false where there is none. */
static bool
first_word(const char *file_name, struct tf_str prefix, char out[static 32])
{
	char path[4096], head[64];
	struct tf_file *file;
	size_t n;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", zone_dir(), file_name) >= sizeof(path))
		return false;
	if (tf_os_open(tf_os_real(), path, TF_OPEN_READ, &file, NULL) != TF_OK)
		return false;
	enum tf_err e = tf_file_read(file, head, sizeof(head), 0, &n, NULL);
	tf_file_close(&file);
	struct tf_str text = tf_str_n(head, n);
	if (e != TF_OK || !tf_str_starts(text, prefix))
		return false;
	size_t len = 0;
	for (size_t i = prefix.n; i < n && len < 31 && (unsigned char)head[i] > ' '; i++)
		out[len++] = head[i];
	out[len] = 0;
	return len > 0;
}

char *
tf_os_zone_version(struct tf_os *os, char out[static 32])
{
	if (!first_word("tzdata.zi", TF_STR("# version "), out) && !first_word("+VERSION", TF_STR(""), out))
		snprintf(out, 32, "unknown");
	return out;
}
