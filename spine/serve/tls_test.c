/* TLS for a server's connections: files, certificates, versions; what is resumed is in tls_session_test.c. */
#include "tls_stage_test.h"

#include <sys/socket.h>
#include <unistd.h>

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
	server_with(s, tf_os_real(), 0);
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
	server_with(s, tf_os_real(), 0);
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
		TEST(a_kept_connection_is_looked_at_again),
		TEST(a_handshake_over_a_reload_is_checked_by_the_new_files),
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
