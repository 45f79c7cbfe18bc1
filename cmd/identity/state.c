/* The directory: opening, reading and replacing its files; see state.h. */
#include "state.h"

#include <stdio.h>

#include "base/mem.h"

#define ARENA_BYTES ((size_t)64 << 20)
#define DEPTH       16

enum tf_err
identity_path(const struct identity *id, const char *a, const char *b, const char *c,
	      char out[static IDENTITY_PATH_MAX], struct tf_fault *f)
{
	int n = b ? snprintf(out, IDENTITY_PATH_MAX, "%s/%s/%s%s", id->dir, a, b, c)
		  : snprintf(out, IDENTITY_PATH_MAX, "%s/%s", id->dir, a);
	return n < IDENTITY_PATH_MAX ? TF_OK : tf_fault(f, TF_TOO_LARGE, "the directory's name is too long");
}

enum tf_err
identity_read(struct identity *id, const char *path, struct tf_str *out, struct tf_fault *f)
{
	char *p;
	size_t n;
	TF_TRY(tf_os_read_file(id->os, path, IDENTITY_FILE_BYTES, &p, &n, f));
	*out = tf_arena_str(&id->arena, tf_str_n(p, n));
	tf_free(p);
	return out->p ? TF_OK : tf_arena_fault(&id->arena, f);
}

static enum tf_err
read_json(struct identity *id, const char *name, const struct tf_json **out, struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX];
	struct tf_str text;
	TF_TRY(identity_path(id, name, NULL, NULL, path, f));
	TF_TRY(identity_read(id, path, &text, f));
	enum tf_err e = tf_json_parse(text, &id->arena, DEPTH, out, f);
	return e ? tf_fault_wrap(f, e, "'%s'", path) : TF_OK;
}

static enum tf_err
read_settings(struct identity *id, struct tf_fault *f)
{
	const struct tf_json *v;
	struct tf_str profile;
	int64_t life, overlap;
	enum tf_err e = read_json(id, "identity.json", &v, f);
	if (e == TF_NOT_FOUND)
		return tf_fault(f, e, "'%s' is no issuer's directory: tenfold identity init makes one", id->dir);
	TF_TRY(e);
	TF_TRY(tf_json_need_str(v, "profile", &profile, f));
	TF_TRY(tf_json_need_str(v, "issuer", &id->issuer, f));
	TF_TRY(tf_json_need_str(v, "audience", &id->audience, f));
	TF_TRY(tf_json_need_i64(v, "token_seconds", &life, f));
	TF_TRY(tf_json_need_i64(v, "overlap_seconds", &overlap, f));
	if (life < 1 || life > 86400 || overlap < life || overlap > 30 * 86400)
		return tf_fault(f, TF_INVALID, "identity.json: token_seconds is 1 to 86400, overlap_seconds no less");
	id->production = !tf_str_eq(profile, TF_STR("staging"));
	id->token_life = life * TF_SEC;
	id->overlap = overlap * TF_SEC;
	return TF_OK;
}

enum tf_err
identity_open(struct tf_os *os, const char *dir, bool write, struct identity *out, struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX];
	*out = (struct identity){.os = os, .dir = dir};
	tf_arena_init(&out->arena, "identity", ARENA_BYTES);
	enum tf_err e = read_settings(out, f);
	if (!e && write) {
		e = identity_path(out, "lock", NULL, NULL, path, f);
		e = e ? e : tf_os_open(os, path, TF_OPEN_CREATE, &out->lock, f);
		e = e ? e : tf_file_lock(out->lock, true, f);
	}
	if (e)
		identity_close(out);
	return e;
}

void
identity_close(struct identity *id)
{
	tf_file_close(&id->lock);
	tf_arena_release(&id->arena);
}

enum tf_err
identity_check_profile(const struct identity *id, struct tf_fault *f)
{
	if (!id->production)
		return TF_OK;
	if (id->token_life > IDENTITY_LIFE_MAX)
		return tf_fault(f, TF_DENIED, "production: tokens live at most %d s",
				(int)(IDENTITY_LIFE_MAX / TF_SEC));
	if (!tf_str_starts(id->issuer, TF_STR("https://")))
		return tf_fault(f, TF_DENIED, "production: the issuer is an https URL");
	return TF_OK;
}

bool
identity_is(const struct tf_json *v, const char *name, struct tf_str text)
{
	struct tf_str s;
	return tf_json_str(tf_json_get(v, name), &s) && tf_str_eq(s, text);
}

struct tf_str
identity_text(const struct tf_json *v, const char *name)
{
	struct tf_str s = {0};
	return tf_json_str(tf_json_get(v, name), &s) ? s : TF_STR("");
}

enum tf_err
identity_list(struct identity *id, const char *name, const struct tf_json **out_first, struct tf_fault *f)
{
	const struct tf_json *v, *list;
	enum tf_err e = read_json(id, name, &v, f);
	*out_first = NULL;
	if (e == TF_NOT_FOUND)
		return TF_OK;
	TF_TRY(e);
	TF_TRY(tf_json_need(v, "list", TF_JSON_ARRAY, &list, f));
	*out_first = tf_json_first(list);
	return TF_OK;
}

void
identity_list_begin(struct tf_buf *b, struct tf_json_out *w)
{
	tf_buf_init(b, IDENTITY_FILE_BYTES);
	*w = tf_json_out(b);
	tf_json_begin_object(w);
	tf_json_key(w, "list");
	tf_json_begin_array(w);
}

enum tf_err
identity_list_write(struct identity *id, const char *name, struct tf_buf *b, struct tf_json_out *w, struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX];
	tf_json_end_array(w);
	tf_json_end_object(w);
	tf_json_finish(w);
	enum tf_err e = b->err ? tf_fault(f, b->err, "'%s' would have more than %u bytes", name, IDENTITY_FILE_BYTES)
			       : identity_path(id, name, NULL, NULL, path, f);
	e = e ? e : tf_os_write_file(id->os, path, tf_buf_view(b), f);
	tf_buf_release(b);
	return e;
}
