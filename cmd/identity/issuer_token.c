/* Tokens: issued, told about, taken back; see issuer.h. */
#include <openssl/evp.h>

#include "issuer.h"
#include "serve/b64.h"

#define REVOKED_FILE "revoked.json"
#define TREE_BYTES   (256 * 1024)

/* Every word asked for must be the client's; nothing asked for is everything it may have (RFC 6749 section 3.3). */
static bool
grant_scopes(struct tf_str asked, struct tf_str allowed, struct tf_str *out)
{
	struct tf_str rest = asked, word;
	*out = asked.n ? asked : allowed;
	while (tf_str_cut(&rest, ' ', &word))
		if (!word.n || !tf_scope_has(allowed, word))
			return !asked.n;
	return true;
}

static void
put_words(struct tf_json_out *w, const char *name, struct tf_str words)
{
	struct tf_str word;
	tf_json_key(w, name);
	tf_json_begin_array(w);
	while (tf_str_cut(&words, ' ', &word))
		if (word.n)
			tf_json_put_str(w, word);
	tf_json_end_array(w);
}

static void
put_claims(struct issuer *s, const struct identity_client *c, struct tf_str scopes, const struct tf_certificate *cert,
	   struct tf_buf *out)
{
	uint8_t random[16];
	char text[44];
	int64_t now = tf_os_now(s->os) / TF_SEC;
	struct tf_json_out w = tf_json_out(out);
	tf_os_random(s->os, random, sizeof random);
	tf_b64_text(random, sizeof random, text);
	tf_json_begin_object(&w);
	tf_json_set_str(&w, "iss", s->id.issuer);
	tf_json_set_str(&w, "aud", s->id.audience);
	tf_json_set_str(&w, "sub", c->id);
	tf_json_set_str(&w, "client_id", c->id);
	tf_json_set_cstr(&w, "jti", text);
	tf_json_set_i64(&w, "iat", now);
	tf_json_set_i64(&w, "exp", now + s->id.token_life / TF_SEC);
	tf_json_set_str(&w, "scope", scopes);
	if (c->roles.n)
		put_words(&w, "roles", c->roles);
	if (c->partner.n)
		tf_json_set_str(&w, "partner", c->partner);
	if (cert) {
		tf_b64_text(cert->sha256, sizeof cert->sha256, text);
		tf_json_key(&w, "cnf");
		tf_json_begin_object(&w);
		tf_json_set_cstr(&w, "x5t#S256", text);
		tf_json_end_object(&w);
	}
	tf_json_end_object(&w);
}

static void
answer_token(struct issuer *s, const struct identity_client *c, struct tf_str scopes, const struct tf_certificate *cert,
	     struct issuer_answer *a)
{
	struct tf_buf claims, token;
	tf_buf_init(&claims, 0);
	tf_buf_init(&token, TF_JWT_BYTES);
	put_claims(s, c, scopes, cert, &claims);
	enum tf_err e =
		claims.err ? claims.err : tf_jws_sign(s->keys.active, 0, "at+jwt", tf_buf_view(&claims), &token, NULL);
	if (e) {
		issuer_refuse(a, 503, "temporarily_unavailable", "the token cannot be signed now");
	} else {
		struct tf_json_out w = tf_json_out(&a->body);
		a->status = 200;
		tf_json_begin_object(&w);
		tf_json_set_str(&w, "access_token", tf_buf_view(&token));
		tf_json_set_cstr(&w, "token_type", "Bearer");
		tf_json_set_i64(&w, "expires_in", s->id.token_life / TF_SEC);
		tf_json_set_str(&w, "scope", scopes);
		tf_json_end_object(&w);
	}
	tf_buf_release(&claims);
	tf_buf_release(&token);
}

/* resource (RFC 8707) and audience name what the token is for: this issuer knows one. */
static bool
wrong_audience(const struct issuer *s, const struct issuer_form *form)
{
	struct tf_str resource = issuer_field(form, "resource"), audience = issuer_field(form, "audience");
	return (resource.p && !tf_str_eq(resource, s->id.audience)) ||
	       (audience.p && !tf_str_eq(audience, s->id.audience));
}

static void
token(struct issuer *s, const struct issuer_request *r, struct issuer_form *form, struct issuer_answer *a)
{
	struct identity_client c;
	struct tf_str scopes, grant = issuer_field(form, "grant_type");
	if (!issuer_client(s, r, form, &c, a))
		return;
	if (!grant.p)
		issuer_refuse(a, 400, "invalid_request", "grant_type is missing");
	else if (!tf_str_eq(grant, TF_STR("client_credentials")))
		issuer_refuse(a, 400, "unsupported_grant_type", "only client_credentials");
	else if (!grant_scopes(issuer_field(form, "scope"), c.scopes, &scopes))
		issuer_refuse(a, 400, "invalid_scope", "the client may not have a scope that it asks for");
	else if (wrong_audience(s, form))
		issuer_refuse(a, 400, "invalid_target", "tokens for that audience are not issued here");
	else if (s->id.production && !r->certificate)
		issuer_refuse(a, 400, "invalid_request", "production: a certificate to bind the token to is needed");
	else
		answer_token(s, &c, scopes, r->certificate, a);
}

