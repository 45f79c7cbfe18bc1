/* What the parts of the schema compiler and checker share; see schema.h.
 *
 *   schema_load    documents, $id, anchors, references    -> places
 *   schema_compile, schema_rules                          -> struct tf_schema, a graph
 *   schema_graph   what must be remembered; cycles refused
 *   schema_check, schema_apply, schema_rest               a walk over instance and graph
 *   schema_number, schema_same, schema_pattern, schema_format, schema_uri: what they need */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/map.h"
#include "serve/schema.h"

/* A number as sign, digits without outer zeros, and the exponent of the last digit. Zero has no digits. */
struct schema_number {
	struct tf_str whole, part; /* the lexeme's digits before and after the point */
	uint32_t from, to;         /* significant digits, counted over both */
	int64_t exponent;          /* of the last significant digit */
	bool negative;
};

/* Digits of a divisor that are looked at; a longer one is refused when compiling. */
#define SCHEMA_DIVISOR_MAX 1024

struct schema_number schema_number(struct tf_str lexeme);
int schema_number_cmp(const struct schema_number *a, const struct schema_number *b);
bool schema_number_whole(const struct schema_number *a);
/* Is a a whole multiple of b? b is positive. */
bool schema_number_multiple(const struct schema_number *a, const struct schema_number *b);
uint64_t schema_number_hash(const struct schema_number *a);
/* A count: whole, not negative, below 2^32 (more becomes 2^32 - 1, which nothing reaches). */
bool schema_number_count(const struct tf_json *v, uint32_t *out);

/* Absolute reference of ref against base (RFC 3986, 5.2), in the arena; p NULL when memory is out. */
struct tf_str schema_uri_resolve(struct tf_arena *a, struct tf_str base, struct tf_str ref);
/* Takes the fragment off, without '#'; p NULL when there is none. */
struct tf_str schema_uri_fragment(struct tf_str *uri);
bool schema_uri_absolute(struct tf_str uri);
/* Percent-decoded, in the arena. */
struct tf_str schema_uri_decode(struct tf_arena *a, struct tf_str s);

/* Compiled from an ECMA-262 pattern; NULL and a fault when it is none. */
struct schema_pattern {
	pcre2_code *code;
	struct tf_str text;
	struct schema_pattern *next; /* all of a set, to be freed */
};
enum tf_err schema_pattern_new(struct tf_str text, struct tf_arena *a, struct schema_pattern **out,
			       struct tf_fault *f) TF_MUST_USE;
void schema_pattern_release(struct schema_pattern *p);

/* NULL for a format that is not known. */
typedef bool schema_format_fn(const struct tf_json *v);
schema_format_fn *schema_format(struct tf_str name);

enum { SCHEMA_INTEGER = 6, SCHEMA_ANY_TYPE = 0x7f }; /* bits of types: enum tf_json_kind, and this */

struct schema_bound {
	struct schema_number number;
	struct tf_str text;
	const char *keyword;
	bool small; /* value is it exactly */
	int64_t value;
};

struct schema_numbers {
	struct schema_bound low, high, low_open, high_open, multiple; /* there when text.p */
};

struct schema_strings {
	uint32_t min, max;
	struct schema_pattern *pattern;
};

struct schema_arrays {
	const struct tf_schema **prefix;
	uint32_t prefix_count;
	const struct tf_schema *rest; /* items behind the prefix */
	const char *prefix_keyword, *rest_keyword;
	const struct tf_schema *contains;
	uint32_t contains_min, contains_max;
	uint32_t min, max;
	bool unique, contains_marks; /* 2020-12: contains evaluates */
};

struct schema_property {
	struct tf_str name;
	const struct tf_schema *schema; /* NULL: only required, or a dependency's */
	uint64_t head, tail; /* of the name: with its length they are a name of up to 16 bytes (schema_objects.c) */
	int32_t required;    /* its number among the required, or -1 */
};

struct schema_dependency {
	struct tf_str name;
	struct tf_str *names; /* that must be there */
	uint32_t name_count;
	const struct tf_schema *schema;
	const char *keyword;
};

