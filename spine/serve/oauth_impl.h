/* Between the files of OAuth; not for users. */
#pragma once
#include <openssl/types.h>
#include <pthread.h>

#include "serve/oauth.h"

#define OAUTH_DIGEST    32
#define OAUTH_WAYS      4    /* places where one token may be */
#define OAUTH_ASKED_MAX 64   /* tokens waiting to be asked about */
#define OAUTH_BAD_MAX   1024 /* tokens that are remembered as not active */
#define OAUTH_KEPT_MAX  4096 /* bytes of a principal's strings: a token with more is checked each time */

/* A token that was found good (or, by asking, not active). Immutable but for refs. */
struct oauth_token {
	struct tf_oauth_principal who; /* first: the user holds a pointer to it */
	atomic_uint refs;
	uint8_t digest[OAUTH_DIGEST]; /* of the token's text */
	char key[44];                 /* thumbprint of the key that signed; empty: heard by asking */
	tf_time until;                /* by the wall clock */
	tf_dur stale;                 /* ticks from which on it must be asked about again */
	bool active;
	size_t text_n;
	char text[]; /* of who */
};

struct oauth_cache {
	struct oauth_token **places; /* OAUTH_WAYS side by side are a set */
	size_t sets, tokens;
};

struct oauth_asked {
	uint8_t digest[OAUTH_DIGEST];
	uint32_t n;
	char text[TF_JWT_BYTES];
};

struct tf_oauth {
	struct tf_oauth_options o;
	pthread_mutex_t lock;
	pthread_cond_t moved; /* something is due, or changed, or the end */
	/* Under the lock. */
	EVP_MD_CTX *sha256;           /* looked up once */
	struct tf_jwks *keys;         /* NULL: none came yet */
	tf_dur keys_at, fetch_at;     /* ticks of the last good answer; of the last try's end */
	bool tried;                   /* there was a try */
	bool wanted, fetching;        /* a fetch before refresh_every is over; under way */
	struct oauth_cache good, bad; /* bad: not active. Apart, so that no flood of them drives a good one out */
	struct oauth_asked *asked;    /* a ring */
	unsigned asked_at, asked_count;
	tf_dur ask_at; /* ticks; not before; 0: at once */
	uint64_t changes;
	bool stop;
	/* The thread. */
	struct tf_worker *worker;
	struct tf_os *os;
	void (*failed)(void *ctx, const struct tf_fault *f);
	void *failed_ctx;
};

/* Room for tokens, rounded up; TF_NO_MEMORY. */
enum tf_err oauth_cache_init(struct oauth_cache *c, uint32_t tokens) TF_MUST_USE;
void oauth_cache_release(struct oauth_cache *c);
/* The caches; the lock is held. A token found is counted once more for the caller. */
struct oauth_token *oauth_cache_get(struct tf_oauth *o, const uint8_t digest[static OAUTH_DIGEST], tf_dur ticks,
				    tf_time now);
void oauth_cache_put(struct tf_oauth *o, struct oauth_token *t);
/* Forgets tokens whose key is not in the set any more. */
void oauth_cache_sweep(struct tf_oauth *o);
/* A token object of claims; one reference is the caller's. NULL when memory is out. */
struct oauth_token *oauth_token_new(const struct tf_oauth *o, const uint8_t digest[static OAUTH_DIGEST],
				    const struct tf_jwt *jwt);
void oauth_token_free(struct oauth_token *t);
struct tf_jwt_rules oauth_rules(const struct tf_oauth *o);
/* Counts a change, wakes who waits, tells the user. The lock is not held. */
void oauth_changed(struct tf_oauth *o);
/* Asks the issuer about the oldest token asked for. */
enum tf_err oauth_ask_one(struct tf_oauth *o, tf_dur ticks, tf_time now, struct tf_fault *f);
