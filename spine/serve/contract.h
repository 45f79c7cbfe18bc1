/* An API's contract: an OpenAPI 3.0 or 3.1 document, compiled once, and requests and responses held against it.
 *
 *   tf_contract_new            document -> operations, with their parameters, bodies and responses
 *   tf_contract_find           method and path -> operation       (or tf_contract_operation once, when routes are made)
 *   tf_contract_request        headers, query, body against an operation; gives the body as JSON to the handler
 *   tf_contract_response       what is about to be sent
 *   tf_contract_problem        what was wrong, as an RFC 9457 problem naming the field
 *
 * In a service: keep the tf_operation with each route; one tf_contract_work per worker; in the handler
 *
 *     struct tf_contract_findings found;
 *     tf_contract_findings_init(&found);
 *     e = tf_contract_request(op, tf_exchange_request(x), tf_exchange_body(x), work, &found, &body, &fault);
 *     if (found.count) { tf_contract_problem(&found, tf_exchange_request(x)->path,
 *             tf_trace_correlation(tf_exchange_trace(x)), &buf);
 *         tf_reply(x, found.status, TF_PROBLEM_TYPE, tf_buf_view(&buf)); }
 *
 * and before the answer tf_operation_deprecation and tf_operation_sunset give the headers that announce an end.
 *
 * What is checked: path, query, header and cookie parameters (required, unknown query names, schema; styles simple,
 * form, spaceDelimited, pipeDelimited of scalars and arrays, and JSON by `content`), the body's media type and, where
 * that is JSON, its schema; of a response the status, media type, headers and body. What is not: security (it is read
 * for the gate), XML and form bodies (their media type only), parameters that are objects (refused when compiling).
 *
 * Versions stand side by side as documents with different `servers` paths: one tf_contract each, asked in turn.
 *
 * Bounds: schema.h's, and TF_FINDINGS_MAX told. References go to the document and to what `load` gives, never out.
 * Ownership: a contract owns what it compiled; the document must outlive it. Thread rule: a contract is immutable; a
 * work and findings are one thread's. */
#pragma once
#include "serve/http.h"
#include "serve/schema.h"

struct tf_contract;
struct tf_contract_work; /* memory of a check, used again */

#define TF_PROBLEM_TYPE "application/problem+json"

struct tf_contract_options {
	bool formats_off;         /* formats are checked unless said */
	bool unknown_query;       /* query parameters that the contract does not know are let through */
	const char *problem_type; /* prefix of problem types, "https://api.example.org/problems/"; NULL: about:blank */
	bool (*load)(void *ctx, struct tf_str uri, const struct tf_json **out); /* as in tf_schemas_options */
	void *ctx;
};

/* uri: where the document stands, for references relative to it. */
enum tf_err tf_contract_new(struct tf_str uri, const struct tf_json *document, const struct tf_contract_options *o,
			    struct tf_contract **out, struct tf_fault *f) TF_MUST_USE;
void tf_contract_free(struct tf_contract **c);

struct tf_operation {
	struct tf_str method;          /* "GET" */
	struct tf_str path;            /* template, without the servers' path: "/policies/{id}" */
	struct tf_str id;              /* operationId, or empty */
	struct tf_str place;           /* absolute reference in the document */
	bool deprecated;               /* `deprecated`, or x-deprecated-at */
	tf_time deprecated_at, sunset; /* x-deprecated-at, x-sunset: a date or RFC 3339 time; 0: none */
	/* What it asks of who calls, for the gate (guard.h): words with single blanks between them; NULL: nothing. */
	const char *scopes;     /* all of them: of its `security`, or the document's, the first with any */
	const char *roles;      /* x-roles: one of them */
	const char *own_unless; /* x-own-unless: without one of these roles only what is the caller's own */
	const struct operation_parts *parts; /* contract_impl.h */
};

/* The operation of a route by its template, with or without the servers' path; NULL: none. */
const struct tf_operation *tf_contract_operation(const struct tf_contract *c, struct tf_str method, struct tf_str path);
/* The operation of a concrete path (percent-encoded, without query); fixed segments go before parameters. NULL: none;
 * *out_other (may be NULL) then says whether another method is there (405 and not 404). */
const struct tf_operation *tf_contract_find(const struct tf_contract *c, struct tf_str method, struct tf_str path,
					    bool *out_other);
/* The i-th operation in the document's order, NULL behind the last. */
const struct tf_operation *tf_contract_at(const struct tf_contract *c, uint32_t i);

enum tf_err tf_contract_work_new(struct tf_contract_work **out) TF_MUST_USE;
void tf_contract_work_free(struct tf_contract_work **w);

