/* Inside the client (client.h): a call, and what its parts need of each other. Everything of a call but its making is
 * the worker's. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "client_span.h"
#include "serve/bearer.h"
#include "serve/client.h"
#include "serve/curl_load.h"
#include "serve/retry.h"

/* A URL's parts; views of it. */
struct client_url {
	struct tf_str host; /* as written, brackets included */
	uint16_t port;      /* the scheme's where none is told */
	bool tls;
	size_t path, query; /* where they begin; its length without one */
};

enum tf_err client_url_read(struct tf_str url, struct client_url *out, struct tf_fault *f);
/* "https://host:port", in lower case, NUL-terminated. Returns its length. */
size_t client_origin(const struct client_url *u, char out[static TF_BREAKER_NAME_MAX]);
/* application/x-www-form-urlencoded. */
void client_form_put(struct tf_buf *b, struct tf_str s);

struct client_call {
	struct client_call *next;
	struct tf_client *client;
	struct tf_client_request r; /* strings in text, the body in text or borrowed; trace is &trace or NULL */
	struct tf_buf text;
	struct tf_trace trace;
	char origin[TF_BREAKER_NAME_MAX];
	size_t origin_n;
	bool repeatable;
	tf_dur deadline, due; /* ticks; due: when to try (again) */
	tf_client_done *done;
	void *ctx;

	struct tf_client_answer answer;
	struct tf_buf body;
	enum tf_err err; /* of the last try */
	struct tf_fault fault;
	uint64_t token_number; /* that the last try carried */
	bool token_again;      /* a 401 has had its second try */

	/* The try under way. */
	CURL *h; /* NULL: none */
	struct curl_slist *headers;
	struct client_span span;
	uint64_t pass; /* of the breaker */
	tf_dur begun;
	size_t head_bytes;
	unsigned sends; /* how often libcurl began to send it */
	char why[CURL_ERROR_SIZE];
	bool over; /* to be finished with err */
};

struct tf_client_tokens {
	struct tf_client *client;
	struct tf_buf text; /* the strings */
	struct tf_client_tokens_options o;
	struct tf_buf form;
	struct tf_bearer bearer;
	struct client_call *fetch; /* under way; NULL: none */
};

struct tf_client {
	struct tf_os *os;
	struct tf_client_options o;

	pthread_mutex_t lock; /* of these */
	struct client_call *inbox, **inbox_end;
	uint32_t count; /* calls not done */
	uint64_t bytes; /* of their bodies */
	bool started;
	struct tf_client_tokens *tokens[TF_CLIENT_TOKENS_MAX];
	unsigned tokens_count;

	atomic_bool stopping, draining;
	struct tf_worker *worker; /* these two do not change once started */
	CURLM *multi;

	/* The worker's. */
	struct tf_breaker *breaker;
	struct client_call *calls, **calls_end; /* in their order, all that are not done */
	struct client_call **running;           /* connections_max */
	uint32_t running_count;
	bool again; /* something changed: look at all calls once more before sleeping */
};

/* client.c */
enum tf_err client_call_new(struct tf_client *c, const struct tf_client_request *r, bool borrow, tf_client_done *done,
			    void *ctx, struct client_call **out, struct tf_fault *f);
/* A copy of s with its NUL at the end of text, which has room for it. NULL for NULL. */
const char *client_keep(struct tf_buf *text, const char *s);
/* Tells done and frees it. Not while a try is under way. */
void client_call_finish(struct client_call *c, enum tf_err e);

/* client_loop.c: the worker. */
extern _Thread_local const struct tf_client *client_working_for; /* whose worker this thread is; NULL: none's */
void client_work(void *client);
/* Takes a call of the client's own, whatever the bounds. In the worker. */
void client_loop_put(struct tf_client *c, struct client_call *call);

/* client_try.c */
/* Begins a try: it is in the multi handle, or TF_NO_MEMORY, TF_UNSUPPORTED. token NULL: none. */
enum tf_err client_try_begin(struct client_call *c, const char *token, tf_dur now);
/* Takes it out again; sets answer, err and fault, and *out. abandoned: it did not end, nothing is learnt of it. */
void client_try_end(struct client_call *c, CURLcode result, struct tf_retry_end *out);
void client_try_abandon(struct client_call *c);

/* client_grant.c */
/* The token for a try: TF_OK with *out (NULL where the call wants none); TF_BUSY with c->fault and answer.retry_after
 * set; TF_END: wait. May put a call that fetches one. */
enum tf_err client_token(struct client_call *c, tf_dur now, const char **out);
/* What the call's answer says about its token. True: it was refused, and the call has one more try. */
bool client_token_judge(struct client_call *c, tf_dur now, uint32_t random);
void client_tokens_free(struct tf_client_tokens **t);
