/* Tokens of the client: one flight for all, renewed in a long call, taken back by a 401; a small issuer of our own. */
#include "client_peer_test.h"

#include <stdio.h>
#include <time.h>

static struct tf_client_tokens *tokens;

static void
start(struct peer *p, struct tf_client_options o, struct tf_client_tokens_options t)
{
	t.url = t.url ? t.url : p->token_url;
	t.client = "me";
	t.wait_first = t.wait_first ? t.wait_first : TF_HOUR;
	t.wait_max = t.wait_max ? t.wait_max : TF_HOUR;
	with(o);
	OK(tf_client_tokens_new(client, &t, &tokens, &fault));
}

/* A peer, and a client as it comes. */
static struct peer *
begin(peer_answer *x, peer_answer *token)
{
	struct peer *p = peer_start(NULL, NULL, x, token);
	start(p, (struct tf_client_options){0}, (struct tf_client_tokens_options){0});
	return p;
}

static void
finish(struct peer *p)
{
	tf_client_free(&client);
	peer_end(&p);
}

/* "t0", "t1", ...: for an hour; state > 0: without an expires_in. */
static void
issue(struct peer *p, struct tf_exchange *x, unsigned number)
{
	char text[128];
	snprintf(text, sizeof text, "{\"access_token\":\"t%u\",\"token_type\":\"bearer\"%s}", number,
		 p->state > 0 ? "" : ",\"expires_in\":3600");
	tf_reply(x, 200, "application/json", tf_str(text));
}

static struct tf_str
bearer(struct tf_exchange *x)
{
	struct tf_str s = tf_exchange_header(x, "authorization");
	return tf_str_starts(s, TF_STR("Bearer ")) ? tf_str_n(s.p + 7, s.n - 7) : (struct tf_str){0};
}

static void
note_token(struct peer *p, struct tf_exchange *x, int status)
{
	struct tf_str token = bearer(x);
	tf_buf_printf(&p->seen, "%.*s:%d,", TF_FMT(token), status);
	peer_say(x, status, "");
}

static void
take_any(struct peer *p, struct tf_exchange *x, unsigned number)
{
	(void)number;
	note_token(p, x, bearer(x).n ? 200 : 401);
}

/* The first is busy, those behind it are not. */
static void
busy_first(struct peer *p, struct tf_exchange *x, unsigned number)
{
	note_token(p, x, number ? 200 : 503);
}

static void
refuse_the_first(struct peer *p, struct tf_exchange *x, unsigned number)
{
	(void)number;
	note_token(p, x, tf_str_eq(bearer(x), TF_STR("t0")) ? 401 : 200);
}

static void
refuse_all(struct peer *p, struct tf_exchange *x, unsigned number)
{
	(void)number;
	note_token(p, x, 401);
}

static struct tf_client_request
order(struct peer *p)
{
	return (struct tf_client_request){.url = p->url, .body = TF_STR("a"), .tokens = tokens};
}

static enum tf_err
post(struct peer *p)
{
	struct tf_client_request r = order(p);
	return tf_client_call(client, &r, NULL, &answer, &fault);
}

static const struct outcomes *
post_many(struct peer *p, unsigned count)
{
	struct tf_client_request r = order(p);
	return send_many(&r, count);
}

static void
many_calls_share_one_request_for_a_token(void **state)
{
	(void)state;
	struct peer *p = begin(take_any, issue);
	assert_int_equal(post_many(p, 64)->ok, 64);
	assert_int_equal(p->requests, 64);
	assert_int_equal(p->tokens, 1);
	finish(p);
}

/* A token lives half a second; its call waits longer than that before it is tried again. */
static void
a_call_may_outlast_its_token(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, NULL, busy_first, issue);
	peer_set(p, 1);
	start(p, (struct tf_client_options){.wait_first = 2 * TF_SEC, .wait_max = 2 * TF_SEC},
	      (struct tf_client_tokens_options){.life = TF_SEC / 2, .ahead = 1});
	struct tf_client_request r = {.method = "GET", .url = p->url, .tokens = tokens};
	OK(tf_client_call(client, &r, NULL, &answer, &fault));
	assert_int_equal(answer.tries, 2);
	peer_saw(p, "t0:503,t1:200,");
	finish(p);
}

/* Ahead of its end, while it is good still, and nobody waits for it. */
static void
a_token_is_renewed_before_it_ends(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, NULL, take_any, issue);
	peer_set(p, 1);
	start(p, (struct tf_client_options){0},
	      (struct tf_client_tokens_options){.life = 2 * TF_SEC, .ahead = TF_HOUR});
	tf_dur begun = ticks();
	OK(post(p));
	OK(post(p));
	assert_int_equal(peer_count(p, &p->tokens), 1);
	while (peer_count(p, &p->tokens) < 2 && ticks() - begun < 19 * TF_SEC) {
		OK(post(p));
		nanosleep(&(struct timespec){0, 50000000}, NULL);
	}
	assert_int_equal(p->tokens, 2); /* at the half of its life, by the bound of `ahead` */
	finish(p);
}

static void
a_401_takes_the_token_back_and_is_tried_once_more(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, NULL, refuse_the_first, issue);
	start(p, (struct tf_client_options){.tries = 1}, (struct tf_client_tokens_options){0});
	OK(post(p)); /* not repeatable, one try: what was not let in was not done */
	assert_int_equal(answer.tries, 2);
	OK(post(p));
	peer_saw(p, "t0:401,t1:200,t1:200,");
	assert_int_equal(p->tokens, 2);
	finish(p);
}

