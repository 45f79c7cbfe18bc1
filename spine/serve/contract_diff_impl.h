/* What the parts of diff share; see contract.h and docs/contracts.md. */
#pragma once
#include "serve/contract_impl.h"

struct diff {
	const struct tf_contract *old, *now;
	const struct tf_operation *op; /* of the old version, or of the new where it was added */
	bool answers;                  /* what is compared is read by clients; else it is sent by them */
	struct tf_buf where;
	struct tf_map met; /* pairs of schemas under way or done, by direction */
	struct tf_arena arena;
	int depth;
	tf_change_fn *fn;
	void *ctx;
	enum tf_err err;
};

/* Which way a set of values moved. */
enum diff_way { DIFF_NARROWER, DIFF_WIDER, DIFF_OTHER };

/* Tells a change at the place under way; a NULL node is not there. */
void diff_tell(struct diff *d, enum tf_change_level level, const struct tf_json *old, const struct tf_json *now,
	       const char *fmt, ...) TF_PRINTF(5, 6);
/* The level by its way: what clients send must not get narrower, what they read must not get wider. */
enum tf_change_level diff_level(const struct diff *d, enum diff_way way);
/* Appends to the place; give back what it returned to diff_leave. */
size_t diff_enter(struct diff *d, const char *fmt, ...) TF_PRINTF(2, 3);
void diff_leave(struct diff *d, size_t before);
/* contract_diff_schema.c: compares what two schemas take. A NULL node takes anything. */
void diff_schemas(struct diff *d, struct schema_spot old, struct schema_spot now);

/* contract_diff_view.c: a schema as one object, its $ref and allOf merged. */

struct view_member {
	struct view_member *next;
	struct tf_str name;
	struct schema_spot spot;
	bool required, lifted; /* lifted: readOnly in a request, writeOnly in an answer */
};

enum { VIEW_BOUNDS = 11 };
extern const char *const view_bounds[VIEW_BOUNDS]; /* names; the first five bound from below */

struct view {
	uint8_t types;
	const struct tf_json *values; /* enum */
	const struct tf_json *value;  /* const */
	struct view_member *members;  /* properties, and required names without one (spot.node NULL) */
	bool closed;                  /* additionalProperties or unevaluatedProperties: false */
	struct schema_spot rest, items;
	const struct tf_json *bounds[VIEW_BOUNDS];
	const struct tf_json *multiple, *pattern, *format, *unique;
	struct schema_spot alternatives; /* anyOf or oneOf */
};

void diff_view(struct diff *d, struct tf_schemas *s, enum tf_dialect dialect, struct schema_spot spot,
	       struct view *out);
const struct view_member *view_find(const struct view *v, struct tf_str name);
