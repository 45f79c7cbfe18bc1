/* The server over TLS: the same answers, and the client's certificate looked at before each request. */
#include "site_test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pki_test.h"
#include "server_impl.h"

#define DAY_S 86400L

static char dir[64], certificate[96], key[96], ca[96], crl[96];
static struct pki_pair root, own, partner;
static struct tf_tls *tls;
static int handshakers = 2; /* -1: none */
static struct site *site;

/* Whom the connections refused, as the server told it. */
static struct {
	atomic_uint count;
	int status;
	bool known, asked; /* its certificate; it had a request */
	char certificate[256], peer[48], why[256], path[64];
} refusal;

static void
note_refusal(void *ctx, const struct tf_refused *r)
{
	assert_ptr_equal(ctx, &refusal);
	refusal.status = r->status;
	refusal.known = r->certificate != NULL;
	refusal.asked = r->x != NULL;
	snprintf(refusal.certificate, sizeof refusal.certificate, "%s", r->certificate ? r->certificate->subject : "");
	snprintf(refusal.peer, sizeof refusal.peer, "%s", r->peer->host);
	snprintf(refusal.why, sizeof refusal.why, "%s", r->why);
	if (r->x)
		snprintf(refusal.path, sizeof refusal.path, "%.*s", TF_FMT(tf_exchange_request(r->x)->path));
	atomic_fetch_add(&refusal.count, 1);
}

static int
make_pki(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/server-tls-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(certificate, sizeof certificate, "%s/server.pem", dir);
	snprintf(key, sizeof key, "%s/server.key", dir);
	snprintf(ca, sizeof ca, "%s/ca.pem", dir);
	snprintf(crl, sizeof crl, "%s/ca.crl", dir);
	root = pki_make("root", PKI_CA, NULL, -DAY_S, DAY_S);
	own = pki_make("server", PKI_SERVER, &root, -DAY_S, DAY_S);
	partner = pki_make("partner", PKI_CLIENT, &root, -DAY_S, DAY_S);
	pki_write(certificate, &own.x, 1, NULL);
	pki_write(key, NULL, 0, own.key);
	pki_write(ca, &root.x, 1, NULL);
	return 0;
}

static int
drop_pki(void **state)
{
	(void)state;
	char command[128];
	pki_free(&root);
	pki_free(&own);
	pki_free(&partner);
	snprintf(command, sizeof command, "rm -r '%s'", dir);
	return system(command);
}

static int
setup(void **state)
{
	(void)state;
	pki_write_crl(crl, &root, NULL, 0, DAY_S);
	struct tf_tls_options o = {
		.certificate = certificate, .key = key, .clients = TF_TLS_CLIENTS_MUST, .client_ca = ca, .crl = crl};
	OK(tf_tls_new(tf_os_real(), &o, &tls, NULL));
	memset(&refusal, 0, sizeof refusal);
	site = site_start((struct tf_server_options){.tls = tls,
						     .handshakers = handshakers,
						     .head_timeout = TF_SEC / 2,
						     .refused = note_refusal,
						     .refused_ctx = &refusal});
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	site_end(&site);
	tf_tls_free(&tls);
	return 0;
}

/* A client over TLS; what was received and not looked at stays in `in`. */
struct secure {
	struct client tcp;
	SSL_CTX *ctx;
	SSL *ssl;
	struct tf_buf in;
	int status;
	struct tf_str body; /* in `in`, until the next */
	size_t at;
};

