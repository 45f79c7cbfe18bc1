/* The issuer's life, its keys and its metadata; see issuer.h. */
#include "issuer.h"

#include <stdio.h>

#include "base/mem.h"
#include "serve/b64.h"

/* What is looked at before each answer. */
static const char *const watched[] = {"identity.json", "clients.json", "keys.json"};

static enum tf_err
stat_all(const struct identity *id, struct tf_stat out[static 3], struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX];
	for (int i = 0; i < 3; i++) {
		TF_TRY(identity_path(id, watched[i], NULL, NULL, path, f));
		out[i] = (struct tf_stat){0};
		enum tf_err e = tf_os_stat(id->os, path, &out[i], f);
		if (e && e != TF_NOT_FOUND)
			return e;
	}
	return TF_OK;
}

static bool
same_stat(const struct tf_stat *a, const struct tf_stat *b)
{
	for (int i = 0; i < 3; i++)
		if (a[i].modified != b[i].modified || a[i].size != b[i].size)
			return false;
	return true;
}

static enum tf_err
set_endpoint(struct issuer *s, const struct identity *id)
{
	char *text = tf_malloc(id->issuer.n + sizeof "/token");
	if (!text)
		return TF_NO_MEMORY;
	memcpy(text, id->issuer.p, id->issuer.n);
	memcpy(text + id->issuer.n, "/token", sizeof "/token");
	tf_free(s->endpoint);
	s->endpoint = text;
	return TF_OK;
}

enum tf_err
issuer_refresh(struct issuer *s, struct tf_fault *f)
{
	struct identity id = {.os = s->os, .dir = s->dir};
	struct identity_keys keys = {0};
	struct tf_stat now[3];
	const struct tf_json *clients;
	TF_TRY(stat_all(&id, now, f));
	if (s->loaded && same_stat(now, s->stat))
		return TF_OK;
	TF_TRY(identity_open(s->os, s->dir, false, &id, f));
	enum tf_err e = identity_check_profile(&id, f);
	e = e ? e : identity_list(&id, "clients.json", &clients, f);
	e = e ? e : identity_keys_load(&id, &keys, f);
	e = e ? e : set_endpoint(s, &id);
	if (e) {
		identity_keys_release(&keys);
		identity_close(&id);
		return e;
	}
	if (s->loaded) {
		identity_keys_release(&s->keys);
		identity_close(&s->id);
	}
	s->id = id;
	s->keys = keys;
	s->clients = clients;
	s->loaded = true;
	memcpy(s->stat, now, sizeof now);
	return TF_OK;
}

static enum tf_err
read_revoked(struct issuer *s, struct tf_fault *f)
{
	const struct tf_json *first;
	TF_TRY(identity_list(&s->id, "revoked.json", &first, f));
	for (const struct tf_json *v = first; v; v = v->next) {
		uint8_t digest[32];
		int64_t until;
		if (!tf_b64_exact(identity_text(v, "digest"), digest, 32) ||
		    !tf_json_i64(tf_json_get(v, "until"), &until) || until > TF_TIME_LAST / TF_SEC)
			return tf_fault(f, TF_CORRUPT, "revoked.json: an entry is no revoked token");
		issuer_see(s->revoked, ISSUER_REVOKED_MAX, digest, tf_os_now(s->os), until * TF_SEC);
	}
	return TF_OK;
}

enum tf_err
issuer_open(struct tf_os *os, const char *dir, struct issuer *out, struct tf_fault *f)
{
	*out = (struct issuer){.os = os, .dir = dir};
	out->seen = tf_calloc(ISSUER_SEEN_MAX, sizeof *out->seen);
	out->revoked = tf_calloc(ISSUER_REVOKED_MAX, sizeof *out->revoked);
	enum tf_err e = out->seen && out->revoked ? issuer_refresh(out, f)
						  : tf_fault(f, TF_NO_MEMORY, "cannot serve: out of memory");
	e = e ? e : read_revoked(out, f);
	if (e)
		issuer_close(out);
	return e;
}

void
issuer_close(struct issuer *s)
{
	if (s->loaded) {
		identity_keys_release(&s->keys);
		identity_close(&s->id);
	}
	tf_free(s->seen);
	tf_free(s->revoked);
	tf_free(s->endpoint);
	*s = (struct issuer){0};
}

void
issuer_jwks(struct issuer *s, struct issuer_answer *a)
{
	struct tf_json_out w = tf_json_out(&a->body);
	tf_jwks_put(&w, s->keys.published);
	a->status = 200;
}

static void
set_url(struct tf_json_out *w, const struct issuer *s, const char *name, const char *path)
{
	struct tf_buf url;
	tf_buf_init(&url, 0);
	tf_buf_str(&url, s->id.issuer);
	tf_buf_cstr(&url, path);
	tf_json_set_str(w, name, tf_buf_view(&url));
	tf_buf_release(&url);
}

static void
set_list(struct tf_json_out *w, const char *name, const char *const *words)
{
	tf_json_key(w, name);
	tf_json_begin_array(w);
	for (; *words; words++)
		tf_json_put_str(w, tf_str(*words));
	tf_json_end_array(w);
}

/* RFC 8414, with RFC 8705 section 3.3. */
void
issuer_metadata(struct issuer *s, struct issuer_answer *a)
{
	static const char *const none[] = {NULL}, *const grants[] = {"client_credentials", NULL};
	static const char *const staging[] = {"tls_client_auth", "private_key_jwt", "client_secret_basic", NULL};
	static const char *const production[] = {"tls_client_auth", "private_key_jwt", NULL};
	static const char *const algs[] = {"ES256", "RS256", "PS256", "EdDSA", NULL};
	const char *const *methods = s->id.production ? production : staging;
	struct tf_json_out w = tf_json_out(&a->body);
	tf_json_begin_object(&w);
	tf_json_set_str(&w, "issuer", s->id.issuer);
	set_url(&w, s, "token_endpoint", "/token");
	set_url(&w, s, "jwks_uri", "/jwks");
	set_url(&w, s, "introspection_endpoint", "/introspect");
	set_url(&w, s, "revocation_endpoint", "/revoke");
	set_list(&w, "response_types_supported", none);
	set_list(&w, "grant_types_supported", grants);
	set_list(&w, "token_endpoint_auth_methods_supported", methods);
	set_list(&w, "token_endpoint_auth_signing_alg_values_supported", algs);
	set_list(&w, "introspection_endpoint_auth_methods_supported", methods);
	set_list(&w, "revocation_endpoint_auth_methods_supported", methods);
	tf_json_set_bool(&w, "tls_client_certificate_bound_access_tokens", true);
	tf_json_set_cstr(&w, "tenfold_profile", s->id.production ? "production" : "staging");
	tf_json_end_object(&w);
	a->status = 200;
}
