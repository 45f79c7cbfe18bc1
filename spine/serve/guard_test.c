/* The gate as a server has it: real sockets, an issuer that is a function of this file, certificates told by a
 * terminator's header (a connection's own are looked at in server_tls_test.c). Who is let in, who is refused with which
 * answer, and what is in the record by then. */
#include "site_test.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pki_test.h"
#undef OK
#include "serve/b64.h"
#include "serve/guard.h"
#include "token_test.h"

static struct pki_pair alpha, beta;
static const struct tf_param params[] = {
	{"client-ca", TF_PARAM_TEXT},
	{"terminators", TF_PARAM_TEXT},
	TF_GUARD_PARAMS,
	{0},
};
static const struct tf_command command = {.name = "gate", .params = params};

/* A service behind the gate. */
struct gate {
	struct site dial; /* of which only the port is used: to connect */
	struct tf_guard *guard;
	struct tf_server *server;
	struct tf_worker *runner;
	struct tf_watch watch;
	char audit[64];
	/* Under the lock: the issuer, and what a test waits for. */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct tf_buf keys;
	bool down;   /* the issuer cannot be asked */
	bool closed; /* it is asked and does not answer until this is false */
	unsigned asked;
	unsigned ran; /* times that a handler was run */
};

static enum tf_err
fetch(void *ctx, const struct tf_oauth_request *r, struct tf_buf *body, struct tf_fault *f)
{
	struct gate *t = ctx;
	(void)r;
	pthread_mutex_lock(&t->lock);
	t->asked++;
	pthread_cond_broadcast(&t->moved);
	while (t->closed)
		pthread_cond_wait(&t->moved, &t->lock);
	bool down = t->down;
	if (!down)
		tf_buf_str(body, tf_buf_view(&t->keys));
	pthread_mutex_unlock(&t->lock);
	return down ? tf_fault(f, TF_IO, "no issuer today") : body->err;
}

static void
count_run(struct gate *t)
{
	pthread_mutex_lock(&t->lock);
	t->ran++;
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
}

static void
get_who(void *ctx, struct tf_exchange *x)
{
	struct gate *t = ctx;
	struct tf_caller who;
	char text[200];
	count_run(t);
	static const struct tf_guard_need need = {.scope = "policy:read", .own_unless = "insurer auditor"};
	if (tf_guard_admit(t->guard, x, &need, &who) != TF_GUARD_IN)
		return;
	snprintf(text, sizeof text, "%.*s by %s%s", TF_FMT(who.partner), who.client, who.own_only ? "" : ": all");
	tf_reply(x, 200, "text/plain", tf_str(text));
}

static void
get_sold(void *ctx, struct tf_exchange *x)
{
	struct gate *t = ctx;
	struct tf_caller who;
	static const struct tf_guard_need need = {.scope = "policy:buy"};
	if (tf_guard_admit(t->guard, x, &need, &who) != TF_GUARD_IN)
		return;
	OK(tf_guard_record(t->guard, x, &who, TF_STR("order-1"), 42, NULL));
	tf_reply(x, 200, "text/plain", TF_STR("sold"));
}

static void
get_desk(void *ctx, struct tf_exchange *x)
{
	struct gate *t = ctx;
	struct tf_caller who;
	static const struct tf_guard_need need = {.scope = "policy:read", .role = "clerk auditor"};
	if (tf_guard_admit(t->guard, x, &need, &who) == TF_GUARD_IN)
		tf_reply(x, 200, "text/plain", TF_STR("desk"));
}

static const struct tf_route routes[] = {{.method = "GET", .path = "/desk", .handle = get_desk},
					 {.method = "GET", .path = "/who", .handle = get_who},
					 {.method = "GET", .path = "/sold", .handle = get_sold},
					 {0}};

static tf_dur
after(void *ctx)
{
	struct gate *t = ctx;
	tf_dur soon = -1;
	OK(tf_guard_sync(t->guard, NULL));
	tf_guard_after(t->guard, &soon);
	return soon;
}

static void
no_log(void *ctx, struct tf_str line)
{
	(void)ctx;
	(void)line;
}

