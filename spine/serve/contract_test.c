/* Contracts: requests and answers held against a small OpenAPI document, and the problem each gets, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "serve/contract.h"
#include "serve/yaml.h"

static const char document[] =
	"openapi: 3.1.0\n"
	"info: {title: t, version: '1'}\n"
	"servers: [{url: 'https://api.example.org/insure/v1/'}]\n"
	"paths:\n"
	"  /policies/{id}:\n"
	"    parameters:\n"
	"      - {name: id, in: path, required: true, schema: {type: string, pattern: '^P[0-9]+$'}}\n"
	"    get:\n"
	"      operationId: getPolicy\n"
	"      x-deprecated-at: 2025-01-01\n"
	"      x-sunset: '2026-06-30T12:00:00Z'\n"
	"      parameters:\n"
	"        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}\n"
	"        - {name: tag, in: query, schema: {type: array, items: {enum: [a, b]}}}\n"
	"        - {name: ids, in: query, explode: false, schema: {type: array, items: {type: integer}, maxItems: 2}}\n"
	"        - {name: deep, in: query, schema: {type: boolean}}\n"
	"        - {name: filter, in: query, content: {application/json: {schema: {required: [x]}}}}\n"
	"        - {name: X-Correlation-Id, in: header, required: true, schema: {type: string, format: uuid}}\n"
	"        - {name: session, in: cookie, schema: {type: string, minLength: 3}}\n"
	"      responses:\n"
	"        '200':\n"
	"          headers: {ETag: {required: true, schema: {type: string}}}\n"
	"          content: {application/json: {schema: {$ref: '#/components/schemas/Policy'}}}\n"
	"        4XX: {$ref: '#/components/responses/Problem'}\n"
	"        '204': {description: nothing}\n"
	"  /policies/search:\n"
	"    get: {responses: {default: {description: any}}}\n"
	"  /policies:\n"
	"    post:\n"
	"      requestBody:\n"
	"        required: true\n"
	"        content:\n"
	"          application/json: {schema: {$ref: '#/components/schemas/Policy'}}\n"
	"          text/csv: {}\n"
	"      responses: {'201': {description: made, content: {application/json: {schema: {$ref: "
	"'#/components/schemas/Policy'}}}}}\n"
	"components:\n"
	"  responses:\n"
	"    Problem: {description: p, content: {application/problem+json: {schema: {required: [title]}}}}\n"
	"  schemas:\n"
	"    Policy:\n"
	"      type: object\n"
	"      required: [number, premium, made]\n"
	"      additionalProperties: false\n"
	"      properties:\n"
	"        number: {type: string, readOnly: true}\n"
	"        premium: {type: number, multipleOf: 0.01, minimum: 0}\n"
	"        made: {type: string, format: date}\n"
	"        holders: {type: array, items: {$ref: '#/components/schemas/Person'}}\n"
	"    Person: {type: object, required: [name], properties: {name: {type: string}, age: {type: integer}}}\n";

struct bench {
	struct tf_arena arena;
	struct tf_contract *contract;
	struct tf_contract_work *work;
	struct tf_fault fault;
	struct tf_buf out;
};

static void
begin(struct bench *b, const char *text)
{
	const struct tf_json *v;
	*b = (struct bench){0};
	tf_arena_init(&b->arena, "test", 0);
	tf_buf_init(&b->out, 0);
	if (tf_yaml_parse(tf_str(text), &b->arena, 0, &v, &b->fault) ||
	    tf_contract_new(TF_STR("file:///api.yaml"), v, NULL, &b->contract, &b->fault))
		fail_msg("%s", b->fault.text);
	assert_int_equal(tf_contract_work_new(&b->work), TF_OK);
}

static void
end(struct bench *b)
{
	tf_contract_free(&b->contract);
	tf_contract_work_free(&b->work);
	tf_buf_release(&b->out);
	tf_arena_release(&b->arena);
}

/* "GET /path?query", headers as "A: b\nC: d", and a body. */
static struct tf_http_request
request_of(const char *line, const char *headers)
{
	struct tf_http_request r = {.length = TF_HTTP_BODY_NONE};
	struct tf_str rest = tf_str(line), head = tf_str(headers), one;
	tf_str_cut(&rest, ' ', &r.method);
	r.target = rest;
	tf_str_cut(&rest, '?', &r.path);
	r.query = rest;
	while (tf_str_cut(&head, '\n', &one)) {
		struct tf_str name;
		if (tf_str_cut(&one, ':', &name))
			r.headers[r.header_count++] = (struct tf_http_header){name, tf_str_trim(one)};
	}
	return r;
}

