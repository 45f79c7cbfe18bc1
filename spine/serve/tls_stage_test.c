/* What the tests of TLS share; see tls_stage_test.h. */
#include "tls_stage_test.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/sim.h"

_Thread_local SSL_SESSION *kept;

void
stage_revoke(struct stage *s, X509 *const *revoked, int count)
{
	char other[96];
	pki_write_crl(s->crl, &s->root, revoked, count, DAY_S);
	snprintf(other, sizeof other, "%s/between.crl", s->dir);
	pki_write_crl(other, &s->between, NULL, 0, DAY_S);
	char command[300];
	snprintf(command, sizeof command, "cat '%s' >> '%s'", other, s->crl);
	assert_int_equal(system(command), 0);
}

int
set_up(void **state)
{
	struct stage *s = calloc(1, sizeof *s);
	snprintf(s->dir, sizeof s->dir, "/tmp/tls-test-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->certificate, sizeof s->certificate, "%s/server.pem", s->dir);
	snprintf(s->key, sizeof s->key, "%s/server.key", s->dir);
	snprintf(s->ca, sizeof s->ca, "%s/ca.pem", s->dir);
	snprintf(s->crl, sizeof s->crl, "%s/ca.crl", s->dir);
	snprintf(s->ocsp, sizeof s->ocsp, "%s/ocsp.der", s->dir);
	s->root = pki_make("root", PKI_CA, NULL, -DAY_S, DAY_S);
	s->between = pki_make("between", PKI_CA, &s->root, -DAY_S, DAY_S);
	s->server = pki_make("server", PKI_SERVER, &s->root, -DAY_S, DAY_S);
	s->good = pki_make("partner one", PKI_CLIENT, &s->root, -DAY_S, DAY_S);
	s->deep = pki_make("partner two", PKI_CLIENT, &s->between, -DAY_S, DAY_S);
	s->expired = pki_make("partner three", PKI_CLIENT, &s->root, -DAY_S, -10);
	s->foreign_root = pki_make("root", PKI_CA, NULL, -DAY_S, DAY_S);
	s->foreign = pki_make("partner one", PKI_CLIENT, &s->foreign_root, -DAY_S, DAY_S);
	pki_write(s->certificate, &s->server.x, 1, NULL);
	pki_write(s->key, NULL, 0, s->server.key);
	pki_write(s->ca, &s->root.x, 1, NULL);
	stage_revoke(s, NULL, 0);
	s->o = (struct tf_tls_options){.certificate = s->certificate,
				       .key = s->key,
				       .clients = TF_TLS_CLIENTS_MUST,
				       .client_ca = s->ca,
				       .crl = s->crl};
	OK(tf_tls_new(tf_os_real(), &s->o, &s->tls, NULL));
	*state = s;
	return 0;
}

int
tear_down(void **state)
{
	struct stage *s = *state;
	struct pki_pair *all[] = {&s->root, &s->between, &s->server,       &s->good,
				  &s->deep, &s->expired, &s->foreign_root, &s->foreign};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		pki_free(all[i]);
	tf_tls_free(&s->tls);
	char command[128];
	snprintf(command, sizeof command, "rm -r '%s'", s->dir);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

void
server_with(struct stage *s, struct tf_os *os, uint32_t sessions)
{
	tf_tls_free(&s->tls);
	s->o.sessions = sessions;
	OK(tf_tls_new(os, &s->o, &s->tls, NULL));
}

struct tf_os *
simulate(struct stage *s)
{
	struct tf_sim_options o = {.seed = 1, .start = tf_os_now(tf_os_real())};
	struct tf_os *sim = tf_sim_new(&o);
	const char *files[] = {s->certificate, s->key, s->ca, s->crl};
	OK(tf_os_mkdirs(sim, s->dir, NULL));
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *text;
		size_t n;
		OK(tf_os_read_file(tf_os_real(), files[i], 1 << 20, &text, &n, NULL));
		OK(tf_os_write_file(sim, files[i], tf_str_n(text, n), NULL));
		tf_free(text);
	}
	server_with(s, sim, 0);
	return sim;
}

static int
keep_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = s;
	return 1;
}

void
pump(struct ends *e)
{
	e->result = TF_BUSY;
	for (int i = 0; i < 50; i++) {
		unsigned want;
		if (!e->client_done && SSL_do_handshake(e->client) == 1)
			e->client_done = true;
		if (e->result == TF_BUSY)
			e->result = tf_tls_handshake(e->server, &want, &e->fault);
	}
}

struct ends
prepare(struct stage *s, const struct pki_pair *with, X509 *chain, int version, SSL_SESSION *session)
{
	struct ends e = {0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, e.fd), 0);
	e.ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(e.ctx, version);
	SSL_CTX_set_max_proto_version(e.ctx, version);
	SSL_CTX_set_session_cache_mode(e.ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(e.ctx, keep_session);
	if (with) {
		assert_int_equal(SSL_CTX_use_certificate(e.ctx, with->x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(e.ctx, with->key), 1);
		if (chain)
			SSL_CTX_add1_chain_cert(e.ctx, chain);
	}
	e.client = SSL_new(e.ctx);
	SSL_set_fd(e.client, e.fd[0]);
	SSL_set_connect_state(e.client);
	if (session) {
		SSL_SESSION *own = SSL_SESSION_dup(session); /* a client spoils the one it used */
		SSL_set_session(e.client, own);
		SSL_SESSION_free(own);
	}
	OK(tf_tls_conn_new(s->tls, e.fd[1], &e.server, NULL));
	return e;
}

struct ends
meet(struct stage *s, const struct pki_pair *with, X509 *chain, int version, SSL_SESSION *session)
{
	struct ends e = prepare(s, with, chain, version, session);
	pump(&e);
	return e;
}

void
part(struct ends *e)
{
	if (e->client_done)
		SSL_shutdown(e->client); /* else its session is spoilt */
	SSL_free(e->client);
	SSL_CTX_free(e->ctx);
	tf_tls_conn_free(&e->server);
	close(e->fd[0]);
	close(e->fd[1]);
}

void
talk(struct ends *e)
{
	char got[64] = "";
	size_t n = 0;
	unsigned want;
	assert_int_equal(SSL_write(e->client, "hello", 5), 5);
	OK(tf_tls_recv(e->server, got, sizeof got, &n, &want, NULL));
	assert_int_equal(n, 5);
	OK(tf_tls_send(e->server, "there", 5, &n, &want, NULL));
	assert_int_equal(SSL_read(e->client, got, sizeof got), 5);
	assert_memory_equal(got, "there", 5);
	assert_int_equal(tf_tls_recv(e->server, got, sizeof got, &n, &want, NULL), TF_BUSY);
	assert_int_equal(want, TF_TLS_WANT_READ);
}

SSL_SESSION *
session_of(struct stage *s, const struct pki_pair *who, X509 *chain, int version)
{
	struct ends e = meet(s, who, chain, version, NULL);
	OK(e.result);
	talk(&e);
	part(&e);
	assert_non_null(kept);
	SSL_SESSION *session = kept;
	kept = NULL;
	return session;
}
