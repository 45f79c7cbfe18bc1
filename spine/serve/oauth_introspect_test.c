/* Introspection: the issuer is asked about a token, and its answer remembered for a while. */
#include "oauth_kit_test.h"

#include "os/sim.h"

#define ACTIVE "{\"active\":true," C_AUD "," C_WHO "," C_TIMES "," C_RIGHTS

static void
introspect(struct kit *k)
{
	begin(k, (struct tf_oauth_options){
			 .introspect_url = "http://issuer/introspect", .client = "api", .secret = "s3cret"});
	tf_buf_reset(&k->header);
	tf_buf_cstr(&k->header, "Bearer opaque+/=");
}

static void
introspection_asks_once_and_remembers_for_a_while(void **state)
{
	struct kit *k = *state;
	introspect(k);
	unsigned asked = k->issuer.asked;
	say(k, ACTIVE "}");
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_BUSY);
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_BUSY);
	OK(work(k, NOW));
	OK(work(k, NOW)); /* nothing left to ask */
	assert_int_equal(k->issuer.asked, asked + 1);
	assert_string_equal(k->issuer.form, "token_type_hint=access_token&token=opaque%2B%2F%3D");
	assert_string_equal(k->issuer.user, "api:s3cret");
	OK(ask(k, NULL, "policy:read", "partner", NOW + 29 * TF_SEC));
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW + 30 * TF_SEC), TF_BUSY);
}

static void
a_clock_that_is_set_back_keeps_no_answer(void **state)
{
	struct kit *k = *state;
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.start = NOW + 10 * TF_SEC});
	assert_non_null(os);
	introspect(k);
	say(k, ACTIVE "}");
	assert_int_equal(ask_at(k, os), TF_BUSY);
	OK(work_at(k, os));
	OK(ask_at(k, os));
	tf_sim_step_clock(os, -10 * TF_SEC);
	tf_sim_advance(os, 29 * TF_SEC);
	OK(ask_at(k, os));
	tf_sim_advance(os, TF_SEC);
	assert_int_equal(ask_at(k, os), TF_BUSY);
	tf_sim_free(&os);
}

static void
introspection_binds_too(void **state)
{
	struct kit *k = *state;
	introspect(k);
	say(k, ACTIVE ",\"cnf\":{\"x5t#S256\":\"" THUMB_A "\"}}");
	assert_int_equal(ask(k, THUMB_A, NULL, NULL, NOW), TF_BUSY);
	OK(work(k, NOW));
	OK(ask(k, THUMB_A, NULL, NULL, NOW));
	assert_int_equal(ask(k, THUMB_B, NULL, NULL, NOW), TF_DENIED);
	refused(k, 401, "invalid_token", "another certificate");
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_DENIED);
}

static void
answers_of_introspection_that_let_nobody_in(void **state)
{
	static const char *const rows[] = {
		"{\"active\":false}",
		"{\"active\":\"true\"," C_AUD "," C_WHO "," C_TIMES "}",
		"{\"active\":1," C_AUD "," C_WHO "," C_TIMES "}",
		"{" C_AUD "," C_WHO "," C_TIMES "}",
		"{\"active\":true," C_WHO "," C_TIMES "}",
		"{\"active\":true,\"aud\":\"other\"," C_WHO "," C_TIMES "}",
		"{\"active\":true," C_AUD "," C_WHO "}",
		"{\"active\":true," C_AUD "," C_WHO ",\"exp\":1600000000}",
		"{\"active\":true," C_AUD "," C_TIMES ",\"sub\":\"a\"}",
		"{\"active\":true,\"iss\":\"https://other\"," C_AUD "," C_WHO "," C_TIMES "}",
		"{\"active\":true," C_AUD "," C_WHO "," C_TIMES ",\"cnf\":{\"jkt\":\"x\"}}",
	};
	struct kit *k = *state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		introspect(k);
		say(k, rows[i]);
		assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_BUSY);
		OK(work(k, NOW));
		if (ask(k, NULL, NULL, NULL, NOW) != TF_DENIED)
			fail_msg("let in by %s", rows[i]);
		refused(k, 401, "invalid_token", "not active");
	}
}

static void
introspection_that_fails_lets_nobody_in(void **state)
{
	struct kit *k = *state;
	introspect(k);
	k->issuer.error = TF_IO;
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_BUSY);
	assert_int_equal(work(k, NOW), TF_IO);
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_BUSY);
}

