/* The client tries again: what, how often and when; and the breaker that spares who has failed. */
#include "client_script_test.h"

#include <time.h>

static void
it_is_tried_again_until_taken(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){BUSY_ANSWER, "", OK_ANSWER});
	OK(post(s->url));
	assert_int_equal(answer.tries, 3);
	assert_string_equal(strstr(s->got[0], "\r\n\r\n"), strstr(s->got[2], "\r\n\r\n"));
	end(s);
}

static void
tries_are_bounded(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){BUSY_ANSWER, BUSY_ANSWER, BUSY_ANSWER, BUSY_ANSWER, OK_ANSWER});
	assert_int_equal(post(s->url), TF_IO);
	assert_int_equal(answer.tries, 4);
	assert_int_equal(answer.status, 503);
	assert_string_equal(fault.text, "the answer to try 4 was 503");
	end(s);
}

static void
a_refusal_is_final(void **state)
{
	(void)state;
	struct script *s =
		play((const char *[TRIES]){"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", OK_ANSWER});
	assert_int_equal(post(s->url), TF_DENIED);
	assert_int_equal(answer.tries, 1);
	assert_int_equal(answer.status, 400);
	end(s);
}

static void
what_must_not_be_done_twice_is_sent_once(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){"", OK_ANSWER});
	assert_int_equal(plain_post(s->url), TF_IO);
	assert_int_equal(answer.tries, 1);
	assert_int_equal(s->count, 1);
	end(s);
	s = play((const char *[TRIES]){BUSY_ANSWER, OK_ANSWER});
	assert_int_equal(plain_post(s->url), TF_IO);
	assert_int_equal(answer.status, 503);
	assert_int_equal(s->count, 1);
	end(s);
	with((struct tf_client_options){.timeout = 50000});
	s = play((const char *[TRIES]){"-", OK_ANSWER});
	assert_int_equal(plain_post(s->url), TF_TIMEOUT);
	assert_int_equal(s->count, 1);
	end(s);
}

/* A kept connection that dies with the request: libcurl would send it again by itself. */
static void
nor_is_it_sent_twice_over_a_kept_connection(void **state)
{
	(void)state;
	static const char kept[] = "+HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	struct script *s = play((const char *[TRIES]){kept, "", OK_ANSWER});
	OK(plain_post(s->url));
	assert_int_equal(plain_post(s->url), TF_IO);
	assert_int_equal(s->count, 2);
	assert_non_null(strstr(fault.text, "is not sent again"));
	end(s);
	s = play((const char *[TRIES]){kept, "", OK_ANSWER}); /* with its key it is */
	OK(post(s->url));
	OK(post(s->url));
	assert_int_equal(s->count, 3);
	end(s);
}

static void
what_was_certainly_not_sent_is_tried_again(void **state)
{
	(void)state;
	char url[64];
	nobody(url);
	assert_int_equal(plain_post(url), TF_IO);
	assert_int_equal(answer.tries, 4);
	assert_int_equal(answer.status, 0);
}

static void
silence_times_out(void **state)
{
	(void)state;
	with((struct tf_client_options){.timeout = 50000, .tries = 2});
	struct script *s = play((const char *[TRIES]){"-", "-"});
	assert_int_equal(post(s->url), TF_TIMEOUT);
	assert_int_equal(answer.tries, 2);
	assert_int_equal(answer.status, 0);
	end(s);
}

static void
a_call_ends_by_its_deadline(void **state)
{
	(void)state;
	struct script *s = play((const char *[TRIES]){"-"});
	tf_dur begun = ticks();
	struct tf_client_request r = {.method = "GET", .url = s->url, .deadline = 50000};
	assert_int_equal(call(r), TF_TIMEOUT);
	assert_true(ticks() - begun < 5 * TF_SEC);
	end(s);
	with((struct tf_client_options){.wait_first = 10 * TF_SEC, .wait_max = 10 * TF_SEC});
	s = play((const char *[TRIES]){BUSY_ANSWER, OK_ANSWER});
	r = (struct tf_client_request){.method = "GET", .url = s->url, .deadline = 4 * TF_SEC};
	begun = ticks();
	assert_int_equal(call(r), TF_IO); /* it would have to wait for too long */
	assert_true(ticks() - begun < 3 * TF_SEC);
	assert_int_equal(answer.tries, 1);
	end(s);
}

