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

/* How a session comes back: named by an id, or whole in a ticket. */
static const struct way {
	int version;
	bool by_id;
} ways[] = {{TLS1_2_VERSION, false}, {TLS1_3_VERSION, true}, {TLS1_3_VERSION, false}};

#define WAYS (sizeof ways / sizeof *ways)

static size_t
ticket_size(const SSL_SESSION *session)
{
	const unsigned char *ticket;
	size_t n;
	SSL_SESSION_get0_ticket(session, &ticket, &n);
	return n;
}

static void
server_with(struct stage *s, struct tf_os *os, uint32_t sessions)
{
	tf_tls_free(&s->tls);
	s->o.sessions = sessions;
	OK(tf_tls_new(os, &s->o, &s->tls, NULL));
}

/* A server anew. Where the only place for a session is taken, those who come get tickets. */
static void
begin(struct stage *s, struct tf_os *os, const struct way *way)
{
	server_with(s, os, way->by_id ? 0 : 1);
	if (!way->by_id)
		SSL_SESSION_free(session_of(s, &s->good, NULL, TLS1_3_VERSION));
}

static SSL_SESSION *
session_by(struct stage *s, const struct way *way, const struct pki_pair *who, X509 *chain)
{
	SSL_SESSION *session = session_of(s, who, chain, way->version);
	assert_int_equal(ticket_size(session) == SSL_MAX_SSL_SESSION_ID_LENGTH, way->by_id);
	return session;
}

static bool
is_resumed(struct stage *s, const struct pki_pair *who, X509 *chain, int version, SSL_SESSION *session)
{
	struct ends e = meet(s, who, chain, version, session);
	OK(e.result);
	talk(&e);
	bool resumed = tf_tls_resumed(e.server);
	part(&e);
	return resumed;
}

