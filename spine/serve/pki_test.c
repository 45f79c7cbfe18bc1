/* Certificates for tests; see pki_test.h. */
#include "pki_test.h"

#include <openssl/pem.h>

#define SURE(x) TF_ASSERT(x)

static void
extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX c;
	X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
	SURE(e && X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

struct pki_pair
pki_make(const char *name, enum pki_kind kind, const struct pki_pair *issuer, long from_s, long to_s)
{
	static long serial = 1000;
	struct pki_pair p = {X509_new(), EVP_EC_gen("P-256")};
	const struct pki_pair *by = issuer ? issuer : &p;
	SURE(p.x && p.key && X509_set_version(p.x, 2));
	ASN1_INTEGER_set(X509_get_serialNumber(p.x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(p.x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(p.x), to_s);
	X509_NAME *n = X509_get_subject_name(p.x);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(p.x, X509_get_subject_name(by->x));
	X509_set_pubkey(p.x, p.key);
	extend(p.x, by->x, NID_basic_constraints, kind == PKI_CA ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (kind == PKI_CA)
		extend(p.x, by->x, NID_key_usage, "critical,keyCertSign,cRLSign");
	else
		extend(p.x, by->x, NID_ext_key_usage, kind == PKI_SERVER ? "serverAuth" : "clientAuth");
	if (kind == PKI_SERVER)
		extend(p.x, by->x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
	SURE(X509_sign(p.x, by->key, EVP_sha256()));
	return p;
}

void
pki_free(struct pki_pair *p)
{
	X509_free(p->x);
	EVP_PKEY_free(p->key);
}

void
pki_write(const char *path, X509 *const *x, int count, EVP_PKEY *key)
{
	FILE *f = fopen(path, "w");
	SURE(f);
	for (int i = 0; i < count; i++)
		SURE(PEM_write_X509(f, x[i]));
	SURE(!key || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
	SURE(!fclose(f));
}

void
pki_write_crl(const char *path, const struct pki_pair *issuer, X509 *const *revoked, int count, long next_s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, -10), *next = X509_gmtime_adj(NULL, next_s);
	SURE(crl && X509_CRL_set_version(crl, 1) && X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x)));
	X509_CRL_set1_lastUpdate(crl, now);
	X509_CRL_set1_nextUpdate(crl, next);
	for (int i = 0; i < count; i++) {
		X509_REVOKED *r = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked[i]));
		X509_REVOKED_set_revocationDate(r, now);
		SURE(X509_CRL_add0_revoked(crl, r));
	}
	SURE(X509_CRL_sort(crl) && X509_CRL_sign(crl, issuer->key, EVP_sha256()));
	FILE *f = fopen(path, "w");
	SURE(f && PEM_write_X509_CRL(f, crl) && !fclose(f));
	ASN1_TIME_free(now);
	ASN1_TIME_free(next);
	X509_CRL_free(crl);
}