enum tf_finding_where { TF_IN_PATH, TF_IN_QUERY, TF_IN_HEADER, TF_IN_COOKIE, TF_IN_BODY, TF_IN_STATUS };

#define TF_FINDINGS_MAX 20

struct tf_finding {
	enum tf_finding_where where;
	struct tf_str field;   /* parameter or header name; JSON pointer in a body */
	struct tf_str pointer; /* below a parameter, or of the body */
	struct tf_str text;    /* what is wrong, one sentence */
	const char *code;      /* MISSING, INVALID, UNKNOWN, MEDIA_TYPE, SYNTAX, UNDOCUMENTED, UNEXPECTED */
	int status;            /* that answers it: 400, 415 or 422 */
};

/* What was wrong with one message. Strings live in bytes. */
struct tf_contract_findings {
	uint32_t count; /* told, at most TF_FINDINGS_MAX */
	int status;     /* of the first */
	struct tf_finding of[TF_FINDINGS_MAX];
	const char *problem_type;
	size_t used;
	char bytes[8192];
};

void tf_contract_findings_init(struct tf_contract_findings *found);

/* Holds a request against its operation. *out_body (may be NULL) is the body when it is JSON, else NULL; it lives until
 * the work's next use and points into body. 400: parameters, syntax; 415: media type; 422: the body's content. An
 * error is a bound that was reached (TF_TOO_LARGE) or TF_NO_MEMORY: the request is not decided. */
enum tf_err tf_contract_request(const struct tf_operation *op, const struct tf_http_request *r, struct tf_str body,
				struct tf_contract_work *w, struct tf_contract_findings *found,
				const struct tf_json **out_body, struct tf_fault *f) TF_MUST_USE;
/* Holds an answer against its operation. */
enum tf_err tf_contract_response(const struct tf_operation *op, int status, const struct tf_http_header *headers,
				 size_t header_count, struct tf_str body, struct tf_contract_work *w,
				 struct tf_contract_findings *found, struct tf_fault *f) TF_MUST_USE;

/* Appends the findings of a request as a problem (RFC 9457): type, title, status, detail, instance, code, field, and
 * correlation_id, and errors[] with pointer or parameter, and detail. instance and correlation may be empty. */
void tf_contract_problem(const struct tf_contract_findings *found, struct tf_str instance, struct tf_str correlation,
			 struct tf_buf *out);

#define TF_OPERATION_DATE_MAX 40
/* Deprecation (RFC 9745: "@1735689600") and Sunset (RFC 8594: an HTTP date) of an operation; false: not announced. */
bool tf_operation_deprecation(const struct tf_operation *op, char out[static TF_OPERATION_DATE_MAX]);
bool tf_operation_sunset(const struct tf_operation *op, char out[static TF_OPERATION_DATE_MAX]);

/* Looking at a document. */

enum tf_lint_level { TF_LINT_ERROR, TF_LINT_WARNING };

struct tf_lint {
	enum tf_lint_level level;
	const char *rule;    /* "unresolved-ref" */
	struct tf_str place; /* absolute reference: URI and JSON pointer */
	struct tf_str text;  /* what is wrong */
	uint32_t at;         /* byte offset in the text of the document, where in_document */
	bool in_document;    /* and not in one it refers to */
};

typedef void tf_lint_fn(void *ctx, const struct tf_lint *l);
/* Tells what is wrong with a document (rules: docs/contracts.md). */
enum tf_err tf_contract_lint(struct tf_str uri, const struct tf_json *document, const struct tf_contract_options *o,
			     tf_lint_fn *fn, void *ctx, struct tf_fault *f) TF_MUST_USE;

enum tf_change_level { TF_CHANGE_BREAKING, TF_CHANGE_COMPATIBLE, TF_CHANGE_DOCUMENTATION };

struct tf_change {
	enum tf_change_level level;
	const char *whom; /* "clients that send" or "clients that read"; "": both, or none */
	struct tf_str method, path;
	struct tf_str where; /* "request body /a/b", "query limit", "response 200 body /x" */
	struct tf_str text;
	uint32_t old_at, new_at; /* byte offsets in the two texts; UINT32_MAX: not there */
};

typedef void tf_change_fn(void *ctx, const struct tf_change *c);
/* Tells what changed from one version to the next, and whom it breaks: a request may only be taken more widely, an
 * answer may only be given more narrowly. */
enum tf_err tf_contract_diff(const struct tf_contract *old, const struct tf_contract *now, tf_change_fn *fn, void *ctx,
			     struct tf_fault *f) TF_MUST_USE;
