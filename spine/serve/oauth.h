/* OAuth 2.0, the side that guards an API (a resource server): who is asking, and may they?
 *
 * A request brings a bearer token (RFC 6750) and, over mutual TLS, a certificate. The token is checked against the
 * issuer's keys (RFC 9068), or the issuer is asked about it (RFC 7662). A token that says which certificate it is bound
 * to (RFC 8705) is good with that certificate alone: this is compared on every request, also when the token itself was
 * found good before. Then scopes and roles are compared with what the operation needs.
 *
 * Nothing here waits for the network: a check that needs the issuer answers TF_BUSY, tf_oauth_work fetches (in a thread
 * of its own by tf_oauth_start), `changed` tells that it is worth asking again. So:
 *  - keys are refreshed every refresh_every; a failed fetch keeps those that are there, up to stale_max;
 *  - a kid that is not in the set makes one fetch, at most one every fetch_gap; requests of that time hear TF_BUSY once
 *    and are answered when it is over, so that a rotation fails none of them;
 *  - a key that is no longer in the set is no longer believed, nor are the tokens that it has signed: so a set without
 *    any key that can be used (RFC 7517 section 5) revokes all. It is no failed fetch, but it is told as a fault.
 * Good tokens are remembered until they expire, by the SHA-256 of their text: cache_tokens at most; apart from them
 * 1,024 that the issuer called not active, which so drive out no good one. What was heard by
 * asking for answer_ttl at most. What is due when goes by monotonic ticks, so that a wall clock that is set stops
 * nothing; only a token's own times are compared with the wall clock. A revoked JWT stays good until it expires: ask
 * (introspect_url) where that is too long.
 *
 * Thread rule: all calls from any thread, but tf_oauth_work from one at a time (the thread of tf_oauth_start is it). */
#pragma once
#include "os/os.h"
#include "serve/jwt.h"

struct tf_oauth;

struct tf_oauth_request {
	const char *url;
	struct tf_str form; /* p NULL: GET; else POST of application/x-www-form-urlencoded */
	const char *user;   /* Basic, form-encoded as RFC 6749 section 2.3.1 wants; NULL: none */
	const char *password;
};

#define TF_OAUTH_ANSWER_BYTES 65536

/* Asks the issuer and waits: the body of a 200 is appended to body, whose max is set. Anything else is an error. */
typedef enum tf_err tf_oauth_fetch(void *ctx, const struct tf_oauth_request *r, struct tf_buf *body,
				   struct tf_fault *f);

/* Strings are borrowed for the object's life. */
struct tf_oauth_options {
	const char *issuer, *audience; /* exactly as tokens have them */
	const char *jwks_url;          /* one of these two */
	const char *introspect_url;
	const char *client, *secret; /* for introspection; NULL: by the certificate of the fetcher's connection */
	const char *realm;           /* in challenges; default "tenfold" */
	const char *partner_claim;   /* whose text is the partner's name; default: client_id */
	bool bound_only;             /* refuse tokens that are not bound to a certificate */
	/* 0 means the default behind it. */
	unsigned algs;         /* all four */
	tf_dur skew;           /* none; at most 60 s */
	tf_dur life_max;       /* 24 h from now to a token's exp */
	tf_dur refresh_every;  /* 5 min */
	tf_dur fetch_gap;      /* 2 s */
	tf_dur stale_max;      /* 24 h without an answer of the issuer: keys are not believed any more */
	tf_dur answer_ttl;     /* 30 s */
	uint32_t cache_tokens; /* 16384; rounded up to a power of two */

	tf_oauth_fetch *fetch;
	void *fetch_ctx;
	/* Keys or an answer came, or could not be had. From the thread that fetches. May be NULL. */
	void (*changed)(void *ctx);
	void *changed_ctx;
};

/* Who asks. Lists have single blanks between words. Absent strings are empty. */
struct tf_oauth_principal {
	struct tf_str client, subject, partner;
	struct tf_str scopes, roles;
	struct tf_str thumbprint; /* that the token is bound to; empty: none */
	tf_time expires;
};

struct tf_oauth_ask {
	struct tf_str authorization; /* the header's value; p NULL: absent. More than one is for the caller to refuse */
	struct tf_str thumbprint;    /* of the connection's certificate: tf_oauth_thumbprint; p NULL: none */
	const char *scope;           /* words with single blanks between them, all needed; NULL: none */
	const char *role;            /* one of its words is needed; NULL: none */
	tf_time now;                 /* by the wall clock: what a token's own times are compared with */
	tf_dur ticks;                /* monotonic: how old keys and answers are */
	bool remembered; /* only one that is remembered is looked at: any other is TF_OVERLOAD, at no cost */
	tf_dur since;    /* ticks when it was asked first, for a request that can wait: a key newer than
			  * that is waited for; 0: not told */
};

/* The answer to a request that is let in by none. */
struct tf_oauth_refusal {
	int status;          /* 400, 401, 403, 429, 503 */
	const char *code;    /* "invalid_request", "invalid_token", "insufficient_scope", "too_many", "unavailable" */
	char challenge[512]; /* of WWW-Authenticate; empty with 429 and 503 */
};

enum tf_err tf_oauth_new(const struct tf_oauth_options *o, struct tf_oauth **out, struct tf_fault *f) TF_MUST_USE;
/* Ends the thread, when there is one. Accepts NULL. Principals stay good. */
void tf_oauth_free(struct tf_oauth **o);

/* TF_OK with a principal, to be given back by tf_oauth_done. Otherwise *refusal is what to answer: TF_DENIED;
 * TF_INVALID for a header that is no bearer token; TF_OVERLOAD as ask->remembered says; TF_BUSY where asking again
 * after `changed` may tell: once or twice, then answer the refusal's 503; TF_NO_MEMORY. The fault may name a member of
 * the token's JSON, never hold the token.
 */
enum tf_err tf_oauth_check(struct tf_oauth *o, const struct tf_oauth_ask *ask, const struct tf_oauth_principal **out,
			   struct tf_oauth_refusal *refusal, struct tf_fault *f) TF_MUST_USE;
/* Gives a principal back; *p becomes NULL. Accepts NULL. */
void tf_oauth_done(const struct tf_oauth_principal **p);
/* SHA-256 of a certificate in DER as RFC 8705 section 3.1 writes it. Returns out, or NULL when OpenSSL fails. */
char *tf_oauth_thumbprint(struct tf_str der, char out[static 44]);

/* Does what is due at ticks, now by the wall clock: fetches keys, or asks about one token. *out_next is at which ticks
 * to call again (TF_TIME_MAX: when a check makes something due). The fault is for a log line: checks go on with what
 * there is. */
enum tf_err tf_oauth_work(struct tf_oauth *o, tf_dur ticks, tf_time now, tf_dur *out_next,
			  struct tf_fault *f) TF_MUST_USE;
/* A thread that does it. failed (may be NULL) gets the faults. */
enum tf_err tf_oauth_start(struct tf_oauth *o, struct tf_os *os, void (*failed)(void *ctx, const struct tf_fault *f),
			   void *ctx, struct tf_fault *f) TF_MUST_USE;
/* Waits for the next change, at most so long, for a caller that may wait. since: tf_oauth_changes from before the
 * check. */
uint64_t tf_oauth_changes(struct tf_oauth *o);
void tf_oauth_await(struct tf_oauth *o, uint64_t since, tf_dur most);
/* Keys in use; tokens remembered as good. */
void tf_oauth_count(struct tf_oauth *o, size_t *out_keys, size_t *out_tokens);
