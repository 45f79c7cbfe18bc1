/* Keys: what of a set is kept, what is passed over, what is refused; the RFCs' vectors. */
#include "serve/b64.h"
#include "serve/jwk_impl.h"
#include "token_test.h"

#include <stdio.h>

/* RFC 7638 section 3.1; also RFC 7517 appendix A.1. */
#define RSA_7638                                                                                                       \
	"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3" \
	"oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA" \
	"ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-" \
	"kEgU8awapJzKnqDKgw"
#define EC_7517                                                                                                        \
	"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","                      \
	"\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""
#define ED_8037 "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

static struct tf_jwks *
parse(const char *text)
{
	struct tf_jwks *set;
	struct tf_fault f = {0};
	if (tf_jwks_parse(tf_str(text), &set, &f))
		fail_msg("%s: %s", text, f.text);
	return set;
}

static void
reads_the_set_of_rfc_7517_appendix_a(void **state)
{
	struct tf_jwks *set = parse("{\"keys\":[{" EC_7517 ",\"use\":\"enc\",\"kid\":\"1\"},"
				    "{\"kty\":\"RSA\",\"n\":\"" RSA_7638 "\",\"e\":\"AQAB\",\"alg\":\"RS256\","
				    "\"kid\":\"2011-04-29\"}]}");
	assert_int_equal(set->count, 1); /* the first is for encrypting */
	assert_int_equal(set->ignored, 1);
	assert_int_equal(set->keys[0].algs, TF_JWS_RS256);
	assert_string_equal(set->keys[0].kid, "2011-04-29");
	assert_string_equal(set->keys[0].thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"); /* RFC 7638 */
	tf_jwks_free(&set);
}

static void
thumbprint_of_rfc_8037_appendix_a(void **state)
{
	struct tf_jwks *set = parse("{\"keys\":[{" ED_8037 "}]}");
	assert_int_equal(set->count, 1);
	assert_int_equal(set->keys[0].algs, TF_JWS_EDDSA);
	assert_string_equal(set->keys[0].thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
	tf_jwks_free(&set);
}

/* Each in a set of its own: what is wrong with the key, and the key. */
static const char *const passed_over[][2] = {
	{"symmetric: a secret in a public set", "{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"}"},
	{"private: published, so nobody's any more",
	 "{" ED_8037 ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"},
	{"for encrypting", "{" EC_7517 ",\"use\":\"enc\"}"},
	{"key_ops without verify", "{" EC_7517 ",\"key_ops\":[\"deriveKey\"]}"},
	{"an algorithm of another type", "{" EC_7517 ",\"alg\":\"RS256\"}"},
	{"an algorithm on no list", "{" EC_7517 ",\"alg\":\"ES384\"}"},
	{"alg none", "{" EC_7517 ",\"alg\":\"none\"}"},
	{"a kid that is a number", "{" EC_7517 ",\"kid\":1}"},
	{"an unknown kty", "{\"kty\":\"PQC\",\"x\":\"AAAA\"}"},
	{"P-384",
	 "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"ZgU-XHQxGvjbX9M9Zk0XsqkEUA8LRaF6_wZfI-Ozeex1_1NW4ZoIYsuvyuhK1Wrv\","
	 "\"y\":\"YN_MvqiOch9QLLYTpQQ7RHsk-oHfLb867KohoqgV1uJx_72_Rus0Ghsja9tCD0m-\"}"},
	{"secp256k1: as long as P-256",
	 "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"s-pmYVwQ5FrcfbZvqy1o3HYFfQFnDpgeoR5zCNU1CEo\","
	 "\"y\":\"mdXj81BP17eWHVaxNI9S-5KUeRrB6TnTzzvmO2x5OkY\"}"},
	{"secp256k1 that says P-256: not on the curve",
	 "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"s-pmYVwQ5FrcfbZvqy1o3HYFfQFnDpgeoR5zCNU1CEo\","
	 "\"y\":\"mdXj81BP17eWHVaxNI9S-5KUeRrB6TnTzzvmO2x5OkY\"}"},
	{"no y", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\"}"},
	{"x with padding",
	 "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"}"},
	{"Ed448's name", "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"},
	{"RSA of 1024 bits",
	 "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"6H4CbG9LixJDbJ31Bi_tABtlxCxtpOz6TXMAQhn6Zqpqyv5t_wIJUrfgn3CRNBWFtgjF_"
	 "Zk_M3FLdWo2wBAY582DyuOoramRfxwXlflEyrzSJqevSpHIj8qCIjerJIU8lY7RtfBdqSwYuM25AoT4ur-O0Zq1V32TdQvQLYcfMLs\"}"},
	{"RSA with exponent 3", "{\"kty\":\"RSA\",\"n\":\"" RSA_7638 "\",\"e\":\"Aw\"}"},
	{"RSA with exponent 1", "{\"kty\":\"RSA\",\"n\":\"" RSA_7638 "\",\"e\":\"AQ\"}"},
	{"no object", "\"key\""},
};

static void
passes_over_keys_it_must_not_use(void **state)
{
	for (size_t i = 0; i < sizeof passed_over / sizeof *passed_over; i++) {
		char text[2048];
		snprintf(text, sizeof text, "{\"keys\":[%s,{" EC_7517 ",\"kid\":\"good\"}]}", passed_over[i][1]);
		struct tf_jwks *set = parse(text);
		if (set->count != 1 || set->ignored != 1)
			fail_msg("%s: kept", passed_over[i][0]);
		assert_string_equal(set->keys[0].kid, "good");
		tf_jwks_free(&set);
	}
}

static void
passes_over_a_modulus_that_is_too_large(void **state)
{
	struct tf_buf text;
	tf_buf_init(&text, 0);
	tf_buf_cstr(&text, "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
	for (int i = 0; i < 12000; i++)
		tf_buf_u8(&text, 'B');
	tf_buf_cstr(&text, "\"}]}");
	struct tf_jwks *set;
	OK(tf_jwks_parse(tf_buf_view(&text), &set, NULL));
	assert_int_equal(set->count, 0);
	tf_jwks_free(&set);
	tf_buf_release(&text);
}

static const char *const refused[][2] = {
	{"no JSON", "<html>"},
	{"no object", "[]"},
	{"no keys", "{}"},
	{"keys that are no list", "{\"keys\":{}}"},
	{"a member twice", "{\"keys\":[],\"keys\":[]}"},
	{"a key's member twice", "{\"keys\":[{" ED_8037 ",\"kid\":\"a\",\"kid\":\"b\"}]}"},
	{"two keys of one kid", "{\"keys\":[{" EC_7517 ",\"kid\":\"a\"},{" EC_7517 ",\"kid\":\"a\"}]}"},
};

static void
refuses_what_is_no_set(void **state)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct tf_jwks *set;
		struct tf_fault f = {0};
		if (tf_jwks_parse(tf_str(refused[i][1]), &set, &f) == TF_OK)
			fail_msg("%s: taken", refused[i][0]);
		assert_true(f.text[0] != '\0');
	}
}

static void
refuses_a_set_past_its_limits(void **state)
{
	struct tf_buf text;
	struct tf_jwks *set;
	tf_buf_init(&text, 0);
	tf_buf_cstr(&text, "{\"keys\":[1");
	for (int i = 0; i < TF_JWKS_KEYS_MAX; i++)
		tf_buf_cstr(&text, ",1");
	tf_buf_cstr(&text, "]}");
	assert_int_equal(tf_jwks_parse(tf_buf_view(&text), &set, NULL), TF_TOO_LARGE);
	for (int i = 0; i < TF_JWKS_BYTES; i++)
		tf_buf_u8(&text, ' ');
	assert_int_equal(tf_jwks_parse(tf_buf_view(&text), &set, NULL), TF_TOO_LARGE);
	tf_buf_release(&text);
}

static void
one_kid_for_keys_of_two_types_is_told_apart_by_algorithm(void **state)
{
	struct tf_jwks *set = parse("{\"keys\":[{" EC_7517 ",\"kid\":\"a\"},{" ED_8037 ",\"kid\":\"a\"}]}");
	assert_ptr_equal(tf_jwks_find(set, TF_STR("a"), TF_JWS_ES256), &set->keys[0]);
	assert_ptr_equal(tf_jwks_find(set, TF_STR("a"), TF_JWS_EDDSA), &set->keys[1]);
	assert_null(tf_jwks_find(set, TF_STR("a"), TF_JWS_RS256));
	tf_jwks_free(&set);
}

static void
finds_a_key_by_its_whole_kid(void **state)
{
	struct tf_jwks *set = keys_good();
	assert_non_null(tf_jwks_find(set, TF_STR("ec-1"), TF_JWS_ES256));
	static const char *const not_it[] = {"", "ec", "ec-", "ec-11", "EC-1", "ec-1 ", "../ec-1", "' or 1=1 --"};
	for (size_t i = 0; i < sizeof not_it / sizeof *not_it; i++)
		assert_null(tf_jwks_find(set, tf_str(not_it[i]), TF_JWS_ES256));
	assert_null(tf_jwks_find(set, tf_str_n("ec-1\0x", 6), TF_JWS_ES256));
	tf_jwks_free(&set);
}

static void
without_a_kid_only_the_one_key_that_fits_is_meant(void **state)
{
	struct tf_jwks *set = keys_good();
	assert_non_null(tf_jwks_find(set, (struct tf_str){0}, TF_JWS_ES256));
	struct tf_jwk second = key_of(pem_thief, "ec-2");
	OK(tf_jwks_take(set, &second, NULL));
	assert_null(tf_jwks_find(set, (struct tf_str){0}, TF_JWS_ES256));
	tf_jwks_free(&set);
}

static void
what_is_written_is_read_back(void **state)
{
	static const unsigned algs[] = {TF_JWS_ES256, TF_JWS_PS256, TF_JWS_EDDSA};
	for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
		struct tf_jwk k, again;
		struct tf_jwks *set, *back;
		struct tf_buf text, pem;
		tf_buf_init(&text, 0);
		tf_buf_init(&pem, 0);
		OK(tf_jwk_generate(algs[i], &k, NULL));
		OK(tf_jwk_to_pem(&k, &pem, NULL));
		OK(tf_jwk_from_pem(tf_buf_view(&pem), true, &again, NULL));
		assert_string_equal(k.thumbprint, again.thumbprint);
		assert_string_equal(again.kid, again.thumbprint);
		OK(tf_jwks_new(&set, NULL));
		OK(tf_jwks_take(set, &k, NULL));
		struct tf_json_out w = tf_json_out(&text);
		tf_jwks_put(&w, set);
		assert_null(memmem(text.p, text.n, "\"d\"", 3));
		OK(tf_jwks_parse(tf_buf_view(&text), &back, NULL));
		assert_int_equal(back->count, 1);
		assert_int_equal(back->keys[0].algs, algs[i]);
		assert_string_equal(back->keys[0].thumbprint, again.thumbprint);
		assert_string_equal(back->keys[0].kid, again.kid);
		tf_jwk_release(&again);
		tf_jwks_free(&set);
		tf_jwks_free(&back);
		tf_buf_release(&text);
		tf_buf_release(&pem);
	}
}

static void
pem_of_a_weak_or_foreign_key_is_refused(void **state)
{
	struct tf_jwk k;
	assert_int_equal(tf_jwk_from_pem(tf_str(pem_rsa1024), false, &k, NULL), TF_INVALID);
	assert_int_equal(tf_jwk_from_pem(tf_str(pem_p384), false, &k, NULL), TF_INVALID);
	assert_int_equal(tf_jwk_from_pem(tf_str(pem_k256), false, &k, NULL), TF_INVALID);
	assert_int_equal(tf_jwk_from_pem(tf_str(pem_rsa_public), true, &k, NULL), TF_INVALID);
	assert_int_equal(tf_jwk_from_pem(TF_STR("nothing"), false, &k, NULL), TF_INVALID);
	OK(tf_jwk_from_pem(tf_str(pem_rsa_public), false, &k, NULL));
	tf_jwk_release(&k);
}

static void
base64url_has_one_text_for_each_value(void **state)
{
	static const char *const wrong[] = {"A", "AAAAA", "AA=", "AA==", "A A", "AAA\n", "AB", "AAB", "A+", "A/", "_+"};
	uint8_t out[64];
	size_t n;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (tf_b64_decode(tf_str(wrong[i]), out, &n))
			fail_msg("'%s' was taken", wrong[i]);
	for (size_t size = 0; size < 40; size++) {
		uint8_t in[40];
		char text[64];
		for (size_t i = 0; i < size; i++)
			in[i] = (uint8_t)(i * 37 + size);
		tf_b64_text(in, size, text);
		assert_int_equal(strlen(text), TF_B64_CHARS(size));
		assert_true(tf_b64_exact(tf_str(text), out, size));
		assert_memory_equal(in, out, size);
		assert_false(tf_b64_exact(tf_str(text), out, size + 1));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64url_has_one_text_for_each_value),
		cmocka_unit_test(reads_the_set_of_rfc_7517_appendix_a),
		cmocka_unit_test(thumbprint_of_rfc_8037_appendix_a),
		cmocka_unit_test(passes_over_keys_it_must_not_use),
		cmocka_unit_test(passes_over_a_modulus_that_is_too_large),
		cmocka_unit_test(refuses_what_is_no_set),
		cmocka_unit_test(refuses_a_set_past_its_limits),
		cmocka_unit_test(one_kid_for_keys_of_two_types_is_told_apart_by_algorithm),
		cmocka_unit_test(finds_a_key_by_its_whole_kid),
		cmocka_unit_test(without_a_kid_only_the_one_key_that_fits_is_meant),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(pem_of_a_weak_or_foreign_key_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
