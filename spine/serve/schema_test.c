/* JSON Schema: what the official suite does not ask. Numbers of any length, bounds, faults, places, patterns, formats,
 * discriminators, and that no schema makes a check explode. The suite itself: test/contract.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "serve/schema.h"

struct bench {
	struct tf_arena arena;
	struct tf_schemas *set;
	struct tf_checker *checker;
	const struct tf_schema *schema;
	struct tf_buf told;
	struct tf_fault fault;
};

static bool
note(void *ctx, const struct tf_violation *v)
{
	struct bench *b = ctx;
	tf_buf_printf(&b->told, "%.*s|%s|%.*s\n", (int)v->instance.n, v->instance.p, v->keyword, (int)v->message.n,
		      v->message.p);
	return true;
}

static const struct tf_json *
read_json(struct bench *b, const char *text)
{
	const struct tf_json *v;
	if (tf_json_parse(tf_str(text), &b->arena, TF_JSON_DEPTH_MAX, &v, &b->fault))
		fail_msg("%s: %s", text, b->fault.text);
	return v;
}

static enum tf_err
compile(struct bench *b, const struct tf_schemas_options *o, const char *schema)
{
	*b = (struct bench){0};
	tf_arena_init(&b->arena, "test", 0);
	tf_buf_init(&b->told, 0);
	assert_int_equal(tf_schemas_new(o, &b->set, &b->fault), TF_OK);
	enum tf_err e = tf_schemas_add(b->set, TF_STR("test:s"), read_json(b, schema), true, &b->fault);
	return e ? e : tf_schemas_compile(b->set, TF_STR("test:s"), &b->schema, &b->fault);
}

static void
end(struct bench *b)
{
	tf_schemas_free(&b->set);
	tf_checker_free(&b->checker);
	tf_buf_release(&b->told);
	tf_arena_release(&b->arena);
}

static void
begin(struct bench *b, const struct tf_schemas_options *o, const char *schema)
{
	static const struct tf_schemas_options none;
	if (compile(b, o ? o : &none, schema))
		fail_msg("%s: %s", schema, b->fault.text);
	assert_int_equal(tf_checker_new(NULL, &b->checker), TF_OK);
}

static bool
valid(struct bench *b, const char *instance)
{
	bool first, second = false;
	const struct tf_json *v = read_json(b, instance);
	tf_buf_reset(&b->told);
	if (tf_schema_check(b->schema, v, b->checker, NULL, NULL, &first, &b->fault) ||
	    tf_schema_check(b->schema, v, b->checker, note, b, &second, &b->fault))
		fail_msg("%s: %s", instance, b->fault.text);
	assert_int_equal(first, second);
	assert_int_equal(first, b->told.n == 0);
	return first;
}

static void
tells(struct bench *b, const char *instance, const char *violations)
{
	assert_false(valid(b, instance));
	tf_buf_u8(&b->told, 0);
	assert_string_equal((char *)b->told.p, violations);
}

static void
numbers_are_exact_at_any_length(void **state)
{
	static const struct {
		const char *schema, *instance;
		bool valid;
	} rows[] = {
		{"{\"maximum\": 0.1}", "0.1000000000000000000000000000000001", false},
		{"{\"maximum\": 0.1}", "0.10000", true},
		{"{\"minimum\": 9007199254740993}", "9007199254740992", false},
		{"{\"minimum\": 1e400}", "9e399", false},
		{"{\"minimum\": 1e400}", "1e400", true},
		{"{\"minimum\": -1e-400}", "-1e-399", false},
		{"{\"exclusiveMinimum\": 0}", "1e-999999999999999999999", true},
		{"{\"exclusiveMinimum\": 0}", "-0.0", false},
		{"{\"multipleOf\": 0.01}", "19.99", true},
		{"{\"multipleOf\": 0.01}", "19.999", false},
		{"{\"multipleOf\": 0.1}", "0.30000000000000000000000000000000000001", false},
		{"{\"multipleOf\": 0.0001}", "0.0075", true},
		{"{\"multipleOf\": 3}", "1000000000000000000000000000000000000002", true},
		{"{\"multipleOf\": 3}", "1000000000000000000000000000000000000000", false},
		{"{\"multipleOf\": 7e-5}", "7e300", true},
		{"{\"multipleOf\": 7e-5}", "8e300", false},
		{"{\"multipleOf\": 123456789012345678901234567890}", "246913578024691357802469135780", true},
		{"{\"multipleOf\": 123456789012345678901234567890}", "246913578024691357802469135781", false},
		{"{\"multipleOf\": 1606938044258990275541962092341162602522202993782792835301376}", "1e61", false},
		{"{\"multipleOf\": 1606938044258990275541962092341162602522202993782792835301376}", "1e900", true},
		{"{\"type\": \"integer\"}", "1.000e0", true},
		{"{\"type\": \"integer\"}", "1.5e1", true},
		{"{\"type\": \"integer\"}", "1.5", false},
		{"{\"type\": \"integer\"}", "123456789012345678901234567890.0", true},
		{"{\"const\": 1e2}", "100.0", true},
		{"{\"enum\": [0]}", "-0e5", true},
		{"{\"const\": 9007199254740993}", "9007199254740992", false},
		{"{\"uniqueItems\": true}", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1.0]", false},
		{"{\"uniqueItems\": true}", "[{\"a\":1,\"b\":[2]},{\"b\":[2.0],\"a\":1e0}]", false},
		{"{\"minLength\": 1.0}", "\"\"", false},
		{"{\"maxItems\": 100000000000000000000}", "[1]", true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bench b;
		begin(&b, NULL, rows[i].schema);
		if (valid(&b, rows[i].instance) != rows[i].valid)
			fail_msg("%s: %s", rows[i].schema, rows[i].instance);
		end(&b);
	}
}

static void
violations_name_the_place_and_the_rule(void **state)
{
	struct bench b;
	begin(&b, NULL,
	      "{\"type\":\"object\",\"required\":[\"a\",\"z\"],\"additionalProperties\":false,\"properties\":{"
	      "\"a\":{\"type\":\"integer\",\"minimum\":5},\"b\":{\"items\":{\"enum\":[\"x\",1]}},"
	      "\"s/~\":{\"maxLength\":1,\"pattern\":\"^q\"}}}");
	tells(&b, "{\"a\":1.5,\"b\":[\"x\",2],\"s/~\":\"ab\",\"c\":0}",
	      "/a|type|is a number: an integer is wanted\n"
	      "/a|minimum|is 1.5: at least 5 is wanted\n"
	      "/b/1|enum|is not one of \"x\",1\n"
	      "/s~1~0|maxLength|has 2 characters: at most 1 are allowed\n"
	      "/s~1~0|pattern|does not match ^q\n"
	      "/c||is not allowed\n"
	      "|required|the member 'z' is missing\n");
	tells(&b, "[]", "|type|is an array: an object is wanted\n");
	end(&b);
	begin(&b, NULL, "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"required\":[\"a\"]}]}");
	tells(&b, "{}", "|anyOf|matches none of 2 alternatives\n|required|the member 'a' is missing\n");
	end(&b);
}

static bool
note_member(void *ctx, const struct tf_violation *v)
{
	struct bench *b = ctx;
	tf_buf_printf(&b->told, "%s:%.*s ", v->keyword, (int)v->member.n, v->member.p ? v->member.p : "");
	return true;
}

/* What was missing while alternatives were tried does not stick to the next violation. */
static void
a_missing_member_is_told_with_its_violation_only(void **state)
{
	struct bench b;
	bool ok;
	begin(&b, NULL, "{\"anyOf\":[{\"required\":[\"x\"]},{\"maxProperties\":0}]}");
	assert_int_equal(
		tf_schema_check(b.schema, read_json(&b, "{\"a\":1}"), b.checker, note_member, &b, &ok, &b.fault),
		TF_OK);
	tf_buf_u8(&b.told, 0);
	assert_string_equal((char *)b.told.p, "anyOf: required:x maxProperties: ");
	end(&b);
}