static void
a_session_is_resumed_with_its_certificate(void **state)
{
	struct stage *s = *state;
	for (size_t i = 0; i < 2 * WAYS; i++) {
		const struct way *way = &ways[i / 2];
		const struct pki_pair *who = i & 1 ? &s->deep : &s->good;
		X509 *chain = i & 1 ? s->between.x : NULL;
		begin(s, tf_os_real(), way);
		SSL_SESSION *session = session_by(s, way, who, chain);
		struct ends e = meet(s, who, chain, way->version, session);
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
	for (size_t i = 0; i < WAYS; i++) {
		begin(s, tf_os_real(), &ways[i]);
		SSL_SESSION *session = session_by(s, &ways[i], &s->deep, s->between.x);
		for (int k = 0; k < 5; k++) {
			tf_tls_rotate(s->tls); /* TLS 1.2 has a new ticket then; TLS 1.3 an id, when there is room */
			OK(tf_tls_reload(s->tls, NULL));
			struct ends e = meet(s, &s->deep, s->between.x, ways[i].version, session);
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
	for (size_t i = 0; i < WAYS; i++) {
		begin(s, tf_os_real(), &ways[i]);
		SSL_SESSION *session = session_by(s, &ways[i], &s->good, NULL);
		stage_revoke(s, revoked, 1);
		OK(tf_tls_reload(s->tls, NULL));
		struct ends e = meet(s, &s->good, NULL, ways[i].version, session);
		assert_int_equal(e.result, TF_DENIED);
		part(&e);
		/* Nor does a client that comes without it. */
		e = meet(s, NULL, NULL, ways[i].version, session);
		assert_int_not_equal(e.result, TF_OK);
		part(&e);
		/* With its new certificate it gets a full handshake. */
		e = meet(s, &s->deep, s->between.x, ways[i].version, session);
		OK(e.result);
		assert_false(tf_tls_resumed(e.server));
		assert_string_equal(tf_tls_certificate(e.server)->subject, "CN=partner two");
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
	server_with(s, sim, 0);
	return sim;
}

static void
a_certificate_ends_within_a_connection(void **state)
{
	struct stage *s = *state;
	struct tf_os *sim = simulate(s);
	for (size_t i = 0; i < WAYS; i++) {
		struct pki_pair brief = pki_make("brief", PKI_CLIENT, &s->root, -DAY_S, 3600 * ((long)i + 1));
		begin(s, sim, &ways[i]);
		struct ends e = meet(s, &brief, NULL, ways[i].version, NULL);
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
		e = meet(s, &brief, NULL, ways[i].version, session); /* nor is it resumed */
		assert_int_equal(e.result, TF_DENIED);
		part(&e);
		SSL_SESSION_free(session);
		pki_free(&brief);
	}
	tf_tls_free(&s->tls);
	tf_sim_free(&sim);
}

static void
sessions_outlive_one_rotation(void **state)
{
	struct stage *s = *state;
	for (size_t i = 0; i < WAYS; i++) {
		begin(s, tf_os_real(), &ways[i]);
		SSL_SESSION *session = session_by(s, &ways[i], &s->good, NULL);
		for (int k = 0; k < 3; k++) {
			assert_int_equal(is_resumed(s, &s->good, NULL, ways[i].version, session), k < 2);
			tf_tls_rotate(s->tls);
		}
		SSL_SESSION_free(session);
	}
}

static void
sessions_end_by_the_clock(void **state)
{
	struct stage *s = *state;
	struct tf_os *sim = simulate(s);
	for (size_t i = 0; i < WAYS; i++) {
		begin(s, sim, &ways[i]);
		SSL_SESSION *session = session_by(s, &ways[i], &s->good, NULL);
		tf_sim_advance(sim, 3601 * TF_SEC);
		assert_true(is_resumed(s, &s->good, NULL, ways[i].version, session));
		tf_sim_advance(sim, 3601 * TF_SEC);
		assert_false(is_resumed(s, &s->good, NULL, ways[i].version, session));
		SSL_SESSION_free(session);
		session = session_of(s, &s->good, NULL, ways[i].version);
		tf_sim_advance(sim, 7202 * TF_SEC); /* nobody came meanwhile */
		assert_false(is_resumed(s, &s->good, NULL, ways[i].version, session));
		SSL_SESSION_free(session);
	}
	tf_tls_free(&s->tls);
	tf_sim_free(&sim);
}

/* Sessions whose clients have another make room; those that are wanted still do not. */
static void
a_full_table_gives_tickets(void **state)
{
	struct stage *s = *state;
	const struct way *id = &ways[1], *ticket = &ways[2];
	server_with(s, tf_os_real(), 2);
	SSL_SESSION *one = session_by(s, id, &s->good, NULL), *two = session_by(s, id, &s->deep, s->between.x);
	SSL_SESSION *three = session_by(s, ticket, &s->good, NULL);
	struct ends e = meet(s, &s->good, NULL, TLS1_3_VERSION, one);
	talk(&e);
	assert_true(tf_tls_resumed(e.server));
	assert_int_equal(ticket_size(kept), SSL_MAX_SSL_SESSION_ID_LENGTH);
	part(&e);
	assert_false(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, one)); /* its place was taken by the next */
	assert_true(is_resumed(s, &s->deep, s->between.x, TLS1_3_VERSION, two));
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, three));
	SSL_SESSION_free(one);
	SSL_SESSION_free(two);
	SSL_SESSION_free(three);
}

static void
long_certificates_and_none_are_not_kept(void **state)
{
	struct stage *s = *state;
	X509 *chain = s->between.x;
	struct ends e = prepare(s, &s->deep, chain, TLS1_3_VERSION, NULL);
	int size = i2d_X509(s->deep.x, NULL) + i2d_X509(chain, NULL);
	for (; size <= TF_TLS_SESSION_BYTES; size += i2d_X509(chain, NULL))
		SSL_add1_chain_cert(e.client, chain);
	pump(&e);
	OK(e.result);
	talk(&e);
	part(&e);
	assert_true(ticket_size(kept) > SSL_MAX_SSL_SESSION_ID_LENGTH);
	SSL_SESSION *session = kept;
	kept = NULL;
	assert_true(is_resumed(s, &s->deep, chain, TLS1_3_VERSION, session));
	assert_true(ticket_size(kept) > SSL_MAX_SSL_SESSION_ID_LENGTH);
	SSL_SESSION_free(session);
	s->o.clients = TF_TLS_CLIENTS_MAY;
	server_with(s, tf_os_real(), 0);
	session = session_of(s, NULL, NULL, TLS1_3_VERSION);
	assert_true(ticket_size(session) > SSL_MAX_SSL_SESSION_ID_LENGTH);
	assert_true(is_resumed(s, NULL, NULL, TLS1_3_VERSION, session));
	SSL_SESSION_free(session);
}

/* The session with another byte in its id. */
static SSL_SESSION *
with_other_id(SSL_SESSION *session, size_t at)
{
	const unsigned char *id, *p;
	unsigned char *der = NULL, *found;
	size_t n;
	int size = i2d_SSL_SESSION(session, &der);
	SSL_SESSION_get0_ticket(session, &id, &n);
	found = memmem(der, (size_t)size, id, n);
	assert_non_null(found);
	found[at] ^= 1;
	p = der;
	SSL_SESSION *other = d2i_SSL_SESSION(NULL, &p, size);
	OPENSSL_free(der);
	assert_non_null(other);
	return other;
}

static void
a_foreign_id_is_a_full_handshake(void **state)
{
	struct stage *s = *state;
	SSL_SESSION *session = session_by(s, &ways[1], &s->good, NULL);
	for (size_t at = 0; at < SSL_MAX_SSL_SESSION_ID_LENGTH; at++) {
		SSL_SESSION *other = with_other_id(session, at);
		assert_false(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, other));
		SSL_SESSION_free(other);
	}
	assert_true(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, session));
	server_with(s, tf_os_real(), 0); /* after a restart nothing is known */
	assert_false(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, session));
	SSL_SESSION_free(session);
}