/* Requests that wait are asked for again after each failure: without a pause that would be as fast as it can fail. */
static void
an_issuer_that_cannot_be_asked_is_left_alone_for_a_moment(void **state)
{
	struct kit *k = *state;
	introspect(k);
	bring(k, CLAIMS, pem_ec, "ec-1");
	k->issuer.error = TF_IO;
	assert_int_equal(ask(k, THUMB_A, NULL, NULL, NOW), TF_BUSY);
	assert_int_equal(work(k, NOW), TF_IO);
	unsigned asked = k->issuer.asked;
	assert_int_equal(ask(k, THUMB_A, NULL, NULL, NOW), TF_BUSY);
	OK(work(k, NOW)); /* not yet */
	assert_int_equal(k->issuer.asked, asked);
	assert_int_equal(work(k, NOW + TF_SEC / 4), TF_IO);
	assert_int_equal(k->issuer.asked, asked + 1);
}

static void
bring_opaque(struct kit *k, const char *name, int i)
{
	tf_buf_reset(&k->header);
	tf_buf_printf(&k->header, "Bearer %s-%d", name, i);
}

/* Room for 8 good ones: as many are remembered while 400 that are not active pass by. */
static void
no_flood_of_bad_tokens_drives_out_a_good_one(void **state)
{
	struct kit *k = *state;
	int kept = 0;
	begin(k, (struct tf_oauth_options){.introspect_url = "http://issuer/introspect", .cache_tokens = 8});
	say(k, ACTIVE "}");
	for (int i = 0; i < 4; i++) {
		bring_opaque(k, "good", i);
		assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_BUSY);
		OK(work(k, NOW));
	}
	for (int i = 0; i < 4; i++) {
		bring_opaque(k, "good", i);
		kept += ask(k, NULL, NULL, NULL, NOW) == TF_OK;
	}
	assert_int_equal(kept, 4);
	say(k, "{\"active\":false}");
	for (int i = 0; i < 400; i++) {
		bring_opaque(k, "bad", i);
		assert_int_equal(ask(k, NULL, NULL, NULL, NOW + TF_SEC), TF_BUSY);
		OK(work(k, NOW + TF_SEC));
		assert_int_equal(ask(k, NULL, NULL, NULL, NOW + TF_SEC), TF_DENIED);
	}
	for (int i = 0; i < 4; i++) {
		bring_opaque(k, "good", i);
		kept -= ask(k, NULL, NULL, NULL, NOW + TF_SEC) == TF_OK;
	}
	assert_int_equal(kept, 0);
}

/* What the issuer says now counts, whatever it said before. */
static void
a_token_is_good_or_bad_and_not_both(void **state)
{
	struct kit *k = *state;
	introspect(k);
	for (int i = 0; i < 4; i++) {
		tf_time t = NOW + i * 30 * TF_SEC;
		say(k, i % 2 ? "{\"active\":false}" : ACTIVE "}");
		assert_int_equal(ask(k, NULL, NULL, NULL, t), TF_BUSY);
		OK(work(k, t));
		assert_int_equal(ask(k, NULL, NULL, NULL, t), i % 2 ? TF_DENIED : TF_OK);
	}
}

static void
questions_waiting_are_bounded(void **state)
{
	struct kit *k = *state;
	introspect(k);
	unsigned asked = k->issuer.asked;
	say(k, "{\"active\":false}");
	for (int i = 0; i < 200; i++) {
		tf_buf_reset(&k->header);
		tf_buf_printf(&k->header, "Bearer token-%d", i);
		assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_BUSY);
	}
	for (int i = 0; i < 200; i++)
		OK(work(k, NOW));
	assert_int_equal(k->issuer.asked, asked + 64);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(introspection_asks_once_and_remembers_for_a_while),
		T(a_clock_that_is_set_back_keeps_no_answer),
		T(introspection_binds_too),
		T(answers_of_introspection_that_let_nobody_in),
		T(introspection_that_fails_lets_nobody_in),
		T(an_issuer_that_cannot_be_asked_is_left_alone_for_a_moment),
		T(no_flood_of_bad_tokens_drives_out_a_good_one),
		T(a_token_is_good_or_bad_and_not_both),
		T(questions_waiting_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
