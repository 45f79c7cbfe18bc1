/* Inside serve: a connection with the exchange it carries, and the server. */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/map.h"
#include "serve/server.h"

#define TF_SERVE_RECV_BYTES  ((size_t)256 << 10) /* one receive, shared by all connections */
#define TF_SERVE_ARENA_BYTES ((size_t)64 << 10)  /* decoded target of one request */
#define TF_HANDSHAKES_OUT    64                  /* in the handshakers' hands before another connection is accepted */

enum tf_conn_phase {
	TF_CONN_HANDSHAKE, /* of TLS */
	TF_CONN_IDLE,      /* between requests */
	TF_CONN_HEAD,      /* reading a head */
	TF_CONN_BODY,      /* reading a body */
	TF_CONN_HTTP2,     /* carries streams, each of them a connection of its own; see h2.h */
	TF_CONN_ANSWER,    /* the handler has it, or the answer is being sent */
	TF_CONN_LINGER,    /* answered and shut; what still comes is thrown away until the client closes */
};

/* Of a connection that is a stream of HTTP/2. */
struct tf_stream {
	int32_t id;    /* 0: its session knows it no more */
	bool answered; /* the head was given to the session */
	bool last;     /* all of the answer was taken from the exchange */
};

enum tf_answer { TF_ANSWER_NONE, TF_ANSWER_BEGUN, TF_ANSWER_ENDED, TF_ANSWER_ABORTED };

struct tf_exchange {
	struct tf_conn *conn;
	const struct tf_route *route; /* NULL: refused before there was one */
	struct tf_arena arena;
	struct tf_str params[TF_ROUTE_PARAMS_MAX];
	struct tf_http_header query[TF_QUERY_MAX];
	unsigned query_count;
	struct tf_buf body;
	uint64_t reserved; /* of the server's bodies_max */
	struct tf_trace trace;
	uint8_t parent[8]; /* the caller's span; zero: none */
	uint64_t event;    /* its offset in the log, plus 1; 0: none */
	tf_dur begun;
	struct tf_certificate forwarded; /* by a terminator in front */
	unsigned worker;
	bool in_worker;
	void *user;

	struct tf_buf extra;  /* headers to add */
	struct tf_buf out;    /* under the server's lock: written by the handler, not yet taken by the loop */
	enum tf_answer state; /* under the server's lock */
	int status;
	bool chunked, bodyless; /* bodyless: HEAD */
	uint64_t body_out;
};

/* Of a connection whose handshake is not over. */
struct tf_handshake {
	struct tf_conn *next; /* of a list */
	bool gone;            /* under the lock: its client */
	enum tf_err result;   /* of its last step */
	struct tf_fault why;
};

struct tf_handshakes {
	struct tf_conn *first, *last;
};

struct tf_conn {
	struct tf_server *server;
	struct tf_conn *next, *prev;
	struct tf_conn *touched; /* list of those whose answer grew; under the lock */
	bool is_touched;
	struct tf_conn *queued;  /* list of those waiting for a worker, under the lock; of the dead */
	int fd;                  /* -1: the client is gone, the exchange is not over */
	struct tf_tls_conn *tls; /* NULL: plain, or nothing came yet */
	unsigned tls_wants;      /* to go on receiving */
	struct tf_handshake *handshake;
	bool in_handshaker; /* it is taking a step: fd, tls, tls_wants and handshake are its */
	struct tf_peer peer;
	unsigned polled;
	enum tf_conn_phase phase;
	struct tf_conn *waits_before, *waits_after; /* of those whose next request has not come yet, by age */
	bool waits;                                 /* it stands there */
	bool counted;                               /* among its peer's */
	bool close;                                 /* after this answer */
	bool dead;
	tf_dur since, moved;
	struct tf_http_in in;
	struct tf_buf early; /* received behind the request being answered, from early_at on */
	size_t early_at;
	struct tf_buf sending;
	size_t sent;
	struct tf_h2 *h2;        /* NULL: HTTP/1.1, or a stream */
	struct tf_conn *streams; /* that it carries */
	struct tf_conn *under;   /* a stream: what carries it, and lives longer; else NULL */
	struct tf_stream stream;
	struct tf_exchange x;
};

struct tf_server {
	struct tf_os *os;
	struct tf_server_options o;
	int listener;
	bool listening; /* the listener is polled */
	struct tf_poll *poll;
	struct tf_waker *waker;
	struct tf_conn *conns, *dead;
	uint32_t conn_count;
	struct tf_conn *waits_first, *waits_last;
	struct tf_map peers;  /* connections by address */
	tf_dur turned_told;   /* when those turned away were logged last */
	uint64_t turned_away; /* since then */
	uint64_t bodies;
	tf_dur swept;
	tf_dur accept_at; /* none is accepted before: the last time failed */
	char *scratch;    /* TF_SERVE_RECV_BYTES */
	struct tf_metrics *metrics;
	atomic_bool stop;
	atomic_bool reload;
	atomic_bool draining;
	tf_dur drain_until;
	struct tf_buf lines;  /* of the log, for requests that ended in this round */
	bool dispatched;      /* a handler ran after this round's `after` */
	struct tf_h2 *h2_due; /* those with frames to send */
	uint32_t streams;     /* of HTTP/2, all connections together */