/* What was found, as "where field code: text" lines. */
static const char *
asks(struct bench *b, const char *line, const char *headers, const char *body)
{
	static const char *const words[] = {"path", "query", "header", "cookie", "body", "status"};
	static struct tf_contract_findings found;
	struct tf_http_request r = request_of(line, headers);
	const struct tf_operation *op = tf_contract_find(b->contract, r.method, r.path, NULL);
	assert_non_null(op);
	tf_contract_findings_init(&found);
	if (tf_contract_request(op, &r, tf_str(body), b->work, &found, NULL, &b->fault))
		fail_msg("%s", b->fault.text);
	tf_buf_reset(&b->out);
	for (uint32_t i = 0; i < found.count; i++) {
		const struct tf_finding *x = &found.of[i];
		struct tf_str below = x->where == TF_IN_BODY ? TF_STR("") : x->pointer;
		tf_buf_printf(&b->out, "%d %s %.*s%.*s %s: %.*s\n", x->status, words[x->where], TF_FMT(x->field),
			      TF_FMT(below), x->code, TF_FMT(x->text));
	}
	tf_buf_u8(&b->out, 0);
	return (const char *)b->out.p;
}

#define ID "X-Correlation-Id: 2eb8aa08-aa98-11ea-b4aa-73b441d16380"

static void
parameters_are_held_against_the_contract(void **state)
{
	static const struct {
		const char *line, *headers, *found;
	} rows[] = {
		{"GET /insure/v1/policies/P12", ID, ""},
		{"GET /insure/v1/policies/P12?limit=5&tag=a&tag=b&ids=1,2&deep=true", ID, ""},
		{"GET /insure/v1/policies/P1%32", "x-correlation-id: 2eb8aa08-aa98-11ea-b4aa-73b441d16380", ""},
		{"GET /insure/v1/policies/X12", ID, "400 path id INVALID: does not match ^P[0-9]+$\n"},
		{"GET /insure/v1/policies/P1?limit=abc", ID,
		 "400 query limit INVALID: is a string: an integer is wanted\n"},
		{"GET /insure/v1/policies/P1?limit=0", ID, "400 query limit INVALID: is 0: at least 1 is wanted\n"},
		{"GET /insure/v1/policies/P1?limit=05", ID,
		 "400 query limit INVALID: is a string: an integer is wanted\n"},
		{"GET /insure/v1/policies/P1?limit=1&limit=2", ID,
		 "400 query limit INVALID: is given more than once\n"},
		{"GET /insure/v1/policies/P1?limits=1", ID, "400 query limits UNKNOWN: no such parameter\n"},
		{"GET /insure/v1/policies/P1?tag=a&tag=c", ID, "400 query tag/1 INVALID: is not one of \"a\",\"b\"\n"},
		{"GET /insure/v1/policies/P1?ids=1,2,3", ID,
		 "400 query ids INVALID: has 3 elements: at most 2 are allowed\n"},
		{"GET /insure/v1/policies/P1?deep=yes", ID,
		 "400 query deep INVALID: is a string: a boolean is wanted\n"},
		{"GET /insure/v1/policies/P1?filter=%7B%22x%22:1%7D", ID, ""},
		{"GET /insure/v1/policies/P1?filter=%7B%7D", ID,
		 "400 query filter/x MISSING: the member 'x' is missing\n"},
		{"GET /insure/v1/policies/P1", "", "400 header X-Correlation-Id MISSING: is missing\n"},
		{"GET /insure/v1/policies/P1", "X-Correlation-Id: 5",
		 "400 header X-Correlation-Id INVALID: is no valid uuid\n"},
		{"GET /insure/v1/policies/P1", ID "\nCookie: a=b; session=xy",
		 "400 cookie session INVALID: has 2 characters: at least 3 are wanted\n"},
	};
	struct bench b;
	begin(&b, document);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(asks(&b, rows[i].line, rows[i].headers, ""), rows[i].found);
	assert_non_null(strstr(asks(&b, "GET /insure/v1/policies/P1?filter=%7B", ID, ""),
			       "400 query filter SYNTAX: invalid JSON: line 1"));
	end(&b);
}