struct schema_objects {
	struct schema_property *table; /* open addressing, mask + 1 places, or NULL */
	uint32_t mask, required_count;
	struct tf_str *required;
	struct {
		struct schema_pattern *pattern;
		const struct tf_schema *schema;
	} * patterns;
	uint32_t pattern_count;
	const struct tf_schema *rest, *names; /* additionalProperties, propertyNames */
	struct schema_dependency *dependencies;
	uint32_t dependency_count;
	uint32_t min, max;
};

struct schema_branches {
	const struct tf_schema **of;
	uint32_t count;
};

struct schema_choice { /* a discriminator */
	struct tf_str property;
	struct tf_map by_value; /* to the index of an alternative; keys borrowed */
};

struct schema_logic {
	const struct tf_schema *ref;
	const char *ref_keyword;
	struct schema_branches all, any, one;
	const struct tf_schema * not, *if_, *then, *else_;
	struct schema_choice *choice; /* of one, or of any */
};

struct tf_schema {
	uint8_t types; /* bit per kind, and SCHEMA_INTEGER */
	bool never;    /* the schema false */
	bool leaf;     /* combines no others */
	bool remember; /* can be reached by more than one way: its results are kept */
	bool seen;     /* schema_graph: work done */
	uint32_t id;
	const struct schema_numbers *numbers;
	const struct schema_strings *strings;
	const struct schema_arrays *arrays;
	const struct schema_objects *objects;
	const struct schema_logic *logic;
	const struct tf_json *const *values; /* enum, or const alone */
	uint32_t value_count;
	const char *values_keyword;
	const struct tf_schema *rest_items, *rest_properties; /* unevaluated... */
	schema_format_fn *format;
	const struct tf_json *source;
	struct tf_str place;
	const struct tf_schemas *set;
};

/* A resource: what has a URI of its own. */
struct schema_resource {
	struct tf_str uri;
	const struct tf_json *root;
	struct tf_str place; /* absolute reference of its root */
	enum tf_dialect dialect;
	bool asserts; /* its vocabularies have validation */
	bool formats; /* and format-assertion */
};

/* Where a JSON node stands: its resource and absolute reference. */
struct schema_spot {
	const struct tf_json *node;
	const struct schema_resource *resource;
	struct tf_str place;
};

/* The dynamic scope, as far as it matters: for each dynamic anchor the outermost resource that has it. Interned. */
struct schema_scope {
	struct schema_scope *next;
	uint32_t id, count;
	struct {
		struct tf_str name;
		const struct schema_resource *resource;
	} first[];
};

struct schema_task {
	struct tf_schema *schema;
	struct schema_spot spot;
	const struct schema_scope *scope;
	struct schema_task *next;
};

struct tf_schemas {
	struct tf_schemas_options o;
	struct tf_arena arena;
	struct tf_map resources; /* uri -> resource */
	struct tf_map spots;     /* address of a node -> spot */
	struct tf_map anchors;   /* uri#name -> node's spot; the low bit: dynamic */
	struct tf_map compiled;  /* node's address, scope -> schema */
	struct schema_scope *scopes;
	struct schema_pattern *patterns;
	struct schema_task *tasks;
	struct tf_schema **all;
	uint32_t count, size, scope_count;
	bool rests; /* any unevaluated... */
	int depth;
};

/* schema_load.c */

/* The absolute reference's place; base of a resource for a relative one. *out_dynamic (may be NULL): the name by which
 * it was found as a dynamic anchor, else empty. */
enum tf_err schema_resolve(struct tf_schemas *s, const struct schema_resource *base, struct tf_str ref,
			   struct schema_spot *out, struct tf_str *out_dynamic, struct tf_fault *f) TF_MUST_USE;
bool schema_dynamic(const struct tf_schemas *s, const struct schema_resource *r, struct tf_str name,
		    struct schema_spot *out);
/* The node's spot, when it was met as a schema. */
bool schema_spot(const struct tf_schemas *s, const struct tf_json *node, struct schema_spot *out);
enum tf_err schema_index(struct tf_schemas *s, const struct tf_json *node, const struct schema_resource *r,
			 struct tf_str place, struct tf_fault *f) TF_MUST_USE;
