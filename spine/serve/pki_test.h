/* Certificates for tests, made on the spot: a CA of P-256, what it signs, what it revokes; PEM files in a directory. */
#pragma once
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "os/os.h"

struct pki_pair {
	X509 *x;
	EVP_PKEY *key;
};

enum pki_kind { PKI_CA, PKI_SERVER, PKI_CLIENT };

/* Signed by issuer (itself when NULL); valid from now + from_s to now + to_s. */
struct pki_pair pki_make(const char *name, enum pki_kind kind, const struct pki_pair *issuer, long from_s, long to_s);
void pki_free(struct pki_pair *p);
/* Certificates, then the key where it is not NULL, as PEM. */
void pki_write(const char *path, X509 *const *x, int count, EVP_PKEY *key);
/* A revocation list of the issuer's, good for next_s, naming count certificates. */
void pki_write_crl(const char *path, const struct pki_pair *issuer, X509 *const *revoked, int count, long next_s);
