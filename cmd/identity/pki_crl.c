/* Revocation: certs.json says what, crl.pem tells it (RFC 5280 section 5); see pki.h. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "pki.h"

#define CERTS_FILE "certs.json"

static bool
add_revoked(X509_CRL *crl, const struct tf_json *v)
{
	int64_t at = 0;
	BIGNUM *n = NULL;
	char serial[64] = "";
	struct tf_str s = identity_text(v, "serial");
	if (!tf_json_i64(tf_json_get(v, "revoked"), &at) || !at)
		return true;
	if (s.n >= sizeof serial)
		return false;
	memcpy(serial, s.p, s.n);
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_INTEGER *number = BN_hex2bn(&n, serial) ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)at);
	bool ok = r && number && when && X509_REVOKED_set_serialNumber(r, number) &&
		  X509_REVOKED_set_revocationDate(r, when) && X509_CRL_add0_revoked(crl, r);
	if (!ok)
		X509_REVOKED_free(r);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(when);
	BN_free(n);
	return ok;
}

/* The CRL's number grows with time: RFC 5280 section 5.2.3. */
static bool
add_extensions(X509_CRL *crl, X509 *ca, tf_time now)
{
	X509V3_CTX c;
	X509V3_set_ctx(&c, ca, NULL, NULL, crl, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, NID_authority_key_identifier, "keyid:always");
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	bool ok = e && number && ASN1_INTEGER_set_int64(number, now) && X509_CRL_add_ext(crl, e, -1) &&
		  X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0);
	X509_EXTENSION_free(e);
	ASN1_INTEGER_free(number);
	return ok;
}

static X509_CRL *
make_crl(X509 *ca, EVP_PKEY *key, const struct tf_json *first, int days, tf_time now)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)(now / TF_SEC) - 60);
	ASN1_TIME *to = ASN1_TIME_set(NULL, (time_t)(now / TF_SEC) + (time_t)days * 86400);
	bool ok = crl && from && to && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
		  X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)) && X509_CRL_set1_lastUpdate(crl, from) &&
		  X509_CRL_set1_nextUpdate(crl, to);
	for (const struct tf_json *v = first; v && ok; v = v->next)
		ok = add_revoked(crl, v);
	ok = ok && X509_CRL_sort(crl) && add_extensions(crl, ca, now) && X509_CRL_sign(crl, key, EVP_sha256());
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	if (!ok) {
		X509_CRL_free(crl);
		return NULL;
	}
	return crl;
}

enum tf_err
pki_write_crl(struct identity *id, int days, struct tf_fault *f)
{
	const struct tf_json *first;
	char path[IDENTITY_PATH_MAX], *p;
	X509 *ca;
	EVP_PKEY *key;
	TF_TRY(identity_list(id, CERTS_FILE, &first, f));
	TF_TRY(identity_path(id, "crl.pem", NULL, NULL, path, f));
	TF_TRY(pki_load_ca(id, &ca, &key, f));
	X509_CRL *crl = make_crl(ca, key, first, days, tf_os_now(id->os));
	BIO *bio = BIO_new(BIO_s_mem());
	enum tf_err e = crl && bio && PEM_write_bio_X509_CRL(bio, crl)
				? TF_OK
				: tf_fault(f, TF_NO_MEMORY, "cannot make the revocation list");
	if (!e) {
		long n = BIO_get_mem_data(bio, &p);
		e = tf_os_write_file(id->os, path, tf_str_n(p, (size_t)n), f);
	}
	BIO_free(bio);
	X509_CRL_free(crl);
	X509_free(ca);
	EVP_PKEY_free(key);
	return e;
}

static void
put_revoked(struct tf_json_out *w, const struct tf_json *v, int64_t at)
{
	tf_json_begin_object(w);
	for (const struct tf_json *m = tf_json_first(v); m; m = m->next) {
		tf_json_key_n(w, m->key);
		if (tf_str_eq(m->key, TF_STR("revoked")))
			tf_json_put_i64(w, at);
		else
			tf_json_put_node(w, m);
	}
	tf_json_end_object(w);
}

enum tf_err
pki_revoke(struct identity *id, struct tf_str name, struct tf_fault *f)
{
	const struct tf_json *first;
	struct tf_json_out w;
	struct tf_buf b;
	unsigned count = 0;
	TF_TRY(identity_list(id, CERTS_FILE, &first, f));
	identity_list_begin(&b, &w);
	for (const struct tf_json *v = first; v; v = v->next) {
		int64_t revoked = 0;
		bool hit = identity_is(v, "name", name) && tf_json_i64(tf_json_get(v, "revoked"), &revoked) && !revoked;
		count += hit;
		if (hit)
			put_revoked(&w, v, tf_os_now(id->os) / TF_SEC);
		else
			tf_json_put_node(&w, v);
	}
	if (!count) {
		tf_buf_release(&b);
		return tf_fault(f, TF_NOT_FOUND, "there is no good certificate '%.*s'", TF_FMT(name));
	}
	TF_TRY(identity_list_write(id, CERTS_FILE, &b, &w, f));
	return pki_write_crl(id, 30, f);
}