static void
no_more_is_told_than_asked(void **state)
{
	struct bench b;
	bool ok;
	struct tf_checker_options o = {.violations_max = 3};
	begin(&b, NULL, "{\"items\":{\"type\":\"string\"}}");
	tf_checker_free(&b.checker);
	assert_int_equal(tf_checker_new(&o, &b.checker), TF_OK);
	assert_int_equal(tf_schema_check(b.schema, read_json(&b, "[1,2,3,4,5]"), b.checker, note, &b, &ok, &b.fault),
			 TF_OK);
	assert_false(ok);
	tf_buf_u8(&b.told, 0);
	assert_int_equal(strlen((char *)b.told.p), 3 * strlen("/0|type|is a number: a string is wanted\n"));
	end(&b);
}

/* oneOf in oneOf, each level asking both of its alternatives about the next: 2^30 ways without memory. */
static void
nested_alternatives_cost_no_more_than_schemas_times_values(void **state)
{
	struct bench b;
	bool ok;
	struct tf_buf s;
	tf_buf_init(&s, 0);
	tf_buf_cstr(&s, "{\"$ref\":\"#/$defs/l0\",\"$defs\":{");
	for (int i = 0; i < 30; i++)
		tf_buf_printf(&s,
			      "\"l%d\":{\"oneOf\":[{\"$ref\":\"#/$defs/l%d\",\"required\":[\"a\"]},{\"$ref\":\"#/$defs/"
			      "l%d\",\"required\":[\"b\"]}]},",
			      i, i + 1, i + 1);
	tf_buf_cstr(&s, "\"l30\":{\"type\":\"object\"}}}");
	tf_buf_u8(&s, 0);
	struct tf_checker_options o = {.steps_max = 2000};
	begin(&b, NULL, (char *)s.p);
	tf_checker_free(&b.checker);
	assert_int_equal(tf_checker_new(&o, &b.checker), TF_OK);
	assert_int_equal(tf_schema_check(b.schema, read_json(&b, "{\"a\":1}"), b.checker, NULL, NULL, &ok, &b.fault),
			 TF_OK);
	assert_true(ok);
	assert_int_equal(tf_schema_check(b.schema, read_json(&b, "{\"c\":1}"), b.checker, note, &b, &ok, &b.fault),
			 TF_OK);
	assert_false(ok);
	tf_buf_release(&s);
	end(&b);
}

