/* Objects by key: URLs, keys, and dispatch to the store behind them. The directory is in blob_dir.c. */
#include "store/blob.h"

#include <ctype.h>
#include <xxhash.h>

#include "store/blob_impl.h"

#define SEGMENT_MAX  200
#define SEGMENTS_MAX 16

struct tf_etag
tf_etag_of_digest(const uint8_t digest[static 16])
{
	struct tf_etag e;
	tf_hex(digest, 16, e.hex);
	return e;
}

struct tf_etag
tf_etag_of(struct tf_str bytes)
{
	XXH128_canonical_t c;
	XXH128_canonicalFromHash(&c, XXH3_128bits(bytes.p ? bytes.p : "", bytes.n));
	return tf_etag_of_digest(c.digest);
}

/* "s3" of "s3://bucket"; empty for a path. */
static struct tf_str
scheme_of(struct tf_str url)
{
	size_t n = 0;
	while (n < url.n && (isalnum((unsigned char)url.p[n]) || url.p[n] == '+'))
		n++;
	return tf_str_n(url.p, n < url.n && n > 0 && url.p[n] == ':' ? n : 0);
}

enum tf_err
tf_blob_open(struct tf_os *os, struct tf_str url, struct tf_blob **out, struct tf_fault *f)
{
	struct tf_str scheme = scheme_of(url), dir = url;
	if (scheme.n && !tf_str_eq(scheme, TF_STR("file")))
		return tf_fault(f, TF_UNSUPPORTED, "cannot open store '%.*s': no store of kind '%.*s'", TF_FMT(url),
				TF_FMT(scheme));
	if (scheme.n)
		dir = tf_str_n(url.p + 5, url.n - 5);
	if (tf_str_starts(dir, TF_STR("///")))
		dir = tf_str_n(dir.p + 2, dir.n - 2);
	while (dir.n > 1 && dir.p[dir.n - 1] == '/')
		dir.n--;
	if (!dir.n)
		return tf_fault(f, TF_INVALID, "cannot open store '%.*s': no directory named", TF_FMT(url));
	if (dir.n + TF_BLOB_KEY_MAX + 16 > TF_BLOB_PATH_MAX || memchr(dir.p, 0, dir.n))
		return tf_fault(f, TF_INVALID, "cannot open store '%.*s': path too long", TF_FMT(url));
	return tf_blob_dir_open(os, dir, out, f);
}

void
tf_blob_close(struct tf_blob **b)
{
	if (*b)
		(*b)->ops->close(*b);
	*b = NULL;
}

static const char *
flaw_in_segment(struct tf_str s)
{
	if (!s.n)
		return "an empty segment";
	if (s.n > SEGMENT_MAX)
		return "a segment over 200 bytes";
	if (s.p[0] == '.')
		return "a segment starts with '.'";
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f || s.p[i] == '\\')
			return "a control byte or '\\'";
	return NULL;
}

static enum tf_err
check_key(struct tf_str key, struct tf_fault *f)
{
	const char *flaw = key.n > TF_BLOB_KEY_MAX ? "over 512 bytes" : NULL;
	struct tf_str rest = key, segment;
	size_t count = 0;
	if (!key.n || key.p[key.n - 1] == '/')
		flaw = "an empty segment";
	while (!flaw && tf_str_cut(&rest, '/', &segment)) {
		flaw = flaw_in_segment(segment);
		if (++count > SEGMENTS_MAX)
			flaw = "over 16 segments";
	}
	return flaw ? tf_fault(f, TF_INVALID, "cannot use key '%.*s': %s", TF_FMT(key), flaw) : TF_OK;
}

static enum tf_err
told(enum tf_err e, struct tf_fault *f, const char *verb, struct tf_str key)
{
	return e ? tf_fault_wrap(f, e, "cannot %s '%.*s'", verb, TF_FMT(key)) : TF_OK;
}

enum tf_err
tf_blob_put(struct tf_blob *b, struct tf_str key, struct tf_str bytes, struct tf_fault *f)
{
	TF_TRY(check_key(key, f));
	return told(b->ops->put(b, key, bytes, TF_BLOB_ALWAYS, NULL, f), f, "put", key);
}

enum tf_err
tf_blob_put_if_absent(struct tf_blob *b, struct tf_str key, struct tf_str bytes, struct tf_fault *f)
{
	TF_TRY(check_key(key, f));
	return told(b->ops->put(b, key, bytes, TF_BLOB_ABSENT, NULL, f), f, "put", key);
}

enum tf_err
tf_blob_put_if_match(struct tf_blob *b, struct tf_str key, struct tf_str bytes, const struct tf_etag *match,
		     struct tf_fault *f)
{
	TF_TRY(check_key(key, f));
	return told(b->ops->put(b, key, bytes, TF_BLOB_MATCH, match, f), f, "put", key);
}

enum tf_err
tf_blob_temp(struct tf_blob *b, char out_path[static TF_BLOB_PATH_MAX], struct tf_fault *f)
{
	return b->ops->temp(b, out_path, f);
}

enum tf_err
tf_blob_take_file(struct tf_blob *b, const char *temp_path, struct tf_str key, struct tf_fault *f)
{
	TF_TRY(check_key(key, f));
	return told(b->ops->take_file(b, temp_path, key, f), f, "publish", key);
}

enum tf_err
tf_blob_get(struct tf_blob *b, struct tf_str key, struct tf_buf *out, struct tf_etag *out_etag, struct tf_fault *f)
{
	size_t from = out->n;
	TF_TRY(check_key(key, f));
	TF_TRY(told(b->ops->get(b, key, 0, UINT64_MAX, out, f), f, "get", key));
	if (out_etag)
		*out_etag = tf_etag_of(tf_str_n(out->p + from, out->n - from));
	return TF_OK;
}

enum tf_err
tf_blob_get_range(struct tf_blob *b, struct tf_str key, uint64_t offset, size_t n, struct tf_buf *out,
		  struct tf_fault *f)
{
	TF_TRY(check_key(key, f));
	return told(b->ops->get(b, key, offset, n, out, f), f, "get", key);
}

enum tf_err
tf_blob_stat(struct tf_blob *b, struct tf_str key, struct tf_blob_info *out, struct tf_fault *f)
{
	TF_TRY(check_key(key, f));
	return told(b->ops->stat(b, key, out, f), f, "stat", key);
}

enum tf_err
tf_blob_etag(struct tf_blob *b, struct tf_str key, struct tf_etag *out, struct tf_fault *f)
{
	TF_TRY(check_key(key, f));
	return told(b->ops->etag(b, key, out, f), f, "read", key);
}

enum tf_err
tf_blob_path(struct tf_blob *b, struct tf_str key, char out_path[static TF_BLOB_PATH_MAX], struct tf_fault *f)
{
	TF_TRY(check_key(key, f));
	return told(b->ops->path(b, key, out_path, f), f, "find", key);
}

enum tf_err
tf_blob_delete(struct tf_blob *b, struct tf_str key, struct tf_fault *f)
{
	TF_TRY(check_key(key, f));
	return told(b->ops->remove(b, key, f), f, "delete", key);
}

enum tf_err
tf_blob_list(struct tf_blob *b, struct tf_str prefix, tf_blob_entry *each, void *ctx, struct tf_fault *f)
{
	if (prefix.n > TF_BLOB_KEY_MAX)
		return tf_fault(f, TF_INVALID, "cannot list '%.*s': over 512 bytes", TF_FMT(prefix));
	return b->ops->list(b, prefix, each, ctx, f);
}
