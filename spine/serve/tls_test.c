/* TLS for a server's connections, against OpenSSL's client over a pair of sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/sim.h"
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

static void
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

static int
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

static int
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

static SSL_SESSION *kept;

static int
keep_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = s;
	return 1;
}

static void
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

/* Both ends there, and not a byte sent. */
static struct ends
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

static struct ends
meet(struct stage *s, const struct pki_pair *with, X509 *chain, int version, SSL_SESSION *session)
{
	struct ends e = prepare(s, with, chain, version, session);
	pump(&e);
	return e;
}

static void
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

/* A line each way; the client takes its tickets on the way. */
static void
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

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void
a_good_certificate_is_let_in(void **state)
{
	struct stage *s = *state;
	for (int i = 0; i < 2; i++) {
		struct ends e = meet(s, &s->good, NULL, versions[i], NULL);
		OK(e.result);
		talk(&e);
		const struct tf_certificate *c = tf_tls_certificate(e.server);
		assert_non_null(c);
		assert_string_equal(c->subject, "CN=partner one");
		uint8_t want[32];
		unsigned n = sizeof want;
		X509_digest(s->good.x, EVP_sha256(), want, &n);
		assert_memory_equal(c->sha256, want, sizeof want);
		assert_true(c->not_after > tf_os_now(tf_os_real()));
		OK(tf_tls_recheck(e.server, NULL));
		part(&e);
	}
}

static void
a_chain_of_two_is_let_in(void **state)
{
	struct stage *s = *state;
	for (int i = 0; i < 2; i++) {
		struct ends e = meet(s, &s->deep, s->between.x, versions[i], NULL);
		OK(e.result);
		part(&e);
	}
}

static void
others_are_kept_out(void **state)
{
	struct stage *s = *state;
	X509 *revoked[] = {s->good.x};
	const struct pki_pair *who[] = {NULL, &s->expired, &s->foreign, &s->deep, &s->server};
	for (int i = 0; i < 2; i++) {
		for (size_t k = 0; k < sizeof who / sizeof *who; k++) {
			struct ends e = meet(s, who[k], NULL, versions[i], NULL);
			assert_int_not_equal(e.result, TF_OK);
			assert_int_not_equal(e.result, TF_BUSY);
			assert_int_equal(e.result, TF_DENIED);
			part(&e);
		}
		stage_revoke(s, revoked, 1);
		OK(tf_tls_reload(s->tls, NULL));
		struct ends e = meet(s, &s->good, NULL, versions[i], NULL);
		assert_int_equal(e.result, TF_DENIED);
		assert_non_null(strstr(e.fault.text, "revoked"));
		part(&e);
		stage_revoke(s, NULL, 0);
		OK(tf_tls_reload(s->tls, NULL));
	}
}

static void
old_versions_are_refused(void **state)
{
	struct stage *s = *state;
	struct ends e = meet(s, &s->good, NULL, TLS1_1_VERSION, NULL);
	assert_int_equal(e.result, TF_IO);
	part(&e);
}

static SSL_SESSION *
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

static void
a_session_is_resumed_with_its_certificate(void **state)
{
	struct stage *s = *state;
	for (int i = 0; i < 4; i++) {
		const struct pki_pair *who = i & 1 ? &s->deep : &s->good;
		X509 *chain = i & 1 ? s->between.x : NULL;
		SSL_SESSION *session = session_of(s, who, chain, versions[i / 2]);
		struct ends e = meet(s, who, chain, versions[i / 2], session);
		OK(e.result);
		SSL_SESSION_free(kept);
		kept = NULL;
		talk(&e);
		assert_true(i < 2 || kept); /* TLS 1.3: a ticket for the next time */
		assert_true(tf_tls_resumed(e.server));
		assert_string_equal(tf_tls_certificate(e.server)->subject, i & 1 ? "CN=partner two" : "CN=partner one");
		OK(tf_tls_reload(s->tls, NULL));
		OK(tf_tls_recheck(e.server, NULL));
		part(&e);
		SSL_SESSION_free(session);
	}
}

