/* What the JSON reader takes and refuses, and that the writer's texts are read back. json_oracle.py compares both with
 * Python's json over many mutated texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

static struct tf_arena arena;
static struct tf_fault fault;

static int
setup(void **state)
{
	tf_arena_init(&arena, "test", 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	tf_arena_release(&arena);
	return 0;
}

static enum tf_err
parse(struct tf_str text, const struct tf_json **out)
{
	tf_arena_reset(&arena);
	fault = (struct tf_fault){0};
	return tf_json_parse(text, &arena, 0, out, &fault);
}

static const struct tf_json *
must(const char *text)
{
	const struct tf_json *v = NULL;
	if (parse(tf_str(text), &v) != TF_OK)
		fail_msg("refused: %s: %s", text, fault.text);
	return v;
}

static void
valid_texts_are_taken(void **state)
{
	static const char *const rows[] = {
		"0",
		"-0",
		"12",
		"-1.5",
		"1e5",
		"1E+5",
		"1.0e-05",
		"1.10",
		" \t\r\n1\n",
		"\"\"",
		"\"a\"",
		"true",
		"false",
		"null",
		"[]",
		"[ ]",
		"{}",
		"{ }",
		"[1,2]",
		"[[[]]]",
		"{\"a\":1,\"b\":[{}]}",
		"{\"\":0}",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD834\\uDD1E\\ud834\\udd1e\"",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\"",
		"\"\xef\xbf\xbf\"",
		"\"\x7f\"",
		"\"\\u2028\xe2\x80\xa8\"",
		"{\"a\":0,\"A\":1}",
		"[1 , 2]",
		"{ \"a\" : 1 }",
		"123456789012345678901234567890.123e-400",
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		must(rows[i]);
}

static void
invalid_texts_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"01",
		"-",
		"-01",
		"+1",
		".5",
		"1.",
		"1.e5",
		"1e",
		"1e+",
		"0x10",
		"1_000",
		"NaN",
		"Infinity",
		"-Infinity",
		"tru",
		"trues",
		"True",
		"nul",
		"nulL",
		"'a'",
		"\"",
		"\"a",
		"\"\\\"",
		"\"\\x41\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\\u 123\"",
		"\"\\a\"",
		"\"\\",
		"\"a\tb\"",
		"\"a\nb\"",
		"\"\x01\"",
		"[",
		"]",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[1,,2]",
		"{",
		"}",
		"{\"a\"",
		"{\"a\":",
		"{\"a\":}",
		"{\"a\":1",
		"{\"a\":1,",
		"{\"a\":1,}",
		"{,}",
		"{a:1}",
		"{1:1}",
		"{\"a\" 1}",
		"{\"a\":1 \"b\":2}",
		"{\"a\":1;\"b\":2}",
		"[1}",
		"{\"a\":1]",
		"1 2",
		"[]]",
		"{}{}",
		"// c\n1",
		"1 // c",
		"/* c */1",
		"\xef\xbb\xbf"
		"1",
		"[1]\f",
		"\xc2\xa0"
		"1",
		"\"\\ud834\"",
		"\"\\udd1e\"",
		"\"\\ud834\\u0041\"",
		"\"\\ud834x\"",
		"\"\\ud834\\ud834\"",
		"\"\\udd1e\\ud834\"",
		"\"\x80\"",
		"\"\xc3\"",
		"\"\xc3(\"",
		"\"\xc0\xaf\"",
		"\"\xe0\x80\xaf\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xf8\x88\x80\x80\x80\"",
		"\"\xff\"",
		"\"\xe2\x82\"",
		"\"\xf0\x9d\x84\"",
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct tf_json *v = NULL;
		if (parse(tf_str(rows[i]), &v) != TF_INVALID)
			fail_msg("taken: %s", rows[i]);
		assert_null(v);
		assert_memory_equal(fault.text, "invalid JSON: line ", 19);
	}
	const struct tf_json *v = NULL;
	assert_int_equal(parse(tf_str_n("\"\0\"", 3), &v), TF_INVALID);
	assert_int_equal(parse(tf_str_n("1\0", 2), &v), TF_INVALID);
	assert_int_equal(parse(tf_str_n(NULL, 0), &v), TF_INVALID);
}

