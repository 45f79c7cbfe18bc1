/* What the tests of TLS share: a server's files and certificates in a directory, and both ends of a connection over a
 * pair of sockets, the client's being OpenSSL's. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pki_test.h"
#include "serve/tls.h"

#define OK(expr) assert_int_equal(expr, TF_OK)
#define DAY_S    86400L

/* A server's files, and certificates to come with. */
struct stage {
	char dir[64], certificate[96], key[96], ca[96], crl[96], ocsp[96];
	struct pki_pair root, between, server, good, deep, expired, foreign_root, foreign;
	struct tf_tls_options o;
	struct tf_tls *tls;
};

/* cmocka's setup and teardown: a struct stage, with a server that wants certificates. */
int set_up(void **state);
int tear_down(void **state);
/* The lists anew: the root's names count certificates. */
void stage_revoke(struct stage *s, X509 *const *revoked, int count);
/* The server anew; sessions as in the options. */
void server_with(struct stage *s, struct tf_os *os, uint32_t sessions);
/* The server anew, with the same files on a simulated disk, whose clock can be moved on. */
struct tf_os *simulate(struct stage *s);

/* Both ends of a connection. */
struct ends {
	int fd[2];
	struct tf_tls_conn *server;
	SSL_CTX *ctx;
	SSL *client;
	enum tf_err result; /* of the server's handshake */
	struct tf_fault fault;
	bool client_done;
};

/* The last session given to a client in this thread; the test's to free. */
extern _Thread_local SSL_SESSION *kept;

/* Both ends there, and not a byte sent. */
struct ends prepare(struct stage *s, const struct pki_pair *with, X509 *chain, int version, SSL_SESSION *session);
/* The handshake, as far as it goes. */
void pump(struct ends *e);
struct ends meet(struct stage *s, const struct pki_pair *with, X509 *chain, int version, SSL_SESSION *session);
void part(struct ends *e);
/* A line each way; the client takes its tickets on the way. */
void talk(struct ends *e);
/* Of a full handshake. The caller's. */
SSL_SESSION *session_of(struct stage *s, const struct pki_pair *who, X509 *chain, int version);
