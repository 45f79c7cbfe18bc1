/* The check of a request: who gets in, who does not, with which answer, and what happens when keys change. */
#include "oauth_kit_test.h"

#include <stdio.h>

#include "base/mem.h"
#include "os/sim.h"

static void
lets_in_with_who_it_is(void **state)
{
	struct kit *k = *state;
	const struct tf_oauth_principal *p;
	bring(k, BOUND, pem_ec, "ec-1");
	struct tf_oauth_ask a = {tf_buf_view(&k->header), TF_STR(THUMB_A), "policy:read", "partner", NOW, NOW};
	for (int i = 0; i < 2; i++) { /* checked, then remembered */
		OK(tf_oauth_check(k->oauth, &a, &p, &k->refusal, &k->f));
		assert_true(tf_str_eq(p->client, TF_STR("alpha")));
		assert_true(tf_str_eq(p->partner, TF_STR("alpha")));
		assert_true(tf_str_eq(p->scopes, TF_STR("policy:read policy:buy")));
		assert_true(tf_str_eq(p->roles, TF_STR("partner")));
		assert_true(tf_str_eq(p->thumbprint, TF_STR(THUMB_A)));
		assert_int_equal(p->expires, 1700000300 * TF_SEC);
		tf_oauth_done(&p);
		assert_null(p);
	}
	size_t keys, tokens;
	tf_oauth_count(k->oauth, &keys, &tokens);
	assert_int_equal(keys, 1);
	assert_int_equal(tokens, 1);
}

static void
a_stolen_token_is_refused_on_every_request(void **state)
{
	struct kit *k = *state;
	bring(k, BOUND, pem_ec, "ec-1");
	for (int i = 0; i < 3; i++) { /* the first with an empty cache, the others after the owner was let in */
		assert_int_equal(ask(k, THUMB_B, NULL, NULL, NOW), TF_DENIED);
		refused(k, 401, "invalid_token", "another certificate");
		assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_DENIED);
		refused(k, 401, "invalid_token", "none was shown");
		OK(ask(k, THUMB_A, NULL, NULL, NOW));
	}
}

static void
a_part_of_the_thumbprint_is_not_enough(void **state)
{
	struct kit *k = *state;
	bring(k, BOUND, pem_ec, "ec-1");
	assert_int_equal(ask(k, "AAAA", NULL, NULL, NOW), TF_DENIED);
	assert_int_equal(ask(k, THUMB_A "A", NULL, NULL, NOW), TF_DENIED);
	assert_int_equal(ask(k, "", NULL, NULL, NOW), TF_DENIED);
}

static void
unbound_tokens_are_refused_where_binding_is_asked_for(void **state)
{
	struct kit *k = *state;
	bring(k, CLAIMS, pem_ec, "ec-1");
	OK(ask(k, NULL, NULL, NULL, NOW));
	OK(ask(k, THUMB_B, NULL, NULL, NOW));
	begin(k, (struct tf_oauth_options){.bound_only = true});
	OK(work(k, NOW));
	assert_int_equal(ask(k, THUMB_B, NULL, NULL, NOW), TF_DENIED);
	refused(k, 401, "invalid_token", "not bound");
}

static void
headers_that_are_no_bearer_token(void **state)
{
	static const struct {
		const char *header; /* NULL: none */
		int status;
		const char *code;
	} rows[] = {
		{NULL, 401, "invalid_token"},
		{"", 401, "invalid_token"},
		{"Basic YTpi", 401, "invalid_token"},
		{"Bearer", 400, "invalid_request"},
		{"Bearer a b", 400, "invalid_request"},
		{"Bearer a,b", 400, "invalid_request"},
		{"Bearer \"a\"", 400, "invalid_request"},
		{"bearer x", 401, "invalid_token"},
		{"Bearer ..", 401, "invalid_token"},
		{"Bearer e30.e30.", 401, "invalid_token"},
	};
	struct kit *k = *state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct tf_oauth_principal *p;
		struct tf_oauth_ask a = {.authorization = tf_str(rows[i].header), .now = NOW, .ticks = NOW};
		assert_int_not_equal(tf_oauth_check(k->oauth, &a, &p, &k->refusal, &k->f), TF_OK);
		assert_int_equal(k->refusal.status, rows[i].status);
		assert_string_equal(k->refusal.code, rows[i].code);
	}
}

