/* Outbound HTTP: the one way in which Tenfold asks others.
 *
 *  tf_client_call ─┐            ┌─▶ token (bearer.h) ─▶ breaker of the origin (breaker.h) ─▶ a try by libcurl ─┐
 *  tf_client_send ─┴▶ queue ──▶─┤                                                                              │
 *                               └──────────── wait, doubled and shortened at random (retry.h) ◀── no good ─────┤
 *                                                                                      done, once ◀────────────┘
 *
 * A client has one worker, begun by the first call, which runs one libcurl multi handle (libcurl.so.4, found then;
 * programs that ask nobody neither load nor need it). Connections are kept and used again. HTTP/1.1 over http and https
 * and nothing else; redirects are not followed: a body goes where it was meant to go or nowhere; the environment's
 * proxies are not used, nor .netrc. Of https the server's certificate and name are checked, always. A client
 * certificate and its key are read anew for each new connection, and so is `ca`: a connection lives connection_life at
 * most, so that files that were replaced are in use everywhere after that.
 *
 * Tried again: no connection, a broken or late answer, 408, 429 and 5xx; never another answer. And only what does no
 * harm when it is done twice: GET, HEAD, OPTIONS, PUT, DELETE, a request with an Idempotency-Key, and one that its
 * caller says is `repeatable`. Anything else is tried again only where certainly nothing of it was sent, that is, where
 * there was no connection; libcurl's own sending again over a connection that has died is refused for it too. The wait
 * is at least what Retry-After asks for; where that is longer than wait_max or than the call has time, the call ends,
 * because asking before it would be asking too early. All of a call, waits and tokens included, ends by its deadline.
 *
 * A breaker for each origin (scheme, host, port) opens after so many failures in a row: a transport's, a time-out, 5xx;
 * an answer below 500 is a success. While it is open, calls and further tries fail at once with TF_BUSY, and
 * retry_after says when it is worth another one; then a single try is let through.
 *
 * A request with `tokens` carries an OAuth 2.0 access token of the client-credentials grant (RFC 6749 section 4.4),
 * fetched once for all that need it, renewed ahead of its end. Each try takes the token of its time, so a call may
 * outlast its token. A 401 makes the token that was sent invalid and the call is tried once more with a fresh one, also
 * where it is not repeatable: what was not let in was not done. The token request is a call as any other, over the same
 * certificate (RFC 8705: proof of the client and binding of the token in one).
 *
 * With a trace each try is a client span of it, told to the other side by traceparent, and X-Correlation-Id goes along.
 *
 * Bounds: struct tf_client_options and TF_CLIENT_*; past calls_max or bytes_max a call is TF_OVERLOAD. Stopping ends
 * all calls at once with TF_END. Ownership: a request is copied by tf_client_send, and borrowed by tf_client_call,
 * which waits. Thread rule: any thread; `done` runs in the client's worker and must neither wait nor tf_client_call. */
#pragma once
#include "serve/breaker.h"
#include "watch/span.h"

#define TF_CLIENT_URL_MAX    8192 /* bytes */
#define TF_CLIENT_HOST_MAX   255
#define TF_CLIENT_HEADERS    8     /* of the caller's */
#define TF_CLIENT_TEXT_MAX   8192  /* bytes of a header's value, a key, a user, a password */
#define TF_CLIENT_HEAD_MAX   65536 /* bytes of an answer's headers, all together */
#define TF_CLIENT_TYPE_MAX   128   /* bytes of an answer's Content-Type that are kept */
#define TF_CLIENT_TOKENS_MAX 64    /* token sources of a client */

struct tf_client;
struct tf_client_tokens;

/* Strings are borrowed for the client's life. */
struct tf_client_options {
	const char *ca;         /* PEM file of the authorities to trust, and no others; NULL: the system's */
	const char *cert, *key; /* PEM files, to show a certificate; NULL: none */
	const char *proxy;      /* "http://host:port"; NULL: none */
	bool final_500;         /* of 5xx only 502, 503 and 504 are tried again */
	/* 0 means the default behind it. */
	tf_dur connect_timeout; /* 10 s, TLS included */
	tf_dur timeout;         /* 60 s for one try, connecting included */
	tf_dur deadline;        /* 5 min for a call that names none */
	unsigned tries;         /* 4 */
	tf_dur wait_first;      /* 1 s */
	tf_dur wait_max;        /* 30 s */
	struct tf_breaker_options breaker;
	uint32_t calls_max;       /* 1024 calls that are not done */
	uint64_t bytes_max;       /* 64 MiB of their bodies; one alone may be larger */
	uint32_t connections_max; /* 64 tries at a time, and connections */
	uint32_t origin_max;      /* 16 of them to one origin; more wait */
	tf_dur connection_idle;   /* 60 s: then it is not used again */
	tf_dur connection_life;   /* 10 min */
};

