/* What the parts of a contract share; see contract.h. */
#pragma once
#include "serve/contract.h"
#include "serve/schema_impl.h"

enum { OPERATION_SEGMENTS_MAX = 32, OPERATION_REFS_MAX = 32 };

enum parameter_style { STYLE_SIMPLE, STYLE_FORM, STYLE_SPACE, STYLE_PIPE, STYLE_JSON };

struct operation_parameter {
	enum tf_finding_where in;
	struct tf_str name;
	bool required, explode, empty; /* empty: allowEmptyValue */
	enum parameter_style style;
	const struct tf_schema *schema; /* NULL: anything */
	uint8_t types, item_types;      /* which types the text may become (schema_impl.h's bits) */
	struct schema_spot spot;
};

struct operation_media {
	struct tf_str type; /* "application/json", or a range */
	bool json;
	const struct tf_schema *schema; /* NULL: anything */
	struct schema_spot spot;        /* of its schema; node NULL: none */
};

struct operation_content {
	struct operation_media *of;
	uint32_t count;
};

struct operation_response {
	struct tf_str status; /* "200", "4XX", "default" */
	struct operation_content content;
	struct operation_parameter *headers;
	uint32_t header_count;
	struct schema_spot spot;
};

struct operation_parts {
	const struct tf_contract *contract;
	struct tf_str segments[OPERATION_SEGMENTS_MAX]; /* of the template */
	uint32_t segment_count;
	struct operation_parameter *parameters;
	uint32_t parameter_count;
	bool has_body, body_required;
	struct operation_content body;
	struct operation_response *responses;
	uint32_t response_count;
	struct schema_spot spot;
};

struct tf_contract {
	struct tf_contract_options o;
	struct tf_arena arena;
	struct tf_schemas *requests, *responses; /* readOnly is not required in one, writeOnly in the other */
	const struct tf_json *document;
	struct schema_spot root;
	enum tf_dialect dialect;
	struct tf_str *bases; /* the servers' paths, without a slash at the end */
	uint32_t base_count;
	struct tf_operation *operations;
	uint32_t count;
};

struct tf_contract_work {
	struct tf_arena arena;
	struct tf_checker *checker;
};

/* contract_read.c */

/* The member of a spot; node NULL when there is none. */
struct schema_spot contract_member(struct tf_schemas *s, struct schema_spot spot, struct tf_str name);
struct schema_spot contract_element(struct tf_schemas *s, struct schema_spot spot, const struct tf_json *element,
				    uint32_t index);
/* Follows $ref, at most OPERATION_REFS_MAX times. */
enum tf_err contract_follow(struct tf_schemas *s, struct schema_spot *spot, struct tf_fault *f) TF_MUST_USE;
enum tf_err contract_dialect(const struct tf_json *document, enum tf_dialect *out, struct tf_fault *f) TF_MUST_USE;
bool contract_is_method(struct tf_str name);

/* contract_parts.c: what an operation is made of. */
enum tf_err contract_parts(struct tf_contract *c, struct schema_spot item, struct schema_spot operation,
			   struct operation_parts *out, struct tf_fault *f) TF_MUST_USE;
bool contract_is_json(struct tf_str media_type);

/* contract_match.c */

/* Cuts a path at its slashes; false when there are too many pieces. */
bool contract_segments(struct tf_str path, struct tf_str out[static OPERATION_SEGMENTS_MAX], uint32_t *out_count);
/* Does the segment of a template hold a parameter, and does text match? *out_value (may be NULL) by the name. */
bool contract_segment_value(struct tf_str segment, struct tf_str text, struct tf_str name, struct tf_str *out_value);
/* A path without the server's part. */
struct tf_str contract_below(const struct tf_contract *c, struct tf_str path);

/* contract_param.c */

/* Parameters of one place held against what came. */
struct contract_check {
	struct tf_contract_work *w;
	struct tf_contract_findings *found;
	enum tf_err err;
	struct tf_fault *fault;
	enum tf_finding_where where; /* of what is checked now */
	struct tf_str field;
	int status;
};

void contract_find(struct contract_check *k, const char *code, int status, struct tf_str pointer, const char *fmt, ...)
	TF_PRINTF(5, 6);
/* Checks a value against a schema (NULL: anything), violations becoming findings. */
void contract_check_value(struct contract_check *k, const struct tf_schema *s, const struct tf_json *v);
/* A parameter's text; values[1..] only where a query repeats it. count 0: it is missing. */
void contract_check_parameter(struct contract_check *k, const struct operation_parameter *p,
			      const struct tf_str *values, uint32_t count);