static struct secure
secure_dial_again(const struct pki_pair *with, SSL_SESSION *session)
{
	struct secure s = {.tcp = site_dial(site), .ctx = SSL_CTX_new(TLS_client_method())};
	if (with) {
		assert_int_equal(SSL_CTX_use_certificate(s.ctx, with->x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(s.ctx, with->key), 1);
	}
	SSL_CTX_load_verify_locations(s.ctx, ca, NULL);
	SSL_CTX_set_verify(s.ctx, SSL_VERIFY_PEER, NULL);
	s.ssl = SSL_new(s.ctx);
	SSL_set_fd(s.ssl, s.tcp.fd);
	if (session)
		SSL_set_session(s.ssl, session);
	tf_buf_init(&s.in, 0);
	assert_int_equal(SSL_connect(s.ssl), 1);
	return s;
}

static struct secure
secure_dial(const struct pki_pair *with)
{
	return secure_dial_again(with, NULL);
}

static void
secure_close(struct secure *s)
{
	SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	SSL_CTX_free(s->ctx);
	tf_buf_release(&s->in);
	client_close(&s->tcp);
}

static void
secure_say(struct secure *s, const char *text)
{
	assert_int_equal(SSL_write(s->ssl, text, (int)strlen(text)), strlen(text));
}

static bool
more(struct secure *s)
{
	char bytes[16384];
	int n = SSL_read(s->ssl, bytes, sizeof bytes);
	if (n <= 0)
		return false;
	tf_buf_put(&s->in, bytes, (size_t)n);
	return true;
}

/* An answer with a Content-Length. */
static void
secure_hear(struct secure *s)
{
	const char *end, *from;
	while (!s->in.n || !(end = memmem(s->in.p + s->at, s->in.n - s->at, "\r\n\r\n", 4)))
		assert_true(more(s));
	from = (const char *)s->in.p + s->at;
	unsigned long long n = 0;
	const char *length = memmem(from, (size_t)(end - from), "Content-Length: ", 16);
	assert_int_equal(sscanf(from, "HTTP/1.1 %d", &s->status), 1);
	if (length)
		n = strtoull(length + 16, NULL, 10);
	size_t body = (size_t)(end + 4 - (const char *)s->in.p);
	while (s->in.n < body + n)
		assert_true(more(s));
	s->body = tf_str_n(s->in.p + body, n);
	s->at = body + n;
}

static void
a_connection_is_kept(void **state)
{
	(void)state;
	struct secure s = secure_dial(&partner);
	for (int i = 0; i < 3; i++) {
		secure_say(&s, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
		secure_hear(&s);
		assert_int_equal(s.status, 200);
		assert_true(tf_str_eq(s.body, TF_STR("now")));
	}
	secure_say(&s, "GET /echo/1/2 HTTP/1.1\r\nHost: h\r\n\r\n");
	secure_hear(&s);
	assert_non_null(memmem(s.body.p, s.body.n, "CN=partner", 10));
	secure_close(&s);
}

/* Many requests in one record, many records in one segment: TLS holds what the poller does not tell of. */
static void
pipelined_requests_are_all_answered(void **state)
{
	(void)state;
	static const char one[] = "GET /now HTTP/1.1\r\nHost: h\r\nX: 0123456789012345678901234567890123456789\r\n\r\n";
	enum { MANY = 900 };
	struct secure s = secure_dial(&partner);
	char *all = malloc(MANY * sizeof one);
	size_t n = 0;
	for (int i = 0; i < MANY; i++, n += sizeof one - 1)
		memcpy(all + n, one, sizeof one);
	assert_int_equal(SSL_write(s.ssl, all, (int)n), n);
	for (int i = 0; i < MANY; i++) {
		secure_hear(&s);
		assert_int_equal(s.status, 200);
	}
	for (int i = 0; i < 50; i++)
		secure_say(&s, one);
	for (int i = 0; i < 50; i++) {
		secure_hear(&s);
		assert_int_equal(s.status, 200);
	}
	free(all);
	secure_close(&s);
}

static void
bodies_go_both_ways(void **state)
{
	(void)state;
	enum { SIZE = 65536 };
	struct secure s = secure_dial(&partner);
	char *body = malloc(SIZE);
	for (int i = 0; i < SIZE; i++)
		body[i] = (char)('a' + i % 23);
	secure_say(&s, "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n");
	for (int i = 0; i < SIZE; i += 4096)
		assert_int_equal(SSL_write(s.ssl, body + i, 4096), 4096);
	secure_hear(&s);
	assert_int_equal(s.status, 200);
	assert_int_equal(s.body.n, SIZE);
	assert_memory_equal(s.body.p, body, SIZE);
	free(body);
	secure_say(&s, "GET /big?n=4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	while (more(&s))
		;
	assert_int_equal(SSL_get_error(s.ssl, 0), SSL_ERROR_ZERO_RETURN);
	assert_true(s.in.n - s.at > 4u << 20);
	assert_memory_equal(s.in.p + s.in.n - 5, "0\r\n\r\n", 5);
	secure_close(&s);
}

static void
who_comes_without_or_in_the_clear_is_not_answered(void **state)
{
	(void)state;
	struct client d = site_dial(site);
	client_say(&d, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
	client_ended(&d);
	client_close(&d);
	struct secure s = secure_dial(NULL); /* TLS 1.3: the client learns of it at its first read */
	secure_say(&s, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_false(more(&s));
	secure_close(&s);
	site_logged(site, "tls.refused", 1);
	assert_int_equal(site->handled, 0);
}

static void
who_is_refused_in_the_handshake_is_told(void **state)
{
	(void)state;
	X509 *revoked[] = {partner.x};
	pki_write_crl(crl, &root, revoked, 1, DAY_S);
	tf_server_reload(site->server);
	site_logged(site, "tls.reloaded", 1);
	struct secure s = secure_dial(&partner); /* TLS 1.3: the client learns of it at its first read */
	assert_false(more(&s));
	secure_close(&s);
	site_logged(site, "tls.refused", 1);
	assert_int_equal(atomic_load(&refusal.count), 1);
	assert_int_equal(refusal.status, 0);
	assert_false(refusal.asked);
	assert_string_equal(refusal.peer, "127.0.0.1");
	assert_non_null(strstr(refusal.why, "revoked"));
	struct client d = site_dial(site); /* who breaks the handshake off was not refused */
	client_say(&d, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
	client_ended(&d);
	client_close(&d);
	assert_int_equal(atomic_load(&refusal.count), 1);
}

static void
a_silent_handshake_is_given_up(void **state)
{
	(void)state;
	struct client d = site_dial(site);
	client_ended(&d);
	client_close(&d);
}

static void
a_revoked_certificate_is_told_on_its_kept_connection(void **state)
{
	(void)state;
	X509 *revoked[] = {partner.x};
	struct secure s = secure_dial(&partner);
	secure_say(&s, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
	secure_hear(&s);
	assert_int_equal(s.status, 200);
	pki_write_crl(crl, &root, revoked, 1, DAY_S);
	tf_server_reload(site->server);
	site_logged(site, "tls.reloaded", 1);
	secure_say(&s, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
	secure_hear(&s);
	assert_int_equal(s.status, 401);
	assert_non_null(memmem(s.body.p, s.body.n, "revoked", 7));
	assert_false(more(&s));
	secure_close(&s);
	assert_int_equal(atomic_load(&refusal.count), 1);
	assert_int_equal(refusal.status, 401);
	assert_string_equal(refusal.certificate, "CN=partner");
	assert_string_equal(refusal.path, "/now");
	assert_non_null(strstr(refusal.why, "revoked"));
}

static void
a_revoked_certificate_does_not_come_back(void **state)
{
	(void)state;
	X509 *revoked[] = {partner.x};
	SSL_SESSION *session = NULL;
	for (int i = 0; i < 3; i++) {
		struct secure s = secure_dial_again(&partner, session);
		assert_int_equal(SSL_session_reused(s.ssl), i > 0);
		secure_say(&s, "GET /echo/1/2 HTTP/1.1\r\nHost: h\r\n\r\n");
		secure_hear(&s);
		assert_int_equal(s.status, 200);
		assert_non_null(memmem(s.body.p, s.body.n, "CN=partner", 10));
		SSL_SESSION_free(session);
		session = SSL_get1_session(s.ssl);
		secure_close(&s);
		tf_server_reload(site->server); /* a session outlives it */
		site_logged(site, "tls.reloaded", i + 1);
	}
	pki_write_crl(crl, &root, revoked, 1, DAY_S);
	tf_server_reload(site->server);
	site_logged(site, "tls.reloaded", 4);
	struct secure s = secure_dial_again(&partner, session);
	secure_say(&s, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_false(more(&s));
	site_logged(site, "tls.refused", 1);
	SSL_SESSION_free(session);
	secure_close(&s);
}

static void
files_that_do_not_fit_are_logged_and_left(void **state)
{
	(void)state;
	struct secure s = secure_dial(&partner);
	pki_write(key, NULL, 0, partner.key);
	tf_server_reload(site->server);
	site_logged(site, "tls.reload_failed", 1);
	pki_write(key, NULL, 0, own.key);
	secure_say(&s, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
	secure_hear(&s);
	assert_int_equal(s.status, 200);
	secure_close(&s);
	s = secure_dial(&partner);
	secure_close(&s);
}

/* A client whose bytes the test carries. */
static SSL *
loose(const struct pki_pair *with)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (with) {
		assert_int_equal(SSL_CTX_use_certificate(ctx, with->x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(ctx, with->key), 1);
	}
	SSL *ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	return ssl;
}

/* The first bytes of a client. */
static struct tf_str
hello(char *out, size_t size)
{
	SSL *ssl = loose(NULL);
	assert_int_equal(SSL_connect(ssl), -1);
	int n = BIO_read(SSL_get_wbio(ssl), out, (int)size);
	assert_true(n > 0);
	SSL_free(ssl);
	return tf_str_n(out, (size_t)n);
}

static unsigned
open_files(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Handshakes are made beside the loop, which meanwhile learns that their clients are gone, and reads files anew. */
static void
who_leaves_in_a_handshake_harms_nobody(void **state)
{
	(void)state;
	char bytes[4096];
	struct tf_str first = hello(bytes, sizeof bytes);
	unsigned files = open_files();
	for (int i = 0; i < 100; i++) {
		struct client gone = site_dial(site), stays = site_dial(site);
		client_send(&gone, first);
		client_send(&stays, first);
		client_reset(&gone);
		if (i % 10 == 0)
			tf_server_reload(site->server);
		struct secure s = secure_dial(&partner);
		secure_say(&s, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
		secure_hear(&s);
		assert_int_equal(s.status, 200);
		secure_close(&s);
		client_reset(&stays);
	}
	time_t end = time(NULL) + SOON;
	while (open_files() > files && time(NULL) < end)
		usleep(10000);
	assert_int_equal(open_files(), files);
}

/* Waits until the server has read what the client sent, or is done with it: both are sockets of this process. */
static void
was_read(const struct client *d)
{
	struct sockaddr_in ours = {0}, peer = {0};
	socklen_t n = sizeof ours;
	int left = 1;
	assert_int_equal(getsockname(d->fd, (struct sockaddr *)&ours, &n), 0);
	for (int fd = 3; fd < 1024; fd++) {
		n = sizeof peer;
		while (getpeername(fd, (struct sockaddr *)&peer, &n) == 0 && peer.sin_port == ours.sin_port && left)
			if (ioctl(fd, FIONREAD, &left))
				return;
	}
}

/* Also one that is gone before its certificate was looked at. */
static void
who_is_refused_and_leaves_is_told(void **state)
{
	(void)state;
	enum { TIMES = 20 };
	char bytes[65536];
	X509 *revoked[] = {partner.x};
	pki_write_crl(crl, &root, revoked, 1, DAY_S);
	tf_server_reload(site->server);
	site_logged(site, "tls.reloaded", 1);
	for (int i = 0; i < TIMES; i++) {
		struct client d = site_dial(site);
		SSL *ssl = loose(&partner);
		while (SSL_connect(ssl) != 1) {
			int n = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes);
			if (n > 0)
				client_send(&d, tf_str_n(bytes, (size_t)n));
			n = (int)recv(d.fd, bytes, sizeof bytes, 0);
			assert_true(n > 0);
			BIO_write(SSL_get_rbio(ssl), bytes, n);
		}
		int n = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes);
		client_send(&d, tf_str_n(bytes, (size_t)n));
		was_read(&d);
		client_reset(&d);
		SSL_free(ssl);
	}
	site_logged(site, "tls.refused", TIMES);
	assert_int_equal(atomic_load(&refusal.count), TIMES);
}

/* Of little room for what it is sent. */
static struct client
narrow_dial(uint16_t port)
{
	struct client d = client_new();
	int segment = 536, room = 4096;
	struct timeval limit = {SOON, 0};
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	d.fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(d.fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
	setsockopt(d.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	setsockopt(d.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	assert_int_equal(connect(d.fd, (const struct sockaddr *)&a, sizeof a), 0);
	return d;
}

/* The server has much to say, and its client says something before it has heard it. */
static void
a_handshake_waits_for_room(void **state)
{
	(void)state;
	enum { CHAIN = 1500 };
	static X509 *chain[CHAIN];
	char bytes[65536];
	for (int i = 0; i < CHAIN; i++)
		chain[i] = i ? root.x : own.x;
	pki_write(certificate, chain, CHAIN, NULL);
	struct tf_tls_options o = {.certificate = certificate, .key = key};
	struct tf_tls *much;
	OK(tf_tls_new(tf_os_real(), &o, &much, NULL));
	struct site *brief = site_start((struct tf_server_options){.tls = much, .handshakers = handshakers});
	struct tf_str first = hello(bytes, sizeof bytes);
	for (int i = 0; i < 3; i++) {
		struct client d = narrow_dial(brief->port);
		client_send(&d, first);
		usleep(100000);
		client_send(&d, TF_STR("\x14\x03\x03\x00\x01\x01"));
		clock_t before = clock();
		usleep(200000);
		assert_true(clock() - before < CLOCKS_PER_SEC / 10); /* it sleeps */
		size_t got = 0, whole = CHAIN * (size_t)i2d_X509(root.x, NULL);
		static char in[65536];
		for (ssize_t n; got < whole && (n = recv(d.fd, in, sizeof in, 0)) > 0;)
			got += (size_t)n;
		assert_true(got >= whole);
		client_close(&d);
	}
	site_end(&brief);
	tf_tls_free(&much);
	pki_write(certificate, &own.x, 1, NULL);
}

/* Says hello again and again, and lets its connections lie. */
_Noreturn static void
flood(uint16_t port, struct tf_str first)
{
	enum { LYING = 512 };
	int fds[LYING];
	struct linger reset = {1, 0};
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	alarm(3 * SOON);
	memset(fds, -1, sizeof fds);
	for (unsigned i = 0;; i++) {
		int *fd = &fds[i % LYING];
		if (*fd >= 0) {
			setsockopt(*fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
			close(*fd);
		}
		*fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(*fd, (const struct sockaddr *)&a, sizeof a) == 0)
			send(*fd, first.p, first.n, MSG_NOSIGNAL);
	}
}

/* A whole exchange, if the server takes part in it. */
static bool
gets_in(struct site *s)
{
	struct client d = site_dial(s);
	struct timeval limit = {1, 0};
	setsockopt(d.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	SSL *ssl = loose(&partner);
	SSL_set_fd(ssl, d.fd);
	static const char ask[] = "GET /now HTTP/1.1\r\nHost: h\r\n\r\n";
	char answer[256];
	bool in = SSL_connect(ssl) == 1 && SSL_write(ssl, ask, sizeof ask - 1) > 0 &&
		  SSL_read(ssl, answer, sizeof answer) > 0;
	SSL_free(ssl);
	client_close(&d);
	return in;
}

static void
none_is_accepted_while_many_handshakes_are_made(void **state)
{
	(void)state;
	struct tf_server s = {.o.connections_max = 64, .hands_out = 16};
	assert_true(tf_room_any(&s));
	s.hands_out++;
	assert_false(tf_room_any(&s));
	s.o.connections_max = 10000;
	s.hands_out = TF_HANDSHAKES_OUT - 1;
	assert_true(tf_room_any(&s));
	s.hands_out++;
	assert_false(tf_room_any(&s));
}

/* Hellos come faster than they are answered: descriptors are bounded, and others get in. */
static void
a_flood_of_hellos_keeps_nobody_out(void **state)
{
	(void)state;
	enum { CONNECTIONS = 64, IN = 5 };
	char bytes[4096];
	struct tf_str first = hello(bytes, sizeof bytes);
	struct site *small = site_start(
		(struct tf_server_options){.tls = tls, .handshakers = handshakers, .connections_max = CONNECTIONS});
	unsigned files = open_files(), most = 0, in = 0;
	pid_t pid = fork();
	if (pid == 0)
		flood(small->port, first);
	time_t end = time(NULL) + SOON;
	while (in < IN && time(NULL) < end) {
		in += gets_in(small);
		unsigned now = open_files() - files;
		most = now > most ? now : most;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	site_end(&small);
	assert_int_equal(in, IN);
	assert_in_range(most, 0, 3 * CONNECTIONS);
}

/* The last is in its handshake when the server ends. */
static void
a_server_ends_in_the_middle_of_handshakes(void **state)
{
	(void)state;
	char bytes[4096];
	struct tf_str first = hello(bytes, sizeof bytes);
	for (int i = 0; i < 20; i++) {
		struct site *brief = site_start((struct tf_server_options){.tls = tls, .handshakers = handshakers});
		struct client d[8];
		for (size_t k = 0; k < 8; k++) {
			d[k] = site_dial(brief);
			client_send(&d[k], first);
		}
		usleep((useconds_t)i * 200);
		site_end(&brief);
		for (size_t k = 0; k < 8; k++)
			client_close(&d[k]);
	}
}

/* Plain HTTP behind a terminator that tells whose certificate it saw. */
static void
a_forwarded_certificate_is_believed_from_a_terminator_only(void **state)
{
	(void)state;
	unsigned char *der = NULL, base64[4096];
	int n = i2d_X509(partner.x, &der);
	int size = EVP_EncodeBlock(base64, der, n);
	OPENSSL_free(der);
	static const char *const terminators[] = {NULL, "127.0.0.2", "127.0.0.1", "10.0.0.1,127.0.0.1",
						  "127.0.0.10,127.0.0.11"};
	for (size_t i = 0; i < sizeof terminators / sizeof *terminators; i++) {
		struct site *plain = site_start((struct tf_server_options){.terminators = terminators[i]});
		char request[5000];
		static const char *const forms[] = {":%.*s:", "%.*s", ":%.*s", ":=%.*s:", ": %.*s:"};
		for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
			struct client d = site_dial(plain);
			char value[4200];
			snprintf(value, sizeof value, forms[k], size, base64);
			snprintf(request, sizeof request,
				 "GET /echo/1/2 HTTP/1.1\r\nHost: h\r\nClient-Cert: %s\r\n\r\n", value);
			client_say(&d, request);
			client_hear(&d, false);
			assert_int_equal(d.status, 200);
			bool believed = strstr(client_text(&d), "CN=partner") != NULL;
			assert_int_equal(believed, k == 0 && (i == 2 || i == 3));
			client_close(&d);
		}
		site_end(&plain);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_connection_is_kept),
		TEST(pipelined_requests_are_all_answered),
		TEST(bodies_go_both_ways),
		TEST(who_comes_without_or_in_the_clear_is_not_answered),
		TEST(who_is_refused_in_the_handshake_is_told),
		TEST(a_silent_handshake_is_given_up),
		TEST(a_revoked_certificate_is_told_on_its_kept_connection),
		TEST(a_revoked_certificate_does_not_come_back),
		TEST(files_that_do_not_fit_are_logged_and_left),
		TEST(who_leaves_in_a_handshake_harms_nobody),
		TEST(who_is_refused_and_leaves_is_told),
		TEST(a_handshake_waits_for_room),
		TEST(none_is_accepted_while_many_handshakes_are_made),
		TEST(a_flood_of_hellos_keeps_nobody_out),
		TEST(a_server_ends_in_the_middle_of_handshakes),
		cmocka_unit_test(a_forwarded_certificate_is_believed_from_a_terminator_only),
	};
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	int failed = cmocka_run_group_tests_name("handshakes beside the loop", tests, make_pki, drop_pki);
	handshakers = -1;
	return failed + cmocka_run_group_tests_name("in the loop", tests, make_pki, drop_pki);
}