static void
challenges_are_those_of_rfc_6750(void **state)
{
	struct kit *k = *state;
	const struct tf_oauth_principal *p;
	struct tf_oauth_ask none = {.now = NOW, .ticks = NOW};
	assert_int_equal(tf_oauth_check(k->oauth, &none, &p, &k->refusal, &k->f), TF_DENIED);
	assert_string_equal(k->refusal.challenge, "Bearer realm=\"tenfold\"");
	bring(k, CLAIMS, pem_ec, "ec-1");
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW + TF_HOUR), TF_DENIED);
	assert_string_equal(k->refusal.challenge, "Bearer realm=\"tenfold\", error=\"invalid_token\", "
						  "error_description=\"the token has expired\"");
	assert_int_equal(ask(k, NULL, "policy:read claim:pay", NULL, NOW), TF_DENIED);
	refused(k, 403, "insufficient_scope", "claim:pay");
	assert_string_equal(k->refusal.challenge, "Bearer realm=\"tenfold\", error=\"insufficient_scope\", "
						  "error_description=\"the token has not the scope 'claim:pay'\", "
						  "scope=\"policy:read claim:pay\"");
}

static void
scopes_and_roles_are_whole_words(void **state)
{
	struct kit *k = *state;
	bring(k, CLAIMS, pem_ec, "ec-1");
	OK(ask(k, NULL, "policy:read", NULL, NOW));
	OK(ask(k, NULL, "policy:buy policy:read", NULL, NOW));
	assert_int_equal(ask(k, NULL, "policy", NULL, NOW), TF_DENIED);
	assert_int_equal(ask(k, NULL, "policy:rea", NULL, NOW), TF_DENIED);
	assert_int_equal(ask(k, NULL, "POLICY:READ", NULL, NOW), TF_DENIED);
	OK(ask(k, NULL, NULL, "partner", NOW));
	OK(ask(k, NULL, NULL, "admin partner", NOW));
	assert_int_equal(ask(k, NULL, NULL, "admin", NOW), TF_DENIED);
	refused(k, 403, "insufficient_scope", "role 'admin'");
	assert_int_equal(ask(k, NULL, NULL, "part", NOW), TF_DENIED);
}

static void
a_remembered_token_expires(void **state)
{
	struct kit *k = *state;
	bring(k, CLAIMS, pem_ec, "ec-1");
	OK(ask(k, NULL, NULL, NULL, NOW));
	OK(ask(k, NULL, NULL, NULL, NOW + 299 * TF_SEC));
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW + 300 * TF_SEC), TF_DENIED);
	refused(k, 401, "invalid_token", "expired");
}

static void
without_keys_it_says_so_and_lets_nobody_in(void **state)
{
	struct kit *k = *state;
	begin(k, (struct tf_oauth_options){0});
	bring(k, CLAIMS, pem_ec, "ec-1");
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_BUSY);
	assert_int_equal(k->refusal.status, 503);
	k->issuer.error = TF_IO;
	assert_int_equal(work(k, NOW), TF_IO);
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_BUSY);
	k->issuer.error = TF_OK;
	OK(work(k, NOW + 2 * TF_SEC));
	OK(ask(k, NULL, NULL, NULL, NOW + 2 * TF_SEC));
}

static void
a_rotation_fails_no_request(void **state)
{
	struct kit *k = *state;
	tf_time t = NOW + 10 * TF_SEC;
	unsigned asked = k->issuer.asked;
	publish(k, pem_thief, "ec-2", pem_ec, "ec-1"); /* the new key beside the old one */
	bring(k, CLAIMS, pem_ec, "ec-1");
	OK(ask(k, NULL, NULL, NULL, t));
	bring(k, CLAIMS, pem_thief, "ec-2");
	for (int i = 0; i < 5; i++) /* held, whoever asks */
		assert_int_equal(ask(k, NULL, NULL, NULL, t), TF_BUSY);
	unsigned before = k->issuer.changed;
	OK(work(k, t));
	assert_int_equal(k->issuer.changed, before + 1);
	assert_int_equal(k->issuer.asked, asked + 1);
	OK(ask(k, NULL, NULL, NULL, t));
	bring(k, CLAIMS, pem_ec, "ec-1");
	OK(ask(k, NULL, NULL, NULL, t));
}

