/* Single keys: OpenSSL's EVP_PKEY to and from JWK members and PEM; see jwks.h. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "serve/b64.h"
#include "serve/jwk_impl.h"

static bool
bignum_bytes(const EVP_PKEY *key, const char *name, uint8_t *out, size_t max, size_t *out_n)
{
	BIGNUM *n = NULL;
	bool fits = EVP_PKEY_get_bn_param(key, name, &n) && BN_num_bytes(n) <= (int)max;
	if (fits)
		*out_n = (size_t)BN_bn2bin(n, out);
	BN_free(n);
	return fits;
}

static bool
ec_parts(const EVP_PKEY *key, struct jwk_parts *out)
{
	char group[32];
	if (!EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL) ||
	    strcmp(group, "prime256v1") != 0)
		return false;
	BIGNUM *x = NULL, *y = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) &&
		  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) && BN_bn2binpad(x, out->a, 32) == 32 &&
		  BN_bn2binpad(y, out->b, 32) == 32;
	BN_free(x);
	BN_free(y);
	out->kty = "EC";
	out->a_n = out->b_n = 32;
	return ok;
}

static bool
rsa_parts(const EVP_PKEY *key, struct jwk_parts *out)
{
	static const uint8_t f4[] = {1, 0, 1};
	int bits = EVP_PKEY_get_bits(key);
	out->kty = "RSA";
	return bits >= JWK_RSA_BYTES_MIN * 8 && bits <= JWK_RSA_BYTES_MAX * 8 &&
	       bignum_bytes(key, OSSL_PKEY_PARAM_RSA_N, out->a, sizeof out->a, &out->a_n) &&
	       bignum_bytes(key, OSSL_PKEY_PARAM_RSA_E, out->b, sizeof out->b, &out->b_n) && out->b_n == sizeof f4 &&
	       memcmp(out->b, f4, sizeof f4) == 0;
}

bool
jwk_parts(const struct evp_pkey_st *key, struct jwk_parts *out)
{
	*out = (struct jwk_parts){0};
	if (EVP_PKEY_is_a(key, "EC"))
		return ec_parts(key, out);
	if (EVP_PKEY_is_a(key, "RSA"))
		return rsa_parts(key, out);
	out->kty = "OKP";
	out->a_n = 32;
	return EVP_PKEY_is_a(key, "ED25519") && EVP_PKEY_get_raw_public_key(key, out->a, &out->a_n) && out->a_n == 32;
}

unsigned
jwk_algs(const struct jwk_parts *p)
{
	return p->kty[0] == 'E' ? TF_JWS_ES256 : p->kty[0] == 'R' ? TF_JWS_RS256 | TF_JWS_PS256 : TF_JWS_EDDSA;
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;
	if (params && c && EVP_PKEY_fromdata_init(c) == 1)
		EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(c);
	return key;
}

/* An uncompressed point; OpenSSL refuses one that is not on the curve. */
static EVP_PKEY *
build_ec(const struct jwk_parts *p, OSSL_PARAM_BLD *build)
{
	uint8_t point[65] = {4};
	memcpy(point + 1, p->a, 32);
	memcpy(point + 33, p->b, 32);
	if (!OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ||
	    !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point))
		return NULL;
	return from_params("EC", build);
}

static EVP_PKEY *
build_rsa(const struct jwk_parts *p, OSSL_PARAM_BLD *build)
{
	BIGNUM *n = BN_bin2bn(p->a, (int)p->a_n, NULL), *e = BN_bin2bn(p->b, (int)p->b_n, NULL);
	EVP_PKEY *key = NULL;
	if (n && e && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		key = from_params("RSA", build);
	BN_free(n);
	BN_free(e);
	return key;
}

struct evp_pkey_st *
jwk_build(const struct jwk_parts *p)
{
	if (p->kty[0] == 'O')
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p->a, p->a_n);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = !build ? NULL : p->kty[0] == 'E' ? build_ec(p, build) : build_rsa(p, build);
	OSSL_PARAM_BLD_free(build);
	return key;
}

