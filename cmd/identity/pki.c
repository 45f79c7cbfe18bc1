/* Certificates; see pki.h. */
#include "pki.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli.h"
#include "serve/oauth.h"

#define CERTS_FILE "certs.json"

static enum tf_err
failed(struct tf_fault *f, const char *what)
{
	return tf_fault(f, TF_NO_MEMORY, "cannot make %s", what);
}

static bool
set_serial(X509 *x)
{
	uint8_t raw[16];
	if (RAND_bytes(raw, sizeof raw) != 1)
		return false;
	raw[0] = (uint8_t)((raw[0] & 0x3f) | 0x40); /* positive, and always of 16 bytes */
	BIGNUM *n = BN_bin2bn(raw, sizeof raw, NULL);
	bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static bool
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX c;
	X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
	bool ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* Names of hosts and addresses only, so that none can bring a comma of its own into OpenSSL's list. */
static bool
add_sans(X509 *x, const struct pki_spec *s)
{
	char text[PKI_SANS_MAX * 80], one[80];
	size_t n = 0;
	uint8_t address[16];
	for (size_t i = 0; i < s->san_count; i++) {
		snprintf(one, sizeof one, "%.*s", TF_FMT(s->sans[i]));
		bool ip = inet_pton(AF_INET, one, address) == 1 || inet_pton(AF_INET6, one, address) == 1;
		if (!ip && !identity_name_ok(s->sans[i]))
			return false;
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s:%s", n ? "," : "", ip ? "IP" : "DNS", one);
		if (n >= sizeof text)
			return false;
	}
	return !n || add_extension(x, x, NID_subject_alt_name, text);
}

static bool
add_use(X509 *x, X509 *issuer, const struct pki_spec *s, bool ca)
{
	if (!add_extension(x, issuer, NID_subject_key_identifier, "hash") ||
	    !add_extension(x, issuer, NID_authority_key_identifier, "keyid:always"))
		return false;
	if (ca)
		return add_extension(x, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		       add_extension(x, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
	return add_extension(x, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, issuer, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(x, issuer, NID_ext_key_usage, s->server ? "serverAuth" : "clientAuth") && add_sans(x, s);
}

/* issuer NULL: signed by itself, a CA. NULL when OpenSSL fails or a SAN is none. */
static X509 *
make(const struct pki_spec *s, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *x = X509_new();
	X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
	bool ok = x && X509_set_version(x, 2) && set_serial(x) &&
		  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)s->name.p, (int)s->name.n, -1,
					     0) &&
		  X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name) &&
		  X509_gmtime_adj(X509_getm_notBefore(x), -60) && /* clocks differ */
		  X509_gmtime_adj(X509_getm_notAfter(x), (long)s->days * 86400) && X509_set_pubkey(x, key) &&
		  add_use(x, issuer ? issuer : x, s, !issuer) && X509_sign(x, issuer ? issuer_key : key, EVP_sha256());
	if (!ok) {
		X509_free(x);
		return NULL;
	}
	return x;
}

static enum tf_err
write_bio(struct identity *id, const char *path, BIO *bio, struct tf_fault *f)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	return tf_os_write_file(id->os, path, tf_str_n(p, (size_t)n), f);
}

/* The key first: a certificate without its key is of no use, a key without certificate does no harm. */
static enum tf_err
write_pair(struct identity *id, const char *folder, const char *name, X509 *x, EVP_PKEY *key, struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX];
	BIO *bio = BIO_new(BIO_s_secmem());
	enum tf_err e = bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
				? identity_path(id, folder, name, ".key", path, f)
				: failed(f, "a key");
	e = e ? e : write_bio(id, path, bio, f);
	BIO_free(bio);
	bio = e ? NULL : BIO_new(BIO_s_mem());
	if (!e)
		e = bio && PEM_write_bio_X509(bio, x) ? identity_path(id, folder, name, ".pem", path, f)
						      : failed(f, "a certificate");
	e = e ? e : write_bio(id, path, bio, f);
	BIO_free(bio);
	return e;
}

enum tf_err
pki_init(struct identity *id, int days, struct tf_fault *f)
{
	struct pki_spec s = {.name = TF_STR("Tenfold development CA"), .days = days};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? make(&s, key, NULL, NULL) : NULL;
	enum tf_err e = x ? write_pair(id, ".", "ca", x, key, f) : failed(f, "a CA");
	X509_free(x);
	EVP_PKEY_free(key);
	return e ? e : pki_write_crl(id, days < 30 ? days : 30, f);
}