/* A list whose every link is asked by two alternatives. */
static void
recursive_alternatives_cost_no_more_than_schemas_times_values(void **state)
{
	struct bench b;
	bool ok;
	struct tf_buf v;
	tf_buf_init(&v, 0);
	for (int i = 0; i < 200; i++)
		tf_buf_cstr(&v, "{\"n\":");
	tf_buf_cstr(&v, "1");
	for (int i = 0; i < 200; i++)
		tf_buf_u8(&v, '}');
	tf_buf_u8(&v, 0);
	struct tf_checker_options o = {.steps_max = 20000};
	static const char *const schemas[] = {
		"{\"anyOf\":[{\"properties\":{\"n\":{\"$ref\":\"#\"}},\"required\":[\"x\"]},"
		"{\"properties\":{\"n\":{\"$ref\":\"#\"}},\"required\":[\"y\"]},{\"type\":\"string\"}]}",
		"{\"type\":\"object\",\"anyOf\":[{\"properties\":{\"n\":{\"$ref\":\"#\"}}},"
		"{\"properties\":{\"n\":{\"$ref\":\"#\"}}}],\"unevaluatedProperties\":false}",
		"{\"allOf\":[{\"patternProperties\":{\"n\":{\"$ref\":\"#\"}},\"additionalProperties\":false},"
		"{\"properties\":{\"n\":{\"$ref\":\"#\"}}}],\"type\":\"object\"}",
	};
	for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
		begin(&b, NULL, schemas[i]);
		tf_checker_free(&b.checker);
		assert_int_equal(tf_checker_new(&o, &b.checker), TF_OK);
		const struct tf_json *j = read_json(&b, (char *)v.p);
		assert_int_equal(tf_schema_check(b.schema, j, b.checker, NULL, NULL, &ok, &b.fault), TF_OK);
		assert_false(ok);
		assert_int_equal(tf_schema_check(b.schema, j, b.checker, note, &b, &ok, &b.fault), TF_OK);
		end(&b);
	}
	tf_buf_release(&v);
}

