/* tenfold identity serve: the issuer over HTTPS. Certificates of clients are asked for and, when they come, checked by
 * the listener against ca.pem and crl.pem; a changed crl.pem is read without a restart. */
#include <stdio.h>

#include "cli.h"
#include "issuer.h"
#include "serve/listen.h"

#define CRL_EVERY TF_SEC /* between looks at crl.pem */

static const struct tf_param params[] = {
	IDENTITY_PARAM_DIR,
	{"listen", TF_PARAM_TEXT, false, "HOST:PORT", "127.0.0.1:9443", 0, 0, "port 0: any free one"},
	{"plain", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "HTTP without TLS, behind a terminator"},
	{"terminators", TF_PARAM_TEXT, false, "ADDRS", NULL, 0, 0, "whose Client-Cert header is believed"},
	{"quiet", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "no log line for each request"},
	{0},
};

struct service {
	struct issuer issuer;
	struct tf_server *server;
	struct tf_watch watch;
	char cert[IDENTITY_PATH_MAX], key[IDENTITY_PATH_MAX], ca[IDENTITY_PATH_MAX], crl[IDENTITY_PATH_MAX];
	struct tf_stat crl_stat;
};

static void
answer(struct tf_exchange *x, struct issuer_answer *a, const char *cache)
{
	tf_reply_header(x, "Cache-Control", tf_str(cache));
	if (a->challenge)
		tf_reply_header(x, "WWW-Authenticate", tf_str(a->challenge));
	tf_reply(x, a->body.err ? 503 : a->status, "application/json", tf_buf_view(&a->body));
	tf_buf_release(&a->body);
}

/* All routes run in the one worker, so the issuer needs no lock. */
static bool
begin(struct service *s, struct tf_exchange *x, struct issuer_answer *a)
{
	struct tf_fault f = {0};
	*a = (struct issuer_answer){.status = 500};
	tf_buf_init(&a->body, IDENTITY_FILE_BYTES);
	if (!issuer_refresh(&s->issuer, &f))
		return true;
	tf_reply_fault(x, &f, NULL);
	return false;
}

static void
post(void *ctx, struct tf_exchange *x,
     void (*run)(struct issuer *s, const struct issuer_request *r, struct issuer_answer *a))
{
	struct service *s = ctx;
	struct issuer_answer a;
	struct issuer_request r = {.authorization = tf_exchange_header(x, "Authorization"),
				   .form = tf_exchange_body(x),
				   .certificate = tf_exchange_certificate(x)};
	struct tf_str type = tf_exchange_header(x, "Content-Type"), media = type;
	if (!begin(s, x, &a))
		return;
	tf_str_cut(&type, ';', &media);
	if (!tf_str_eq_nocase(tf_str_trim(media), TF_STR("application/x-www-form-urlencoded")))
		issuer_refuse(&a, 415, "invalid_request", "a form is wanted: application/x-www-form-urlencoded");
	else if (tf_http_repeated(tf_exchange_request(x), "Authorization"))
		issuer_refuse(&a, 400, "invalid_request", "more than one Authorization header");
	else
		run(&s->issuer, &r, &a);
	answer(x, &a, "no-store");
}

static void
on_token(void *ctx, struct tf_exchange *x)
{
	post(ctx, x, issuer_token);
}

static void
on_introspect(void *ctx, struct tf_exchange *x)
{
	post(ctx, x, issuer_introspect);
}

static void
on_revoke(void *ctx, struct tf_exchange *x)
{
	post(ctx, x, issuer_revoke);
}

static void
on_jwks(void *ctx, struct tf_exchange *x)
{
	struct service *s = ctx;
	struct issuer_answer a;
	if (!begin(s, x, &a))
		return;
	issuer_jwks(&s->issuer, &a);
	answer(x, &a, "public, max-age=60");
}

static void
on_metadata(void *ctx, struct tf_exchange *x)
{
	struct service *s = ctx;
	struct issuer_answer a;
	if (!begin(s, x, &a))
		return;
	issuer_metadata(&s->issuer, &a);
	answer(x, &a, "public, max-age=60");
}