#define BUSY_FOR(seconds) "HTTP/1.1 429 Too Many Requests\r\nRetry-After: " seconds "\r\nContent-Length: 0\r\n\r\n"

static void
retry_after_is_waited_for_or_the_call_ends(void **state)
{
	(void)state;
	with((struct tf_client_options){.wait_max = 5 * TF_SEC});
	struct script *s = play((const char *[TRIES]){BUSY_FOR("1"), OK_ANSWER});
	tf_dur begun = ticks();
	OK(post(s->url));
	assert_true(ticks() - begun >= TF_SEC);
	end(s);
	s = play((const char *[TRIES]){BUSY_FOR("3600"), OK_ANSWER});
	assert_int_equal(post(s->url), TF_IO);
	assert_int_equal(answer.tries, 1);
	assert_int_equal(answer.retry_after, TF_HOUR);
	end(s);
}

static void
some_want_no_second_500(void **state)
{
	(void)state;
	with((struct tf_client_options){.final_500 = true});
	struct script *s =
		play((const char *[TRIES]){BUSY_ANSWER, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", OK_ANSWER});
	assert_int_equal(post(s->url), TF_IO);
	assert_int_equal(answer.tries, 2);
	assert_int_equal(answer.status, 500);
	end(s);
}

/* ---- the breaker ---- */

static void
fail_until_told(struct peer *p, struct tf_exchange *x, unsigned number)
{
	(void)number;
	peer_say(x, p->state ? p->state : 500, "");
}

static void
a_breaker_spares_who_has_failed(void **state)
{
	(void)state;
	with((struct tf_client_options){.tries = 1,
					.breaker = {.failures = 3, .open_first = TF_SEC, .open_max = TF_SEC}});
	struct peer *p = peer_start(NULL, NULL, fail_until_told, NULL);
	peer_set(p, 404);
	for (int i = 0; i < 5; i++)
		assert_int_equal(post(p->url), TF_DENIED); /* an answer is an answer */
	peer_set(p, 429);
	for (int i = 0; i < 5; i++)
		assert_int_equal(post(p->url), TF_IO);
	peer_set(p, 500);
	for (int i = 0; i < 3; i++)
		assert_int_equal(post(p->url), TF_IO);
	assert_int_equal(post(p->url), TF_BUSY);
	assert_int_equal(answer.tries, 0);
	assert_in_range(answer.retry_after, 1, TF_SEC);
	assert_non_null(strstr(fault.text, p->origin));
	assert_non_null(strstr(fault.text, "failed 3 times in a row: it is asked again in "));
	assert_int_equal(peer_count(p, &p->requests), 13);
	/* Its time over, one try is let in; it fails; then one that does not. */
	for (int failed = 0; failed < 2; failed++) {
		enum tf_err e;
		for (tf_dur begun = ticks(); (e = post(p->url)) == TF_BUSY && ticks() - begun < 10 * TF_SEC;)
			nanosleep(&(struct timespec){0, 1000000}, NULL);
		assert_int_equal(e, failed ? TF_OK : TF_IO);
		assert_int_equal(peer_count(p, &p->requests), 14 + (unsigned)failed);
		peer_set(p, 200);
	}
	OK(post(p->url));
	peer_end(&p);
}

static void
an_open_breaker_ends_a_call_that_would_try_again(void **state)
{
	(void)state;
	with((struct tf_client_options){.tries = 8,
					.breaker = {.failures = 3, .open_first = TF_HOUR, .open_max = TF_HOUR}});
	struct peer *p = peer_start(NULL, NULL, fail_until_told, NULL), *other = peer_start(NULL, NULL, say_now, NULL);
	assert_int_equal(post(p->url), TF_BUSY);
	assert_int_equal(answer.tries, 3);
	assert_int_equal(answer.status, 500);
	OK(post(other->url));
	peer_end(&p);
	peer_end(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_tried_again_until_taken),
		TEST(tries_are_bounded),
		TEST(a_refusal_is_final),
		TEST(what_must_not_be_done_twice_is_sent_once),
		TEST(nor_is_it_sent_twice_over_a_kept_connection),
		TEST(what_was_certainly_not_sent_is_tried_again),
		TEST(silence_times_out),
		TEST(a_call_ends_by_its_deadline),
		TEST(retry_after_is_waited_for_or_the_call_ends),
		TEST(some_want_no_second_500),
		TEST(a_breaker_spares_who_has_failed),
		TEST(an_open_breaker_ends_a_call_that_would_try_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
