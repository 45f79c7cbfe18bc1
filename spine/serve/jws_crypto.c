/* Signatures by EVP, one algorithm each; see jwt.h.
 *
 * JWS has an ECDSA signature as r and s side by side, OpenSSL as DER: it is rewritten here both ways. */
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "serve/jws_impl.h"

#define HALF     32 /* bytes of r and of s */
#define DER_ROOM 80

/* The digest, and for PSS its salt: RFC 7518 section 3.5 wants it as long as the digest. */
static bool
begin(EVP_MD_CTX *c, EVP_PKEY *key, unsigned alg, bool sign)
{
	EVP_PKEY_CTX *p = NULL;
	const EVP_MD *md = alg == TF_JWS_EDDSA ? NULL : EVP_sha256();
	int ok = sign ? EVP_DigestSignInit(c, &p, md, NULL, key) : EVP_DigestVerifyInit(c, &p, md, NULL, key);
	if (ok != 1 || alg != TF_JWS_PS256)
		return ok == 1;
	return EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) > 0 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(p, EVP_sha256()) > 0;
}

static int
to_der(struct tf_str raw, uint8_t der[static DER_ROOM])
{
	int n = 0;
	if (raw.n != 2 * HALF)
		return 0;
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn((const uint8_t *)raw.p, HALF, NULL);
	BIGNUM *v = BN_bin2bn((const uint8_t *)raw.p + HALF, HALF, NULL);
	if (s && r && v && ECDSA_SIG_set0(s, r, v)) {
		r = v = NULL;
		uint8_t *p = der;
		n = i2d_ECDSA_SIG(s, &p);
	}
	BN_free(r);
	BN_free(v);
	ECDSA_SIG_free(s);
	return n;
}

static bool
from_der(const uint8_t *der, size_t n, uint8_t out[static 2 * HALF])
{
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);
	bool ok = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), out, HALF) == HALF &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(s), out + HALF, HALF) == HALF;
	ECDSA_SIG_free(s);
	return ok;
}

bool
jws_check(struct evp_pkey_st *key, unsigned alg, struct tf_str text, struct tf_str signature)
{
	uint8_t der[DER_ROOM];
	if (alg == TF_JWS_ES256) {
		int n = to_der(signature, der);
		if (n <= 0)
			return false;
		signature = tf_str_n(der, (size_t)n);
	}
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c && begin(c, key, alg, false) &&
		  EVP_DigestVerify(c, (const uint8_t *)signature.p, signature.n, (const uint8_t *)text.p, text.n) == 1;
	EVP_MD_CTX_free(c);
	if (!ok)
		ERR_clear_error(); /* TLS on this thread must not take it for its own */
	return ok;
}

bool
jws_make(struct evp_pkey_st *key, unsigned alg, struct tf_str text, uint8_t out[static JWS_SIGNATURE_MAX],
	 size_t *out_n)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t n = JWS_SIGNATURE_MAX;
	uint8_t der[JWS_SIGNATURE_MAX];
	bool es = alg == TF_JWS_ES256;
	bool ok = c && begin(c, key, alg, true) &&
		  EVP_DigestSign(c, es ? der : out, &n, (const uint8_t *)text.p, text.n) == 1 &&
		  (!es || from_der(der, n, out));
	EVP_MD_CTX_free(c);
	if (ok)
		*out_n = es ? (size_t)(2 * HALF) : n;
	else
		ERR_clear_error();
	return ok;
}
