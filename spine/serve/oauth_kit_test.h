/* What the tests of the check of a request share: a check, and an issuer of this process that says what a test wants.
 * Time is what a test says it is. */
#pragma once
#include <pthread.h>

#include "serve/oauth.h"
#include "token_test.h"

/* The issuer: what it answers, and how often it was asked. */
struct issuer {
	pthread_mutex_t lock;
	struct tf_buf answer;
	enum tf_err error;
	unsigned asked, changed;
	char form[512], user[32];
};

struct kit {
	struct issuer issuer;
	struct tf_oauth *oauth;
	struct tf_buf header; /* "Bearer ..." */
	struct tf_oauth_refusal refusal;
	struct tf_fault f;
};

/* cmocka's setup and teardown: a struct kit whose check knows the issuer's key ec-1. */
int setup(void **state);
int teardown(void **state);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The check anew; the issuer and where it is are filled in. */
void begin(struct kit *k, struct tf_oauth_options o);
/* The issuer publishes these keys from now on; pem2 may be NULL. */
void publish(struct kit *k, const char *pem, const char *kid, const char *pem2, const char *kid2);
/* The issuer answers this from now on. */
void say(struct kit *k, const char *text);
/* What is due then is fetched. */
enum tf_err work(struct kit *k, tf_time now);

/* Requests from here on bring a token by that key. */
void bring(struct kit *k, const char *claims, const char *pem, const char *kid);
enum tf_err ask(struct kit *k, const char *thumbprint, const char *scope, const char *role, tf_time now);
/* The last one asked was, with these. */
void refused(struct kit *k, int status, const char *code, const char *why);

/* Time as a machine has it whose clock somebody sets: ticks and wall clock go apart. */
enum tf_err work_at(struct kit *k, struct tf_os *os);
enum tf_err ask_at(struct kit *k, struct tf_os *os);