static void
every_prefix_of_a_text_is_refused(void **state)
{
	static const char text[] = "{\"a\\u00e9\":[1.5e3,true,null,\"\\ud834\\udd1e\xc3\xa9\"],\"b\":{\"c\":false}}";
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *exact = tf_malloc(n); /* so that a sanitizer sees a read past the end */
		const struct tf_json *v;
		memcpy(exact, text, n);
		assert_int_equal(parse(tf_str_n(exact, n), &v), TF_INVALID);
		tf_free(exact);
	}
	must(text);
}

static void
fault_names_line_and_column(void **state)
{
	static const struct {
		const char *text, *fault;
	} rows[] = {
		{"", "invalid JSON: line 1, column 1: ends too early"},
		{"[1,\n 2,\n  x]", "invalid JSON: line 3, column 3: a value is wanted"},
		{"{\"\xc3\xa9\": 01}", "invalid JSON: line 1, column 8: a number does not begin with 0"},
		{"[\"a\", \"b\\q\"]", "invalid JSON: line 1, column 10: unknown escape"},
		{"{\"a\": 1,\n \"b\": 2, \"a\": 3}", "invalid JSON: line 2, column 10: duplicate member 'a'"},
		{"[1\n", "invalid JSON: line 2, column 1: ends too early"},
		{"[\"\\ud800\"]", "invalid JSON: line 1, column 3: a high surrogate without a low one"},
		{"[1] 2", "invalid JSON: line 1, column 5: something follows the value"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct tf_json *v;
		assert_int_equal(parse(tf_str(rows[i].text), &v), TF_INVALID);
		assert_string_equal(fault.text, rows[i].fault);
	}
}

static void
duplicate_names_are_refused_in_small_and_large_objects(void **state)
{
	const struct tf_json *v;
	assert_int_equal(parse(TF_STR("{\"a\":1,\"\\u0061\":2}"), &v), TF_INVALID);
	struct tf_buf b;
	tf_buf_init(&b, 0);
	for (int count = 2; count < 200; count += 7) {
		tf_buf_reset(&b);
		tf_buf_u8(&b, '{');
		for (int i = 0; i < count; i++)
			tf_buf_printf(&b, "\"m%d\":%d,", i * 7919 % 1009, i);
		size_t body = b.n;
		tf_buf_cstr(&b, "\"last\":0}");
		assert_int_equal(parse(tf_buf_view(&b), &v), TF_OK);
		for (int i = 0; i < count; i++) {
			char name[16];
			int64_t n = -1;
			snprintf(name, sizeof name, "m%d", i * 7919 % 1009);
			assert_true(tf_json_i64(tf_json_get(v, name), &n));
			assert_int_equal(n, i);
		}
		assert_null(tf_json_get(v, "m"));
		assert_null(tf_json_get(v, "zz"));
		b.n = body;
		tf_buf_printf(&b, "\"m%d\":0}", count / 2 * 7919 % 1009);
		assert_int_equal(parse(tf_buf_view(&b), &v), TF_INVALID);
	}
	tf_buf_release(&b);
}

static void
depth_is_bounded(void **state)
{
	char text[2 * TF_JSON_DEPTH_MAX + 2];
	for (int limit = 1; limit <= TF_JSON_DEPTH_MAX; limit *= 2)
		for (int depth = limit; depth <= limit + 1; depth++) {
			const struct tf_json *v;
			if (depth > TF_JSON_DEPTH_MAX)
				continue;
			memset(text, '[', (size_t)depth);
			memset(text + depth, ']', (size_t)depth);
			tf_arena_reset(&arena);
			enum tf_err e = tf_json_parse(tf_str_n(text, 2 * (size_t)depth), &arena, limit, &v, &fault);
			assert_int_equal(e, depth <= limit ? TF_OK : TF_TOO_LARGE);
		}
	static char open[100000];
	memset(open, '[', sizeof open);
	const struct tf_json *v;
	assert_int_equal(parse(tf_str_n(open, sizeof open), &v), TF_TOO_LARGE);
}

static void
values_are_what_the_text_says(void **state)
{
	const struct tf_json *v = must("{\"s\":\"a\\u0000\\ud834\\udd1e\\n\",\"n\":-12,\"r\":1.10,\"t\":true,\"z\":"
				       "null,\"a\":[1,\"x\",[]],\"e\":\"\"}");
	struct tf_str s;
	int64_t n;
	bool t;
	assert_true(tf_json_str(tf_json_get(v, "s"), &s));
	assert_true(tf_str_eq(s, tf_str_n("a\0\xf0\x9d\x84\x9e\n", 7)));
	assert_true(tf_json_i64(tf_json_get(v, "n"), &n) && n == -12);
	assert_true(tf_json_decimal(tf_json_get(v, "r"), 2, &n) && n == 110);
	assert_false(tf_json_decimal(tf_json_get(v, "r"), 0, &n));
	assert_true(tf_str_eq(tf_json_get(v, "r")->text, TF_STR("1.10")));
	assert_true(tf_json_bool(tf_json_get(v, "t"), &t) && t);
	assert_true(tf_json_is(tf_json_get(v, "z"), TF_JSON_NULL));
	assert_false(tf_json_is(tf_json_get(v, "absent"), TF_JSON_NULL));
	assert_true(tf_json_str(tf_json_get(v, "e"), &s) && s.n == 0);
	assert_false(tf_json_str(tf_json_get(v, "n"), &s));
	const struct tf_json *a = tf_json_get(v, "a");
	assert_int_equal(a->count, 3);
	int kinds[3], i = 0;
	for (const struct tf_json *e = tf_json_first(a); e; e = e->next)
		kinds[i++] = e->kind;
	assert_int_equal(kinds[0], TF_JSON_NUMBER);
	assert_int_equal(kinds[1], TF_JSON_STRING);
	assert_int_equal(kinds[2], TF_JSON_ARRAY);
	assert_null(tf_json_first(NULL));
	assert_null(tf_json_get(a, "x"));
}

static void
needed_member_is_named_when_it_does_not_fit(void **state)
{
	const struct tf_json *v = must("{\"s\":\"x\",\"n\":1.5,\"big\":9223372036854775808}"), *out;
	struct tf_str s;
	int64_t n;
	assert_int_equal(tf_json_need_str(v, "s", &s, &fault), TF_OK);
	assert_int_equal(tf_json_need_str(v, "missing", &s, &fault), TF_INVALID);
	assert_string_equal(fault.text, "missing member 'missing'");
	assert_int_equal(tf_json_need_i64(v, "s", &n, &fault), TF_INVALID);
	assert_string_equal(fault.text, "member 's' is a string: a whole number of 64 bits is wanted");
	assert_int_equal(tf_json_need_i64(v, "n", &n, &fault), TF_INVALID);
	assert_string_equal(fault.text, "member 'n' is 1.5: a whole number of 64 bits is wanted");
	assert_int_equal(tf_json_need_i64(v, "big", &n, &fault), TF_INVALID);
	assert_int_equal(tf_json_need_decimal(v, "n", 1, &n, &fault), TF_OK);
	assert_int_equal(n, 15);
	assert_int_equal(tf_json_need_decimal(v, "n", 0, &n, &fault), TF_INVALID);
	assert_int_equal(tf_json_need(v, "s", TF_JSON_ARRAY, &out, &fault), TF_INVALID);
	assert_string_equal(fault.text, "member 's' is a string: an array is wanted");
}

static void
writer_puts_commas_and_escapes(void **state)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "s", "a\"\\\n\x01\xc3\xa9\x7f");
	tf_json_set_i64(&w, "min", INT64_MIN);
	tf_json_set_u64(&w, "max", UINT64_MAX);
	tf_json_set_u64(&w, "zero", 0);
	tf_json_set_decimal(&w, "money", -1250, 2);
	tf_json_key(&w, "a");
	tf_json_begin_array(&w);
	tf_json_put_bool(&w, true);
	tf_json_put_null(&w);
	tf_json_begin_object(&w);
	tf_json_end_object(&w);
	tf_json_put_lexeme(&w, TF_STR("1.10E+2"));
	tf_json_put_str(&w, tf_str_n("\0/", 2));
	tf_json_end_array(&w);
	tf_json_set_bool(&w, "no", false);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	tf_json_begin_array(&w);
	tf_json_end_array(&w);
	tf_json_finish(&w);
	tf_buf_u8(&b, 0);
	assert_string_equal((char *)b.p, "{\"s\":\"a\\\"\\\\\\n\\u0001\xc3\xa9\x7f\",\"min\":-9223372036854775808,"
					 "\"max\":18446744073709551615,\"zero\":0,\"money\":-12.50,"
					 "\"a\":[true,null,{},1.10E+2,\"\\u0000/\"],\"no\":false}\n[]\n");
	tf_buf_release(&b);
}

