/* What the tests of the client share: a scripted server on the loopback interface, and calls of the test's client. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "client_peer_test.h"

#define TRIES 8

/* Answers the i-th request with the i-th text and closes the connection; one that begins with '+' (left out) keeps it
 * for the next; "" closes without an answer, "-" never answers. A request's body ends with END, or there is none. */
struct script {
	const char *answers[TRIES];
	int listener;
	atomic_int count;
	char got[TRIES][4096];
	pthread_t thread;
	char url[64];
	struct tf_client *drain; /* drained behind the last answer */
};

#define OK_ANSWER   "HTTP/1.1 204 No Content\r\n\r\n"
#define BUSY_ANSWER "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

/* Skips the test where there is no libcurl. */
struct script *play(const char *const answers[TRIES]);
void end(struct script *s);
/* A URL where nobody listens. */
void nobody(char url[static 64]);

/* cmocka's setup and teardown: a client of short waits. */
int setup(void **state);
int teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

enum tf_err call(struct tf_client_request r);
/* A POST that may be repeated, and one that may not. */
enum tf_err post(const char *url);
enum tf_err plain_post(const char *url);
