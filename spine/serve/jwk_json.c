/* Keys as JSON text: writing them, and their thumbprint (RFC 7638); see jwks.h. */
#include <openssl/evp.h>

#include "serve/b64.h"
#include "serve/jwk_impl.h"

static void
set_b64(struct tf_json_out *w, const char *name, const uint8_t *p, size_t n)
{
	char text[TF_B64_CHARS(JWK_RSA_BYTES_MAX) + 1];
	tf_b64_text(p, n, text);
	tf_json_set_cstr(w, name, text);
}

/* The members that RFC 7638 section 3.2 (and RFC 8037 section 2) calls required, in the order of their names. */
static void
put_required(struct tf_json_out *w, const struct jwk_parts *p)
{
	if (p->kty[0] == 'E')
		tf_json_set_cstr(w, "crv", "P-256");
	if (p->kty[0] == 'O')
		tf_json_set_cstr(w, "crv", "Ed25519");
	if (p->kty[0] == 'R')
		set_b64(w, "e", p->b, p->b_n);
	tf_json_set_cstr(w, "kty", p->kty);
	set_b64(w, p->kty[0] == 'R' ? "n" : "x", p->a, p->a_n);
	if (p->kty[0] == 'E')
		set_b64(w, "y", p->b, p->b_n);
}

bool
jwk_thumbprint(const struct jwk_parts *p, char out[static 44])
{
	struct tf_buf text;
	uint8_t digest[32];
	tf_buf_init(&text, 0);
	struct tf_json_out w = tf_json_out(&text);
	tf_json_begin_object(&w);
	put_required(&w, p);
	tf_json_end_object(&w);
	bool ok = !text.err && EVP_Digest(text.p, text.n, digest, NULL, EVP_sha256(), NULL);
	tf_buf_release(&text);
	if (ok)
		tf_b64_text(digest, sizeof digest, out);
	return ok;
}

void
tf_jwk_put(struct tf_json_out *w, const struct tf_jwk *key)
{
	struct jwk_parts parts;
	bool ok = jwk_parts(key->key, &parts);
	TF_ASSERT(ok);
	tf_json_begin_object(w);
	put_required(w, &parts);
	tf_json_set_cstr(w, "use", "sig");
	if (key->kid_n)
		tf_json_set_str(w, "kid", tf_str_n(key->kid, key->kid_n));
	if (key->algs && (key->algs & (key->algs - 1)) == 0)
		tf_json_set_cstr(w, "alg", tf_jws_alg_name(key->algs));
	tf_json_end_object(w);
}

void
tf_jwks_put(struct tf_json_out *w, const struct tf_jwks *set)
{
	tf_json_begin_object(w);
	tf_json_key(w, "keys");
	tf_json_begin_array(w);
	for (size_t i = 0; i < set->count; i++)
		tf_jwk_put(w, &set->keys[i]);
	tf_json_end_array(w);
	tf_json_end_object(w);
}