static void
run(void *arg)
{
	OK(tf_server_run(((struct gate *)arg)->server, NULL));
}

/* The keys that the issuer has from now on. */
static void
publish(struct gate *t, const char *kid, const char *pem)
{
	struct tf_jwks *set;
	OK(tf_jwks_new(&set, NULL));
	if (kid) {
		struct tf_jwk key = key_of(pem, kid);
		OK(tf_jwks_take(set, &key, NULL));
	}
	pthread_mutex_lock(&t->lock);
	tf_buf_reset(&t->keys);
	struct tf_json_out w = tf_json_out(&t->keys);
	tf_jwks_put(&w, set);
	pthread_mutex_unlock(&t->lock);
	tf_jwks_free(&set);
}

#define BY_TOKEN                                                                                                       \
	"--issuer", ISSUER, "--audience", AUDIENCE, "--jwks", "http://issuer/jwks", "--terminators", "127.0.0.1",      \
		"--unbound"

/* Opens it with those arguments of the command line; the list ends with NULL. */
static struct gate *
open_gate(const char *const *list, bool closed)
{
	struct gate *t = tf_calloc(1, sizeof *t);
	struct tf_args args;
	struct tf_fault f = {0};
	char *argv[40];
	int argc = 0;
	assert_non_null(t);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->moved, NULL);
	tf_buf_init(&t->keys, 0);
	t->closed = closed;
	publish(t, "ec-1", pem_ec);
	snprintf(t->audit, sizeof t->audit, "/tmp/guard-test-XXXXXX");
	assert_non_null(mkdtemp(t->audit));
	for (; list[argc]; argc++)
		argv[argc] = (char *)list[argc];
	argv[argc++] = "--audit";
	argv[argc++] = t->audit;
	if (tf_args_parse(&command, argc, argv, &args, &f))
		fail_msg("%s", f.text);
	tf_watch_init(&t->watch, tf_os_real(), "gate", TF_LOG_INFO, no_log, NULL);
	struct tf_guard_options with = {fetch, t};
	if (tf_guard_new(tf_os_real(), &args, &with, &t->watch, &t->guard, &f))
		fail_msg("%s", f.text);
	struct tf_server_options o = {.host = "127.0.0.1",
				      .routes = routes,
				      .ctx = t,
				      .watch = &t->watch,
				      .quiet = true,
				      .workers = 1,
				      .terminators = tf_args_cstr(&args, "terminators"),
				      .after = after};
	tf_guard_watch(t->guard, &o);
	OK(tf_server_new(tf_os_real(), &o, &t->server, NULL));
	OK(tf_guard_start(t->guard, t->server, NULL));
	t->dial.port = tf_server_port(t->server);
	OK(tf_os_start(tf_os_real(), run, t, &t->runner, NULL));
	return t;
}

#define OPEN(...) open_gate((const char *const[]){__VA_ARGS__, NULL}, false)

static void
set_closed(struct gate *t, bool closed)
{
	pthread_mutex_lock(&t->lock);
	t->closed = closed;
	pthread_cond_broadcast(&t->moved);
	pthread_mutex_unlock(&t->lock);
}

static void
await(struct gate *t, const unsigned *count, unsigned least)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SOON;
	pthread_mutex_lock(&t->lock);
	while (*count < least)
		assert_int_equal(pthread_cond_timedwait(&t->moved, &t->lock, &until), 0);
	pthread_mutex_unlock(&t->lock);
}

static void
close_gate(struct gate *t)
{
	char remove[100];
	set_closed(t, false);
	tf_server_stop(t->server);
	tf_worker_join(&t->runner);
	tf_guard_stop(t->guard);
	tf_server_free(&t->server);
	tf_guard_free(&t->guard);
	tf_watch_release(&t->watch);
	tf_buf_release(&t->keys);
	pthread_cond_destroy(&t->moved);
	pthread_mutex_destroy(&t->lock);
	snprintf(remove, sizeof remove, "rm -r '%s'", t->audit);
	assert_int_equal(system(remove), 0);
	tf_free(t);
}