static void
writer_replaces_what_is_no_utf8(void **state)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_put_str(&w, TF_STR("a\xff"
				   "b\xc3"
				   "c\xed\xa0\x80"));
	tf_json_finish(&w);
	const struct tf_json *v;
	struct tf_str s;
	assert_int_equal(parse(tf_buf_view(&b), &v), TF_OK);
	assert_true(tf_json_str(v, &s));
	assert_true(tf_str_eq(s, TF_STR("a\xef\xbf\xbd"
					"b\xef\xbf\xbd"
					"c\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd")));
	tf_buf_release(&b);
}

static void
full_arena_and_failed_allocation_are_errors(void **state)
{
	static const char text[] =
		"{\"a\":[1,2,3,\"\\n\"],\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0}";
	const struct tf_json *v;
	struct tf_arena small;
	size_t max = 64;
	for (enum tf_err e = TF_TOO_LARGE; e != TF_OK; max += 16) {
		tf_arena_init(&small, "small", max);
		e = tf_json_parse(tf_str(text), &small, 0, &v, &fault);
		assert_true(e == TF_OK || e == TF_TOO_LARGE);
		if (e)
			assert_non_null(strstr(fault.text, "arena 'small' is full"));
		tf_arena_release(&small);
	}
	assert_true(max > 500);
	tf_arena_init(&small, "small", 0);
	tf_mem_fail_at(1);
	assert_int_equal(tf_json_parse(tf_str(text), &small, 0, &v, &fault), TF_NO_MEMORY);
	tf_mem_fail_at(0);
	tf_arena_release(&small);
}