static void
unknown_kids_make_one_fetch_each_gap(void **state)
{
	struct kit *k = *state;
	tf_time t = NOW + 10 * TF_SEC;
	unsigned asked = k->issuer.asked;
	for (int i = 0; i < 100; i++) {
		char kid[32];
		snprintf(kid, sizeof kid, "guess-%d", i);
		bring(k, CLAIMS, pem_thief, kid);
		enum tf_err e = ask(k, NULL, NULL, NULL, t);
		assert_int_equal(e, i == 0 ? TF_BUSY : TF_DENIED);
		OK(work(k, t));
	}
	assert_int_equal(k->issuer.asked, asked + 1);
	refused(k, 401, "invalid_token", "no key");
}

static void
a_key_that_vanished_takes_its_tokens_along(void **state)
{
	struct kit *k = *state;
	bring(k, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000,\"exp\":1700000600}", pem_ec, "ec-1");
	OK(ask(k, NULL, NULL, NULL, NOW));
	publish(k, pem_thief, "ec-2", NULL, NULL);
	OK(ask(k, NULL, NULL, NULL, NOW + 60 * TF_SEC)); /* not known here yet */
	OK(work(k, NOW + 5 * TF_MINUTE - TF_SEC));
	OK(ask(k, NULL, NULL, NULL, NOW + 60 * TF_SEC)); /* not due yet */
	OK(work(k, NOW + 5 * TF_MINUTE));
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW + 5 * TF_MINUTE), TF_DENIED);
	refused(k, 401, "invalid_token", "no key");
}

/* The kid stays and the key behind it is another: what the old one signed is not believed any more. */
static void
a_kid_given_to_another_key_takes_the_old_tokens_along(void **state)
{
	struct kit *k = *state;
	bring(k, CLAIMS, pem_ec, "ec-1");
	OK(ask(k, NULL, NULL, NULL, NOW));
	publish(k, pem_thief, "ec-1", NULL, NULL);
	OK(work(k, NOW + 5 * TF_MINUTE));
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW), TF_DENIED);
	refused(k, 401, "invalid_token", "signature");
}

static void
an_issuer_that_is_down_leaves_the_keys_for_a_day(void **state)
{
	struct kit *k = *state;
	static const char *const broken[] = {"", "<html>", "{}", "{\"keys\":{}}", "{\"keys\":[}"};
	tf_time t = NOW;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		say(k, broken[i]);
		t += 5 * TF_MINUTE;
		assert_int_not_equal(work(k, t), TF_OK);
	}
	k->issuer.error = TF_TIMEOUT;
	assert_int_equal(work(k, NOW + TF_DAY), TF_TIMEOUT);
	bring(k, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000,\"exp\":1700086500}", pem_ec, "ec-1");
	OK(ask(k, NULL, NULL, NULL, NOW + TF_DAY));
	assert_int_equal(ask(k, NULL, NULL, NULL, NOW + TF_DAY + TF_SEC), TF_BUSY);
	refused(k, 503, "unavailable", "keys");
}

static void
a_set_without_keys_revokes_all(void **state)
{
	static const char *const rows[] = {"{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"};
	struct kit *k = *state;
	tf_time t = NOW;
	bring(k, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":1700000000,\"exp\":1700086400}", pem_ec, "ec-1");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		OK(ask(k, NULL, NULL, NULL, t));
		say(k, rows[i]);
		t += 5 * TF_MINUTE;
		assert_int_equal(work(k, t), TF_INVALID); /* told, and done */
		assert_int_equal(ask(k, NULL, NULL, NULL, t), TF_DENIED);
		refused(k, 401, "invalid_token", "no key");
		unsigned asked = k->issuer.asked;
		OK(work(k, t + 2 * TF_SEC)); /* the next fetch is not sooner for it */
		assert_int_equal(k->issuer.asked, asked);
		publish(k, pem_ec, "ec-1", NULL, NULL);
		t += 5 * TF_MINUTE;
		OK(work(k, t));
	}
	OK(ask(k, NULL, NULL, NULL, t));
}

static void
the_cache_is_bounded(void **state)
{
	struct kit *k = *state;
	begin(k, (struct tf_oauth_options){.cache_tokens = 8});
	OK(work(k, NOW));
	for (int i = 0; i < 40; i++) {
		char claims[512];
		snprintf(claims, sizeof claims,
			 "{" C_ISS "," C_AUD "," C_TIMES ",\"sub\":\"a\",\"client_id\":\"a\",\"jti\":\"%d\"}", i);
		bring(k, claims, pem_ec, "ec-1");
		OK(ask(k, NULL, NULL, NULL, NOW));
	}
	size_t keys, tokens;
	tf_oauth_count(k->oauth, &keys, &tokens);
	assert_in_range(tokens, 4, 8);
}