/* A token of now that names the partner, with those claims besides, by a key. */
static void
make_token(struct tf_buf *out, const char *partner, const char *more, const char *kid, const char *pem)
{
	static unsigned number;
	char claims[1024], head[128];
	long long now = tf_os_now(tf_os_real()) / TF_SEC;
	struct tf_jwk key = key_of(pem, kid);
	snprintf(claims, sizeof claims,
		 "{" C_ISS "," C_AUD ",\"sub\":\"s\",\"client_id\":\"c-%s\",\"jti\":\"%u\",\"iat\":%lld,\"exp\":%lld,"
		 "\"partner\":\"%s\",\"scope\":\"policy:read policy:buy\"%s}",
		 partner, ++number, now, now + 600, partner, more);
	snprintf(head, sizeof head, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", kid);
	tf_buf_init(out, 0);
	token_make(out, head, tf_str(claims), &key, TF_JWS_ES256);
	tf_jwk_release(&key);
}

/* Client-Cert of that certificate, as a header's line; "" for NULL. */
static const char *
told(const struct pki_pair *p)
{
	static char line[4300];
	unsigned char *der = NULL, base64[4096];
	line[0] = 0;
	if (!p)
		return line;
	int n = i2d_X509(p->x, &der);
	int size = EVP_EncodeBlock(base64, der, n);
	OPENSSL_free(der);
	snprintf(line, sizeof line, "Client-Cert: :%.*s:\r\n", size, base64);
	return line;
}

static void
say(struct client *c, const char *path, const char *lines)
{
	char request[9000];
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", path, lines);
	client_say(c, request);
}

/* Says it with a token (NULL: none), a certificate (NULL: none) and other lines, on a connection of its own. */
static void
say_with(struct client *c, const char *path, const struct tf_buf *token, const struct pki_pair *certificate,
	 const char *lines)
{
	char all[8900], bearer[4000] = "";
	if (token)
		snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", (const char *)token->p);
	snprintf(all, sizeof all, "%s%s%s", bearer, told(certificate), lines);
	say(c, path, all);
}

static int
get(struct gate *t, struct client *c, const char *path, const struct tf_buf *token, const struct pki_pair *certificate,
    const char *lines)
{
	*c = site_dial(&t->dial);
	say_with(c, path, token, certificate, lines);
	client_hear(c, false);
	return c->status;
}

/* One answer's status, and what its body has. */
static void
expect(struct gate *t, int status, const char *text, const char *path, const struct tf_buf *token,
       const struct pki_pair *certificate, const char *lines)
{
	struct client c;
	int got = get(t, &c, path, token, certificate, lines);
	if (got != status || !strstr(client_text(&c), text))
		fail_msg("%d %s instead of %d %s", got, client_text(&c), status, text);
	client_close(&c);
}

/* What is in the audit log by now, one text after the other. For the caller to release. */
static enum tf_err
add_text(void *ctx, uint64_t number, tf_time at, struct tf_str text, struct tf_fault *f)
{
	(void)number;
	(void)at;
	(void)f;
	tf_buf_str(ctx, text);
	tf_buf_u8(ctx, '\n');
	return TF_OK;
}

static struct tf_buf
recorded(const char *dir)
{
	struct tf_buf all;
	struct tf_audit_head head;
	struct tf_fault f = {0};
	tf_buf_init(&all, 0);
	if (tf_audit_verify(tf_os_real(), dir, NULL, add_text, &all, &head, &f))
		fail_msg("%s", f.text);
	tf_buf_u8(&all, 0);
	return all;
}

static void
expect_recorded(const char *dir, const char *part, unsigned times)
{
	struct tf_buf all = recorded(dir);
	unsigned n = site_count((const char *)all.p, part);
	if (n != times)
		fail_msg("%u times %s, not %u, in:\n%s", n, part, times, (const char *)all.p);
	tf_buf_release(&all);
}

static void
a_token_names_the_partner(void **state)
{
	(void)state;
	char bound[200], thumbprint[44];
	unsigned char *der = NULL;
	int n = i2d_X509(alpha.x, &der);
	snprintf(bound, sizeof bound, ",\"cnf\":{\"x5t#S256\":\"%s\"}",
		 tf_oauth_thumbprint(tf_str_n((const char *)der, (size_t)n), thumbprint));
	OPENSSL_free(der);
	struct tf_buf good, with, nameless, stranger;
	make_token(&good, "P-1.a_b", "", "ec-1", pem_ec);
	make_token(&with, "alpha", bound, "ec-1", pem_ec);
	make_token(&nameless, "", "", "ec-1", pem_ec);
	make_token(&stranger, "two words", "", "ec-1", pem_ec);
	struct gate *t = OPEN(BY_TOKEN);
	char twice[1800];
	expect(t, 200, "P-1.a_b by c-P-1.a_b", "/who", &good, NULL, "");
	expect(t, 200, "P-1.a_b by c-P-1.a_b", "/who", &good, NULL, "X-Partner: other\r\n"); /* no header is believed */
	expect(t, 401, "no access token", "/who", NULL, &alpha, "X-Partner: alpha\r\n");
	expect(t, 401, "not a bearer token", "/who", NULL, NULL, "Authorization: Basic YTpi\r\n");
	snprintf(twice, sizeof twice, "Authorization: Bearer %s\r\n", (const char *)good.p);
	expect(t, 400, "Authorization is there twice", "/who", &good, NULL, twice);
	expect(t, 403, "names no partner", "/who", &nameless, NULL, "");
	expect(t, 403, "names no partner", "/who", &stranger, NULL, "");
	expect(t, 200, "alpha by c-alpha", "/who", &with, &alpha, "");
	expect(t, 401, "another certificate", "/who", &with, &beta, "");
	expect(t, 401, "none was shown", "/who", &with, NULL, "");
	close_gate(t);
	t = OPEN("--issuer", ISSUER, "--audience", AUDIENCE, "--jwks", "http://issuer/jwks", "--terminators",
		 "127.0.0.1");
	expect(t, 200, "alpha", "/who", &with, &alpha, "");
	expect(t, 401, "not bound", "/who", &good, &alpha, "");
	close_gate(t);
	tf_buf_release(&good);
	tf_buf_release(&with);
	tf_buf_release(&nameless);
	tf_buf_release(&stranger);
}

static void
a_certificate_names_the_partner(void **state)
{
	(void)state;
	struct pki_pair odd = pki_make("al/pha", PKI_CLIENT, NULL, -86400, 86400);
	struct pki_pair old = pki_make("alpha", PKI_CLIENT, NULL, -86400, -10);
	struct gate *t = OPEN("--terminators", "127.0.0.1", "--insecure-partner-header");
	expect(t, 200, "alpha by ", "/who", NULL, &alpha, "");
	expect(t, 200, "beta by ", "/who", NULL, &beta, "X-Partner: alpha\r\n");
	expect(t, 401, "a client certificate is wanted", "/who", NULL, NULL, "X-Partner: alpha\r\n");
	expect(t, 401, "a client certificate is wanted", "/who", NULL, &odd, "");
	expect(t, 401, "a client certificate is wanted", "/who", NULL, &old, "");
	close_gate(t);
	pki_free(&odd);
	pki_free(&old);
}

static void
a_header_names_the_partner_where_it_is_asked_for(void **state)
{
	(void)state;
	struct gate *t = OPEN("--insecure-partner-header");
	expect(t, 200, "alpha by ", "/who", NULL, NULL, "X-Partner: alpha\r\n");
	expect(t, 401, "one X-Partner", "/who", NULL, NULL, "");
	expect(t, 401, "one X-Partner", "/who", NULL, NULL, "X-Partner: a b\r\n");
	expect(t, 401, "one X-Partner", "/who", NULL, NULL, "X-Partner: a\r\nX-Partner: b\r\n");
	expect(t, 401, "one X-Partner", "/who", NULL, NULL,
	       "X-Partner: 0123456789012345678901234567890123456789012345678901234567890123x\r\n");
	close_gate(t);
	t = OPEN("--rate", "5");
	expect(t, 401, "no identity configured", "/who", NULL, &alpha, "X-Partner: alpha\r\n");
	close_gate(t);
}

static void
options_that_do_not_fit_together_are_refused(void **state)
{
	(void)state;
	static const char *const rows[][6] = {{"--issuer", "i"},
					      {"--issuer", "i", "--audience", "a"},
					      {"--audience", "a", "--jwks", "u"},
					      {"--jwks", "u"}};
	struct tf_watch watch;
	tf_watch_init(&watch, tf_os_real(), "gate", TF_LOG_INFO, no_log, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tf_args args;
		struct tf_guard *g = NULL;
		char *argv[6];
		int argc = 0;
		for (; argc < 6 && rows[i][argc]; argc++)
			argv[argc] = (char *)rows[i][argc];
		OK(tf_args_parse(&command, argc, argv, &args, NULL));
		assert_int_equal(tf_guard_new(tf_os_real(), &args, NULL, &watch, &g, NULL), TF_USAGE);
		assert_null(g);
	}
	tf_watch_release(&watch);
}

static void
each_partner_has_a_rate(void **state)
{
	(void)state;
	struct gate *t = OPEN("--insecure-partner-header", "--rate", "1", "--burst", "2");
	struct client c;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(get(t, &c, "/who", NULL, NULL, "X-Partner: alpha\r\n"), i < 2 ? 200 : 429);
		assert_string_equal(client_header(&c, "RateLimit-Policy"), "\"requests\";q=2;w=2");
		assert_string_equal(client_header(&c, "Retry-After"), i < 2 ? "" : "1");
		client_close(&c);
	}
	expect(t, 200, "beta", "/who", NULL, NULL, "X-Partner: beta\r\n");
	close_gate(t);
	t = OPEN("--insecure-partner-header", "--rate", "0");
	assert_int_equal(get(t, &c, "/who", NULL, NULL, "X-Partner: alpha\r\n"), 200);
	assert_string_equal(client_header(&c, "RateLimit"), "");
	client_close(&c);
	close_gate(t);
}

