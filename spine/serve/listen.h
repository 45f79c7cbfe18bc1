/* What every service's `serve` shares: its options for TLS, its signals, its log.
 *
 * SIGTERM and SIGINT drain and end it; SIGHUP reads the TLS files anew (tls.h): those that do not fit together are
 * logged and the ones before stay. Foreground; log lines go to stderr. Thread rule: one server at a time. */
#pragma once
#include "base/args.h"
#include "serve/server.h"

/* Rows for a command's table. */
#define TF_LISTEN_PARAMS                                                                                               \
	{"listen", TF_PARAM_TEXT, false, "HOST:PORT", "127.0.0.1:8080", 0, 0, "port 0: any free one"},                 \
		{"tls-cert", TF_PARAM_TEXT,                                                                            \
		 false,      "FILE",                                                                                   \
		 NULL,       0,                                                                                        \
		 0,          "PEM: certificate, then its chain; without: plain"},                                      \
		{"tls-key", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: its key"},                                 \
		{"client-ca", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: whose clients are let in"},              \
		{"client-cert", TF_PARAM_CHOICE, false, "must|may", "must", 0, 0, "with --client-ca"},                 \
		{"http2", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "over TLS, offer HTTP/2 too"},                       \
		{"crl", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "PEM: revoked client certificates"},                 \
		{"ocsp", TF_PARAM_TEXT, false, "FILE", NULL, 0, 0, "DER: answer to staple"},                           \
		{"connections-per-peer",                                                                               \
		 TF_PARAM_INT,                                                                                         \
		 false,                                                                                                \
		 "N",                                                                                                  \
		 "0",                                                                                                  \
		 0,                                                                                                    \
		 100000,                                                                                               \
		 "of an address; 0: a quarter of all"},                                                                \
		{"handshake-threads", TF_PARAM_INT, false, "N", "0", 0, 64, "for TLS; 0: by the cores"},               \
	{                                                                                                              \
		"terminators", TF_PARAM_TEXT, false, "ADDRS", NULL, 0, 0, "whose Client-Cert header is believed"       \
	}

/* Rows of their own for where spans go, of a service that records them. */
#define TF_LISTEN_OTLP_PARAMS                                                                                          \
	{"otlp", TF_PARAM_TEXT, false, "URL", NULL, 0, 0, "send spans to this OpenTelemetry collector"},               \
	{                                                                                                              \
		"otlp-sample", TF_PARAM_INT, false, "PERCENT", "100", 0, 100, "of traces that begin here"              \
	}

struct tf_otlp;

/* By those options: *out is NULL without --otlp; else for the caller to free when the server has ended: it drains.
 * service: its name in traces. */
enum tf_err tf_listen_otlp(struct tf_os *os, const struct tf_args *args, const char *service, const char *version,
			   struct tf_watch *watch, struct tf_otlp **out, struct tf_fault *f) TF_MUST_USE;
/* Fills host, port, tls, terminators, handshakers, peer_max (by connections_max, which is there already) and quiet (a
 * flag of the command's own) of o by those options; host is kept in out_host. *out_tls is for the caller to free after
 * the server, NULL without TLS. */
enum tf_err tf_listen_options(struct tf_os *os, const struct tf_args *args, char out_host[static 256],
			      struct tf_server_options *o, struct tf_tls **out_tls, struct tf_fault *f) TF_MUST_USE;
/* Runs it with the signals caught; they are ignored afterwards. Logs "serve.ready" with the address and, when data is
 * not NULL, the directory. */
enum tf_err tf_listen_run(struct tf_server *s, const char *host, const char *data, struct tf_watch *watch,
			  struct tf_fault *f) TF_MUST_USE;
/* A watch's sink: to stderr. */
void tf_listen_sink(void *ctx, struct tf_str line);
