/* JSON: a strict reader into a tree, and a writer.
 *
 * The reader takes RFC 8259 and nothing else: no byte order mark, comments, trailing commas, single quotes, NaN. Beyond
 * the grammar it refuses duplicate member names, invalid UTF-8, lone surrogates, and nesting past a limit. Numbers are
 * not converted: a node keeps the lexeme, and the reader's user asks for the kind of number wanted, exactly (no double
 * anywhere; 1.10 stays 1.10). Faults name line and column (both from 1; columns count characters).
 *
 * Ownership: the tree lives in the caller's arena, and strings without escapes and all numbers point into the text, so
 * the text must outlive the tree. Thread rule: a tree is immutable and may be shared; a writer is one thread's. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/decimal.h"

#define TF_JSON_DEPTH     64        /* the default limit: deeper than any format we read */
#define TF_JSON_DEPTH_MAX 512       /* the reader recurses; each level takes a few hundred bytes of stack */
#define TF_JSON_TEXT_MAX  INT32_MAX /* bytes of one text */

enum tf_json_kind {
	TF_JSON_NULL,
	TF_JSON_BOOL,
	TF_JSON_NUMBER,
	TF_JSON_STRING,
	TF_JSON_ARRAY,
	TF_JSON_OBJECT,
};

struct tf_json {
	struct tf_str text;                  /* a string's value (may contain NUL), a number's lexeme */
	struct tf_str key;                   /* the member name, when a member */
	const struct tf_json *next;          /* next element or member of the parent */
	const struct tf_json *first;         /* of an array or object */
	const struct tf_json *const *sorted; /* an object's members by name, when there are many */
	uint32_t count;                      /* elements or members */
	uint32_t at, key_at;                 /* byte offsets of the value and of the name in the text */
	uint8_t kind;                        /* enum tf_json_kind */
	bool truth;                          /* a bool's value */
};

/* Reads the whole text: one value, white space around it. depth_max 0 means TF_JSON_DEPTH. TF_INVALID with a fault that
 * says where and why; TF_TOO_LARGE or TF_NO_MEMORY when the arena, the depth or the text's size does not suffice. On
 * failure the arena holds half a tree: reset it. */
enum tf_err tf_json_parse(struct tf_str text, struct tf_arena *arena, int depth_max, const struct tf_json **out,
			  struct tf_fault *f) TF_MUST_USE;
/* Line and column of a byte offset, both from 1. */
void tf_json_place(struct tf_str text, size_t at, unsigned *out_line, unsigned *out_column);
/* "object", "number", ...: for messages. */
const char *tf_json_kind_name(enum tf_json_kind kind);

/* Asking: each takes NULL (an absent member) for v and then says no. */

/* The member, or NULL when there is none or v is no object. */
const struct tf_json *tf_json_get(const struct tf_json *v, const char *name);
const struct tf_json *tf_json_get_n(const struct tf_json *v, struct tf_str name);
/* First element or member, NULL when empty or neither; go on with ->next. */
const struct tf_json *tf_json_first(const struct tf_json *v);
bool tf_json_is(const struct tf_json *v, enum tf_json_kind kind);
bool tf_json_str(const struct tf_json *v, struct tf_str *out);
bool tf_json_bool(const struct tf_json *v, bool *out);
/* A number that is a whole one and fits: 12, 1.0 and 1.2e1 are, 1.5 is not. */
bool tf_json_i64(const struct tf_json *v, int64_t *out);
/* A number times 10^scale, exactly: 1.10 at scale 2 is 110, 1.111 is none. */
bool tf_json_decimal(const struct tf_json *v, int scale, int64_t *out);

/* The same for what must be there: the fault says "missing member 'a'" or "member 'a' is a string: a whole number is
 * wanted". TF_INVALID. */
enum tf_err tf_json_need_str(const struct tf_json *v, const char *name, struct tf_str *out,
			     struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_json_need_i64(const struct tf_json *v, const char *name, int64_t *out, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_json_need_decimal(const struct tf_json *v, const char *name, int scale, int64_t *out,
				 struct tf_fault *f) TF_MUST_USE;
/* An array or object. */
enum tf_err tf_json_need(const struct tf_json *v, const char *name, enum tf_json_kind kind, const struct tf_json **out,
			 struct tf_fault *f) TF_MUST_USE;

/* Writing: compact JSON appended to a buffer, whose sticky error is the writer's too. Commas and colons are put where
 * they belong. Wrong nesting, a value where a name belongs and more than 64 levels are bugs and assert. */

struct tf_json_out {
	struct tf_buf *buf;
	uint64_t objects; /* one bit a level, the innermost lowest: is it an object? */
	int depth;
	bool comma; /* the next element comes after another */
	bool named; /* a member name waits for its value */
};

struct tf_json_out tf_json_out(struct tf_buf *buf);
void tf_json_begin_object(struct tf_json_out *w);
void tf_json_end_object(struct tf_json_out *w);
void tf_json_begin_array(struct tf_json_out *w);
void tf_json_end_array(struct tf_json_out *w);
void tf_json_key(struct tf_json_out *w, const char *name);
void tf_json_key_n(struct tf_json_out *w, struct tf_str name);
/* Bytes that are no UTF-8 become U+FFFD each, so that what is written can always be read. */
void tf_json_put_str(struct tf_json_out *w, struct tf_str s);
void tf_json_put_i64(struct tf_json_out *w, int64_t v);
void tf_json_put_u64(struct tf_json_out *w, uint64_t v);
/* value / 10^scale with all its decimals. */
void tf_json_put_decimal(struct tf_json_out *w, int64_t value, int scale);
/* A number as it was read; asserts that it is one. */
void tf_json_put_lexeme(struct tf_json_out *w, struct tf_str number);
void tf_json_put_bool(struct tf_json_out *w, bool v);
void tf_json_put_null(struct tf_json_out *w);
/* A node as it was read, with all below. */
void tf_json_put_node(struct tf_json_out *w, const struct tf_json *v);
/* Everything that was begun has ended: asserts it and adds a newline; the next value (JSON lines) may begin. */
void tf_json_finish(struct tf_json_out *w);

/* Name and value in one. */
void tf_json_set_str(struct tf_json_out *w, const char *name, struct tf_str s);
void tf_json_set_cstr(struct tf_json_out *w, const char *name, const char *s);
void tf_json_set_i64(struct tf_json_out *w, const char *name, int64_t v);
void tf_json_set_u64(struct tf_json_out *w, const char *name, uint64_t v);
void tf_json_set_decimal(struct tf_json_out *w, const char *name, int64_t value, int scale);
void tf_json_set_bool(struct tf_json_out *w, const char *name, bool v);