static void
a_correlation_id_may_be_required(void **state)
{
	(void)state;
	struct gate *t = OPEN("--insecure-partner-header", "--correlation", "require");
	struct client c;
	expect(t, 400, "CORRELATION_REQUIRED", "/who", NULL, NULL, "X-Partner: a\r\n");
	expect(t, 400, "CORRELATION_REQUIRED", "/who", NULL, NULL, "X-Partner: a\r\nX-Correlation-Id: a b\r\n");
	expect(t, 400, "CORRELATION_REQUIRED", "/who", NULL, NULL,
	       "X-Partner: a\r\nX-Correlation-Id: a\r\nX-Correlation-Id: b\r\n");
	assert_int_equal(get(t, &c, "/who", NULL, NULL, "X-Partner: a\r\nX-Correlation-Id: o-7\r\n"), 200);
	assert_string_equal(client_header(&c, "X-Correlation-Id"), "o-7");
	client_close(&c);
	close_gate(t);
	t = OPEN("--insecure-partner-header");
	expect(t, 200, "a by", "/who", NULL, NULL, "X-Partner: a\r\n");
	close_gate(t);
}

/* Whoever has an answer finds its record on disk. */
static void
decisions_and_refusals_are_recorded_before_the_answer(void **state)
{
	(void)state;
	struct gate *t = OPEN("--terminators", "127.0.0.1");
	expect(t, 200, "sold", "/sold", NULL, &alpha, "X-Correlation-Id: o-7\r\n");
	expect_recorded(t->audit, "\"what\":\"decided\",\"partner\":\"alpha\",\"certificate\":", 1);
	expect_recorded(t->audit, "\"correlation\":\"o-7\"", 1);
	expect_recorded(t->audit, "\"key\":\"order-1\",\"offset\":42}", 1);
	expect_recorded(t->audit, "\"what\":\"refused\"", 0);
	expect(t, 401, "", "/who", NULL, NULL, "");
	expect_recorded(t->audit, "\"what\":\"refused\"", 1);
	expect_recorded(t->audit, "\"peer\":\"127.0.0.1\",\"method\":\"GET\",\"path\":\"/who\"", 1);
	expect_recorded(t->audit, "\"status\":401,\"why\":\"a client certificate is wanted", 1);
	expect(t, 403, "", "/desk", NULL, &alpha, "");
	expect_recorded(t->audit, "\"status\":403", 1);
	expect(t, 404, "", "/nothing", NULL, NULL, ""); /* nobody was refused */
	expect_recorded(t->audit, "\"what\":\"refused\"", 2);
	close_gate(t);
}

