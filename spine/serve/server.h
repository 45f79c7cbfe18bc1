/* An HTTP server: one event loop, a table of routes, and a few workers for what may take long.
 *
 * A handler runs in the loop and must not wait; it answers at once, or keeps the exchange and answers later (a write is
 * answered after the group commit). A route marked TF_ROUTE_WORKER runs in a worker, may read files, and writes an
 * answer of any size: tf_reply_write waits while the client is slow. An exchange ends with tf_reply, tf_reply_problem,
 * tf_reply_end or tf_reply_abort, exactly once, also when the client has gone away.
 *
 * One request at a time is read from a connection; pipelined ones wait in the socket. Over TLS that offers it (tls.h)
 * HTTP/2 is spoken too: a stream is to its handler what a connection is, and streams are answered in any order. Bounds:
 * struct tf_server_options, each answered with the status it names. Errors are RFC 9457 problem details.
 * X-Correlation-Id (1 to 64 of letters, digits and "._:-") and traceparent are taken from the request or made anew, and
 * the correlation id is sent back. With `spans` each request of a sampled trace is recorded as a server span; a
 * handler's own spans are its children by tf_exchange_trace. /healthz, /readyz and /metrics are always there. TLS
 * handshakes are made in threads of their own where there are cores for them. Thread
 * rule: all calls from the loop's thread, but for replies of an exchange in a worker, from that worker. */
#pragma once
#include "os/net.h"
#include "serve/http.h"
#include "serve/tls.h"
#include "watch/log.h"
#include "watch/metric.h"
#include "watch/span.h"

struct tf_server;
struct tf_exchange;

typedef void tf_handler(void *ctx, struct tf_exchange *x);

enum tf_route_flags { TF_ROUTE_WORKER = 1 };

struct tf_route {
	const char *method;
	const char *path; /* "/meter/v1/meters/{id}/readings": a name in braces is one segment, percent-decoded */
	tf_handler *handle;
	uint64_t body_max; /* 0: a body is refused with 413 */
	unsigned flags;
	/* Called in the loop before a worker takes it. False: the gate answered, or keeps the exchange and hands it
	 * on later with tf_exchange_to_worker. May be NULL. */
	bool (*gate)(void *ctx, struct tf_exchange *x);
	const char *query; /* names of the parameters taken, between blanks; any other is 400. NULL: none */
};

#define TF_ROUTE_PARAMS_MAX 4
#define TF_QUERY_MAX        32 /* parameters of a query */

/* A caller that the connection itself turned away because of its certificate: no handler saw it. */
struct tf_refused {
	const struct tf_peer *peer;
	const struct tf_certificate *certificate; /* NULL: none. In a handshake only shown: its key was not proved */
	struct tf_exchange *x;                    /* whose request it is; NULL: in a handshake, nothing is answered */
	int status;                               /* of the answer; 0 without one */
	const char *why;
};

struct tf_server_options {
	const char *host;
	uint16_t port; /* 0: any free one */
	/* 0 in a limit means the default behind it. */
	uint32_t connections_max; /* 1024. Past it the oldest whose next request has not come yet is
				   * closed for the new one; where all have one, the new one waits in the listener's
				   * backlog */
	uint32_t streams_max;     /* 4096 of HTTP/2, all connections together; one more is refused, to be tried again */
	uint64_t bodies_max;      /* 256 MiB: bytes of bodies being read or worked on; past it 429 */
	uint32_t workers;         /* 2 */
	int handshakers;      /* threads for TLS handshakes; 0: half of the cores but one, 8 at most; -1: none, the loop
			       * makes      them */
	uint32_t queue_max;   /* 64: exchanges waiting for a worker; past it 503 */
	uint32_t out_bytes;   /* 256 KiB: of an answer not sent yet before its worker waits */
	tf_dur idle_timeout;  /* 60 s: a kept connection without a request is closed */
	tf_dur head_timeout;  /* 10 s for a whole head; 408 */
	tf_dur body_timeout;  /* 20 s without a byte, or less than 1 KiB/s after them; 408 */
	tf_dur send_timeout;  /* 30 s without a byte taken by the client: closed */
	tf_dur drain_timeout; /* 30 s for what is under way when stopping */

	uint32_t peer_max; /* connections of one address, of IPv6 of one /64, but for terminators; another is closed. 0:
			    * any number */
	struct tf_tls *tls;      /* NULL: plain HTTP. tf_tls_reload between rounds changes its files */
	const char *terminators; /* addresses, between commas, whose Client-Cert header (RFC 9440) is believed; NULL */