static void
steps_and_memory_are_bounded(void **state)
{
	struct bench b;
	bool ok;
	begin(&b, NULL, "{\"items\":{\"type\":\"integer\"}, \"propertyNames\":{\"maxLength\":9}}");
	struct tf_checker_options o = {.steps_max = 3};
	tf_checker_free(&b.checker);
	assert_int_equal(tf_checker_new(&o, &b.checker), TF_OK);
	assert_int_equal(tf_schema_check(b.schema, read_json(&b, "[1,2,3,4]"), b.checker, NULL, NULL, &ok, &b.fault),
			 TF_TOO_LARGE);
	assert_non_null(strstr(b.fault.text, "too many steps"));
	o = (struct tf_checker_options){.memory_max = 16};
	tf_checker_free(&b.checker);
	assert_int_equal(tf_checker_new(&o, &b.checker), TF_OK);
	assert_int_equal(tf_schema_check(b.schema, read_json(&b, "{\"a\":1}"), b.checker, NULL, NULL, &ok, &b.fault),
			 TF_TOO_LARGE);
	end(&b);
}

static void
a_catastrophic_pattern_ends(void **state)
{
	struct bench b;
	bool ok;
	begin(&b, NULL, "{\"pattern\":\"^(a+)+$\"}");
	assert_true(valid(&b, "\"aaaa\""));
	assert_int_equal(tf_schema_check(b.schema,
					 read_json(&b, "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\""),
					 b.checker, NULL, NULL, &ok, &b.fault),
			 TF_TOO_LARGE);
	assert_non_null(strstr(b.fault.text, "pattern"));
	end(&b);
}