static int
foreign_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *n, SSL_SESSION **out)
{
	static const unsigned char own[SSL_MAX_SSL_SESSION_ID_LENGTH] = "another server's";
	(void)md;
	*id = own;
	*n = sizeof own;
	*out = SSL_SESSION_dup(SSL_get_session(ssl));
	return *out != NULL;
}

/* A client may offer more than one; what is none of ours hides none of ours. */
static void
several_sessions_may_be_offered(void **state)
{
	struct stage *s = *state;
	for (size_t i = 1; i < WAYS; i++) {
		begin(s, tf_os_real(), &ways[i]);
		SSL_SESSION *session = session_by(s, &ways[i], &s->good, NULL);
		struct ends e = prepare(s, &s->good, NULL, TLS1_3_VERSION, session);
		SSL_set_psk_use_session_callback(e.client, foreign_psk);
		pump(&e);
		OK(e.result);
		talk(&e);
		assert_true(tf_tls_resumed(e.server));
		part(&e);
		SSL_SESSION_free(session);
	}
}

/* RFC 8446, 6.2: a connection that failed takes its session with it, where that can be taken. */
static void
the_session_of_a_broken_connection_is_forgotten(void **state)
{
	struct stage *s = *state;
	char got[8];
	size_t n;
	unsigned want;
	struct ends e = meet(s, &s->good, NULL, TLS1_3_VERSION, NULL);
	talk(&e);
	SSL_SESSION *session = kept;
	kept = NULL;
	assert_int_equal(write(e.fd[0], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	assert_int_equal(tf_tls_recv(e.server, got, sizeof got, &n, &want, NULL), TF_IO);
	part(&e);
	assert_false(is_resumed(s, &s->good, NULL, TLS1_3_VERSION, session));
	SSL_SESSION_free(session);
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
		TEST(a_session_is_resumed_with_its_certificate),
		TEST(a_session_is_resumed_again_and_again),
		TEST(a_revoked_certificate_does_not_resume),
		TEST(a_kept_connection_is_looked_at_again),
		TEST(a_handshake_over_a_reload_is_checked_by_the_new_files),
		TEST(a_certificate_ends_within_a_connection),
		TEST(sessions_outlive_one_rotation),
		TEST(sessions_end_by_the_clock),
		TEST(a_full_table_gives_tickets),
		TEST(long_certificates_and_none_are_not_kept),
		TEST(a_foreign_id_is_a_full_handshake),
		TEST(several_sessions_may_be_offered),
		TEST(the_session_of_a_broken_connection_is_forgotten),
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
