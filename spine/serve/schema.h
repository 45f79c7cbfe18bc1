/* JSON Schema, draft 7 and 2020-12, compiled once and checked many times; the dialect of OpenAPI 3.0 too.
 *
 * Documents are given, never fetched: a reference to what was not given, and the loader does not have, is an error of
 * compiling. Numbers are compared as decimals of any length, without floating point. `pattern` is ECMA-262 as far as
 * docs/decisions/pattern.md says; `format` is an annotation unless asked for.
 *
 * Bounds: a check costs at most (compiled schemas) x (values of the instance) steps, because what can be reached by
 * more than one way is remembered by (schema, value); nested oneOf and anyOf cannot multiply. Past steps_max,
 * memory_max or the depth, the check fails with TF_TOO_LARGE, which is neither valid nor invalid. A reference cycle
 * that consumes nothing of the instance is refused when compiling.
 *
 * Ownership: a set owns all that was compiled in it; documents belong to the caller and must outlive it. Thread rule: a
 * set belongs to one thread until all is compiled; from then on it is immutable and shared. A checker is one thread's.
 */
#pragma once
#include "base/json.h"

struct tf_schemas; /* documents, and what was compiled from them */
struct tf_schema;  /* one compiled schema */
struct tf_checker; /* the memory of a check, used again for the next */

enum tf_dialect {
	TF_DIALECT_2020_12,
	TF_DIALECT_DRAFT_7,
	TF_DIALECT_OPENAPI_3_0, /* nullable, exclusiveMinimum as a bool, discriminator, no $id */
	TF_DIALECT_OPENAPI_3_1, /* 2020-12 and discriminator */
};

struct tf_schemas_options {
	enum tf_dialect dialect; /* of documents that do not say by $schema */
	bool formats;            /* `format` is checked, those known (schema_format.c) */
	const char *lifts;       /* a member whose schema says this keyword is true is not required: "readOnly" */
	uint32_t nodes_max;      /* 0: 100,000 compiled schemas */
	size_t memory_max;       /* 0: 256 MiB */
	/* Gives the document of an absolute URI (without fragment), which must outlive the set. NULL or false: there is
	 * none. Never called while checking. */
	bool (*load)(void *ctx, struct tf_str uri, const struct tf_json **out);
	void *ctx;
};

enum tf_err tf_schemas_new(const struct tf_schemas_options *o, struct tf_schemas **out, struct tf_fault *f) TF_MUST_USE;
void tf_schemas_free(struct tf_schemas **s);
/* A document by its URI; uri may be any word, like "request", when nothing refers to it by one. is_schema false: only
 * what is referred to by JSON pointer, or compiled by itself, is a schema (an OpenAPI document). TF_EXISTS. */
enum tf_err tf_schemas_add(struct tf_schemas *s, struct tf_str uri, const struct tf_json *document, bool is_schema,
			   struct tf_fault *f) TF_MUST_USE;
/* Compiles what ref names: "uri", "uri#anchor", "uri#/json/pointer". The same again gives the same. Faults say where in
 * the schema. */
enum tf_err tf_schemas_compile(struct tf_schemas *s, struct tf_str ref, const struct tf_schema **out,
			       struct tf_fault *f) TF_MUST_USE;
/* Where ref leads, without compiling; NULL and a fault when nowhere. */
enum tf_err tf_schemas_find(struct tf_schemas *s, struct tf_str ref, const struct tf_json **out,
			    struct tf_fault *f) TF_MUST_USE;
/* The schema's place, as an absolute reference. */
struct tf_str tf_schema_place(const struct tf_schema *s);

struct tf_violation {
	struct tf_str instance; /* JSON pointer of the value, "" for the whole */
	struct tf_str schema;   /* absolute reference of the keyword */
	const char *keyword;
	struct tf_str message; /* one sentence, lower case, no full stop */
	uint32_t at;           /* byte offset of the value in its text */
	struct tf_str member;  /* of "required": which is missing; else empty */
};

/* Called for each violation; strings live until it returns. False: no more are wanted. */
typedef bool tf_violation_fn(void *ctx, const struct tf_violation *v);

struct tf_checker_options {
	uint64_t steps_max;      /* 0: 20,000,000 schema applications and comparisons */
	size_t memory_max;       /* 0: 64 MiB */
	uint32_t violations_max; /* 0: 100 */
	uint32_t match_limit;    /* 0: 200,000: PCRE2's match limit of one pattern on one text */
};

enum tf_err tf_checker_new(const struct tf_checker_options *o, struct tf_checker **out) TF_MUST_USE;
void tf_checker_free(struct tf_checker **c);

/* TF_OK: valid, or not, by *out_valid; where not and fn is given, the violations are told. A oneOf or anyOf that no
 * alternative satisfies is told itself, and what is wrong with each alternative of the value's type. TF_TOO_LARGE,
 * TF_NO_MEMORY: not decided. */
enum tf_err tf_schema_check(const struct tf_schema *s, const struct tf_json *v, struct tf_checker *c,
			    tf_violation_fn *fn, void *ctx, bool *out_valid, struct tf_fault *f) TF_MUST_USE;

/* Equal as JSON values: 1.0 and 1, members in any order. */
bool tf_json_same(const struct tf_json *a, const struct tf_json *b);
/* Numbers as decimals: <0, 0, >0. Both must be numbers. */
int tf_json_number_cmp(const struct tf_json *a, const struct tf_json *b);
/* A number without fraction: 1, 1.0, 1e3. */
bool tf_json_whole(const struct tf_json *v);
