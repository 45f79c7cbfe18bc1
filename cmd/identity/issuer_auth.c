/* Who asks: client authentication at the token, introspection and revocation endpoints; see issuer.h. */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "issuer.h"
#include "serve/b64.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* What a request brings to prove itself. */
struct proof {
	struct tf_str id;
	struct tf_str secret;    /* Basic; p NULL: none */
	struct tf_str assertion; /* p NULL: none */
};

static bool
same(struct tf_str a, struct tf_str b)
{
	return a.n == b.n && a.n && CRYPTO_memcmp(a.p, b.p, a.n) == 0;
}

/* RFC 6749 section 2.3.1: base64 of id ":" secret, each form-encoded. */
static bool
read_basic(struct tf_str header, struct tf_arena *arena, struct proof *out)
{
	struct tf_str scheme, id;
	if (!tf_str_cut(&header, ' ', &scheme) || !tf_str_eq_nocase(scheme, TF_STR("Basic")) || !header.n ||
	    header.n % 4 || header.n > 1024)
		return false;
	uint8_t *raw = tf_arena_alloc(arena, header.n);
	int n = raw ? EVP_DecodeBlock(raw, (const uint8_t *)header.p, (int)header.n) : -1;
	if (n < 0)
		return false;
	for (size_t i = header.n; i-- && header.p[i] == '=';)
		n--;
	struct tf_str both = tf_str_n(raw, n > 0 ? (size_t)n : 0);
	return tf_str_cut(&both, ':', &id) && !issuer_decode(id, arena, &out->id) &&
	       !issuer_decode(both, arena, &out->secret);
}

/* The client that an assertion says it is of; nothing of it is believed before its signature is checked. */
static bool
peek_subject(struct tf_str assertion, struct tf_arena *arena, struct tf_str *out)
{
	struct tf_jws jws;
	const struct tf_json *claims;
	return !tf_jws_read(assertion, arena, &jws, NULL) && !tf_json_parse(jws.payload, arena, 0, &claims, NULL) &&
	       tf_json_str(tf_json_get(claims, "sub"), out);
}

static bool
gather(const struct issuer_request *r, struct issuer_form *form, struct proof *p, struct issuer_answer *a)
{
	struct tf_str id = issuer_field(form, "client_id");
	p->assertion = issuer_field(form, "client_assertion");
	if (r->authorization.p && !read_basic(r->authorization, &form->arena, p)) {
		issuer_refuse(a, 401, "invalid_client", "the Authorization header is not Basic with client and secret");
		return false;
	}
	if (p->assertion.p && (p->secret.p || issuer_field(form, "client_secret").p)) {
		issuer_refuse(a, 400, "invalid_request", "more than one method to authenticate");
		return false;
	}
	if (p->assertion.p && (!tf_str_eq(issuer_field(form, "client_assertion_type"), TF_STR(ASSERTION_TYPE)) ||
			       !peek_subject(p->assertion, &form->arena, &p->id))) {
		issuer_refuse(a, 401, "invalid_client", "the client assertion is no JWT");
		return false;
	}
	if (p->id.p && id.p && !tf_str_eq(id, p->id)) {
		issuer_refuse(a, 400, "invalid_request", "client_id is of another client");
		return false;
	}
	p->id = p->id.p ? p->id : id;
	return true;
}

static bool
by_certificate(const struct identity_client *c, const struct issuer_request *r)
{
	char text[44];
	if (!r->certificate)
		return false;
	tf_b64_text(r->certificate->sha256, sizeof r->certificate->sha256, text);
	if (c->certificate.n && !same(c->certificate, tf_str(text)))
		return false;
	if (c->subject.n && !tf_str_eq(c->subject, tf_str(r->certificate->subject)))
		return false;
	return c->certificate.n || c->subject.n;
}

static bool
by_secret(const struct identity_client *c, const struct proof *p)
{
	uint8_t digest[32];
	char text[44];
	if (!p->secret.p || !EVP_Digest(p->secret.p, p->secret.n, digest, NULL, EVP_sha256(), NULL))
		return false;
	tf_b64_text(digest, sizeof digest, text);
	return same(c->secret, tf_str(text));
}

/* RFC 7523 section 3: iss and sub are the client, aud is us, and no assertion is taken twice. */
static bool
by_assertion(struct issuer *s, const struct identity_client *c, const struct proof *p, struct tf_arena *arena)
{
	struct tf_jwt_rules rules = {.issuer = c->id, .audience = s->id.issuer, .life_max = ISSUER_ASSERTION};
	struct tf_jwks *keys;
	struct tf_jwt t;
	struct tf_buf text;
	uint8_t digest[32];
	tf_time now = tf_os_now(s->os);
	if (!p->assertion.p || !c->jwks)
		return false;
	tf_buf_init(&text, TF_JWKS_BYTES);
	struct tf_json_out w = tf_json_out(&text);
	tf_json_put_node(&w, c->jwks);
	bool ok = !tf_jwks_parse(tf_buf_view(&text), &keys, NULL);
	tf_buf_reset(&text);
	if (ok) {
		ok = !tf_jwt_verify(p->assertion, keys, &rules, now, arena, &t, NULL);
		if (!ok) {
			rules.audience = tf_str(s->endpoint);
			ok = !tf_jwt_verify(p->assertion, keys, &rules, now, arena, &t, NULL);
		}
		ok = ok && t.id.p && tf_str_eq(t.subject, c->id);
		tf_jwks_free(&keys);
	}
	if (ok) {
		tf_buf_str(&text, c->id);
		tf_buf_u8(&text, 0);
		tf_buf_str(&text, t.id);
		ok = !text.err && EVP_Digest(text.p, text.n, digest, NULL, EVP_sha256(), NULL) &&
		     issuer_see(s->seen, ISSUER_SEEN_MAX, digest, now, t.expires);
	}
	tf_buf_release(&text);
	return ok;
}

static bool
proves(struct issuer *s, const struct identity_client *c, const struct issuer_request *r, const struct proof *p,
       struct tf_arena *arena)
{
	if (tf_str_eq(c->method, TF_STR("tls_client_auth")))
		return !p->secret.p && !p->assertion.p && by_certificate(c, r);
	if (tf_str_eq(c->method, TF_STR("private_key_jwt")))
		return by_assertion(s, c, p, arena);
	if (tf_str_eq(c->method, TF_STR("client_secret_basic")))
		return !s->id.production && !p->assertion.p && by_secret(c, p);
	return false;
}

bool
issuer_client(struct issuer *s, const struct issuer_request *r, struct issuer_form *form, struct identity_client *out,
	      struct issuer_answer *a)
{
	struct proof p = {0};
	if (!gather(r, form, &p, a))
		return false;
	for (const struct tf_json *v = s->clients; v && p.id.n; v = v->next) {
		struct identity_client c = identity_client_of(v);
		if (!tf_str_eq(c.id, p.id))
			continue;
		if (!proves(s, &c, r, &p, &form->arena))
			break;
		*out = c;
		return true;
	}
	/* One answer for an unknown client and for a wrong proof: which clients there are is not told. */
	issuer_refuse(a, 401, "invalid_client", "the client is unknown or has not proved itself");
	return false;
}