	pthread_mutex_t lock;
	pthread_cond_t room; /* an answer was sent, a client went away */
	pthread_cond_t work;
	bool runs;
	pthread_t loop; /* the thread that runs it */
	struct tf_conn *touched;
	struct tf_conn *queue, *queue_last;
	uint32_t queue_count;
	bool closing; /* workers and handshakers end */
	struct tf_worker **workers;
	uint32_t worker_count;
	unsigned next_worker;
	pthread_cond_t hands;
	struct tf_handshakes hands_new, hands_begun, hands_shaken;
	uint32_t hands_out; /* handed over and not back; the loop's */
	struct tf_worker **handshakers;
	uint32_t handshaker_count;
};

enum {
#define X(id, k, n, h, l, v, d) TF_SERVE_##id,
#include "serve/metrics.def"
#undef X
};

/* What a reply is written for. */
static inline enum tf_http_version
tf_exchange_version(const struct tf_exchange *x)
{
	return x->conn->under ? TF_HTTP_2 : TF_HTTP_1_1;
}

/* conn.c */
void tf_conn_new(struct tf_server *s, int fd, const struct tf_peer *peer);
/* A stream on it, whose head is being read; NULL: no memory. */
struct tf_conn *tf_conn_stream(struct tf_conn *under);
/* What its reader (c->in) said: answers, or calls the handler. */
void tf_conn_event(struct tf_conn *c, enum tf_http_event e);
/* What the handler wrote, when what was taken before is sent; returns the answer's state at that moment. */
enum tf_answer tf_conn_take(struct tf_conn *c, bool *out_more);
/* Sends what HTTP/2 has ready, and ends it where that was the last. */
void tf_conn_push(struct tf_conn *c);
void tf_conn_readable(struct tf_conn *c);
/* Goes on after a step of its handshake, also if it was closed meanwhile. */
void tf_conn_shaken(struct tf_conn *c);
/* Sends more of what was taken; touches it when that is all sent. */
void tf_conn_writable(struct tf_conn *c);
/* Takes what the handler wrote and sends; goes on with the next request when the answer is over. Only after `after`. */
void tf_conn_flush(struct tf_conn *c);
void tf_conn_closed(struct tf_conn *c);
/* By the clock: closes or refuses what takes too long. */
void tf_conn_sweep(struct tf_conn *c, tf_dur now);
/* The server stops: closes what waits for a request. */
void tf_conn_drain(struct tf_conn *c);
/* Frees those that were closed, are on no list of touched ones, and in no handshaker's hands. */
void tf_conn_reap(struct tf_server *s);

/* conn_tls.c */
enum tf_err tf_conn_recv(struct tf_conn *c, void *p, size_t n, size_t *out_n) TF_MUST_USE;
enum tf_err tf_conn_send(struct tf_conn *c, const void *p, size_t n, size_t *out_n) TF_MUST_USE;
/* Are there bytes that the poller will not tell of? */
bool tf_conn_pending(const struct tf_conn *c);
/* What the last step of its handshake came to. True: it is over; false: it goes on, or the connection was closed. */
bool tf_conn_shook_hands(struct tf_conn *c);
bool tf_conn_certificate_good(struct tf_conn *c, struct tf_fault *f);
/* Tells the server's owner whom the connection refuses because of its certificate. x, status: as in tf_refused. */
void tf_conn_tell_refused(struct tf_conn *c, struct tf_exchange *x, int status, const char *why);

/* Is the address one of the terminators'? */
bool tf_conn_is_terminator(const struct tf_server *s, const char *host);

/* room.c */
/* Might one more be taken, another giving way? */
bool tf_room_any(const struct tf_server *s);
/* Only when tf_room_any. True: there is room now, where need be made by closing another. */
bool tf_room_for(struct tf_server *s, const struct tf_peer *peer);
/* Counts it among its peer's, when there is a bound; TF_NO_MEMORY. */
enum tf_err tf_room_enter(struct tf_conn *c) TF_MUST_USE;
void tf_room_leave(struct tf_conn *c);
/* Its next request is being waited for, or read; it has come. */
void tf_room_waits(struct tf_conn *c);
void tf_room_waits_no_more(struct tf_conn *c);

/* route.c: finds the route, fills params and query. Answers and returns false where there is none. */
bool tf_route_find(struct tf_exchange *x);

/* builtin.c */
extern const struct tf_route tf_builtin_routes[];

/* reply.c */
/* The answer to a request that broke the rules; its handler never ran. */
void tf_reply_refusal(struct tf_exchange *x, int status, const char *why);
/* Has its connection flushed at the end of the round. */
void tf_exchange_touch(struct tf_exchange *x);
void tf_exchange_log(struct tf_exchange *x);

/* exchange_span.c: records the server span of an exchange that is over. */
void tf_exchange_span(struct tf_exchange *x, tf_dur took);

/* handshake.c */
/* None without TLS, or where there are too few cores. */
enum tf_err tf_handshakers(struct tf_server *s, struct tf_fault *f) TF_MUST_USE;
void tf_handshakers_end(struct tf_server *s);
/* Takes a step of its handshake: beside the loop, or without handshakers at once. */
void tf_handshake_step(struct tf_conn *c);
/* Goes on with those that took one. */
void tf_handshakes_back(struct tf_server *s);

/* worker.c */
enum tf_err tf_serve_workers(struct tf_server *s, struct tf_fault *f) TF_MUST_USE;
void tf_serve_workers_end(struct tf_server *s);
/* False when the queue is full. */
bool tf_serve_queue(struct tf_conn *c);
