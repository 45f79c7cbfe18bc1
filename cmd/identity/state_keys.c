/* Signing keys: keys.json, {"kid","alg","created","retired"}, times in seconds, retired 0 for the one that signs. */
#include <stdio.h>

#include "base/mem.h"
#include "state.h"

#define FILE_NAME "keys.json"

static int64_t
number(const struct tf_json *v, const char *name)
{
	int64_t n = 0;
	return tf_json_i64(tf_json_get(v, name), &n) ? n : 0;
}

/* A retired key is published while a token that it signed may live. */
static bool
is_over(const struct identity *id, const struct tf_json *v, tf_time now)
{
	int64_t retired = number(v, "retired");
	return retired && retired * TF_SEC + id->overlap <= now;
}

static void
put_key(struct tf_json_out *w, struct tf_str kid, struct tf_str alg, int64_t created, int64_t retired)
{
	tf_json_begin_object(w);
	tf_json_set_str(w, "kid", kid);
	tf_json_set_str(w, "alg", alg);
	tf_json_set_i64(w, "created", created);
	tf_json_set_i64(w, "retired", retired);
	tf_json_end_object(w);
}

static enum tf_err
write_private(struct identity *id, const struct tf_jwk *key, struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX];
	struct tf_buf pem;
	tf_buf_init(&pem, 0);
	enum tf_err e = tf_jwk_to_pem(key, &pem, f);
	e = e ? e : identity_path(id, "keys", key->kid, ".pem", path, f);
	e = e ? e : tf_os_write_file(id->os, path, tf_buf_view(&pem), f);
	if (pem.p)
		explicit_bzero(pem.p, pem.n);
	tf_buf_release(&pem);
	return e;
}

/* After the list no longer names them. One that stays behind signs nothing. */
static void
remove_private(struct identity *id, const struct tf_json *first, tf_time now)
{
	char path[IDENTITY_PATH_MAX], kid[64];
	for (const struct tf_json *v = first; v; v = v->next) {
		struct tf_str s = identity_text(v, "kid");
		if (!is_over(id, v, now) || s.n >= sizeof kid)
			continue;
		snprintf(kid, sizeof kid, "%.*s", (int)s.n, s.p);
		if (!identity_path(id, "keys", kid, ".pem", path, NULL) && tf_os_unlink(id->os, path, NULL))
			continue;
	}
}

enum tf_err
identity_keys_rotate(struct identity *id, unsigned alg, struct tf_str *out_kid, struct tf_fault *f)
{
	const struct tf_json *first;
	struct tf_json_out w;
	struct tf_buf b;
	struct tf_jwk key;
	tf_time now = tf_os_now(id->os);
	TF_TRY(identity_list(id, FILE_NAME, &first, f));
	TF_TRY(tf_jwk_generate(alg, &key, f));
	*out_kid = tf_arena_str(&id->arena, tf_str(key.kid));
	enum tf_err e = out_kid->p ? write_private(id, &key, f) : tf_arena_fault(&id->arena, f);
	tf_jwk_release(&key);
	TF_TRY(e);
	identity_list_begin(&b, &w);
	for (const struct tf_json *v = first; v; v = v->next) {
		int64_t retired = number(v, "retired");
		if (!is_over(id, v, now))
			put_key(&w, identity_text(v, "kid"), identity_text(v, "alg"), number(v, "created"),
				retired ? retired : now / TF_SEC);
	}
	put_key(&w, *out_kid, tf_str(tf_jws_alg_name(alg)), now / TF_SEC, 0);
	TF_TRY(identity_list_write(id, FILE_NAME, &b, &w, f));
	remove_private(id, first, now);
	return TF_OK;
}

static enum tf_err
load_one(struct identity *id, const struct tf_json *v, struct tf_jwk *out, struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX], kid[64];
	struct tf_str text, s = identity_text(v, "kid");
	unsigned alg = tf_jws_alg_of(identity_text(v, "alg"));
	if (s.n >= sizeof kid || memchr(s.p, '/', s.n) || !alg)
		return tf_fault(f, TF_CORRUPT, "keys.json names no key of ours");
	snprintf(kid, sizeof kid, "%.*s", (int)s.n, s.p);
	TF_TRY(identity_path(id, "keys", kid, ".pem", path, f));
	TF_TRY(identity_read(id, path, &text, f));
	enum tf_err e = tf_jwk_from_pem(text, true, out, f);
	if (e)
		return tf_fault_wrap(f, e, "'%s'", path);
	if (!(out->algs & alg) || strcmp(out->kid, kid) != 0) {
		tf_jwk_release(out);
		return tf_fault(f, TF_CORRUPT, "'%s' is not the key of its name", path);
	}
	out->algs = alg;
	return TF_OK;
}

enum tf_err
identity_keys_load(struct identity *id, struct identity_keys *out, struct tf_fault *f)
{
	const struct tf_json *first;
	struct identity_keys k = {0};
	tf_time now = tf_os_now(id->os);
	TF_TRY(identity_list(id, FILE_NAME, &first, f));
	TF_TRY(tf_jwks_new(&k.published, f));
	enum tf_err e = TF_OK;
	for (const struct tf_json *v = first; v && !e; v = v->next) {
		struct tf_jwk key;
		if (is_over(id, v, now))
			continue;
		e = load_one(id, v, &key, f);
		e = e ? e : tf_jwks_take(k.published, &key, f);
		if (!e && !number(v, "retired"))
			k.active = &k.published->keys[k.published->count - 1];
	}
	if (!e && !k.active)
		e = tf_fault(f, TF_NOT_FOUND, "there is no signing key: tenfold identity keys rotate makes one");
	if (e)
		identity_keys_release(&k);
	else
		*out = k;
	return e;
}

void
identity_keys_release(struct identity_keys *k)
{
	tf_jwks_free(&k->published);
	k->active = NULL;
}
