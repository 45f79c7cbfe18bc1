/* Inside TLS: what tls.c (files), tls_verify.c (certificates), tls_client.c (who came), tls_ticket.c and tls_session.c
 * (resumption) and tls_conn.c share. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

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

/* A certificate that came, for the connections and sessions that go on from one handshake. What may change is under the
 * lock of its struct tf_tls. */
struct tls_client {
	atomic_uint refs;
	X509 *leaf;
	STACK_OF(X509) * between; /* leaf and CA; NULL: none, or in der */
	unsigned char *der; /* these as they were in a ticket: decoded whenever they are needed, which is seldom */
	size_t der_n;
	struct tf_certificate cert;
	uint64_t checked; /* generation in which it was found good; 0: none yet */
	tf_time until;
};

/* A session kept here; empty without session. */
struct tls_session {
	SSL_SESSION *session;
	struct tls_client *client;
	uint64_t period; /* in which it was made */
	tf_dur seen;     /* ticks, its client: when it was made; TLS 1.2: when it came back last */
	bool came_back;  /* its client resumed it, or the one before: last to go */
	bool used;       /* its client has another by now: first to go */
};

struct tf_tls {
	struct tf_os *os;
	struct tf_tls_options o;
	pthread_mutex_t lock; /* of all that follows; not held while a chain is verified */
	SSL_CTX *ctx;
	uint64_t generation;
	tf_time crl_until; /* the first nextUpdate */
	char *ocsp;
	size_t ocsp_n;
	struct tls_ticket_key keys[2]; /* present, before */
	uint64_t period;               /* one more with each rotation */
	tf_dur rotated;
	uint32_t next, swept; /* places in sessions to look at: for one that is to be kept, for one that is over */
	struct tls_session *sessions;         /* o.sessions places */
	struct tls_known known[TF_TLS_CACHE]; /* by the first bytes of the hash */
};

struct tf_tls_conn {
	struct tf_tls *tls;
	SSL *ssl;
	bool done, broken;
	bool placed;               /* TLS 1.2: its session has an id for `place` */
	bool had_ticket;           /* of TLS 1.2 */
	uint32_t place;            /* in the table */
	struct tls_client *client; /* NULL: none */
};

/* OpenSSL's first complaint becomes the fault's reason; its queue is emptied. */
enum tf_err tls_fault(struct tf_fault *f, enum tf_err code, const char *what);

/* tls_verify.c */
/* 0 for a time that cannot be read: long past. */
tf_time tls_time(const ASN1_TIME *at);
/* Until when a leaf was found good, and in which generation. */
struct tls_verdict {
	uint64_t generation;
	tf_time until;
};

/* Is leaf good now, by the present generation? X509_V_OK or why. */
int tls_verify(struct tf_tls *t, X509 *leaf, STACK_OF(X509) * between, struct tls_verdict *out);
int tls_verify_cb(X509_STORE_CTX *sc, void *tls);
/* Was the leaf with this hash found good in this generation, and is so still? With the lock held, as below. */
bool tls_is_known(struct tf_tls *t, const uint8_t sha256[static 32], tf_time *out_until);
void tls_forget(struct tf_tls *t);

/* tls_client.c */
/* Of a full handshake, or of a session that came back as a ticket. NULL: memory is out. */
struct tls_client *tls_client_new(X509 *leaf, const STACK_OF(X509) * between);
struct tls_client *tls_client_from_ticket(X509 *leaf, const void *der, size_t n);
/* Gives c another, or none. */
void tls_client_set(struct tf_tls_conn *c, struct tls_client *take_client);
/* c's, if it is the one of c's session; NULL: no certificate came with that, or memory is out. */
struct tls_client *tls_client_of(struct tf_tls_conn *c);
struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_free(struct tls_client **client);
/* tls_verify, asked again only in another generation or when its answer has run out. */
int tls_client_check(struct tf_tls *t, struct tls_client *client);

/* tls_ticket.c */
/* With the lock held. */
void tls_rotate(struct tf_tls *t);
int tls_ticket_setup(struct tf_tls *t, SSL_CTX *ctx);

/* tls_session.c */
void tls_session_setup(SSL_CTX *ctx);
/* Keeps the session that c is to be told of; false: it is to be a ticket. */
bool tls_session_keep(struct tf_tls_conn *c);
void tls_session_release(struct tf_tls *t);
