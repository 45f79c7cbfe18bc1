/* Clients for the gateway's bench: certificates by the CA of a `tenfold identity` directory and tokens by its signing
 * key, without asking it a thousand times.
 *
 *   gateway_pki IDENTITY ISSUER AUDIENCE OUT COUNT
 *
 * writes OUT/NNNN.pem (certificate, key) and OUT/NNNN.jwt, a token of two hours that is bound to the certificate and
 * names the partner "partner-NNNN", with the role insurer. The identity directory is not changed; it must have one
 * signing key. */
#include <glob.h>
#include <inttypes.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"
#include "serve/b64.h"
#include "serve/jwt.h"

#define LIFE_S (2 * 3600)

struct pki {
	X509 *ca;
	EVP_PKEY *ca_key;
	struct tf_jwk signer;
	const char *issuer, *audience, *out;
	int64_t now; /* s since 1970 */
};

static _Noreturn void
fail(const char *what, const char *why)
{
	fprintf(stderr, "gateway_pki: %s: %s\n", what, why);
	exit(2);
}

static FILE *
open_file(const char *mode, const char *dir, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, mode);
	if (!file)
		fail(path, "cannot open");
	return file;
}

static void
read_authority(struct pki *p, const char *dir)
{
	char pattern[4096];
	char pem[TF_JWK_PEM_BYTES];
	struct tf_fault f = {0};
	glob_t found;
	FILE *file = open_file("r", dir, "ca.pem");
	p->ca = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	file = open_file("r", dir, "ca.key");
	p->ca_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	if (!p->ca || !p->ca_key)
		fail(dir, "no CA");
	snprintf(pattern, sizeof pattern, "%s/keys/*.pem", dir);
	if (glob(pattern, 0, NULL, &found) || found.gl_pathc != 1)
		fail(pattern, "one signing key is wanted");
	file = fopen(found.gl_pathv[0], "r");
	size_t n = file ? fread(pem, 1, sizeof pem, file) : 0;
	if (!file || tf_jwk_from_pem(tf_str_n(pem, n), true, &p->signer, &f))
		fail(found.gl_pathv[0], f.text);
	fclose(file);
	globfree(&found);
}

static bool
extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX c;
	X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
	bool ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

static X509 *
certify(const struct pki *p, const char *name, EVP_PKEY *key)
{
	uint64_t serial;
	X509 *x = X509_new();
	tf_os_random(tf_os_real(), &serial, sizeof serial);
	if (!x || !key || !X509_set_version(x, 2) ||
	    !ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1 | 1) ||
	    !X509_gmtime_adj(X509_getm_notBefore(x), -60) || !X509_gmtime_adj(X509_getm_notAfter(x), LIFE_S) ||
	    !X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
					-1, 0) ||
	    !X509_set_issuer_name(x, X509_get_subject_name(p->ca)) || !X509_set_pubkey(x, key) ||
	    !extend(x, p->ca, NID_basic_constraints, "critical,CA:FALSE") ||
	    !extend(x, p->ca, NID_key_usage, "critical,digitalSignature") ||
	    !extend(x, p->ca, NID_ext_key_usage, "clientAuth") || !X509_sign(x, p->ca_key, EVP_sha256()))
		fail(name, "no certificate");
	return x;
}

static void
put_claims(const struct pki *p, const char *name, X509 *x, struct tf_buf *out)
{
	unsigned char hash[32];
	unsigned n = sizeof hash;
	char thumb[TF_B64_CHARS(32) + 1], id[80];
	struct tf_json_out w = tf_json_out(out);
	if (!X509_digest(x, EVP_sha256(), hash, &n))
		fail(name, "no thumbprint");
	tf_b64_text(hash, sizeof hash, thumb);
	snprintf(id, sizeof id, "%s-%" PRId64, name, p->now);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "iss", p->issuer);
	tf_json_set_cstr(&w, "aud", p->audience);
	tf_json_set_cstr(&w, "sub", name);
	tf_json_set_cstr(&w, "client_id", name);
	tf_json_set_cstr(&w, "jti", id);
	tf_json_set_i64(&w, "iat", p->now);
	tf_json_set_i64(&w, "exp", p->now + LIFE_S);
	tf_json_set_cstr(&w, "scope", "policy:read policy:buy");
	tf_json_set_cstr(&w, "partner", name);
	tf_json_key(&w, "roles"); /* it looks up what nobody of these sold */
	tf_json_begin_array(&w);
	tf_json_put_str(&w, TF_STR("insurer"));
	tf_json_end_array(&w);
	tf_json_key(&w, "cnf");
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "x5t#S256", thumb);
	tf_json_end_object(&w);
	tf_json_end_object(&w);
}

static void
make_client(const struct pki *p, uint64_t number)
{
	char name[32], file_name[32];
	struct tf_buf claims, token;
	struct tf_fault f = {0};
	tf_buf_init(&claims, 0);
	tf_buf_init(&token, TF_JWT_BYTES);
	snprintf(name, sizeof name, "partner-%04" PRIu64, number);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = certify(p, name, key);
	snprintf(file_name, sizeof file_name, "%04" PRIu64 ".pem", number);
	FILE *file = open_file("w", p->out, file_name);
	if (!PEM_write_X509(file, x) || !PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) || fclose(file))
		fail(file_name, "cannot write");
	put_claims(p, name, x, &claims);
	if (tf_jws_sign(&p->signer, 0, "at+jwt", tf_buf_view(&claims), &token, &f) || token.err)
		fail(name, f.text);
	snprintf(file_name, sizeof file_name, "%04" PRIu64 ".jwt", number);
	file = open_file("w", p->out, file_name);
	if (fwrite(token.p, 1, token.n, file) != token.n || fclose(file))
		fail(file_name, "cannot write");
	X509_free(x);
	EVP_PKEY_free(key);
	tf_buf_release(&claims);
	tf_buf_release(&token);
}

int
main(int argc, char **argv)
{
	uint64_t count;
	if (argc != 6 || !tf_str_u64(tf_str(argv[5]), &count) || count > 10000) {
		fprintf(stderr, "usage: gateway_pki IDENTITY ISSUER AUDIENCE OUT COUNT\n");
		return 2;
	}
	struct pki p = {.issuer = argv[2], .audience = argv[3], .out = argv[4]};
	p.now = tf_os_now(tf_os_real()) / TF_SEC;
	read_authority(&p, argv[1]);
	for (uint64_t i = 0; i < count; i++)
		make_client(&p, i);
	tf_jwk_release(&p.signer);
	EVP_PKEY_free(p.ca_key);
	X509_free(p.ca);
	return 0;
}