static BIO *
file_bio(struct identity *id, const char *name, struct tf_fault *f)
{
	char path[IDENTITY_PATH_MAX];
	struct tf_str text;
	if (identity_path(id, name, NULL, NULL, path, f) || identity_read(id, path, &text, f))
		return NULL;
	return BIO_new_mem_buf(text.p, (int)text.n);
}

enum tf_err
pki_load_ca(struct identity *id, X509 **out_x, EVP_PKEY **out_key, struct tf_fault *f)
{
	struct tf_fault own = {0};
	f = f ? f : &own;
	BIO *cert = file_bio(id, "ca.pem", f), *private = cert ? file_bio(id, "ca.key", f) : NULL;
	X509 *x = cert ? PEM_read_bio_X509(cert, NULL, NULL, NULL) : NULL;
	EVP_PKEY *key = private ? PEM_read_bio_PrivateKey(private, NULL, NULL, NULL) : NULL;
	BIO_free(cert);
	BIO_free(private);
	if (x && key && X509_check_private_key(x, key) == 1) {
		*out_x = x;
		*out_key = key;
		return TF_OK;
	}
	X509_free(x);
	EVP_PKEY_free(key);
	return f->code ? f->code : tf_fault(f, TF_CORRUPT, "ca.pem and ca.key are no pair");
}

static bool
thumbprint_of(X509 *x, char out[static 44])
{
	uint8_t *der = NULL;
	int n = i2d_X509(x, &der);
	bool ok = n > 0 && tf_oauth_thumbprint(tf_str_n(der, (size_t)n), out);
	OPENSSL_free(der);
	return ok;
}

enum tf_err
pki_thumbprint(struct tf_str pem, char out[static 44], struct tf_fault *f)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool ok = x && thumbprint_of(x, out);
	X509_free(x);
	BIO_free(bio);
	return ok ? TF_OK : tf_fault(f, TF_INVALID, "not a certificate in PEM");
}

static void
put_record(struct tf_json_out *w, X509 *x, const struct pki_spec *s, const char *thumbprint, tf_time now)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *serial = n ? BN_bn2hex(n) : NULL;
	tf_json_begin_object(w);
	tf_json_set_str(w, "name", s->name);
	tf_json_set_cstr(w, "kind", s->server ? "server" : "client");
	tf_json_set_cstr(w, "serial", serial ? serial : "");
	tf_json_set_cstr(w, "thumbprint", thumbprint);
	tf_json_set_i64(w, "not_after", now / TF_SEC + (int64_t)s->days * 86400);
	tf_json_set_i64(w, "revoked", 0);
	tf_json_end_object(w);
	OPENSSL_free(serial);
	BN_free(n);
}

/* Noted before it is handed out, so that what was issued can always be revoked. */
static enum tf_err
note(struct identity *id, X509 *x, const struct pki_spec *s, const char *thumbprint, struct tf_fault *f)
{
	const struct tf_json *first;
	struct tf_json_out w;
	struct tf_buf b;
	TF_TRY(identity_list(id, CERTS_FILE, &first, f));
	for (const struct tf_json *v = first; v; v = v->next) {
		int64_t revoked = 0, ends = 0;
		if (identity_is(v, "name", s->name) && tf_json_i64(tf_json_get(v, "revoked"), &revoked) &&
		    tf_json_i64(tf_json_get(v, "not_after"), &ends) && !revoked && ends * TF_SEC > tf_os_now(id->os))
			return tf_fault(f, TF_EXISTS, "there is a certificate '%.*s': revoke it first",
					TF_FMT(s->name));
	}
	identity_list_begin(&b, &w);
	for (const struct tf_json *v = first; v; v = v->next)
		tf_json_put_node(&w, v);
	put_record(&w, x, s, thumbprint, tf_os_now(id->os));
	return identity_list_write(id, CERTS_FILE, &b, &w, f);
}

enum tf_err
pki_issue(struct identity *id, const struct pki_spec *s, char out_thumbprint[static 44], struct tf_fault *f)
{
	X509 *ca;
	EVP_PKEY *ca_key;
	char name[80];
	TF_TRY(pki_load_ca(id, &ca, &ca_key, f));
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? make(s, key, ca, ca_key) : NULL;
	snprintf(name, sizeof name, "%.*s", TF_FMT(s->name));
	enum tf_err e =
		x ? TF_OK : tf_fault(f, TF_INVALID, "cannot issue '%s': a --san is no host name or address", name);
	if (!e && !thumbprint_of(x, out_thumbprint))
		e = failed(f, "a thumbprint");
	e = e ? e : note(id, x, s, out_thumbprint, f);
	e = e ? e : write_pair(id, "certs", name, x, key, f);
	X509_free(x);
	EVP_PKEY_free(key);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	return e;
}
