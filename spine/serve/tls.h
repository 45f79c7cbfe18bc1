/* TLS 1.2 and 1.3 for a server's connections, on OpenSSL 3: mutual TLS, revocation, tickets, a stapled OCSP answer, and
 * all of them replaced while connections run.
 *
 * The files named in the options are read as one generation. tf_tls_reload reads them anew: files that do not fit
 * together are refused and the generation before stays in use; connections that are open keep theirs. What was decided
 * about a client's certificate holds for one generation only: a resumed session and a kept connection are looked at
 * again by the present CAs, CRLs and clock (session_back in tls_session.c, ticket_back in tls_ticket.c,
 * tf_tls_recheck).
 *
 * Resumption is of two kinds. Both check what a full handshake does, and end after twice ticket_rotate at most.
 *
 * Kept sessions: clients with a certificate are given 32 bytes that name what is kept here, while there is room. Of TLS
 * 1.2 only where a certificate must be shown: their session has its id before.
 * Nothing is decoded when they come back: with OpenSSL 3.0 that is most of a handshake. A place is taken anew when its
 * client came back, and was given another; when its connection broke; or, for a client that came back, from one that
 * has not yet, or not for TF_TLS_SESSION_SURE. A session holds some 10 KB, and 4 KB for each certificate between leaf
 * and CA; those that go on from one handshake share its certificates. All places: 80 MB when there is none between, 160
 * MB at most.
 *
 * Tickets (no state here) for all others, and when no place is free, but not for TLS 1.2 clients who must show more
 * certificates than are kept: each of their handshakes is a full one. Encrypted by a key that changes every
 * ticket_rotate; the one before still opens them. They carry the client's certificates.
 *
 * Not offered: TLS 1.1 and below, renegotiation, compression, early data. Bounds: TF_TLS_*. Thread rule: a connection
 * is one thread's at a time, connections may be different ones'; a struct tf_tls is made, reloaded and freed by one
 * (the server's loop). */
#pragma once
#include "os/os.h"

#define TF_TLS_FILE_BYTES           (1u << 20) /* a PEM or DER file */
#define TF_TLS_CRL_BYTES            (64u << 20)
#define TF_TLS_CHAIN_BYTES          8192          /* of intermediates in a ticket; a longer chain is not resumed */
#define TF_TLS_CACHE                4096          /* client certificates whose chain is known to be good */
#define TF_TLS_SESSIONS             8192          /* kept in memory */
#define TF_TLS_SESSION_SURE         (30 * TF_SEC) /* of a client that came back: so long nobody else gets its place */
#define TF_TLS_SESSION_CERTIFICATES 3    /* of one of them, the leaf too; who has more gets a ticket (TLS 1.3) */
#define TF_TLS_SESSION_BYTES        4096 /* of these */

struct tf_tls;
struct tf_tls_conn;

enum tf_tls_clients {
	TF_TLS_CLIENTS_NONE, /* no certificate is asked for */
	TF_TLS_CLIENTS_MAY,  /* one that is sent must be good */
	TF_TLS_CLIENTS_MUST,
};

struct tf_tls_options {
	const char *certificate; /* PEM: the server's, then those on the way to its CA */
	const char *key;         /* PEM, not encrypted */
	enum tf_tls_clients clients;
	const char *client_ca; /* PEM; needed unless NONE */
	const char *crl;       /* PEM: one for each CA of a client's chain; NULL: revocation is not looked at */
	const char *ocsp;      /* DER: stapled as it is; NULL: none */
	tf_dur ticket_rotate;  /* 0: an hour */
	uint32_t sessions;     /* kept in memory; 0: TF_TLS_SESSIONS */
	bool http2;            /* offer h2 besides http/1.1 */
};

/* A client's certificate, as it proved to have its key. */
struct tf_certificate {
	uint8_t sha256[32]; /* of the DER: RFC 8705's x5t#S256 before base64url */
	tf_time not_after;
	char subject[256];     /* RFC 2253 */
	char common_name[128]; /* of the subject: "" unless it has exactly one, of visible ASCII */
	char serial[64];       /* hexadecimal */
};

/* Options and the names in them must outlive it. TF_INVALID, TF_NOT_FOUND... name the file. */
enum tf_err tf_tls_new(struct tf_os *os, const struct tf_tls_options *o, struct tf_tls **out,
		       struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_tls_reload(struct tf_tls *t, struct tf_fault *f) TF_MUST_USE;
/* 1, 2, ...: of the files in use. */
uint64_t tf_tls_generation(const struct tf_tls *t);
/* A new ticket key now; the present one still opens tickets until the next. */
void tf_tls_rotate(struct tf_tls *t);
/* After its connections. Accepts NULL. */
void tf_tls_free(struct tf_tls **t);

/* What a call waits for when it answers TF_BUSY. */
enum tf_tls_want { TF_TLS_WANT_READ = 1, TF_TLS_WANT_WRITE = 2 };

/* fd is borrowed: the caller closes it after tf_tls_conn_free. */
enum tf_err tf_tls_conn_new(struct tf_tls *t, int fd, struct tf_tls_conn **out, struct tf_fault *f) TF_MUST_USE;
void tf_tls_conn_free(struct tf_tls_conn **c);
/* TF_OK: done. TF_BUSY: poll for *out_want and call again. TF_DENIED: the client's certificate was refused; TF_IO:
 * else.
 */
enum tf_err tf_tls_handshake(struct tf_tls_conn *c, unsigned *out_want, struct tf_fault *f) TF_MUST_USE;
/* As tf_net_recv and tf_net_send. */
enum tf_err tf_tls_recv(struct tf_tls_conn *c, void *p, size_t n, size_t *out_n, unsigned *out_want,
			struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_tls_send(struct tf_tls_conn *c, const void *p, size_t n, size_t *out_n, unsigned *out_want,
			struct tf_fault *f) TF_MUST_USE;
/* Bytes were taken from the socket and not given out yet: the poller will not tell of them. */
bool tf_tls_pending(const struct tf_tls_conn *c);
/* Gives back what it holds for sending and receiving, some 36 KB, until it is needed again. */
void tf_tls_rest(struct tf_tls_conn *c);
/* Tells the client that nothing more will come. */
void tf_tls_shutdown(struct tf_tls_conn *c);

/* RFC 9440's header field: ":base64 of the DER:". subject, serial, not_after and hash are read; the chain is the
 * terminator's to check. TF_INVALID otherwise. */
enum tf_err tf_tls_certificate_read(struct tf_str header, struct tf_certificate *out, struct tf_fault *f) TF_MUST_USE;
/* NULL: the client sent none. After a handshake that was refused: the one that was shown, by whoever had it. */
const struct tf_certificate *tf_tls_certificate(const struct tf_tls_conn *c);
/* Before each request: TF_DENIED when the certificate has expired, or is not good in the present generation. */
enum tf_err tf_tls_recheck(struct tf_tls_conn *c, struct tf_fault *f) TF_MUST_USE;
bool tf_tls_resumed(const struct tf_tls_conn *c);
/* Was h2 agreed on (ALPN)? */
bool tf_tls_http2(const struct tf_tls_conn *c);
/* "TLSv1.3" */
const char *tf_tls_version(const struct tf_tls_conn *c);
