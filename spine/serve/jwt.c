/* What a token claims, against what it must; see jwt.h. */
#include "serve/jwt.h"

#include "serve/b64.h"

#define CLAIMS_DEPTH 16
#define LIFE_DEFAULT TF_DAY

static enum tf_err
denied(struct tf_fault *f, const char *why)
{
	return tf_fault(f, TF_DENIED, "the token %s", why);
}

/* A claim that is a string when it is there; an empty one is none that anybody can have meant. */
static enum tf_err
text_claim(const struct tf_json *claims, const char *name, struct tf_str *out, struct tf_fault *f)
{
	const struct tf_json *v = tf_json_get(claims, name);
	struct tf_str s = {0};
	if (v && (!tf_json_str(v, &s) || !s.n || memchr(s.p, '\0', s.n)))
		return tf_fault(f, TF_DENIED, "the token's '%s' is no text", name);
	*out = s;
	return TF_OK;
}

/* A NumericDate: seconds since 1970, with or without a fraction (RFC 7519 section 2). */
static enum tf_err
time_claim(const struct tf_json *claims, const char *name, bool must, tf_time *out, struct tf_fault *f)
{
	const struct tf_json *v = tf_json_get(claims, name);
	int64_t t;
	if (!v)
		return must ? tf_fault(f, TF_DENIED, "the token has no '%s'", name) : TF_OK;
	if (!tf_json_decimal(v, 6, &t) || t < 0 || t > TF_TIME_LAST)
		return tf_fault(f, TF_DENIED, "the token's '%s' is no time", name);
	*out = t;
	return TF_OK;
}

static enum tf_err
check_times(const struct tf_json *claims, const struct tf_jwt_rules *r, tf_time now, struct tf_jwt *t,
	    struct tf_fault *f)
{
	tf_time not_before = 0;
	TF_ASSERT(r->skew >= 0 && r->skew <= TF_JWT_SKEW_MAX);
	TF_TRY(time_claim(claims, "exp", true, &t->expires, f));
	TF_TRY(time_claim(claims, "nbf", false, &not_before, f));
	TF_TRY(time_claim(claims, "iat", r->access, &t->issued, f));
	if (t->expires + r->skew <= now)
		return denied(f, "has expired");
	if (t->expires > now + (r->life_max ? r->life_max : LIFE_DEFAULT) + r->skew)
		return denied(f, "lives longer than is allowed");
	if (not_before > now + r->skew)
		return denied(f, "is not valid yet");
	if (t->issued > now + r->skew)
		return denied(f, "was issued in the future");
	return TF_OK;
}

/* One string or several (RFC 7519 section 4.1.3); the whole list must make sense. */
static enum tf_err
check_audience(const struct tf_json *claims, struct tf_str wanted, struct tf_fault *f)
{
	const struct tf_json *aud = tf_json_get(claims, "aud");
	struct tf_str s;
	bool found = false;
	if (!aud)
		return denied(f, "has no 'aud'");
	if (tf_json_str(aud, &s))
		return tf_str_eq(s, wanted) ? TF_OK : denied(f, "is for another audience");
	if (!tf_json_is(aud, TF_JSON_ARRAY) || aud->count > TF_JWT_LIST_MAX)
		return denied(f, "has an 'aud' that is neither text nor a short list");
	for (const struct tf_json *v = tf_json_first(aud); v; v = v->next) {
		if (!tf_json_str(v, &s))
			return denied(f, "has an 'aud' with something other than text");
		found = found || tf_str_eq(s, wanted);
	}
	return found ? TF_OK : denied(f, "is for another audience");
}

/* RFC 8705 section 3.1. A token bound by something else (RFC 9449's jkt) is bound all the same, and cannot be checked
 * here: it is not taken for one that is free. */
static enum tf_err
read_binding(const struct tf_json *claims, struct tf_jwt *t, struct tf_fault *f)
{
	const struct tf_json *cnf = tf_json_get(claims, "cnf");
	uint8_t digest[32];
	if (!cnf)
		return TF_OK;
	if (!tf_json_str(tf_json_get(cnf, "x5t#S256"), &t->thumbprint) || cnf->count != 1)
		return denied(f, "is bound to something other than a certificate");
	if (!tf_b64_exact(t->thumbprint, digest, sizeof digest))
		return denied(f, "has a 'x5t#S256' that is no SHA-256");
	return TF_OK;
}