static void
utf8_put_and_take_agree_on_every_code_point(void **state)
{
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		char p[4];
		if (code >= 0xd800 && code <= 0xdfff)
			continue;
		size_t n = tf_utf8_put(code, p);
		assert_int_equal(tf_utf8_take(tf_str_n(p, n)), n);
		assert_int_equal(tf_utf8_take(tf_str_n(p, n - 1)), 0);
	}
	assert_true(tf_utf8_valid(TF_STR("a\xe2\x82\xac")));
	assert_false(tf_utf8_valid(TF_STR("a\xe2\x82")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_texts_are_taken),
		cmocka_unit_test(invalid_texts_are_refused),
		cmocka_unit_test(every_prefix_of_a_text_is_refused),
		cmocka_unit_test(fault_names_line_and_column),
		cmocka_unit_test(duplicate_names_are_refused_in_small_and_large_objects),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(values_are_what_the_text_says),
		cmocka_unit_test(needed_member_is_named_when_it_does_not_fit),
		cmocka_unit_test(writer_puts_commas_and_escapes),
		cmocka_unit_test(writer_replaces_what_is_no_utf8),
		cmocka_unit_test(full_arena_and_failed_allocation_are_errors),
		cmocka_unit_test(utf8_put_and_take_agree_on_every_code_point),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