/* place/key or place#/key, escaped. */
struct tf_str schema_place_join(struct tf_arena *a, struct tf_str place, struct tf_str key);
struct tf_str schema_place_index(struct tf_arena *a, struct tf_str place, uint32_t index);
/* The text of a built-in meta-schema by URI; false when it is none. */
bool schema_meta(struct tf_str uri, struct tf_str *out);

/* schema_compile.c */

/* Compiles what stands at a spot. */
enum tf_err schema_compile_spot(struct tf_schemas *s, struct schema_spot spot, const struct tf_schema **out,
				struct tf_fault *f) TF_MUST_USE;

struct schema_build {
	struct tf_schemas *s;
	struct tf_schema *schema;
	struct schema_spot spot;
	const struct schema_scope *scope;
	struct tf_fault *fault;
};

enum tf_err schema_wrong(const struct schema_build *b, const char *keyword, const char *what) TF_MUST_USE;
enum tf_err schema_no_room(const struct schema_build *b) TF_MUST_USE;
/* A subschema: keyword, and key or index (NULL, -1: none). */
enum tf_err schema_sub(const struct schema_build *b, const struct tf_json *node,
		       const struct tf_schema **out) TF_MUST_USE;
enum tf_err schema_sub_list(const struct schema_build *b, const struct tf_json *list, const char *keyword,
			    struct schema_branches *out) TF_MUST_USE;
enum tf_err schema_target(const struct schema_build *b, struct tf_str ref, bool dynamic,
			  const struct tf_schema **out) TF_MUST_USE;
bool schema_drafty(const struct schema_build *b); /* draft 7 */
/* schema_rules.c: what is asserted of each kind. */
enum tf_err schema_rules(struct schema_build *b) TF_MUST_USE;
/* schema_objects.c */
enum tf_err schema_object_rules(struct schema_build *b, bool asserts) TF_MUST_USE;
const struct schema_property *schema_property(const struct schema_objects *o, struct tf_str name);
/* schema_graph.c: after compiling. Refuses a cycle; sets remember. */
enum tf_err schema_graph(struct tf_schemas *s, struct tf_fault *f) TF_MUST_USE;

/* schema_check.c */

struct schema_at {
	const struct schema_at *up;
	const struct tf_json *v;
};

struct schema_memo {
	uint64_t key;
	const struct tf_json *v; /* NULL: empty */
	bool valid;
};

struct tf_checker {
	struct tf_checker_options o;
	struct tf_arena arena;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	/* Of the check under way. */
	const struct schema_at *at;
	struct schema_memo *memo;
	uint32_t memo_count, memo_size;
	uint32_t *stamps, stamp; /* schema_rest: by schema id, the collection it was last met in */
	uint64_t steps;
	uint32_t depth, told;
	bool telling; /* second pass: each violation is told */
	tf_violation_fn *fn;
	struct tf_str missing; /* told with the next violation */
	void *ctx;
	enum tf_err err;
	const char *why;
};

/* Does v satisfy s? False also after a failure, kept in c->err. */
bool schema_valid(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v);
/* The same for an element or member of what is at. */
bool schema_valid_child(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v);
/* Without telling. */
bool schema_quiet(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v);
bool schema_stop(struct tf_checker *c, enum tf_err err, const char *why); /* false */
bool schema_matches(struct tf_checker *c, const struct schema_pattern *p, struct tf_str text);
/* Notes a violation of v, or of name's member; false, for `return`. */
bool schema_tell(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v, const char *keyword,
		 const char *fmt, ...) TF_PRINTF(5, 6);
/* schema_apply.c */
bool schema_check_number(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v);
bool schema_check_string(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v);
bool schema_check_array(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v);
bool schema_check_object(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v);
/* schema_logic.c */
bool schema_check_logic(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v);
/* schema_rest.c: what no other keyword evaluated. */
bool schema_check_rest(struct tf_checker *c, const struct tf_schema *s, const struct tf_json *v);
/* schema_same.c: false and c->err when the steps are used up. */
bool schema_unique(struct tf_checker *c, const struct tf_json *array, uint32_t *out_first, uint32_t *out_second);
