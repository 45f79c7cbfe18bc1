/* A server of its own for each test of serve: it runs in a worker, with routes that do what a test wants to see. The
 * client is plain sockets with a time limit, so that a failing test ends.
 *
 * GET  /echo/{a}/{b}?q=&r=  what the handler was told: params, query, trace, the client's certificate
 * POST /body                the body back; 64 KiB at most
 * GET  /now                 answered in the loop
 * GET  /work                answered in a worker
 * POST /held                kept by the loop until site_release; its body may have 1 MiB
 * GET  /wait                kept in a worker until site_release
 * GET  /gated               kept by the gate until site_release, then answered in a worker
 * GET  /big?n=MIB           n MiB of a pattern from a worker, until the client is gone
 * GET  /drip                a stream from a worker, whose second half comes after site_release
 * GET  /broken              a stream that is aborted
 * GET  /fault?code=N        tf_reply_fault
 * GET  /headers             more headers than there is room for
 * GET  /status?code=N       a stream that begins with that status */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "serve/server.h"

#define OK(expr)     assert_int_equal(expr, TF_OK)
#define SOON         10 /* seconds: more than any of these takes */
#define SITE_HELD    16
#define SITE_WATCHED 4

struct site {
	struct tf_server *server;
	struct tf_worker *runner;
	struct tf_watch watch;
	uint16_t port;

	pthread_mutex_t lock;
	pthread_cond_t moved; /* something below changed */
	struct tf_buf log;
	bool ready;
	unsigned ended;
	enum tf_err result;
	unsigned handled, committed;  /* exchanges given to the loop's handlers; of them before the last `after` */
	unsigned working, work_ended; /* workers' exchanges */
	unsigned early;               /* answers that a watched client had before their commit */
	uint64_t written;             /* bytes by /big */
	struct tf_exchange *held[SITE_HELD];
	unsigned held_count, gone; /* kept by the loop; of those released, whose client was gone */
	unsigned released;
	unsigned letting; /* what `after` is to answer */
	int watched[SITE_WATCHED];
	unsigned watched_count;
	int sealed; /* 0: none; a watched client's whose answers cannot be read: nothing may lie before it */
};

/* Runs a server with these limits and the routes above. */
struct site *site_start(struct tf_server_options limits);
/* Stops it, waits for the end of its drain, and frees all. */
void site_end(struct site **s);
/* Waits until *count, under the site's lock, is at least `least`. */
void site_await(struct site *s, const unsigned *count, unsigned least);
/* Lets the oldest `count` of what is kept go. */
void site_release(struct site *s, unsigned count);
/* Waits until the log has `text` that many times. */
void site_logged(struct site *s, const char *text, unsigned times);
unsigned site_count(const char *text, const char *part);

/* A client. What was received and not looked at stays in `in`. */
struct client {
	int fd;
	struct tf_buf in, body;
	int status;
	char head[4096];
	bool whole; /* the answer ended as its framing says */
};

struct client site_dial(struct site *s);
/* The two halves of it. */
struct client client_new(void);
void client_connect(struct client *c, struct site *s);
void client_say(struct client *c, const char *text);
void client_send(struct client *c, struct tf_str bytes);
/* Reads an answer. bodyless: to a HEAD. */
void client_hear(struct client *c, bool bodyless);
/* The value of the last answer's header; empty without one. */
const char *client_header(const struct client *c, const char *name);
/* Body as text. */
const char *client_text(struct client *c);
/* Says a request without a body and hears its answer's status. */
int client_get(struct client *c, const char *target);
/* Waits until the server closed; fails when anything else comes. */
void client_ended(struct client *c);
void client_close(struct client *c);
/* Closes so that the server sees a broken connection. */
void client_reset(struct client *c);