static void
a_clock_that_is_set_stops_no_fetch(void **state)
{
	struct kit *k = *state;
	static const tf_dur steps[] = {-TF_HOUR, 0, TF_HOUR};
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.start = NOW + TF_DAY});
		assert_non_null(os);
		begin(k, (struct tf_oauth_options){0});
		OK(work_at(k, os));
		unsigned asked = k->issuer.asked;
		tf_sim_step_clock(os, steps[i]);
		OK(work_at(k, os));
		assert_int_equal(k->issuer.asked, asked); /* a step forward makes none due either */
		tf_sim_advance(os, 5 * TF_MINUTE);
		OK(work_at(k, os));
		assert_int_equal(k->issuer.asked, asked + 1);
		bring(k, CLAIMS, pem_thief, "ec-9"); /* and an unknown kid makes one once the gap is over */
		tf_sim_advance(os, 2 * TF_SEC);
		assert_int_equal(ask_at(k, os), TF_BUSY);
		OK(work_at(k, os));
		assert_int_equal(k->issuer.asked, asked + 2);
		tf_sim_free(&os);
	}
}

static void
options_that_make_no_sense_are_refused(void **state)
{
	static const struct tf_oauth_options rows[] = {
		{.issuer = "i", .audience = "a"},
		{.issuer = "i", .audience = "a", .jwks_url = "u", .introspect_url = "u"},
		{.issuer = "i", .jwks_url = "u"},
		{.audience = "a", .jwks_url = "u"},
		{.issuer = "i", .audience = "a", .jwks_url = "u", .skew = 61 * TF_SEC},
	};
	struct tf_oauth *o;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(tf_oauth_new(&rows[i], &o, NULL), TF_USAGE);
}

static void
the_thread_fetches_by_itself(void **state)
{
	struct kit *k = *state;
	begin(k, (struct tf_oauth_options){0});
	uint64_t since = tf_oauth_changes(k->oauth);
	OK(tf_oauth_start(k->oauth, tf_os_real(), NULL, NULL, &k->f));
	tf_oauth_await(k->oauth, since, 10 * TF_SEC);
	size_t keys, tokens;
	tf_oauth_count(k->oauth, &keys, &tokens);
	assert_int_equal(keys, 1);
}

static void
every_allocation_that_fails_is_told(void **state)
{
	struct kit *k = *state;
	bring(k, BOUND, pem_ec, "ec-1");
	for (uint64_t n = 1; n < 200; n++) {
		begin(k, (struct tf_oauth_options){0});
		OK(work(k, NOW));
		tf_mem_fail_at(n);
		enum tf_err e = ask(k, THUMB_A, NULL, NULL, NOW);
		bool untouched = tf_mem_fail_at(0) < n;
		if (untouched) {
			OK(e);
			return;
		}
		assert_int_equal(e, TF_NO_MEMORY);
		refused(k, 503, "unavailable", "");
		OK(ask(k, THUMB_A, NULL, NULL, NOW));
	}
	fail();
}

/* Askers in threads of their own, with the token that the issuer hands out at the moment. */
struct load {
	struct kit *k;
	pthread_mutex_t lock;
	struct tf_buf header; /* under the lock */
	unsigned asked, failed;
	bool stop;
};

static bool
copy_header(struct load *l, char out[static 4096], size_t *n)
{
	pthread_mutex_lock(&l->lock);
	*n = l->header.n;
	memcpy(out, l->header.p, *n);
	bool stop = l->stop;
	pthread_mutex_unlock(&l->lock);
	return !stop;
}

static void
asker(void *arg)
{
	struct load *l = arg;
	char header[4096];
	size_t n;
	while (copy_header(l, header, &n)) {
		const struct tf_oauth_principal *p = NULL;
		struct tf_oauth_refusal refusal;
		struct tf_oauth_ask a = {.authorization = tf_str_n(header, n),
					 .now = tf_os_now(tf_os_real()),
					 .ticks = tf_os_ticks(tf_os_real())};
		enum tf_err e = TF_BUSY;
		for (int i = 0; i < 50 && e == TF_BUSY; i++) {
			uint64_t since = tf_oauth_changes(l->k->oauth);
			e = tf_oauth_check(l->k->oauth, &a, &p, &refusal, NULL);
			if (e == TF_BUSY)
				tf_oauth_await(l->k->oauth, since, TF_SEC);
		}
		tf_oauth_done(&p);
		pthread_mutex_lock(&l->lock);
		l->asked++;
		l->failed += e != TF_OK;
		pthread_mutex_unlock(&l->lock);
	}
}