/* The ticket of a resumed session holds what stands between leaf and CA as the first one did. */
static void
a_session_is_resumed_again_and_again(void **state)
{
	struct stage *s = *state;
	for (int i = 0; i < 2; i++) {
		SSL_SESSION *session = session_of(s, &s->deep, s->between.x, versions[i]);
		for (int k = 0; k < 3; k++) {
			tf_tls_rotate(s->tls); /* TLS 1.2 has a new ticket then */
			OK(tf_tls_reload(s->tls, NULL));
			struct ends e = meet(s, &s->deep, s->between.x, versions[i], session);
			OK(e.result);
			talk(&e);
			assert_true(tf_tls_resumed(e.server));
			OK(tf_tls_reload(s->tls, NULL));
			OK(tf_tls_recheck(e.server, NULL));
			SSL_SESSION_free(session);
			session = SSL_get1_session(e.client);
			part(&e);
		}
		SSL_SESSION_free(session);
	}
}

static void
a_revoked_certificate_does_not_resume(void **state)
{
	struct stage *s = *state;
	X509 *revoked[] = {s->good.x};
	for (int i = 0; i < 2; i++) {
		SSL_SESSION *session = session_of(s, &s->good, NULL, versions[i]);
		stage_revoke(s, revoked, 1);
		OK(tf_tls_reload(s->tls, NULL));
		struct ends e = meet(s, &s->good, NULL, versions[i], session);
		assert_int_equal(e.result, TF_DENIED);
		part(&e);
		/* Nor does a client that comes without it. */
		e = meet(s, NULL, NULL, versions[i], session);
		assert_int_not_equal(e.result, TF_OK);
		part(&e);
		/* With its new certificate it gets a full handshake. */
		e = meet(s, &s->deep, s->between.x, versions[i], session);
		OK(e.result);
		assert_false(tf_tls_resumed(e.server));
		part(&e);
		SSL_SESSION_free(session);
		stage_revoke(s, NULL, 0);
		OK(tf_tls_reload(s->tls, NULL));
	}
}

static void
a_kept_connection_is_looked_at_again(void **state)
{
	struct stage *s = *state;
	X509 *revoked[] = {s->good.x};
	struct ends e = meet(s, &s->good, NULL, TLS1_3_VERSION, NULL);
	OK(e.result);
	OK(tf_tls_recheck(e.server, NULL));
	stage_revoke(s, revoked, 1);
	OK(tf_tls_reload(s->tls, NULL));
	talk(&e); /* a reload breaks no connection */
	struct tf_fault f = {0};
	assert_int_equal(tf_tls_recheck(e.server, &f), TF_DENIED);
	assert_non_null(strstr(f.text, "revoked"));
	part(&e);
}

/* A handshake that was begun before the reload is looked at by what came with it: a client that holds one open gets
 * neither in, nor the list of those known to be good. */
static void
a_handshake_over_a_reload_is_checked_by_the_new_files(void **state)
{
	struct stage *s = *state;
	X509 *revoked[] = {s->good.x};
	for (int i = 0; i < 2; i++) {
		struct ends e = prepare(s, &s->good, NULL, versions[i], NULL);
		stage_revoke(s, revoked, 1);
		OK(tf_tls_reload(s->tls, NULL));
		pump(&e);
		assert_int_equal(e.result, TF_DENIED);
		part(&e);
		e = meet(s, &s->good, NULL, versions[i], NULL);
		assert_int_equal(e.result, TF_DENIED);
		part(&e);
		stage_revoke(s, NULL, 0);
		OK(tf_tls_reload(s->tls, NULL));
	}
}

/* The same files on a simulated disk, whose clock can be moved on. */
static struct tf_os *
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
	tf_tls_free(&s->tls);
	OK(tf_tls_new(sim, &s->o, &s->tls, NULL));
	return sim;
}

