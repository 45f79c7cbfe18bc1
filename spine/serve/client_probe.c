/* The outbound client as a filter, for test/outbound.sh: requests on stdin, one a line, outcomes on stdout.
 *
 *  COUNT METHOD URL [IDEMPOTENCY-KEY]  ->  OK-COUNT ERROR STATUS TRIES RETRY_AFTER_MS TEXT
 *  end
 *
 * COUNT calls are under way together; the outcome is of the last one that failed, else of the last. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/args.h"
#include "serve/client.h"

static const struct tf_param params[] = {
	{"ca", TF_PARAM_TEXT, false, "FILE"},
	{"cert", TF_PARAM_TEXT, false, "FILE"},
	{"key", TF_PARAM_TEXT, false, "FILE"},
	{"tries", TF_PARAM_INT, false, "N", "4", 1, 100},
	{"wait", TF_PARAM_DURATION, false, "TIME", "100ms"},
	{"wait-max", TF_PARAM_DURATION, false, "TIME", "5s"},
	{"timeout", TF_PARAM_DURATION, false, "TIME", "20s"},
	{"open", TF_PARAM_DURATION, false, "TIME", "1s"},
	{"token-url", TF_PARAM_TEXT, false, "URL"},
	{"client", TF_PARAM_TEXT, false, "ID"},
	{"secret", TF_PARAM_TEXT, false, "TEXT"},
	{"scope", TF_PARAM_TEXT, false, "WORDS"},
	{"resource", TF_PARAM_TEXT, false, "URL"},
	{0},
};

struct outcome {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	int left, ok;
	enum tf_err e;
	struct tf_client_answer answer;
	struct tf_fault fault;
};

static void
note(void *ctx, enum tf_err e, const struct tf_client_answer *a, const struct tf_fault *f)
{
	struct outcome *o = ctx;
	pthread_mutex_lock(&o->lock);
	if (e || !o->e) {
		o->e = e;
		o->answer = *a;
		o->fault = *f;
	}
	o->ok += !e;
	o->left--;
	pthread_cond_signal(&o->moved);
	pthread_mutex_unlock(&o->lock);
}

static void
ask(struct tf_client *c, struct tf_client_tokens *tokens, char *line)
{
	struct outcome o = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
	struct tf_fault f;
	char *rest, *count = strtok_r(line, " \n", &rest), *method = strtok_r(NULL, " \n", &rest);
	char *url = strtok_r(NULL, " \n", &rest), *key = strtok_r(NULL, " \n", &rest);
	if (!url)
		return;
	bool body = method[0] == 'P';
	struct tf_client_request r = {.method = method,
				      .url = url,
				      .key = key,
				      .type = body ? "text/plain" : NULL,
				      .body = body ? TF_STR("body") : (struct tf_str){0},
				      .tokens = tokens};
	int n = (int)strtol(count, NULL, 10);
	for (int i = 0; i < n; i++) {
		pthread_mutex_lock(&o.lock);
		o.left++;
		pthread_mutex_unlock(&o.lock);
		enum tf_err e = tf_client_send(c, &r, note, &o, &f);
		if (e)
			note(&o, e, &(struct tf_client_answer){0}, &f);
	}
	pthread_mutex_lock(&o.lock);
	while (o.left)
		pthread_cond_wait(&o.moved, &o.lock);
	pthread_mutex_unlock(&o.lock);
	printf("%d %s %d %u %lld %s\n", o.ok, tf_err_name(o.e), o.answer.status, o.answer.tries,
	       (long long)o.answer.retry_after / 1000, o.fault.text);
	fflush(stdout);
}

static enum tf_err
open_client(const struct tf_args *a, struct tf_client **c, struct tf_client_tokens **tokens, struct tf_fault *f)
{
	struct tf_client_options o = {.ca = tf_args_cstr(a, "ca"),
				      .cert = tf_args_cstr(a, "cert"),
				      .key = tf_args_cstr(a, "key"),
				      .tries = (unsigned)tf_args_int(a, "tries"),
				      .wait_first = tf_args_int(a, "wait"),
				      .wait_max = tf_args_int(a, "wait-max"),
				      .timeout = tf_args_int(a, "timeout"),
				      .breaker = {.open_first = tf_args_int(a, "open")}};
	struct tf_client_tokens_options t = {.url = tf_args_cstr(a, "token-url"),
					     .client = tf_args_cstr(a, "client"),
					     .secret = tf_args_cstr(a, "secret"),
					     .scope = tf_args_cstr(a, "scope"),
					     .resource = tf_args_cstr(a, "resource")};
	TF_TRY(tf_client_new(tf_os_real(), &o, c, f));
	return t.url ? tf_client_tokens_new(*c, &t, tokens, f) : TF_OK;
}

int
main(int argc, char **argv)
{
	static const struct tf_command self = {.name = "client_probe", .summary = "", .params = params};
	struct tf_args a;
	struct tf_fault f = {0};
	struct tf_client *c = NULL;
	struct tf_client_tokens *tokens = NULL;
	char line[2048];
	if (tf_args_parse(&self, argc - 1, argv + 1, &a, &f) || open_client(&a, &c, &tokens, &f)) {
		fprintf(stderr, "client_probe: %s\n", f.text);
		tf_client_free(&c);
		return 2;
	}
	while (fgets(line, sizeof line, stdin) && strcmp(line, "end\n") != 0)
		ask(c, tokens, line);
	tf_client_free(&c);
	return 0;
}