/* Refusals are recorded TF_GUARD_REFUSALS a second of a certificate, whoever makes them; the next tells of the
 * others. */
static void
who_is_refused_cannot_fill_the_record(void **state)
{
	(void)state;
	char audit[] = "/tmp/guard-test-XXXXXX", remove[100];
	struct tf_watch watch;
	struct tf_args args;
	struct tf_guard *g;
	struct tf_server_options o = {0};
	struct tf_peer peer = {.host = "10.0.0.1"};
	struct tf_certificate c[2] = {{.sha256 = {0xab}}, {.sha256 = {0xcd}}};
	struct tf_refused r = {&peer, &c[0], NULL, 401, "revoked"};
	assert_non_null(mkdtemp(audit));
	char *argv[] = {"--audit", audit};
	OK(tf_args_parse(&command, 2, argv, &args, NULL));
	tf_watch_init(&watch, tf_os_real(), "gate", TF_LOG_INFO, no_log, NULL);
	OK(tf_guard_new(tf_os_real(), &args, NULL, &watch, &g, NULL));
	tf_guard_watch(g, &o);
	tf_dur begun = tf_os_ticks(tf_os_real());
	for (int i = 0; i < 10 * TF_GUARD_REFUSALS; i++)
		o.refused(o.refused_ctx, &r);
	tf_dur took = tf_os_ticks(tf_os_real()) - begun;
	r.certificate = &c[1];
	o.refused(o.refused_ctx, &r); /* another certificate's place is its own */
	r.certificate = NULL;
	o.refused(o.refused_ctx, &r);
	r.status = 0; /* in a handshake nobody has proved a key: certificates are to be had for nothing, their place is
			 one */
	for (int i = 0; i < 10 * TF_GUARD_REFUSALS; i++) {
		memcpy(c[1].sha256, &i, sizeof i);
		r.certificate = &c[1];
		o.refused(o.refused_ctx, &r);
	}
	took = tf_os_ticks(tf_os_real()) - begun;
	OK(tf_guard_sync(g, NULL));
	struct tf_buf all = recorded(audit);
	assert_in_range(site_count((const char *)all.p, "\"status\":0"), 1,
			TF_GUARD_REFUSALS * (2 + (unsigned)(took / TF_SEC)));
	unsigned n = site_count((const char *)all.p, "\"certificate\":\"ab00");
	assert_in_range(n, TF_GUARD_REFUSALS, TF_GUARD_REFUSALS * (2 + (unsigned)(took / TF_SEC)));
	assert_int_equal(site_count((const char *)all.p, "\"certificate\":\"cd00"), 1);
	assert_int_equal(site_count((const char *)all.p, "\"peer\":\"10.0.0.1\",\"status\":401,\"why\":\"revoked\""),
			 n + 2);
	assert_true(site_count((const char *)all.p, "unrecorded_before") >= 1);
	tf_buf_release(&all);
	tf_guard_free(&g);
	tf_watch_release(&watch);
	snprintf(remove, sizeof remove, "rm -r '%s'", audit);
	assert_int_equal(system(remove), 0);
}

