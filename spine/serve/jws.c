/* JWS compact serialization: header.payload.signature, each base64url; see jwt.h. */
#include "serve/b64.h"
#include "serve/jws_impl.h"

#define HEAD_DEPTH 8

static enum tf_err
invalid(struct tf_fault *f, const char *why)
{
	return tf_fault(f, TF_INVALID, "not a token: %s", why);
}

static enum tf_err
decode(struct tf_str text, struct tf_arena *arena, struct tf_str *out, struct tf_fault *f)
{
	uint8_t *p = tf_arena_alloc(arena, TF_B64_BYTES(text.n) + 1);
	size_t n;
	if (!p)
		return tf_arena_fault(arena, f);
	if (!tf_b64_decode(text, p, &n))
		return invalid(f, "a part is not base64url without padding");
	*out = tf_str_n(p, n);
	return TF_OK;
}

/* A header parameter that is a string when it is there. */
static enum tf_err
optional(const struct tf_json *head, const char *name, struct tf_str *out, struct tf_fault *f)
{
	const struct tf_json *v = tf_json_get(head, name);
	*out = (struct tf_str){0};
	if (v && (!tf_json_str(v, out) || out->n > TF_JWK_KID_MAX))
		return tf_fault(f, TF_INVALID, "not a token: its header's '%s' is no string of at most %d bytes", name,
				TF_JWK_KID_MAX);
	if (v && !out->p)
		out->p = "";
	return TF_OK;
}

static enum tf_err
read_head(struct tf_str text, struct tf_arena *arena, struct tf_jws *out, struct tf_fault *f)
{
	const struct tf_json *head;
	struct tf_str bytes = {0};
	if (TF_B64_BYTES(text.n) > TF_JWT_HEAD_BYTES)
		return tf_fault(f, TF_TOO_LARGE, "not a token: its header has more than %d bytes", TF_JWT_HEAD_BYTES);
	TF_TRY(decode(text, arena, &bytes, f));
	if (tf_json_parse(bytes, arena, HEAD_DEPTH, &head, f))
		return tf_fault_wrap(f, TF_INVALID, "not a token: its header");
	if (!tf_json_is(head, TF_JSON_OBJECT))
		return invalid(f, "its header is no object");
	/* RFC 7515 section 4.1.11: what is critical must be understood, and no extension is understood here. */
	if (tf_json_get(head, "crit"))
		return invalid(f, "its header has 'crit', and no extension is known");
	TF_TRY(optional(head, "alg", &out->alg, f));
	TF_TRY(optional(head, "kid", &out->kid, f));
	TF_TRY(optional(head, "typ", &out->typ, f));
	return out->alg.p ? TF_OK : invalid(f, "its header has no 'alg'");
}

enum tf_err
tf_jws_read(struct tf_str token, struct tf_arena *arena, struct tf_jws *out, struct tf_fault *f)
{
	struct tf_jws jws = {0};
	struct tf_str rest = token, head, payload;
	if (token.n > TF_JWT_BYTES)
		return tf_fault(f, TF_TOO_LARGE, "a token of %zu bytes: at most %d", token.n, TF_JWT_BYTES);
	if (!tf_str_cut(&rest, '.', &head) || !tf_str_cut(&rest, '.', &payload) || memchr(token.p, '\0', token.n))
		return invalid(f, "it has not three parts");
	if (!rest.n || memchr(rest.p, '.', rest.n))
		return invalid(f, "it has not three parts");
	TF_TRY(read_head(head, arena, &jws, f));
	TF_TRY(decode(payload, arena, &jws.payload, f));
	TF_TRY(decode(rest, arena, &jws.signature, f));
	jws.signing = tf_str_n(token.p, head.n + 1 + payload.n);
	*out = jws;
	return TF_OK;
}

enum tf_err
tf_jws_verify(const struct tf_jws *jws, const struct tf_jwks *keys, unsigned algs, const struct tf_jwk **out_key,
	      struct tf_fault *f)
{
	unsigned alg = tf_jws_alg_of(jws->alg) & (algs ? algs : TF_JWS_ALL);
	if (!alg)
		return tf_fault(f, TF_DENIED, "the token's algorithm is not allowed");
	const struct tf_jwk *key = tf_jwks_find(keys, jws->kid, alg);
	if (!key)
		return tf_fault(f, TF_NOT_FOUND, "the issuer has no key for the token's kid and algorithm");
	if (!jws_check(key->key, alg, jws->signing, jws->signature))
		return tf_fault(f, TF_DENIED, "the token's signature is wrong");
	*out_key = key;
	return TF_OK;
}

static unsigned
own_alg(const struct tf_jwk *key)
{
	return key->algs & TF_JWS_RS256 ? TF_JWS_RS256 : key->algs;
}

enum tf_err
tf_jws_sign(const struct tf_jwk *key, unsigned alg, const char *typ, struct tf_str payload, struct tf_buf *out,
	    struct tf_fault *f)
{
	struct tf_buf head;
	uint8_t signature[JWS_SIGNATURE_MAX];
	size_t n, at = out->n;
	alg = alg ? alg : own_alg(key);
	TF_ASSERT(alg & key->algs);
	tf_buf_init(&head, 0);
	struct tf_json_out w = tf_json_out(&head);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "alg", tf_jws_alg_name(alg));
	tf_json_set_str(&w, "kid", tf_str_n(key->kid, key->kid_n));
	if (typ)
		tf_json_set_cstr(&w, "typ", typ);
	tf_json_end_object(&w);
	tf_b64_put(out, tf_buf_view(&head));
	tf_buf_u8(out, '.');
	tf_b64_put(out, payload);
	bool ok = !head.err && !out->err;
	tf_buf_release(&head);
	if (!ok || !jws_make(key->key, alg, tf_str_n(out->p + at, out->n - at), signature, &n))
		return tf_fault(f, TF_NO_MEMORY, "cannot sign a token");
	tf_buf_u8(out, '.');
	tf_b64_put(out, tf_str_n(signature, n));
	return out->err ? tf_fault(f, out->err, "cannot sign a token") : TF_OK;
}