static enum tf_err
check_access(const struct tf_jwt *t, const struct tf_json *claims, struct tf_fault *f)
{
	const struct tf_json *roles = tf_json_get(claims, "roles");
	struct tf_str s;
	if (!t->subject.p)
		return denied(f, "has no 'sub'");
	if (!t->client.p)
		return denied(f, "has no 'client_id'");
	if (!t->id.p)
		return denied(f, "has no 'jti'");
	if (roles && (!tf_json_is(roles, TF_JSON_ARRAY) || roles->count > TF_JWT_LIST_MAX))
		return denied(f, "has 'roles' that are no short list");
	for (const struct tf_json *v = tf_json_first(roles); v; v = v->next)
		if (!tf_json_str(v, &s) || !s.n || memchr(s.p, ' ', s.n) || memchr(s.p, '\0', s.n))
			return denied(f, "has a role that is no word");
	return TF_OK;
}

enum tf_err
tf_jwt_claims(const struct tf_json *claims, const struct tf_jwt_rules *rules, tf_time now, struct tf_jwt *out,
	      struct tf_fault *f)
{
	struct tf_jwt t = {.claims = claims};
	if (!tf_json_is(claims, TF_JSON_OBJECT))
		return denied(f, "has no object of claims");
	TF_TRY(text_claim(claims, "iss", &t.issuer, f));
	TF_TRY(text_claim(claims, "sub", &t.subject, f));
	TF_TRY(text_claim(claims, "client_id", &t.client, f));
	TF_TRY(text_claim(claims, "jti", &t.id, f));
	/* "scope":"" is what an issuer may say of a token that has none. */
	const struct tf_json *scope = tf_json_get(claims, "scope");
	if (scope && !tf_json_str(scope, &t.scope))
		return denied(f, "has a 'scope' that is no text");
	if (t.issuer.p ? !tf_str_eq(t.issuer, rules->issuer) : !rules->asked)
		return denied(f, "is of another issuer");
	TF_TRY(check_audience(claims, rules->audience, f));
	TF_TRY(check_times(claims, rules, now, &t, f));
	TF_TRY(read_binding(claims, &t, f));
	if (rules->access)
		TF_TRY(check_access(&t, claims, f));
	*out = t;
	return TF_OK;
}

/* Media types: case folded, "application/" may be left out (RFC 7515 section 4.1.9). */
static bool
typ_is(struct tf_str typ, const char *wanted)
{
	struct tf_str prefix = TF_STR("application/");
	if (typ.n > prefix.n && tf_str_eq_nocase(tf_str_n(typ.p, prefix.n), prefix))
		typ = tf_str_n(typ.p + prefix.n, typ.n - prefix.n);
	return tf_str_eq_nocase(typ, tf_str(wanted));
}

enum tf_err
tf_jwt_verify(struct tf_str token, const struct tf_jwks *keys, const struct tf_jwt_rules *rules, tf_time now,
	      struct tf_arena *arena, struct tf_jwt *out, struct tf_fault *f)
{
	struct tf_jws jws;
	struct tf_jwt jwt;
	const struct tf_jwk *key;
	const struct tf_json *claims;
	TF_TRY(tf_jws_read(token, arena, &jws, f));
	if (rules->typ && !typ_is(jws.typ, rules->typ))
		return tf_fault(f, TF_DENIED, "the token's typ is not %s", rules->typ);
	TF_TRY(tf_jws_verify(&jws, keys, rules->algs, &key, f));
	enum tf_err e = tf_json_parse(jws.payload, arena, CLAIMS_DEPTH, &claims, f);
	if (e)
		return tf_fault_wrap(f, e == TF_NO_MEMORY ? e : TF_DENIED, "the token's claims");
	TF_TRY(tf_jwt_claims(claims, rules, now, &jwt, f));
	jwt.key = key;
	*out = jwt;
	return TF_OK;
}

bool
tf_scope_has(struct tf_str list, struct tf_str word)
{
	struct tf_str one;
	while (tf_str_cut(&list, ' ', &one))
		if (one.n && tf_str_eq(one, word))
			return true;
	return false;
}