/* Bad tokens are looked at 2 a second here, 4 at once. What is remembered is let in whatever else comes. */
static void
bad_tokens_past_their_rate_are_not_looked_at(void **state)
{
	(void)state;
	struct gate *t = OPEN(BY_TOKEN, "--rejects", "2");
	struct tf_buf good, bad, fresh;
	struct client c;
	make_token(&good, "alpha", "", "ec-1", pem_ec);
	make_token(&fresh, "alpha", "", "ec-1", pem_ec);
	make_token(&bad, "alpha", "", "ec-1", pem_thief);
	expect(t, 200, "alpha by c-alpha", "/who", &good, NULL, "");
	unsigned statuses[2] = {0};
	for (int i = 0; i < 30; i++) {
		int status = get(t, &c, "/who", &bad, NULL, "");
		assert_true(status == 401 || status == 429);
		statuses[status == 429]++;
		if (status == 429) {
			assert_string_equal(client_header(&c, "Retry-After"), "1");
			assert_string_equal(client_header(&c, "WWW-Authenticate"), "");
		}
		client_close(&c);
	}
	assert_in_range(statuses[0], 4, 20);
	assert_in_range(statuses[1], 10, 26);
	/* The same address: a token that is not remembered waits, by its certificate it is another caller. */
	while (get(t, &c, "/who", &bad, NULL, "") == 401)
		client_close(&c);
	client_close(&c);
	expect(t, 429, "too_many", "/who", &fresh, NULL, "");
	expect(t, 200, "alpha", "/who", &good, NULL, "");
	expect(t, 200, "alpha", "/who", &fresh, &alpha, "");
	/* Who brings none is told what is wanted: that costs nothing. */
	expect(t, 401, "no access token", "/who", NULL, NULL, "");
	/* And a certificate's own flood holds back that certificate. */
	while (get(t, &c, "/who", &bad, &beta, "") == 401)
		client_close(&c);
	assert_int_equal(c.status, 429);
	client_close(&c);
	expect(t, 401, "invalid_token", "/who", &bad, &alpha, "");
	tf_buf_release(&good);
	tf_buf_release(&bad);
	tf_buf_release(&fresh);
	close_gate(t);
}

