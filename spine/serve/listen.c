/* What every service's `serve` shares; see listen.h. */
#include "serve/listen.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* What the signal handlers reach: the only thing here that outlives a call. */
static struct tf_server *running;

static void
on_stop(int number)
{
	(void)number;
	tf_server_stop(running);
}

static void
on_hangup(int number)
{
	(void)number;
	tf_server_reload(running);
}

void
tf_listen_sink(void *ctx, struct tf_str line)
{
	(void)ctx;
	while (line.n) {
		ssize_t n = write(STDERR_FILENO, line.p, line.n);
		if (n <= 0)
			return;
		line = tf_str_n(line.p + n, line.n - (size_t)n);
	}
}

static enum tf_err
tls_options(const struct tf_args *args, struct tf_tls_options *t, struct tf_fault *f)
{
	*t = (struct tf_tls_options){.certificate = tf_args_cstr(args, "tls-cert"),
				     .key = tf_args_cstr(args, "tls-key"),
				     .client_ca = tf_args_cstr(args, "client-ca"),
				     .crl = tf_args_cstr(args, "crl"),
				     .ocsp = tf_args_cstr(args, "ocsp"),
				     .http2 = tf_args_flag(args, "http2")};
	if (!t->certificate != !t->key)
		return tf_fault(f, TF_USAGE, "--tls-cert and --tls-key go together");
	if (!t->certificate && (t->client_ca || t->crl || t->ocsp || t->http2))
		return tf_fault(f, TF_USAGE, "--client-ca, --crl, --ocsp and --http2 need --tls-cert");
	if (t->crl && !t->client_ca)
		return tf_fault(f, TF_USAGE, "--crl needs --client-ca");
	if (t->client_ca)
		t->clients = tf_args_int(args, "client-cert") ? TF_TLS_CLIENTS_MAY : TF_TLS_CLIENTS_MUST;
	return TF_OK;
}

static uint32_t
peer_max(uint32_t connections, int64_t given)
{
	if (given)
		return (uint32_t)given;
	return connections < 4 ? 1 : connections / 4;
}

enum tf_err
tf_listen_options(struct tf_os *os, const struct tf_args *args, char out_host[static 256], struct tf_server_options *o,
		  struct tf_tls **out_tls, struct tf_fault *f)
{
	struct tf_tls_options t;
	TF_TRY(tf_net_parse(tf_args_text(args, "listen"), out_host, &o->port, f));
	o->host = out_host;
	o->terminators = tf_args_cstr(args, "terminators");
	o->peer_max = peer_max(o->connections_max, tf_args_int(args, "connections-per-peer"));
	o->handshakers = (int)tf_args_int(args, "handshake-threads");
	o->quiet = tf_args_flag(args, "quiet");
	TF_TRY(tls_options(args, &t, f));
	if (t.certificate)
		TF_TRY(tf_tls_new(os, &t, out_tls, f));
	o->tls = *out_tls;
	return TF_OK;
}

enum tf_err
tf_listen_run(struct tf_server *s, const char *host, const char *data, struct tf_watch *watch, struct tf_fault *f)
{
	struct sigaction stop = {.sa_handler = on_stop}, hangup = {.sa_handler = on_hangup};
	char address[300];
	running = s;
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGHUP, &hangup, NULL);
	snprintf(address, sizeof address, "%s:%u", host, tf_server_port(s));
	TF_LOG(watch, TF_LOG_INFO, "serve.ready", NULL, TF_KV("address", (const char *)address),
	       TF_KV("data", data ? data : ""), TF_KV("pid", (int64_t)getpid()));
	enum tf_err e = tf_server_run(s, f);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	running = NULL;
	return e;
}