static void
a_certificate_ends_within_a_connection(void **state)
{
	struct stage *s = *state;
	struct tf_os *sim = simulate(s);
	struct pki_pair brief = pki_make("brief", PKI_CLIENT, &s->root, -DAY_S, 3600);
	struct ends e = meet(s, &brief, NULL, TLS1_3_VERSION, NULL);
	OK(e.result);
	talk(&e);
	SSL_SESSION *session = kept;
	kept = NULL;
	OK(tf_tls_recheck(e.server, NULL));
	tf_sim_advance(sim, 3602 * TF_SEC);
	struct tf_fault f = {0};
	assert_int_equal(tf_tls_recheck(e.server, &f), TF_DENIED);
	assert_non_null(strstr(f.text, "expired"));
	part(&e);
	e = meet(s, &brief, NULL, TLS1_3_VERSION, session); /* nor is it resumed */
	assert_int_equal(e.result, TF_DENIED);
	part(&e);
	SSL_SESSION_free(session);
	pki_free(&brief);
	tf_tls_free(&s->tls);
	tf_sim_free(&sim);
}

static void
tickets_outlive_one_rotation(void **state)
{
	struct stage *s = *state;
	for (int i = 0; i < 2; i++) {
		SSL_SESSION *session = session_of(s, &s->good, NULL, versions[i]);
		for (int k = 0; k < 3; k++) {
			struct ends e = meet(s, &s->good, NULL, versions[i], session);
			OK(e.result);
			assert_int_equal(tf_tls_resumed(e.server), k < 2);
			part(&e);
			tf_tls_rotate(s->tls);
		}
		SSL_SESSION_free(session);
	}
}

static void
a_reload_that_does_not_fit_changes_nothing(void **state)
{
	struct stage *s = *state;
	struct tf_fault f = {0};
	uint64_t before = tf_tls_generation(s->tls);
	pki_write(s->key, NULL, 0, s->good.key);
	assert_int_equal(tf_tls_reload(s->tls, &f), TF_INVALID);
	assert_non_null(strstr(f.text, s->key));
	pki_write(s->key, NULL, 0, s->server.key);
	pki_write(s->certificate, &s->expired.x, 1, NULL);
	assert_int_equal(tf_tls_reload(s->tls, &f), TF_INVALID);
	pki_write(s->certificate, &s->server.x, 1, NULL);
	assert_int_equal(truncate(s->ca, 40), 0);
	assert_int_equal(tf_tls_reload(s->tls, &f), TF_INVALID);
	unlink(s->ca);
	assert_int_equal(tf_tls_reload(s->tls, &f), TF_NOT_FOUND);
	assert_int_equal(tf_tls_generation(s->tls), before);
	struct ends e = meet(s, &s->good, NULL, TLS1_3_VERSION, NULL);
	OK(e.result);
	part(&e);
	pki_write(s->ca, &s->root.x, 1, NULL);
	OK(tf_tls_reload(s->tls, &f));
	assert_int_equal(tf_tls_generation(s->tls), before + 1);
}

static void
an_old_revocation_list_lets_nobody_in(void **state)
{
	struct stage *s = *state;
	pki_write_crl(s->crl, &s->root, NULL, 0, -5);
	OK(tf_tls_reload(s->tls, NULL));
	struct ends e = meet(s, &s->good, NULL, TLS1_3_VERSION, NULL);
	assert_int_equal(e.result, TF_DENIED);
	part(&e);
}

static void
a_new_server_certificate_is_shown_after_reload(void **state)
{
	struct stage *s = *state;
	struct pki_pair next = pki_make("server two", PKI_SERVER, &s->root, -DAY_S, DAY_S);
	struct ends before = meet(s, &s->good, NULL, TLS1_3_VERSION, NULL);
	pki_write(s->certificate, &next.x, 1, NULL);
	pki_write(s->key, NULL, 0, next.key);
	OK(tf_tls_reload(s->tls, NULL));
	struct ends after = meet(s, &s->good, NULL, TLS1_3_VERSION, NULL);
	X509 *shown = SSL_get1_peer_certificate(after.client);
	assert_int_equal(X509_cmp(shown, next.x), 0);
	X509_free(shown);
	talk(&before);
	talk(&after);
	part(&before);
	part(&after);
	pki_free(&next);
}