/* Roles are a token's; whole words; one of those that are asked for. */
static void
an_operation_may_need_a_role(void **state)
{
	(void)state;
	static const struct {
		const char *roles;
		int desk;
		bool all;
	} rows[] = {{"", 403, false},
		    {",\"roles\":[\"clerk\"]", 200, false},
		    {",\"roles\":[\"partner\",\"auditor\"]", 200, true},
		    {",\"roles\":[\"insurer\"]", 403, true},
		    {",\"roles\":[\"insurers\",\"insure\",\"cler\"]", 403, false}};
	struct gate *t = OPEN(BY_TOKEN);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tf_buf token;
		make_token(&token, "alpha", rows[i].roles, "ec-1", pem_ec);
		expect(t, rows[i].desk, rows[i].desk == 200 ? "desk" : "insufficient_scope", "/desk", &token, NULL, "");
		expect(t, 200, rows[i].all ? "alpha by c-alpha: all" : "alpha by c-alpha", "/who", &token, NULL, "");
		struct client c;
		assert_int_equal(get(t, &c, "/who", &token, NULL, ""), 200);
		assert_int_equal(strstr(client_text(&c), ": all") != NULL, rows[i].all);
		client_close(&c);
		tf_buf_release(&token);
	}
	close_gate(t);
	t = OPEN("--terminators", "127.0.0.1"); /* a certificate alone has no role */
	expect(t, 403, "insufficient_role", "/desk", NULL, &alpha, "");
	expect(t, 200, "alpha by ", "/who", NULL, &alpha, "");
	struct client c;
	assert_int_equal(get(t, &c, "/who", NULL, &alpha, ""), 200);
	assert_null(strstr(client_text(&c), ": all"));
	client_close(&c);
	close_gate(t);
}

/* The keys are not there yet: the request is kept, and let in when they are. */
static void
a_token_whose_key_is_not_known_waits_for_the_issuer(void **state)
{
	(void)state;
	struct gate *t = open_gate((const char *const[]){BY_TOKEN, NULL}, true);
	struct client c = site_dial(&t->dial);
	struct tf_buf token;
	make_token(&token, "alpha", "", "ec-1", pem_ec);
	say_with(&c, "/who", &token, NULL, "");
	await(t, &t->ran, 1);
	await(t, &t->asked, 1);
	expect(t, 404, "", "/nothing", NULL, NULL, ""); /* by now it was looked at, and waits */
	set_closed(t, false);
	client_hear(&c, false);
	assert_int_equal(c.status, 200);
	await(t, &t->ran, 2);
	client_close(&c);
	tf_buf_release(&token);
	close_gate(t);
}