struct tf_client_header {
	const char *name, *value;
};

struct tf_client_request {
	const char *method; /* NULL: POST */
	const char *url;
	const char *type;                /* Content-Type of the body; NULL: none is told */
	const char *key;                 /* Idempotency-Key; NULL: none */
	struct tf_str body;              /* p NULL: none. Not with GET and HEAD */
	bool repeatable;                 /* doing it twice does no harm although the method does not say so */
	const char *user;                /* Basic, form-encoded as RFC 6749 section 2.3.1 wants; NULL: none */
	const char *password;            /* with it */
	struct tf_client_tokens *tokens; /* of this client; NULL: none */
	struct tf_client_header headers[TF_CLIENT_HEADERS]; /* up to a NULL name */
	size_t answer_max;            /* bytes of an answer's body, past it TF_TOO_LARGE; 0: it is dropped */
	tf_dur deadline;              /* from now; 0: the client's */
	const struct tf_trace *trace; /* on whose behalf; its span is the tries' parent; NULL: no trace is told */
	struct tf_spans *spans;       /* where the tries are recorded; outlives the call; NULL: nowhere */
};

struct tf_client_answer {
	int status; /* of the last answer; 0 when none came */
	unsigned tries;
	tf_dur retry_after; /* what the last answer, an open breaker or a failed issuer asks for; 0: nothing */
	char type[TF_CLIENT_TYPE_MAX]; /* Content-Type; "" without one */
	struct tf_str body;            /* of the last whole answer, whatever its status */
};

/* TF_OK after a 2xx answer. TF_DENIED for an answer that trying again would not change: status says which. TF_IO or
 * TF_TIMEOUT when tries or time are used up, or it must not be tried again. TF_BUSY: the breaker is open, or no token
 * can be had. TF_TOO_LARGE, TF_NO_MEMORY, TF_END when stopped. answer and f are set in every case, for this call. */
typedef void tf_client_done(void *ctx, enum tf_err e, const struct tf_client_answer *answer, const struct tf_fault *f);

/* Is it an http or https URL with a host, without user, password, blanks and control characters? TF_INVALID says what
 * is wrong. */
enum tf_err tf_client_check(struct tf_str url, struct tf_fault *f) TF_MUST_USE;

/* Cheap: neither libcurl nor the worker is there before the first call. */
enum tf_err tf_client_new(struct tf_os *os, const struct tf_client_options *o, struct tf_client **out,
			  struct tf_fault *f) TF_MUST_USE;
/* Stops, waits for the worker; no call may come any more. Accepts NULL. */
void tf_client_free(struct tf_client **c);
/* Whether TF_OK: done is called once, later or already. Otherwise never: TF_OVERLOAD, TF_INVALID for a request that is
 * none, TF_END after a stop, TF_UNSUPPORTED without libcurl, TF_NO_MEMORY. */
enum tf_err tf_client_send(struct tf_client *c, const struct tf_client_request *r, tf_client_done *done, void *ctx,
			   struct tf_fault *f) TF_MUST_USE;
/* Waits. The answer's body is appended to body (may be NULL: it is dropped), which out->body then views. *out is set in
 * every case. */
enum tf_err tf_client_call(struct tf_client *c, const struct tf_client_request *r, struct tf_buf *body,
			   struct tf_client_answer *out, struct tf_fault *f) TF_MUST_USE;
/* From now on nothing is tried again: who waits to be ends with what the last try told. Calls go on, with one try. */
void tf_client_drain(struct tf_client *c);
/* Ends all calls, now and later, with TF_END. */
void tf_client_stop(struct tf_client *c);

/* Strings are copied. */
struct tf_client_tokens_options {
	const char *url; /* the token endpoint */
	const char *client;
	const char *secret;   /* by Basic; NULL: the client's certificate proves it (RFC 8705) */
	const char *scope;    /* words; NULL: what the issuer thinks fit */
	const char *audience; /* as some issuers want it; NULL */
	const char *resource; /* RFC 8707; NULL */
	/* 0 means the default behind it. */
	tf_dur ahead;      /* 30 s before its end a token is renewed; half of a life that is shorter than twice that */
	tf_dur life;       /* 1 min: of a token whose answer names no expires_in */
	tf_dur wait_first; /* 1 s after a failed fetch, doubled */
	tf_dur wait_max;   /* 30 s */
};

/* A source of tokens for requests of this client, which owns it: it goes with it. TF_OVERLOAD past
 * TF_CLIENT_TOKENS_MAX. */
enum tf_err tf_client_tokens_new(struct tf_client *c, const struct tf_client_tokens_options *o,
				 struct tf_client_tokens **out, struct tf_fault *f) TF_MUST_USE;
