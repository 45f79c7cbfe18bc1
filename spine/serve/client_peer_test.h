/* A server for the client's tests, made of our own: every request is counted and given to the test's function, which
 * answers it in the loop. Paths: /x by GET, POST, PUT and DELETE, /token by POST. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "serve/client.h"
#include "serve/server.h"

#define OK(expr)         assert_int_equal(expr, TF_OK)
#define PEER_CONNECTIONS 256

struct peer;
/* number: of the request to that path, from 0. Under the peer's lock. */
typedef void peer_answer(struct peer *p, struct tf_exchange *x, unsigned number);

struct peer {
	struct tf_server *server;
	struct tf_worker *runner;
	struct tf_watch watch;
	peer_answer *x, *token;
	char url[96], token_url[96], origin[64];

	pthread_mutex_t lock;
	unsigned requests, tokens; /* to /x and /token */
	unsigned connections;      /* seen by their port */
	uint16_t ports[PEER_CONNECTIONS];
	struct tf_buf seen; /* for the test's function to note what it saw */
	int state;          /* for the test */
};

/* host NULL: 127.0.0.1; tls NULL: in the clear. Skips the test where there is no libcurl. */
struct peer *peer_start(const char *host, struct tf_tls *tls, peer_answer *x, peer_answer *token);
void peer_end(struct peer **p);
/* Of the counts above. */
unsigned peer_count(struct peer *p, const unsigned *count);
void peer_set(struct peer *p, int state);
/* What was noted is this. */
void peer_saw(struct peer *p, const char *wanted);
/* Answers with text/plain. */
void peer_say(struct tf_exchange *x, int status, const char *text);

/* A peer_answer: 200, whatever was asked. */
void say_now(struct peer *p, struct tf_exchange *x, unsigned number);

/* The client of a test, and what its last call came to. */
extern struct tf_client *client;
extern struct tf_client_answer answer;
extern struct tf_fault fault;

/* The client from here on; waits and times that o leaves out are short. */
void with(struct tf_client_options o);
/* What it is made of then. */
struct tf_client_options client_quick(struct tf_client_options o);
tf_dur ticks(void);

/* Calls that were sent and are not waited for one by one. */
struct outcomes {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned count, ok;
	enum tf_err last;
	struct tf_client_answer answer; /* of the last one; no body */
	struct tf_fault fault;
};
void outcomes_init(struct outcomes *o);
/* A tf_client_done. */
void outcomes_note(void *o, enum tf_err e, const struct tf_client_answer *a, const struct tf_fault *f);
/* Until so many came; fails when that takes long. */
void outcomes_await(struct outcomes *o, unsigned count);
/* Sends one request so many times and awaits all. */
const struct outcomes *send_many(const struct tf_client_request *r, unsigned count);