static bool
digest_of(struct tf_str jti, uint8_t out[static 32])
{
	return EVP_Digest(jti.p, jti.n, out, NULL, EVP_sha256(), NULL) == 1;
}

/* A token of ours that lives. */
static bool
read_own(struct issuer *s, struct tf_str text, struct tf_arena *arena, struct tf_jwt *out)
{
	struct tf_jwt_rules rules = {.issuer = s->id.issuer,
				     .audience = s->id.audience,
				     .typ = "at+jwt",
				     .life_max = 2 * TF_DAY,
				     .access = true};
	uint8_t digest[32];
	tf_time now = tf_os_now(s->os);
	return text.n && !tf_jwt_verify(text, s->keys.published, &rules, now, arena, out, NULL) &&
	       digest_of(out->id, digest) && !issuer_has_seen(s->revoked, ISSUER_REVOKED_MAX, digest, now);
}

static bool
has_client(const struct issuer *s, struct tf_str name)
{
	for (const struct tf_json *v = s->clients; v; v = v->next)
		if (identity_is(v, "id", name))
			return true;
	return false;
}

static void
introspect(struct issuer *s, const struct issuer_request *r, struct issuer_form *form, struct issuer_answer *a)
{
	struct identity_client c;
	struct tf_arena arena;
	struct tf_jwt t;
	if (!issuer_client(s, r, form, &c, a))
		return;
	if (!tf_scope_has(c.scopes, TF_STR("introspect"))) {
		issuer_refuse(a, 403, "insufficient_scope", "the client has not the scope 'introspect'");
		return;
	}
	tf_arena_init(&arena, "token", TREE_BYTES);
	bool active = read_own(s, issuer_field(form, "token"), &arena, &t) && has_client(s, t.client);
	struct tf_json_out w = tf_json_out(&a->body);
	tf_json_begin_object(&w);
	tf_json_set_bool(&w, "active", active);
	for (const struct tf_json *m = active ? tf_json_first(t.claims) : NULL; m; m = m->next) {
		tf_json_key_n(&w, m->key);
		tf_json_put_node(&w, m);
	}
	if (active)
		tf_json_set_cstr(&w, "token_type", "Bearer");
	tf_json_end_object(&w);
	a->status = 200;
	tf_arena_release(&arena);
}

/* What is revoked survives a restart; what has expired is left out. */
static enum tf_err
write_revoked(struct issuer *s)
{
	struct tf_json_out w;
	struct tf_buf b;
	char text[44];
	tf_time now = tf_os_now(s->os);
	identity_list_begin(&b, &w);
	for (size_t i = 0; i < ISSUER_REVOKED_MAX; i++) {
		if (s->revoked[i].until <= now)
			continue;
		tf_b64_text(s->revoked[i].digest, 32, text);
		tf_json_begin_object(&w);
		tf_json_set_cstr(&w, "digest", text);
		tf_json_set_i64(&w, "until", s->revoked[i].until / TF_SEC + 1);
		tf_json_end_object(&w);
	}
	return identity_list_write(&s->id, REVOKED_FILE, &b, &w, NULL);
}

/* RFC 7009: 200 also for a token that is none, or another client's, which is left alone. */
static void
revoke(struct issuer *s, const struct issuer_request *r, struct issuer_form *form, struct issuer_answer *a)
{
	struct identity_client c;
	struct tf_arena arena;
	struct tf_jwt t;
	uint8_t digest[32];
	tf_time now = tf_os_now(s->os);
	if (!issuer_client(s, r, form, &c, a))
		return;
	tf_arena_init(&arena, "token", TREE_BYTES);
	a->status = 200;
	if (read_own(s, issuer_field(form, "token"), &arena, &t) && tf_str_eq(t.client, c.id) &&
	    digest_of(t.id, digest)) {
		if (!issuer_see(s->revoked, ISSUER_REVOKED_MAX, digest, now, t.expires) || write_revoked(s))
			issuer_refuse(a, 503, "temporarily_unavailable", "the token cannot be revoked now");
	}
	tf_arena_release(&arena);
}

typedef void endpoint(struct issuer *s, const struct issuer_request *r, struct issuer_form *form,
		      struct issuer_answer *a);

static void
with_form(struct issuer *s, const struct issuer_request *r, struct issuer_answer *a, endpoint *run)
{
	struct issuer_form form;
	struct tf_fault f = {0};
	if (issuer_form_read(r->form, &form, &f))
		issuer_refuse(a, 400, "invalid_request", f.text);
	else
		run(s, r, &form, a);
	issuer_form_release(&form);
}

void
issuer_token(struct issuer *s, const struct issuer_request *r, struct issuer_answer *a)
{
	with_form(s, r, a, token);
}

void
issuer_introspect(struct issuer *s, const struct issuer_request *r, struct issuer_answer *a)
{
	with_form(s, r, a, introspect);
}

void
issuer_revoke(struct issuer *s, const struct issuer_request *r, struct issuer_answer *a)
{
	with_form(s, r, a, revoke);
}