static void
patterns_are_ecma_262(void **state)
{
	static const struct {
		const char *pattern, *text;
		int matches; /* -1: no pattern */
	} rows[] = {
		{"^\\\\d$", "\"\\u0661\"", 0},
		{"^\\\\w$", "\"\\u00e9\"", 0},
		{"^\\\\s$", "\"\\ufeff\"", 1},
		{"^\\\\S$", "\"\\u00a0\"", 0},
		{"^[\\\\s]$", "\"\\u2029\"", 1},
		{"^[\\\\S]$", "\"x\"", 1},
		{"^[^\\\\S]$", "\"x\"", 0},
		{"^a$", "\"a\\n\"", 0},
		{"^.$", "\"\\r\"", 0},
		{"^.$", "\"\\u0085\"", 1},
		{"^[^]$", "\"\\n\"", 1},
		{"[]", "\"a\"", 0},
		{"^\\\\u00e9$", "\"\\u00e9\"", 1},
		{"^\\\\u{1f600}$", "\"\\ud83d\\ude00\"", 1},
		{"^\\\\uD83D\\\\uDE00$", "\"\\ud83d\\ude00\"", 1},
		{"^.$", "\"\\ud83d\\ude00\"", 1},
		{"^\\\\p{Letter}+$", "\"\\u00e9x\"", 1},
		{"^\\\\p{Lu}$", "\"x\"", 0},
		{"^\\\\cC$", "\"\\u0003\"", 1},
		{"^(?<y>a)\\\\k<y>$", "\"aa\"", 1},
		{"^(?=a)(?!b)a(?<=a)(?<!b)$", "\"a\"", 1},
		{"^[[:alpha:]]$", "\"b]\"", 0},
		{"^[[:alpha:]]$", "\"a]\"", 1},
		{"^a{1,2}$", "\"aa\"", 1},
		{"^a+?$", "\"aa\"", 1},
		{"^\\\\/$", "\"/\"", 1},
		{"(?i)a", "\"A\"", -1},
		{"a++", "\"a\"", -1},
		{"(?>a)", "\"a\"", -1},
		{"(*ACCEPT)", "\"a\"", -1},
		{"\\\\Aa", "\"a\"", -1},
		{"\\\\Qa", "\"a\"", -1},
		{"(?R)", "\"a\"", -1},
		{"(?#a)", "\"a\"", -1},
		{"(a", "\"a\"", -1},
		{"a\\\\", "\"a\"", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bench b;
		char schema[256];
		struct tf_schemas_options o = {0};
		snprintf(schema, sizeof schema, "{\"pattern\":\"%s\"}", rows[i].pattern);
		enum tf_err e = compile(&b, &o, schema);
		if ((e != TF_OK) != (rows[i].matches < 0))
			fail_msg("%s: %s", schema, e ? b.fault.text : "taken");
		if (!e) {
			assert_int_equal(tf_checker_new(NULL, &b.checker), TF_OK);
			if (valid(&b, rows[i].text) != rows[i].matches)
				fail_msg("%s: %s", schema, rows[i].text);
		}
		end(&b);
	}
}

static void
formats_are_checked_when_asked(void **state)
{
	static const struct {
		const char *format, *text;
		bool valid;
	} rows[] = {
		{"date", "\"2024-02-29\"", true},
		{"date", "\"2023-02-29\"", false},
		{"date-time", "\"2023-02-28T23:59:60Z\"", true},
		{"date-time", "\"2023-02-28T22:59:60Z\"", false},
		{"date-time", "\"2023-02-28T12:00:00.5+05:30\"", true},
		{"date-time", "\"2023-02-28 12:00:00Z\"", false},
		{"time", "\"12:00:00\"", false},
		{"duration", "\"P1DT2H\"", true},
		{"duration", "\"PT\"", false},
		{"duration", "\"P2W\"", true},
		{"email", "\"a.b@example.org\"", true},
		{"email", "\"a..b@example.org\"", false},
		{"ipv4", "\"1.2.3.04\"", false},
		{"ipv4", "\"1.2.3.4\"", true},
		{"ipv6", "\"::1\"", true},
		{"ipv6", "\"1::2::3\"", false},
		{"ipv6", "\"::ffff:1.2.3.4\"", true},
		{"ipv6", "\"1:2:3:4:5:6:7\"", false},
		{"uuid", "\"2eb8aa08-aa98-11ea-b4aa-73b441d16380\"", true},
		{"uuid", "\"2eb8aa08aa9811eab4aa73b441d16380\"", false},
		{"uri", "\"http://a/b?c#d\"", true},
		{"uri", "\"/b\"", false},
		{"uri-reference", "\"/b\"", true},
		{"hostname", "\"-a.b\"", false},
		{"json-pointer", "\"/a~2\"", false},
		{"regex", "\"a(\"", false},
		{"int32", "2147483648", false},
		{"int64", "9223372036854775807", true},
		{"int64", "9223372036854775808", false},
		{"unheard-of", "\"x\"", true},
		{"date", "5", true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (int asked = 0; asked < 2; asked++) {
			struct bench b;
			char schema[128];
			struct tf_schemas_options o = {.formats = asked};
			snprintf(schema, sizeof schema, "{\"format\":\"%s\"}", rows[i].format);
			begin(&b, &o, schema);
			if (valid(&b, rows[i].text) != (rows[i].valid || !asked))
				fail_msg("%s: %s", schema, rows[i].text);
			end(&b);
		}
}

static void
a_schema_that_is_none_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *schema, *part;
	} rows[] = {
		{"{\"properties\":{\"a\":{\"type\":\"whole\"}}}", "'test:s#/properties/a': type"},
		{"{\"minLength\":-1}", "minLength"},
		{"{\"minLength\":1.5}", "minLength"},
		{"{\"multipleOf\":0}", "multipleOf"},
		{"{\"multipleOf\":-2}", "multipleOf"},
		{"{\"required\":\"a\"}", "required"},
		{"{\"allOf\":[]}", "allOf"},
		{"{\"items\":5}", "a schema is"},
		{"{\"$ref\":\"#/nowhere\"}", "there is no 'nowhere'"},
		{"{\"$ref\":\"#nowhere\"}", "no such anchor"},
		{"{\"$ref\":\"http://example.org/x\"}", "no such document"},
		{"{\"$ref\":\"#\"}", "leads back to itself"},
		{"{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#\"}]}}}",
		 "leads back to itself"},
		{"{\"$schema\":\"http://example.org/dialect\"}", "dialect"},
		{"{\"$defs\":{\"a\":{\"$anchor\":\"x\"},\"b\":{\"$anchor\":\"x\"}}}", "two schemas"},
		{"{\"$defs\":{\"a\":{\"$id\":\"x:y\"},\"b\":{\"$id\":\"x:y\"}}}", "two schemas"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bench b;
		struct tf_schemas_options o = {0};
		if (!compile(&b, &o, rows[i].schema))
			fail_msg("%s: compiles", rows[i].schema);
		if (!strstr(b.fault.text, rows[i].part))
			fail_msg("%s: %s", rows[i].schema, b.fault.text);
		end(&b);
	}
}

static void
openapi_3_0_has_its_own_dialect(void **state)
{
	struct bench b;
	struct tf_schemas_options o = {.dialect = TF_DIALECT_OPENAPI_3_0};
	begin(&b, &o,
	      "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"nullable\":true},"
	      "\"b\":{\"type\":\"number\",\"minimum\":0,\"exclusiveMinimum\":true},\"c\":{\"const\":1},"
	      "\"d\":{\"type\":\"string\",\"enum\":[\"x\"],\"nullable\":true}}}");
	assert_true(valid(&b, "{\"a\":null,\"b\":0.1,\"c\":2,\"d\":null}"));
	assert_false(valid(&b, "{\"a\":1}"));
	assert_false(valid(&b, "{\"b\":0}"));
	assert_false(valid(&b, "{\"d\":\"y\"}"));
	end(&b);
}

static void
a_discriminator_is_looked_at_first(void **state)
{
	struct bench b;
	struct tf_schemas_options o = {.dialect = TF_DIALECT_OPENAPI_3_1};
	begin(&b, &o,
	      "{\"oneOf\":[{\"$ref\":\"#/$defs/Cat\"},{\"$ref\":\"#/$defs/Dog\"}],"
	      "\"discriminator\":{\"propertyName\":\"kind\",\"mapping\":{\"hound\":\"#/$defs/Dog\",\"puss\":\"Cat\"}},"
	      "\"$defs\":{\"Cat\":{\"required\":[\"claws\"]},\"Dog\":{\"required\":[\"bark\"]}}}");
	assert_true(valid(&b, "{\"kind\":\"Cat\",\"claws\":1}"));
	assert_true(valid(&b, "{\"kind\":\"puss\",\"claws\":1}"));
	tells(&b, "{\"kind\":\"hound\",\"claws\":1}", "|required|the member 'bark' is missing\n");
	tells(&b, "{\"kind\":\"cow\"}", "/kind|discriminator|names no alternative\n");
	tells(&b, "{}", "|discriminator|the member 'kind' is missing\n");
	tells(&b, "[]", "|discriminator|an object is wanted\n");
	end(&b);
}

static bool
load(void *ctx, struct tf_str uri, const struct tf_json **out)
{
	if (!tf_str_eq(uri, TF_STR("http://example.org/folder/other.json")))
		return false;
	*out = ctx;
	return true;
}

static void
references_go_to_documents_that_are_given(void **state)
{
	struct bench b;
	struct tf_arena a;
	const struct tf_json *other;
	tf_arena_init(&a, "test", 0);
	assert_int_equal(tf_json_parse(TF_STR("{\"$defs\":{\"s\":{\"type\":\"string\"}},\"type\":\"integer\"}"), &a, 0,
				       &other, NULL),
			 TF_OK);
	struct tf_schemas_options o = {.load = load, .ctx = (void *)(uintptr_t)other};
	begin(&b, &o,
	      "{\"$id\":\"http://example.org/folder/a.json\",\"prefixItems\":[{\"$ref\":\"other.json\"},"
	      "{\"$ref\":\"x/../other.json#/$defs/s\"}]}");
	assert_true(valid(&b, "[1,\"a\"]"));
	assert_false(valid(&b, "[1,1]"));
	end(&b);
	tf_arena_release(&a);
}

/* Each allocation fails once: an error, or the same answer; nothing leaks (AddressSanitizer). */
static void
every_allocation_may_fail(void **state)
{
	static const char schema[] =
		"{\"$defs\":{\"a\":{\"$anchor\":\"x\",\"type\":[\"string\",\"null\"],\"pattern\":\"^a\"}},"
		"\"properties\":{\"a\":{\"$ref\":\"#x\"},\"b\":{\"items\":{\"$ref\":\"#x\"}}},\"anyOf\":[{\"$ref\":\"#"
		"x\"},"
		"{\"type\":\"object\"}],\"unevaluatedProperties\":false,\"propertyNames\":{\"maxLength\":3}}";
	for (uint64_t n = 1;; n++) {
		struct bench b = {0};
		bool ok = false;
		const struct tf_json *s, *v;
		struct tf_schemas_options o = {0};
		tf_arena_init(&b.arena, "test", 0);
		assert_int_equal(tf_json_parse(tf_str(schema), &b.arena, 0, &s, NULL), TF_OK);
		assert_int_equal(tf_json_parse(TF_STR("{\"a\":\"ab\",\"b\":[null]}"), &b.arena, 0, &v, NULL), TF_OK);
		tf_mem_fail_at(n);
		enum tf_err e = tf_schemas_new(&o, &b.set, &b.fault);
		if (!e)
			e = tf_schemas_add(b.set, TF_STR("test:s"), s, true, &b.fault);
		if (!e)
			e = tf_schemas_compile(b.set, TF_STR("test:s"), &b.schema, &b.fault);
		if (!e)
			e = tf_checker_new(NULL, &b.checker);
		if (!e)
			e = tf_schema_check(b.schema, v, b.checker, NULL, NULL, &ok, &b.fault);
		uint64_t made = tf_mem_fail_at(0);
		assert_true(e ? e == TF_NO_MEMORY : ok);
		end(&b);
		if (made < n)
			break;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_exact_at_any_length),
		cmocka_unit_test(violations_name_the_place_and_the_rule),
		cmocka_unit_test(a_missing_member_is_told_with_its_violation_only),
		cmocka_unit_test(no_more_is_told_than_asked),
		cmocka_unit_test(nested_alternatives_cost_no_more_than_schemas_times_values),
		cmocka_unit_test(recursive_alternatives_cost_no_more_than_schemas_times_values),
		cmocka_unit_test(steps_and_memory_are_bounded),
		cmocka_unit_test(a_catastrophic_pattern_ends),
		cmocka_unit_test(patterns_are_ecma_262),
		cmocka_unit_test(formats_are_checked_when_asked),
		cmocka_unit_test(a_schema_that_is_none_is_refused_with_its_place),
		cmocka_unit_test(openapi_3_0_has_its_own_dialect),
		cmocka_unit_test(a_discriminator_is_looked_at_first),
		cmocka_unit_test(references_go_to_documents_that_are_given),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