static void
bodies_are_held_against_the_contract(void **state)
{
	static const struct {
		const char *headers, *body, *found;
	} rows[] = {
		{"Content-Type: application/json", "{\"premium\":12.30,\"made\":\"2025-01-01\"}", ""},
		{"Content-Type: application/json; charset=utf-8",
		 "{\"number\":\"P1\",\"premium\":1e1,\"made\":\"2025-01-01\",\"holders\":[{\"name\":\"x\"}]}", ""},
		{"Content-Type: text/csv", "a,b", ""},
		{"Content-Type: application/json", "{\"premium\":12.345,\"made\":\"2025-02-30\",\"x\":1}",
		 "422 body /premium INVALID: is 12.345: a multiple of 0.01 is wanted\n"
		 "422 body /made INVALID: is no valid date\n"
		 "422 body /x UNKNOWN: is not allowed\n"},
		{"Content-Type: application/json",
		 "{\"premium\":1,\"made\":\"2025-01-01\",\"holders\":[{\"name\":\"x\"},{\"age\":\"y\"}]}",
		 "422 body /holders/1/age INVALID: is a string: an integer is wanted\n"
		 "422 body /holders/1/name MISSING: the member 'name' is missing\n"},
		{"Content-Type: text/plain", "x",
		 "415 header Content-Type MEDIA_TYPE: text/plain is not taken: application/json is taken\n"},
		{"", "{}", "415 header Content-Type MISSING: is missing: application/json is taken\n"},
		{"Content-Type: application/json", "", "400 body  MISSING: a body is wanted\n"},
	};
	struct bench b;
	begin(&b, document);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(asks(&b, "POST /insure/v1/policies", rows[i].headers, rows[i].body), rows[i].found);
	assert_non_null(strstr(asks(&b, "POST /insure/v1/policies", "Content-Type: application/json", "{\"a\":}"),
			       "400 body  SYNTAX: invalid JSON: line 1, column 6"));
	assert_string_equal(asks(&b, "GET /insure/v1/policies/P1", ID, "x"),
			    "400 body  UNEXPECTED: a body is not taken here\n");
	end(&b);
}

static void
a_problem_names_the_field(void **state)
{
	struct bench b;
	struct tf_contract_findings found;
	begin(&b, document);
	struct tf_http_request r = request_of("POST /insure/v1/policies", "Content-Type: application/json");
	const struct tf_operation *op = tf_contract_operation(b.contract, r.method, TF_STR("/insure/v1/policies"));
	assert_ptr_equal(op, tf_contract_operation(b.contract, r.method, TF_STR("/policies")));
	tf_contract_findings_init(&found);
	assert_int_equal(tf_contract_request(op, &r, TF_STR("{\"premium\":-1,\"made\":\"2025-01-01\",\"q/\":0}"),
					     b.work, &found, NULL, &b.fault),
			 TF_OK);
	tf_contract_problem(&found, r.path, (struct tf_str){0}, &b.out);
	tf_buf_u8(&b.out, 0);
	assert_string_equal(
		(char *)b.out.p,
		"{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,"
		"\"detail\":\"body /premium: is -1: at least 0 is wanted\",\"instance\":\"/insure/v1/policies\","
		"\"code\":\"INVALID\",\"field\":\"/premium\",\"errors\":["
		"{\"pointer\":\"#/premium\",\"code\":\"INVALID\",\"detail\":\"is -1: at least 0 is wanted\"},"
		"{\"pointer\":\"#/q~1\",\"code\":\"UNKNOWN\",\"detail\":\"is not allowed\"}]}\n");
	end(&b);
}

static void
the_body_comes_as_a_tree(void **state)
{
	struct bench b;
	struct tf_contract_findings found;
	const struct tf_json *body;
	begin(&b, document);
	struct tf_http_request r = request_of("POST /insure/v1/policies", "Content-Type: application/json");
	const struct tf_operation *op = tf_contract_find(b.contract, r.method, r.path, NULL);
	tf_contract_findings_init(&found);
	assert_int_equal(tf_contract_request(op, &r, TF_STR("{\"premium\":1.10,\"made\":\"2025-01-01\"}"), b.work,
					     &found, &body, &b.fault),
			 TF_OK);
	assert_true(tf_str_eq(tf_json_get(body, "premium")->text, TF_STR("1.10")));
	end(&b);
}

