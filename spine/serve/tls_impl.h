/* Inside TLS: what tls.c (files), tls_verify.c (certificates), tls_ticket.c (resumption) and tls_conn.c share. */
#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "serve/tls.h"

struct tls_ticket_key {
	uint8_t name[16], aes[32], mac[32];
};

/* A leaf whose chain was found good in this generation, until the first certificate or CRL of it ends. */
struct tls_known {
	uint8_t sha256[32];
	tf_time until;
};

struct tf_tls {
	struct tf_os *os;
	struct tf_tls_options o;
	SSL_CTX *ctx;
	uint64_t generation;
	tf_time crl_until; /* the first nextUpdate */
	char *ocsp;
	size_t ocsp_n;
	struct tls_ticket_key keys[2]; /* present, before */
	tf_dur rotated;
	struct tls_known known[TF_TLS_CACHE]; /* by the first bytes of the hash */
};

struct tf_tls_conn {
	struct tf_tls *tls;
	SSL *ssl;
	bool done, broken;
	X509 *leaf; /* NULL: none */
	STACK_OF(X509) * between;
	struct tf_certificate cert;
	uint64_t checked; /* generation in which the certificate was found good */
	tf_time until;
};

/* OpenSSL's first complaint becomes the fault's reason; its queue is emptied. */
enum tf_err tls_fault(struct tf_fault *f, enum tf_err code, const char *what);

/* tls_verify.c */
/* 0 for a time that cannot be read: long past. */
tf_time tls_time(const ASN1_TIME *at);
/* Is leaf good now, by the present generation? *out_until (may be NULL): no longer than until then. X509_V_OK or why.
 */
int tls_verify(struct tf_tls *t, X509 *leaf, STACK_OF(X509) * between, tf_time *out_until);
int tls_verify_cb(X509_STORE_CTX *sc, void *tls);
void tls_forget(struct tf_tls *t);

/* Hash, subject, serial; false when memory is out. not_after is the caller's. */
bool tls_describe(X509 *leaf, struct tf_certificate *out);

/* tls_ticket.c */
int tls_ticket_setup(struct tf_tls *t, SSL_CTX *ctx);
/* The certificates between leaf and CA, as the session's ticket holds them; NULL when there are none. Caller frees. */
STACK_OF(X509) * tls_ticket_between(SSL_SESSION *s);