	const struct tf_route *routes; /* ends with a NULL method */
	void *ctx;
	struct tf_watch *watch; /* faults, and a line for each request, written at the end of the round it ends in */
	bool quiet;             /* no line for each request */
	struct tf_spans *spans; /* where requests are recorded; its count is in /metrics; NULL: nowhere */
	/* After each round of events, before answers are sent: group commit. Returns how long the loop may sleep
	 * (negative: for ever). May be NULL. */
	tf_dur (*after)(void *ctx);
	/* Called in the loop, before the answer to it is sent; what it points to lives until it returns. May be NULL.
	 */
	void (*refused)(void *refused_ctx, const struct tf_refused *r);
	void *refused_ctx;
	bool (*ready)(void *ctx);                       /* /readyz; NULL: always */
	void (*metrics)(void *ctx, struct tf_buf *out); /* appended to /metrics; may be NULL */
};

/* Listens. Options and what they point to must outlive it. */
enum tf_err tf_server_new(struct tf_os *os, const struct tf_server_options *o, struct tf_server **out,
			  struct tf_fault *f) TF_MUST_USE;
uint16_t tf_server_port(const struct tf_server *s);
/* Serves until tf_server_stop, then drains: accepts no more, finishes what was begun. */
enum tf_err tf_server_run(struct tf_server *s, struct tf_fault *f) TF_MUST_USE;
/* From any thread or signal handler. */
void tf_server_stop(struct tf_server *s);
/* The TLS files are read anew before the next round; the log says how it went. From any thread or signal handler. */
void tf_server_reload(struct tf_server *s);
/* Ends a sleeping round, so that `after` runs again. From any thread. */
void tf_server_wake(struct tf_server *s);
void tf_server_free(struct tf_server **s);

/* What a peer is counted by: its address, of IPv6 the first 64 bits of it. Points into peer or scratch. */
struct tf_str tf_peer_key(const struct tf_peer *peer, char scratch[static 16]);

/* Asking. Strings live until the exchange ends. */

const struct tf_http_request *tf_exchange_request(const struct tf_exchange *x);
struct tf_str tf_exchange_header(const struct tf_exchange *x, const char *name);
/* The route's i-th {name}. */
struct tf_str tf_exchange_param(const struct tf_exchange *x, unsigned i);
/* A query parameter, decoded; p is NULL when absent. */
struct tf_str tf_exchange_query(const struct tf_exchange *x, const char *name);
struct tf_str tf_exchange_body(const struct tf_exchange *x);
const struct tf_trace *tf_exchange_trace(const struct tf_exchange *x);
/* Where the request's event is in the log: told on its span. Before it is answered. */
void tf_exchange_logged(struct tf_exchange *x, uint64_t offset);
/* The client's certificate: of its TLS connection, or as a terminator in front tells it. NULL: none. */
const struct tf_certificate *tf_exchange_certificate(struct tf_exchange *x);
/* Of the worker that runs it, from 0: workers may keep state by it. */
unsigned tf_exchange_worker(const struct tf_exchange *x);
/* A place for the handler's own state; NULL at first. */
void **tf_exchange_user(struct tf_exchange *x);
/* Hands an exchange that the loop holds to a worker, which runs its route's handler. */
void tf_exchange_to_worker(struct tf_exchange *x);
/* Runs the handler once more, in the loop, for an exchange that it kept: when what it waited for may be there. */
void tf_exchange_again(struct tf_exchange *x);
const struct tf_peer *tf_exchange_peer(const struct tf_exchange *x);
/* Has the client gone away? The answer will go nowhere. */
bool tf_exchange_gone(struct tf_exchange *x);

/* Answering. */

/* Before the answer begins: one more header. 4 KiB of them at most; past it the answer is aborted. */
void tf_reply_header(struct tf_exchange *x, const char *name, struct tf_str value);
/* A whole answer. body is copied. One to HEAD, and a status 204 or 304, is sent without it. */
void tf_reply(struct tf_exchange *x, int status, const char *type, struct tf_str body);
/* An answer in pieces; its length need not be known. */
void tf_reply_begin(struct tf_exchange *x, int status, const char *type);
/* In a worker, waits while much is unsent. TF_END when the client is gone: stop, and end or abort. */
enum tf_err tf_reply_write(struct tf_exchange *x, struct tf_str bytes) TF_MUST_USE;
void tf_reply_end(struct tf_exchange *x);
/* Breaks the connection, so that the client does not take what it has for the whole. */
void tf_reply_abort(struct tf_exchange *x);

struct tf_problem {
	int status;
	const char *code;   /* a stable word: "NOT_FOUND" */
	struct tf_str text; /* what is wrong, one sentence */
	const char *field;  /* the parameter, header or member; NULL: none */
};
void tf_reply_problem(struct tf_exchange *x, const struct tf_problem *p);
/* The error's status by err.def, Retry-After where it may succeed later. field may be NULL. A failure of the server's
 * own (500 and up) is logged here. */
void tf_reply_fault(struct tf_exchange *x, const struct tf_fault *f, const char *field);