/* A request that came slowly has not waited meanwhile: what was fetched after its first byte and before its last does
 * not tell all. Takes the two seconds between fetches. */
static void
waiting_begins_when_the_token_is_looked_at(void **state)
{
	(void)state;
	struct gate *t = OPEN(BY_TOKEN);
	struct client slow = site_dial(&t->dial);
	struct tf_buf first, stranger, rotated;
	char rest[4000];
	make_token(&first, "alpha", "", "ec-1", pem_ec);
	make_token(&stranger, "alpha", "", "guess", pem_thief);
	make_token(&rotated, "alpha", "", "ec-2", pem_thief);
	expect(t, 200, "alpha", "/who", &first, NULL, "");
	client_say(&slow, "GET /who HTTP/1.1\r\n");
	expect(t, 200, "alpha", "/who", &first, NULL, "");     /* by now its first byte has been seen */
	expect(t, 401, "no key", "/who", &stranger, NULL, ""); /* the keys are fetched once more */
	publish(t, "ec-2", pem_thief);
	snprintf(rest, sizeof rest, "Host: h\r\nAuthorization: Bearer %s\r\n\r\n", (const char *)rotated.p);
	client_say(&slow, rest);
	client_hear(&slow, false);
	assert_int_equal(slow.status, 200);
	client_close(&slow);
	tf_buf_release(&first);
	tf_buf_release(&stranger);
	tf_buf_release(&rotated);
	close_gate(t);
}

/* Takes TF_GUARD_WAIT. */
static void
nobody_waits_for_ever(void **state)
{
	(void)state;
	struct gate *t = open_gate((const char *const[]){BY_TOKEN, NULL}, true);
	struct client c;
	struct tf_buf token;
	tf_dur begun = tf_os_ticks(tf_os_real());
	make_token(&token, "alpha", "", "ec-1", pem_ec);
	assert_int_equal(get(t, &c, "/who", &token, NULL, ""), 503);
	assert_string_equal(client_header(&c, "Retry-After"), "1");
	assert_in_range(tf_os_ticks(tf_os_real()) - begun, TF_GUARD_WAIT, TF_GUARD_WAIT + 2 * TF_SEC);
	client_close(&c);
	tf_buf_release(&token);
	close_gate(t);
}

static int
make_pki(void **state)
{
	(void)state;
	alpha = pki_make("alpha", PKI_CLIENT, NULL, -86400, 86400);
	beta = pki_make("beta", PKI_CLIENT, NULL, -86400, 86400);
	return 0;
}

static int
drop_pki(void **state)
{
	(void)state;
	pki_free(&alpha);
	pki_free(&beta);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_names_the_partner),
		cmocka_unit_test(a_certificate_names_the_partner),
		cmocka_unit_test(a_header_names_the_partner_where_it_is_asked_for),
		cmocka_unit_test(options_that_do_not_fit_together_are_refused),
		cmocka_unit_test(each_partner_has_a_rate),
		cmocka_unit_test(a_correlation_id_may_be_required),
		cmocka_unit_test(decisions_and_refusals_are_recorded_before_the_answer),
		cmocka_unit_test(who_is_refused_cannot_fill_the_record),
		cmocka_unit_test(bad_tokens_past_their_rate_are_not_looked_at),
		cmocka_unit_test(an_operation_may_need_a_role),
		cmocka_unit_test(a_token_whose_key_is_not_known_waits_for_the_issuer),
		cmocka_unit_test(waiting_begins_when_the_token_is_looked_at),
		cmocka_unit_test(nobody_waits_for_ever),
	};
	return cmocka_run_group_tests_name("guard", tests, make_pki, drop_pki);
}