/* Both were sent with t0: the one that hears 401 later must not take back t1. */
static void
only_the_token_that_was_refused_is_taken_back(void **state)
{
	(void)state;
	struct peer *p = begin(refuse_the_first, issue);
	assert_int_equal(post_many(p, 16)->ok, 16);
	assert_int_equal(p->tokens, 2);
	finish(p);
}

static void
a_service_that_refuses_all_is_told_as_it_is(void **state)
{
	(void)state;
	struct peer *p = begin(refuse_all, issue);
	assert_int_equal(post(p), TF_DENIED);
	assert_int_equal(answer.status, 401);
	peer_saw(p, "t0:401,t1:401,");
	assert_int_equal(post(p), TF_BUSY); /* and its issuer is left alone */
	assert_non_null(strstr(fault.text, "refused the last 2 tokens"));
	assert_true(answer.retry_after > 0);
	assert_int_equal(p->tokens, 2);
	finish(p);
}

static void
fail_issuing(struct peer *p, struct tf_exchange *x, unsigned number)
{
	(void)number;
	static const char *const texts[] = {
		"{\"error\":\"invalid_client\"}",
		"{\"access_token\":\"a\",\"token_type\":\"mac\"}",
		"{\"token_type\":\"bearer\"}",
		"{\"access_token\":\"a\\r\\nX: y\",\"token_type\":\"bearer\"}",
		"{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":\"3600\"}",
		"{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":-1}",
		"no JSON",
	};
	tf_reply(x, p->state ? 200 : 401, "application/json", tf_str(texts[p->state]));
}

static void
no_token_fails_all_who_wait_and_is_not_asked_for_at_once_again(void **state)
{
	(void)state;
	static const char *const why[] = {"invalid_client", "is not Bearer",   "access_token", "no token has",
					  "expires_in",     "expired already", "no token from"};
	for (int i = 0; i < 7; i++) {
		struct peer *p = begin(take_any, fail_issuing);
		peer_set(p, i);
		const struct outcomes *all = post_many(p, 16);
		assert_int_equal(all->ok, 0);
		assert_int_equal(all->last, TF_BUSY);
		assert_non_null(strstr(all->fault.text, why[i]));
		assert_non_null(strstr(all->fault.text, p->origin));
		assert_int_equal(post(p), TF_BUSY);
		assert_true(answer.retry_after > 0);
		assert_int_equal(peer_count(p, &p->tokens), 1);
		assert_int_equal(peer_count(p, &p->requests), 0);
		finish(p);
	}
}

static void
busy_issuer(struct peer *p, struct tf_exchange *x, unsigned number)
{
	if (number < 2)
		peer_say(x, 503, "");
	else
		issue(p, x, number);
}

static void
a_busy_issuer_is_asked_again(void **state)
{
	(void)state;
	struct peer *p = begin(take_any, busy_issuer);
	OK(post(p));
	assert_int_equal(p->tokens, 3);
	finish(p);
}

static void
note_request(struct peer *p, struct tf_exchange *x, unsigned number)
{
	tf_buf_printf(&p->seen, "%.*s|%.*s", TF_FMT(tf_exchange_header(x, "authorization")),
		      TF_FMT(tf_exchange_body(x)));
	issue(p, x, number);
}

static void
the_request_is_as_the_standards_have_it(void **state)
{
	(void)state;
	struct peer *p = peer_start(NULL, NULL, say_now, note_request);
	start(p, (struct tf_client_options){0},
	      (struct tf_client_tokens_options){
		      .secret = "a b:c/+", .scope = "read write", .audience = "https://api", .resource = "r&s"});
	OK(post(p));
	/* base64 of "me:a%20b%3Ac%2F%2B" */
	peer_saw(p, "Basic bWU6YSUyMGIlM0FjJTJGJTJC|grant_type=client_credentials&scope=read%20write&"
		    "audience=https%3A%2F%2Fapi&resource=r%26s");
	finish(p);
	p = begin(say_now, note_request);
	OK(post(p));
	peer_saw(p, "|grant_type=client_credentials&client_id=me"); /* its certificate proves it */
	finish(p);
}

static void
sources_are_checked_and_bounded(void **state)
{
	(void)state;
	struct tf_client_tokens *t;
	struct tf_client_tokens_options o = {.url = "http://a/token", .client = "me"};
	OK(tf_client_new(tf_os_real(), &(struct tf_client_options){0}, &client, NULL));
	for (int i = 0; i < TF_CLIENT_TOKENS_MAX; i++)
		OK(tf_client_tokens_new(client, &o, &t, &fault));
	assert_int_equal(tf_client_tokens_new(client, &o, &t, &fault), TF_OVERLOAD);
	o.url = "ftp://a/";
	assert_int_equal(tf_client_tokens_new(client, &o, &t, &fault), TF_INVALID);
	o = (struct tf_client_tokens_options){.url = "http://a/token"};
	assert_int_equal(tf_client_tokens_new(client, &o, &t, &fault), TF_INVALID);
	tf_client_free(&client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_calls_share_one_request_for_a_token),
		cmocka_unit_test(a_call_may_outlast_its_token),
		cmocka_unit_test(a_token_is_renewed_before_it_ends),
		cmocka_unit_test(a_401_takes_the_token_back_and_is_tried_once_more),
		cmocka_unit_test(only_the_token_that_was_refused_is_taken_back),
		cmocka_unit_test(a_service_that_refuses_all_is_told_as_it_is),
		cmocka_unit_test(no_token_fails_all_who_wait_and_is_not_asked_for_at_once_again),
		cmocka_unit_test(a_busy_issuer_is_asked_again),
		cmocka_unit_test(the_request_is_as_the_standards_have_it),
		cmocka_unit_test(sources_are_checked_and_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