static const struct tf_route routes[] = {
	{"POST", "/token", on_token, ISSUER_FORM_BYTES, TF_ROUTE_WORKER},
	{"POST", "/introspect", on_introspect, ISSUER_FORM_BYTES, TF_ROUTE_WORKER},
	{"POST", "/revoke", on_revoke, ISSUER_FORM_BYTES, TF_ROUTE_WORKER},
	{"GET", "/jwks", on_jwks, 0, TF_ROUTE_WORKER},
	{"GET", "/.well-known/oauth-authorization-server", on_metadata, 0, TF_ROUTE_WORKER},
	{0},
};

static tf_dur
look_at_crl(void *ctx)
{
	struct service *s = ctx;
	struct tf_stat now;
	if (!tf_os_stat(s->issuer.os, s->crl, &now, NULL) &&
	    (now.modified != s->crl_stat.modified || now.size != s->crl_stat.size)) {
		s->crl_stat = now;
		tf_server_reload(s->server);
	}
	return CRL_EVERY;
}

/* The files of the directory; a client may come without a certificate and prove itself otherwise. */
static enum tf_err
make_tls(struct service *s, struct tf_tls **out, struct tf_fault *f)
{
	const struct identity *id = &s->issuer.id;
	static struct tf_tls_options o;
	TF_TRY(identity_path(id, "certs", "server", ".pem", s->cert, f));
	TF_TRY(identity_path(id, "certs", "server", ".key", s->key, f));
	TF_TRY(identity_path(id, "ca.pem", NULL, NULL, s->ca, f));
	o = (struct tf_tls_options){.certificate = s->cert,
				    .key = s->key,
				    .clients = TF_TLS_CLIENTS_MAY,
				    .client_ca = s->ca,
				    .crl = s->crl};
	return tf_tls_new(id->os, &o, out, f);
}

static enum tf_err
serve(struct service *s, const struct tf_args *a, struct tf_fault *f)
{
	char host[256];
	struct tf_tls *tls = NULL;
	bool plain = tf_args_flag(a, "plain");
	struct tf_server_options o = {.host = host,
				      .terminators = tf_args_cstr(a, "terminators"),
				      .peer_max = 256, /* a quarter of the connections */
				      .workers = 1,
				      .routes = routes,
				      .ctx = s,
				      .watch = &s->watch,
				      .quiet = tf_args_flag(a, "quiet"),
				      .after = plain ? NULL : look_at_crl};
	TF_TRY(tf_net_parse(tf_args_text(a, "listen"), host, &o.port, f));
	TF_TRY(identity_path(&s->issuer.id, "crl.pem", NULL, NULL, s->crl, f));
	TF_TRY(tf_os_stat(s->issuer.os, s->crl, &s->crl_stat, f));
	if (s->issuer.id.production && plain && !o.terminators)
		return tf_fault(f, TF_DENIED, "production: --plain only with --terminators");
	if (!plain)
		TF_TRY(make_tls(s, &tls, f));
	o.tls = tls;
	enum tf_err e = tf_server_new(s->issuer.os, &o, &s->server, f);
	e = e ? e : tf_listen_run(s->server, host, s->issuer.dir, &s->watch, f);
	tf_server_free(&s->server);
	tf_tls_free(&tls);
	return e;
}

static int
run(void *os, const struct tf_command *self, int argc, char **argv)
{
	static struct service s;
	struct tf_args a;
	struct tf_fault f = {0};
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	if (issuer_open(os, tf_args_cstr(&a, "dir"), &s.issuer, &f))
		return tf_program_fail(&f);
	tf_watch_init(&s.watch, os, "identity", TF_LOG_INFO, tf_listen_sink, NULL);
	if (!s.issuer.id.production)
		TF_LOG(&s.watch, TF_LOG_WARN, "identity.staging", NULL,
		       TF_KV("token_seconds", (int64_t)(s.issuer.id.token_life / TF_SEC)),
		       TF_KV("not_for", (const char *)"production"));
	enum tf_err e = serve(&s, &a, &f);
	issuer_close(&s.issuer);
	tf_watch_release(&s.watch);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command identity_cmd_serve = {
	.name = "serve", .summary = "the issuer over HTTPS", .params = params, .run = run};