static void
fixed_segments_go_before_parameters(void **state)
{
	struct bench b;
	bool other;
	begin(&b, document);
	const struct tf_operation *op =
		tf_contract_find(b.contract, TF_STR("GET"), TF_STR("/insure/v1/policies/search"), NULL);
	assert_true(tf_str_eq(op->path, TF_STR("/policies/search")));
	assert_null(tf_contract_find(b.contract, TF_STR("PUT"), TF_STR("/insure/v1/policies"), &other));
	assert_true(other);
	assert_null(tf_contract_find(b.contract, TF_STR("GET"), TF_STR("/insure/v2/policies/P1"), &other));
	assert_false(other);
	assert_null(tf_contract_find(b.contract, TF_STR("GET"), TF_STR("/insure/v1/policies/P1/x"), &other));
	assert_null(tf_contract_find(b.contract, TF_STR("GET"), TF_STR("/insure/v1/policies/"), &other));
	end(&b);
}

static void
answers_are_held_against_the_contract(void **state)
{
	static const struct {
		int status;
		const char *headers, *body, *text;
	} rows[] = {
		{200, "ETag: 1\nContent-Type: application/json",
		 "{\"number\":\"P1\",\"premium\":1,\"made\":\"2025-01-01\"}", ""},
		{200, "ETag: 1\nContent-Type: application/json", "{\"premium\":1,\"made\":\"2025-01-01\"}",
		 "the member 'number' is missing"},
		{200, "Content-Type: application/json", "{\"number\":\"P1\",\"premium\":1,\"made\":\"2025-01-01\"}",
		 "is missing"},
		{200, "ETag: 1\nContent-Type: text/html", "x", "text/html is not what the contract says"},
		{404, "Content-Type: application/problem+json", "{\"title\":\"x\"}", ""},
		{404, "Content-Type: application/problem+json", "{}", "the member 'title' is missing"},
		{204, "", "", ""},
		{204, "Content-Type: text/plain", "x", "a body that the contract does not know"},
		{302, "", "", "the status 302 is not in the contract"},
	};
	struct bench b;
	begin(&b, document);
	const struct tf_operation *op = tf_contract_operation(b.contract, TF_STR("GET"), TF_STR("/policies/{id}"));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tf_contract_findings found;
		struct tf_http_request r = request_of("x /", rows[i].headers);
		tf_contract_findings_init(&found);
		assert_int_equal(tf_contract_response(op, rows[i].status, r.headers, r.header_count,
						      tf_str(rows[i].body), b.work, &found, &b.fault),
				 TF_OK);
		assert_int_equal(found.count, rows[i].text[0] ? 1 : 0);
		if (found.count)
			assert_true(tf_str_eq(found.of[0].text, tf_str(rows[i].text)));
	}
	end(&b);
}

static void
an_end_is_announced(void **state)
{
	struct bench b;
	char text[TF_OPERATION_DATE_MAX];
	begin(&b, document);
	const struct tf_operation *op = tf_contract_at(b.contract, 0);
	assert_true(op->deprecated);
	assert_true(tf_operation_deprecation(op, text));
	assert_string_equal(text, "@1735689600");
	assert_true(tf_operation_sunset(op, text));
	assert_string_equal(text, "Tue, 30 Jun 2026 12:00:00 GMT");
	assert_false(tf_operation_sunset(tf_contract_at(b.contract, 1), text));
	assert_null(tf_contract_at(b.contract, 3));
	end(&b);
}

/* Of an operation's own words, else the document's. */
static void
what_an_operation_asks_of_its_caller(void **state)
{
	static const char text[] = "openapi: 3.1.0\n"
				   "info: {title: t, version: '1'}\n"
				   "security: [{certificate: []}, {token: [all]}]\n"
				   "paths:\n"
				   "  /a:\n"
				   "    get:\n"
				   "      security: [{certificate: []}, {token: [a:read, a:list]}]\n"
				   "      x-roles: [clerk, auditor]\n"
				   "      x-own-unless: [auditor]\n"
				   "      responses: {default: {description: any}}\n"
				   "    post: {responses: {default: {description: any}}}\n"
				   "    put: {security: [], responses: {default: {description: any}}}\n";
	struct bench b;
	begin(&b, text);
	const struct tf_operation *op = tf_contract_at(b.contract, 0);
	assert_string_equal(op->scopes, "a:read a:list");
	assert_string_equal(op->roles, "clerk auditor");
	assert_string_equal(op->own_unless, "auditor");
	op = tf_contract_at(b.contract, 1);
	assert_string_equal(op->scopes, "all");
	assert_null(op->roles);
	assert_null(op->own_unless);
	assert_null(tf_contract_at(b.contract, 2)->scopes);
	end(&b);
}

