/* A certificate authority: P-256, SHA-256, X.509 v3 by OpenSSL; and what it has revoked.
 *
 * Serial numbers are 126 random bits. A certificate is for clients or for servers, never for both, never for signing
 * others; the CA's path length is 0. */
#pragma once
#include "state.h"

#define PKI_SANS_MAX 16

struct pki_spec {
	struct tf_str name; /* the common name, and the file's: identity_name_ok */
	bool server;
	struct tf_str sans[PKI_SANS_MAX]; /* host names or addresses */
	size_t san_count;
	int days;
};

/* Makes ca.pem and ca.key, and an empty crl.pem. */
enum tf_err pki_init(struct identity *id, int days, struct tf_fault *f) TF_MUST_USE;
/* Makes certs/NAME.pem and .key and notes it in certs.json. TF_EXISTS when there is a good one of that name. */
enum tf_err pki_issue(struct identity *id, const struct pki_spec *spec, char out_thumbprint[static 44],
		      struct tf_fault *f) TF_MUST_USE;
/* Notes every certificate of that name as revoked and writes crl.pem anew. */
enum tf_err pki_revoke(struct identity *id, struct tf_str name, struct tf_fault *f) TF_MUST_USE;
/* Writes crl.pem anew, good for days. */
enum tf_err pki_write_crl(struct identity *id, int days, struct tf_fault *f) TF_MUST_USE;
/* x5t#S256 of a certificate in PEM. */
enum tf_err pki_thumbprint(struct tf_str pem, char out[static 44], struct tf_fault *f) TF_MUST_USE;

/* Between pki.c and pki_crl.c: the CA's certificate and key; the caller frees. */
struct x509_st;
enum tf_err pki_load_ca(struct identity *id, struct x509_st **out_x, struct evp_pkey_st **out_key,
			struct tf_fault *f) TF_MUST_USE;
