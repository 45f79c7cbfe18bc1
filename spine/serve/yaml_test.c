/* YAML: what becomes of it as JSON, and what is refused, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "serve/yaml.h"

static enum tf_err
convert(const char *yaml, char *out, size_t size, struct tf_fault *f)
{
	struct tf_arena a;
	const struct tf_json *v = NULL;
	struct tf_buf b;
	tf_arena_init(&a, "test", 64 << 20);
	tf_buf_init(&b, 0);
	enum tf_err e = tf_yaml_parse(tf_str(yaml), &a, 0, &v, f);
	if (!e && out) {
		struct tf_json_out w = tf_json_out(&b);
		tf_json_put_node(&w, v);
		snprintf(out, size, "%.*s", (int)b.n, (char *)b.p);
	}
	tf_buf_release(&b);
	tf_arena_release(&a);
	return e;
}

static void
means(const char *yaml, const char *json)
{
	char out[4096];
	struct tf_fault f = {0};
	if (convert(yaml, out, sizeof out, &f))
		fail_msg("%s: %s", yaml, f.text);
	assert_string_equal(out, json);
}

static void
refused(const char *yaml, enum tf_err code, const char *part)
{
	struct tf_fault f = {0};
	assert_int_equal(convert(yaml, NULL, 0, &f), code);
	if (!strstr(f.text, part))
		fail_msg("'%s' lacks '%s'", f.text, part);
}

static void
plain_scalars_have_the_types_of_yaml_1_2(void **state)
{
	static const char *const rows[][2] = {
		{"no", "\"no\""},
		{"yes", "\"yes\""},
		{"on", "\"on\""},
		{"off", "\"off\""},
		{"y", "\"y\""},
		{"true", "true"},
		{"False", "false"},
		{"tRUE", "\"tRUE\""},
		{"null", "null"},
		{"~", "null"},
		{"", "null"},
		{"0o17", "15"},
		{"0x1F", "31"},
		{"017", "17"},
		{"08", "8"},
		{"0b11", "\"0b11\""},
		{"1_000", "\"1_000\""},
		{"12:30:45", "\"12:30:45\""},
		{"2001-01-01", "\"2001-01-01\""},
		{"1.10", "1.10"},
		{"+.50", "0.50"},
		{"1.", "1"},
		{"-0", "-0"},
		{"1e3", "1e3"},
		{"1e", "\"1e\""},
		{"+1", "1"},
		{"0x", "\"0x\""},
		{"123456789012345678901234567890", "123456789012345678901234567890"},
		{"'1'", "\"1\""},
		{"\"no\"", "\"no\""},
		{"1.2.3", "\"1.2.3\""},
		{"-", "[null]"},
		{".", "\".\""},
		{"0xffffffffffffffff", "18446744073709551615"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		means(rows[i][0], rows[i][1]);
}

static void
collections_become_arrays_and_objects(void **state)
{
	means("a: 1\nb: [x, {c: d}]\n200:\n  - e\n", "{\"a\":1,\"b\":[\"x\",{\"c\":\"d\"}],\"200\":[\"e\"]}");
	means("|\n a\n  b\n", "\"a\\n b\\n\"");
	means(">-\n a\n b\n", "\"a b\"");
	means("%YAML 1.2\n---\na: b\n...\n", "{\"a\":\"b\"}");
	means("no: 1\nnull: 2\n", "{\"no\":1,\"null\":2}");
	means("{\"a\": \"\\u00e9\\n\"}", "{\"a\":\"\xc3\xa9\\n\"}");
}

static void
an_alias_is_what_it_names(void **state)
{
	means("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n", "{\"a\":{\"b\":1},\"c\":{\"b\":1},\"d\":[{\"b\":1},{\"b\":1}]}");
	means("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
	refused("a: *x\n", TF_INVALID, "line 1, column 4");
	refused("a: &x [*x]\n", TF_INVALID, "not complete");
}

static void
a_billion_laughs_are_refused(void **state)
{
	char text[4096];
	int n = snprintf(text, sizeof text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++)
		n += snprintf(text + n, sizeof text - (size_t)n,
			      "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1,
			      i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	refused(text, TF_TOO_LARGE, "too many nodes");
}

static void
aliases_cannot_nest_past_the_depth(void **state)
{
	char text[8192];
	int n = snprintf(text, sizeof text, "- &a0 []\n");
	for (int i = 1; i < 80; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "- &a%d [*a%d]\n", i, i - 1);
	refused(text, TF_TOO_LARGE, "nested too deep");
}

static void
what_json_cannot_say_is_refused_with_its_place(void **state)
{
	refused("a: !!str 1\n", TF_INVALID, "line 1, column 4: tags");
	refused("a: !x {}\n", TF_INVALID, "tags");
	refused("a: 1\n<<: {b: 2}\n", TF_INVALID, "line 2, column 1: merge");
	refused("? [a]\n: b\n", TF_INVALID, "scalar");
	refused("a: 1\nb: 2\na: 3\n", TF_INVALID, "duplicate key 'a'");
	refused("a: .nan\n", TF_INVALID, "JSON cannot");
	refused("--- 1\n--- 2\n", TF_INVALID, "more than one document");
	refused("a: [1\n", TF_INVALID, "line 2");
	refused("a: 0x10000000000000000\n", TF_INVALID, "JSON cannot");
	refused("\xef\xbb\xbf"
		"a: 1",
		TF_INVALID, "byte order mark");
	refused("a: \"\xff\"", TF_INVALID, "invalid");
}

static void
nesting_is_bounded(void **state)
{
	char text[512];
	memset(text, '[', 100);
	memset(text + 100, ']', 100);
	text[200] = '\0';
	refused(text, TF_TOO_LARGE, "nested too deep");
}

static void
offsets_are_bytes(void **state)
{
	struct tf_arena a;
	const struct tf_json *v;
	struct tf_fault f;
	struct tf_str text = TF_STR("\xc3\xa9: \xe2\x82\xac\nbb: 7\n");
	tf_arena_init(&a, "test", 1 << 20);
	assert_int_equal(tf_yaml_parse(text, &a, 0, &v, &f), TF_OK);
	assert_int_equal(v->first->at, 4);
	assert_int_equal(v->first->next->key_at, 8);
	assert_int_equal(v->first->next->at, 12);
	tf_arena_release(&a);
}

static void
a_full_arena_is_an_error(void **state)
{
	struct tf_fault f = {0};
	for (size_t max = 1; max < 20000; max += 97) {
		struct tf_arena a;
		const struct tf_json *v;
		tf_arena_init(&a, "test", max);
		enum tf_err e = tf_yaml_parse(TF_STR("a: &x [1, 2.50, +3, {b: c}]\nd: *x\n"), &a, 0, &v, &f);
		assert_true(e == TF_OK || e == TF_TOO_LARGE);
		tf_arena_release(&a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_have_the_types_of_yaml_1_2),
		cmocka_unit_test(collections_become_arrays_and_objects),
		cmocka_unit_test(an_alias_is_what_it_names),
		cmocka_unit_test(a_billion_laughs_are_refused),
		cmocka_unit_test(aliases_cannot_nest_past_the_depth),
		cmocka_unit_test(what_json_cannot_say_is_refused_with_its_place),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(offsets_are_bytes),
		cmocka_unit_test(a_full_arena_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