static void
a_stapled_answer_is_sent(void **state)
{
	struct stage *s = *state;
	OK(tf_os_write_file(tf_os_real(), s->ocsp, TF_STR("0\x03\n\x01\x01"), NULL));
	s->o.ocsp = s->ocsp;
	tf_tls_free(&s->tls);
	OK(tf_tls_new(tf_os_real(), &s->o, &s->tls, NULL));
	struct ends e = {0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, e.fd), 0);
	e.ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_use_certificate(e.ctx, s->good.x);
	SSL_CTX_use_PrivateKey(e.ctx, s->good.key);
	e.client = SSL_new(e.ctx);
	SSL_set_tlsext_status_type(e.client, TLSEXT_STATUSTYPE_ocsp);
	SSL_set_fd(e.client, e.fd[0]);
	SSL_set_connect_state(e.client);
	OK(tf_tls_conn_new(s->tls, e.fd[1], &e.server, NULL));
	pump(&e);
	OK(e.result);
	unsigned char *got;
	assert_int_equal(SSL_get_tlsext_status_ocsp_resp(e.client, &got), 5);
	assert_memory_equal(got, "0\x03\n\x01\x01", 5);
	part(&e);
}

static void
clients_may_come_without(void **state)
{
	struct stage *s = *state;
	s->o.clients = TF_TLS_CLIENTS_MAY;
	tf_tls_free(&s->tls);
	OK(tf_tls_new(tf_os_real(), &s->o, &s->tls, NULL));
	for (int i = 0; i < 2; i++) {
		struct ends e = meet(s, NULL, NULL, versions[i], NULL);
		OK(e.result);
		assert_null(tf_tls_certificate(e.server));
		OK(tf_tls_recheck(e.server, NULL));
		part(&e);
		e = meet(s, &s->foreign, NULL, versions[i], NULL);
		assert_int_equal(e.result, TF_DENIED);
		part(&e);
	}
}

static void
noise_is_no_handshake(void **state)
{
	struct stage *s = *state;
	int fd[2];
	unsigned want;
	struct tf_tls_conn *c;
	struct tf_fault f = {0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	OK(tf_tls_conn_new(s->tls, fd[1], &c, NULL));
	assert_int_equal(tf_tls_handshake(c, &want, &f), TF_BUSY);
	assert_int_equal(want, TF_TLS_WANT_READ);
	assert_int_equal(write(fd[0], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	assert_int_equal(tf_tls_handshake(c, &want, &f), TF_IO);
	tf_tls_conn_free(&c);
	close(fd[0]);
	close(fd[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_certificate_is_let_in),
		TEST(a_chain_of_two_is_let_in),
		TEST(others_are_kept_out),
		TEST(old_versions_are_refused),
		TEST(a_session_is_resumed_with_its_certificate),
		TEST(a_session_is_resumed_again_and_again),
		TEST(a_revoked_certificate_does_not_resume),
		TEST(a_kept_connection_is_looked_at_again),
		TEST(a_handshake_over_a_reload_is_checked_by_the_new_files),
		TEST(a_certificate_ends_within_a_connection),
		TEST(tickets_outlive_one_rotation),
		TEST(a_reload_that_does_not_fit_changes_nothing),
		TEST(an_old_revocation_list_lets_nobody_in),
		TEST(a_new_server_certificate_is_shown_after_reload),
		TEST(a_stapled_answer_is_sent),
		TEST(clients_may_come_without),
		TEST(noise_is_no_handshake),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	SSL_SESSION_free(kept);
	return failed;
}