static void
no_more_is_kept_than_findings_hold(void **state)
{
	struct bench b;
	struct tf_buf body;
	begin(&b, document);
	tf_buf_init(&body, 0);
	tf_buf_cstr(&body, "{\"premium\":1,\"made\":\"2025-01-01\"");
	for (int i = 0; i < 200; i++)
		tf_buf_printf(&body, ",\"%0900d\":1", i);
	tf_buf_cstr(&body, "}");
	tf_buf_u8(&body, 0);
	const char *found =
		asks(&b, "POST /insure/v1/policies", "Content-Type: application/json", (const char *)body.p);
	assert_non_null(strstr(found, "UNKNOWN"));
	tf_buf_release(&body);
	end(&b);
}

static void
a_document_that_is_none_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{"{}", "openapi"},
		{"openapi: 2.0.0", "not known"},
		{"{openapi: 3.1.0, paths: {/a: {get: {parameters: [{$ref: '#/x'}]}}}}", "there is no 'x'"},
		{"{openapi: 3.1.0, paths: {/a: {get: {parameters: [{name: a}]}}}}", "wants a name"},
		{"{openapi: 3.1.0, paths: {/a: {get: {responses: {'200': {content: {application/json: {schema: {type: "
		 "x}}}}}}}}}",
		 "GET /a: invalid schema"},
		{"{openapi: 3.1.0, paths: {/a: {$ref: '#/paths/~1a'}}}", "circle"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bench b = {0};
		const struct tf_json *v;
		tf_arena_init(&b.arena, "test", 0);
		assert_int_equal(tf_yaml_parse(tf_str(rows[i][0]), &b.arena, 0, &v, &b.fault), TF_OK);
		assert_int_not_equal(tf_contract_new(TF_STR("file:///a"), v, NULL, &b.contract, &b.fault), TF_OK);
		if (!strstr(b.fault.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], b.fault.text);
		end(&b);
	}
}

/* Each allocation fails once: an error or the same answer; nothing leaks (AddressSanitizer). */
static void
every_allocation_may_fail(void **state)
{
	struct tf_arena arena;
	const struct tf_json *v;
	tf_arena_init(&arena, "test", 0);
	assert_int_equal(tf_yaml_parse(tf_str(document), &arena, 0, &v, NULL), TF_OK);
	for (uint64_t n = 1;; n++) {
		struct tf_contract *c = NULL;
		struct tf_contract_work *w = NULL;
		struct tf_contract_findings found;
		struct tf_http_request r = request_of("POST /insure/v1/policies", "Content-Type: application/json");
		tf_contract_findings_init(&found);
		tf_mem_fail_at(n);
		enum tf_err e = tf_contract_new(TF_STR("file:///a"), v, NULL, &c, NULL);
		if (!e)
			e = tf_contract_work_new(&w);
		if (!e)
			e = tf_contract_request(tf_contract_find(c, r.method, r.path, NULL), &r,
						TF_STR("{\"premium\":1}"), w, &found, NULL, NULL);
		uint64_t made = tf_mem_fail_at(0);
		if (!e)
			assert_int_equal(found.count, 1);
		tf_contract_work_free(&w);
		tf_contract_free(&c);
		if (made < n)
			break;
	}
	tf_arena_release(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_held_against_the_contract),
		cmocka_unit_test(bodies_are_held_against_the_contract),
		cmocka_unit_test(a_problem_names_the_field),
		cmocka_unit_test(the_body_comes_as_a_tree),
		cmocka_unit_test(fixed_segments_go_before_parameters),
		cmocka_unit_test(answers_are_held_against_the_contract),
		cmocka_unit_test(an_end_is_announced),
		cmocka_unit_test(what_an_operation_asks_of_its_caller),
		cmocka_unit_test(no_more_is_kept_than_findings_hold),
		cmocka_unit_test(a_document_that_is_none_is_refused),
		cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