void
jwk_set_kid(struct tf_jwk *k, struct tf_str kid)
{
	TF_ASSERT(kid.n <= TF_JWK_KID_MAX);
	memcpy(k->kid, kid.p, kid.n);
	k->kid[kid.n] = '\0';
	k->kid_n = (unsigned)kid.n;
}

/* The key becomes out's, or is freed. */
static enum tf_err
take_pkey(EVP_PKEY *key, struct tf_jwk *out, struct tf_fault *f)
{
	struct jwk_parts parts;
	struct tf_jwk k = {.key = key};
	if (!jwk_parts(key, &parts)) {
		EVP_PKEY_free(key);
		return tf_fault(f, TF_INVALID,
				"the key is not P-256, Ed25519, or RSA of 2048 to 8192 bits with exponent 65537");
	}
	if (!jwk_thumbprint(&parts, k.thumbprint)) {
		EVP_PKEY_free(key);
		return tf_fault(f, TF_NO_MEMORY, "cannot take a key: out of memory");
	}
	k.algs = jwk_algs(&parts);
	jwk_set_kid(&k, tf_str(k.thumbprint));
	*out = k;
	return TF_OK;
}

/* An encrypted key is refused instead of asking on the terminal. */
static int
no_password(char *p, int size, int writing, void *ctx)
{
	(void)p;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

static EVP_PKEY *
certificate_key(BIO *in)
{
	BIO_reset(in);
	X509 *x = PEM_read_bio_X509(in, NULL, no_password, NULL);
	EVP_PKEY *key = x ? X509_get_pubkey(x) : NULL;
	X509_free(x);
	return key;
}

enum tf_err
tf_jwk_from_pem(struct tf_str pem, bool private, struct tf_jwk *out, struct tf_fault *f)
{
	if (pem.n > TF_JWK_PEM_BYTES)
		return tf_fault(f, TF_TOO_LARGE, "a PEM of %zu bytes: at most %d", pem.n, TF_JWK_PEM_BYTES);
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (!in)
		return tf_fault(f, TF_NO_MEMORY, "cannot read a key: out of memory");
	EVP_PKEY *key = private ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL)
				: PEM_read_bio_PUBKEY(in, NULL, no_password, NULL);
	if (!key && !private)
		key = certificate_key(in);
	BIO_free(in);
	if (!key)
		return tf_fault(f, TF_INVALID, "not a %s in PEM",
				private ? "private key without password" : "public key or certificate");
	return take_pkey(key, out, f);
}

enum tf_err
tf_jwk_generate(unsigned alg, struct tf_jwk *out, struct tf_fault *f)
{
	EVP_PKEY *key = alg == TF_JWS_ES256   ? EVP_EC_gen("P-256")
			: alg == TF_JWS_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
					      : EVP_RSA_gen(3072);
	if (!key)
		return tf_fault(f, TF_NO_MEMORY, "cannot make a key for %s", tf_jws_alg_name(alg));
	TF_TRY(take_pkey(key, out, f));
	out->algs = alg;
	return TF_OK;
}

enum tf_err
tf_jwk_to_pem(const struct tf_jwk *key, struct tf_buf *out, struct tf_fault *f)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *p;
	bool ok = bio && PEM_write_bio_PKCS8PrivateKey(bio, key->key, NULL, NULL, 0, NULL, NULL);
	if (ok) {
		long n = BIO_get_mem_data(bio, &p);
		tf_buf_put(out, p, (size_t)n);
	}
	BIO_free(bio);
	return ok && !out->err ? TF_OK : tf_fault(f, TF_NO_MEMORY, "cannot write a private key");
}

void
tf_jwk_release(struct tf_jwk *key)
{
	EVP_PKEY_free(key->key);
	*key = (struct tf_jwk){0};
}