/* A token of the time that it is now, by that key, is what askers have from here on. */
static void
hand_out(struct load *l, const char *pem, const char *kid)
{
	char claims[512];
	long long now = tf_os_now(tf_os_real()) / TF_SEC;
	snprintf(claims, sizeof claims, "{" C_ISS "," C_AUD "," C_WHO ",\"iat\":%lld,\"exp\":%lld}", now, now + 300);
	bring(l->k, claims, pem, kid);
	pthread_mutex_lock(&l->lock);
	tf_buf_reset(&l->header);
	tf_buf_str(&l->header, tf_buf_view(&l->k->header));
	pthread_mutex_unlock(&l->lock);
}

static void
await_asked(struct load *l, unsigned more)
{
	unsigned until = 0, now = 0;
	do {
		pthread_mutex_lock(&l->lock);
		now = l->asked;
		pthread_mutex_unlock(&l->lock);
		until = until ? until : now + more;
	} while (now < until);
}

static void
rotations_under_load_fail_no_request(void **state)
{
	struct kit *k = *state;
	struct load l = {.k = k};
	struct tf_worker *askers[2];
	char kid[2][16] = {"k0", ""};
	begin(k, (struct tf_oauth_options){.fetch_gap = 1});
	pthread_mutex_init(&l.lock, NULL);
	tf_buf_init(&l.header, 0);
	publish(k, pem_ec, kid[0], NULL, NULL);
	hand_out(&l, pem_ec, kid[0]);
	OK(tf_oauth_start(k->oauth, tf_os_real(), NULL, NULL, &k->f));
	for (int i = 0; i < 2; i++)
		OK(tf_os_start(tf_os_real(), asker, &l, &askers[i], &k->f));
	for (int i = 1; i <= 20; i++) { /* the new key beside the old; then it signs */
		const char *new = i % 2 ? pem_thief : pem_ec, *old = i % 2 ? pem_ec : pem_thief;
		snprintf(kid[i % 2], sizeof kid[0], "k%d", i);
		publish(k, new, kid[i % 2], old, kid[(i + 1) % 2]);
		hand_out(&l, new, kid[i % 2]);
		await_asked(&l, 20);
	}
	pthread_mutex_lock(&l.lock);
	l.stop = true;
	pthread_mutex_unlock(&l.lock);
	for (int i = 0; i < 2; i++)
		tf_worker_join(&askers[i]);
	assert_int_equal(l.failed, 0);
	assert_in_range(l.asked, 400, UINT32_MAX);
	pthread_mutex_destroy(&l.lock);
	tf_buf_release(&l.header);
}

static void
thumbprint_is_that_of_rfc_8705(void **state)
{
	char out[44];
	assert_string_equal(tf_oauth_thumbprint(TF_STR("abc"), out), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(lets_in_with_who_it_is),
		T(a_stolen_token_is_refused_on_every_request),
		T(a_part_of_the_thumbprint_is_not_enough),
		T(unbound_tokens_are_refused_where_binding_is_asked_for),
		T(headers_that_are_no_bearer_token),
		T(challenges_are_those_of_rfc_6750),
		T(scopes_and_roles_are_whole_words),
		T(a_remembered_token_expires),
		T(without_keys_it_says_so_and_lets_nobody_in),
		T(a_rotation_fails_no_request),
		T(unknown_kids_make_one_fetch_each_gap),
		T(a_key_that_vanished_takes_its_tokens_along),
		T(a_kid_given_to_another_key_takes_the_old_tokens_along),
		T(an_issuer_that_is_down_leaves_the_keys_for_a_day),
		T(a_clock_that_is_set_stops_no_fetch),
		T(a_set_without_keys_revokes_all),
		T(the_cache_is_bounded),
		T(options_that_make_no_sense_are_refused),
		T(the_thread_fetches_by_itself),
		T(every_allocation_that_fails_is_told),
		T(rotations_under_load_fail_no_request),
		T(thumbprint_is_that_of_rfc_8705),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
