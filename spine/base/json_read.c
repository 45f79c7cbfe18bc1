/* The JSON reader: recursive descent over a complete text, into an arena; see json.h. */
#include "base/json.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

/* Objects with more members get an index by name: duplicates are found without comparing all with all. */
#define INDEX_FROM 16

struct reader {
	const char *begin, *p, *end;
	struct tf_arena *arena;
	int depth, depth_max;
	struct tf_fault *fault;
};

void
tf_json_place(struct tf_str text, size_t at, unsigned *out_line, unsigned *out_column)
{
	*out_line = *out_column = 1;
	for (size_t i = 0; i < at && i < text.n; i++) {
		if (text.p[i] == '\n') {
			++*out_line;
			*out_column = 1;
		} else {
			*out_column += ((unsigned char)text.p[i] & 0xc0) != 0x80;
		}
	}
}

static enum tf_err
fail_at(struct reader *r, enum tf_err code, const char *at, const char *what)
{
	unsigned line, column;
	tf_json_place(tf_str_n(r->begin, (size_t)(r->end - r->begin)), (size_t)(at - r->begin), &line, &column);
	return tf_fault(r->fault, code, "invalid JSON: line %u, column %u: %s", line, column, what);
}

static enum tf_err
wrong_at(struct reader *r, const char *at, const char *what)
{
	return fail_at(r, TF_INVALID, at, what);
}

static enum tf_err
wrong(struct reader *r, const char *what)
{
	return wrong_at(r, r->p, r->p == r->end ? "ends too early" : what);
}

static enum tf_err
no_room(struct reader *r)
{
	enum tf_err e = tf_arena_fault(r->arena, r->fault);
	TF_ASSERT(e != TF_OK);
	return e;
}

static void
skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
}

static bool
take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static bool
digit(const struct reader *r)
{
	return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

static bool
take_digits(struct reader *r)
{
	if (!digit(r))
		return false;
	while (digit(r))
		r->p++;
	return true;
}

static enum tf_err
read_number(struct reader *r, struct tf_json *v)
{
	const char *start = r->p;
	take(r, '-');
	if (take(r, '0')) {
		if (digit(r))
			return wrong(r, "a number does not begin with 0");
	} else if (!take_digits(r)) {
		return wrong(r, "a digit is wanted after the minus");
	}
	if (take(r, '.') && !take_digits(r))
		return wrong(r, "a digit is wanted after the point");
	if (r->p < r->end && (*r->p | 0x20) == 'e') {
		r->p++;
		if (!take(r, '-'))
			take(r, '+');
		if (!take_digits(r))
			return wrong(r, "a digit is wanted in the exponent");
	}
	v->kind = TF_JSON_NUMBER;
	v->text = tf_str_n(start, (size_t)(r->p - start));
	return TF_OK;
}

static bool
take_hex4(struct reader *r, uint32_t *out)
{
	if (r->end - r->p < 4)
		return false;
	uint32_t v = 0;
	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)r->p[i], letter = (c | 0x20) - 'a';
		if (c - '0' <= 9)
			v = v << 4 | (c - '0');
		else if (letter <= 5)
			v = v << 4 | (letter + 10);
		else
			return false;
	}
	r->p += 4;
	*out = v;
	return true;
}

/* What follows "\u", and where it is a high surrogate, the low one too. */
static enum tf_err
read_code(struct reader *r, char **to)
{
	uint32_t code, low;
	const char *start = r->p - 2;
	if (!take_hex4(r, &code))
		return wrong(r, "four hexadecimal digits are wanted after \\u");
	if (code >= 0xdc00 && code <= 0xdfff)
		return wrong_at(r, start, "a low surrogate without a high one");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (!take(r, '\\') || !take(r, 'u') || !take_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
			return wrong_at(r, start, "a high surrogate without a low one");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	*to += tf_utf8_put(code, *to);
	return TF_OK;
}

static enum tf_err
read_escape(struct reader *r, char **to)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	if (take(r, 'u'))
		return read_code(r, to);
	const char *at = r->p < r->end && *r->p ? strchr(names, *r->p) : NULL;
	if (!at)
		return wrong(r, "unknown escape");
	*(*to)++ = values[at - names];
	r->p++;
	return TF_OK;
}

/* Up to the quote, escape or control character that ends a run of plain characters. */
static enum tf_err
skip_plain(struct reader *r)
{
	for (;;) {
		r->p += tf_str_plain(tf_str_n(r->p, (size_t)(r->end - r->p)));
		if (r->p == r->end)
			return TF_OK;
		unsigned char c = (unsigned char)*r->p;
		if (c == '"' || c == '\\' || c < 0x20)
			return TF_OK;
		size_t n = tf_utf8_take(tf_str_n(r->p, (size_t)(r->end - r->p)));
		if (!n)
			return wrong(r, "invalid UTF-8");
		r->p += n;
	}
}

/* The closing quote of a string with escapes, to know how much its value may take. */
static const char *
find_end(const struct reader *r)
{
	const char *p = r->p;
	while (p < r->end && *p != '"')
		p += *p == '\\' && p + 1 < r->end ? 2 : 1;
	return p;
}

/* From the first escape on, start being the string's first byte: the value goes to the arena. An escape is never
 * shorter than what it stands for. */
static enum tf_err
read_escaped(struct reader *r, const char *start, struct tf_str *out)
{
	char *value = tf_arena_alloc(r->arena, (size_t)(find_end(r) - start) + 4), *to = value;
	if (!value)
		return no_room(r);
	for (;;) {
		memcpy(to, start, (size_t)(r->p - start));
		to += r->p - start;
		if (!take(r, '\\'))
			break;
		TF_TRY(read_escape(r, &to));
		start = r->p;
		TF_TRY(skip_plain(r));
	}
	*out = tf_str_n(value, (size_t)(to - value));
	return TF_OK;
}

/* After the opening quote. */
static enum tf_err
read_string(struct reader *r, struct tf_str *out)
{
	const char *start = r->p;
	TF_TRY(skip_plain(r));
	*out = tf_str_n(start, (size_t)(r->p - start));
	if (r->p < r->end && *r->p == '\\')
		TF_TRY(read_escaped(r, start, out));
	if (!take(r, '"'))
		return wrong(r, "a control character must be escaped");
	return TF_OK;
}

static enum tf_err
read_word(struct reader *r, const char *word, struct tf_json *v, enum tf_json_kind kind)
{
	size_t n = strlen(word);
	for (size_t i = 0; i < n; i++, r->p++)
		if (r->p == r->end || *r->p != word[i])
			return wrong(r, "a value is wanted");
	v->kind = (uint8_t)kind;
	v->truth = *word == 't';
	return TF_OK;
}

static enum tf_err read_value(struct reader *r, struct tf_json *v);

/* A node before its value is read; NULL when the arena is full. */
static struct tf_json *
add_node(struct reader *r, struct tf_json *parent, struct tf_json *tail)
{
	struct tf_json *v = tf_arena_alloc(r->arena, sizeof *v);
	if (!v)
		return NULL;
	*v = (struct tf_json){0};
	if (tail)
		tail->next = v;
	else
		parent->first = v;
	parent->count++;
	return v;
}

static enum tf_err
read_array(struct reader *r, struct tf_json *v)
{
	struct tf_json *tail = NULL;
	v->kind = TF_JSON_ARRAY;
	skip_space(r);
	if (take(r, ']'))
		return TF_OK;
	do {
		tail = add_node(r, v, tail);
		if (!tail)
			return no_room(r);
		TF_TRY(read_value(r, tail));
		skip_space(r);
	} while (take(r, ','));
	return take(r, ']') ? TF_OK : wrong(r, "a comma or ] is wanted");
}

static int
by_name(const void *a, const void *b)
{
	const struct tf_json *const *x = a, *const *y = b;
	int c = tf_str_cmp((*x)->key, (*y)->key);
	return c ? c : ((*x)->at > (*y)->at) - ((*x)->at < (*y)->at);
}

static enum tf_err
duplicate(struct reader *r, const struct tf_json *member)
{
	char what[128];
	snprintf(what, sizeof what, "duplicate member '%.*s'", member->key.n > 80 ? 80 : (int)member->key.n,
		 member->key.p);
	return wrong_at(r, r->begin + member->key_at, what);
}

/* Sorting, not hashing: nobody can choose names that make it slow. */
static enum tf_err
index_members(struct reader *r, struct tf_json *v)
{
	const struct tf_json **sorted = tf_arena_alloc(r->arena, v->count * sizeof(void *));
	if (!sorted)
		return no_room(r);
	size_t n = 0;
	for (const struct tf_json *m = v->first; m; m = m->next)
		sorted[n++] = m;
	qsort(sorted, n, sizeof(void *), by_name);
	for (size_t i = 1; i < n; i++)
		if (tf_str_eq(sorted[i - 1]->key, sorted[i]->key))
			return duplicate(r, sorted[i]);
	v->sorted = sorted;
	return TF_OK;
}

static enum tf_err
check_members(struct reader *r, struct tf_json *v)
{
	if (v->count > INDEX_FROM)
		return index_members(r, v);
	for (const struct tf_json *m = v->first; m; m = m->next)
		for (const struct tf_json *before = v->first; before != m; before = before->next)
			if (tf_str_eq(before->key, m->key))
				return duplicate(r, m);
	return TF_OK;
}

static enum tf_err
read_member(struct reader *r, struct tf_json *member)
{
	skip_space(r);
	member->key_at = (uint32_t)(r->p - r->begin);
	if (!take(r, '"'))
		return wrong(r, "a member name is wanted");
	TF_TRY(read_string(r, &member->key));
	skip_space(r);
	if (!take(r, ':'))
		return wrong(r, "a colon is wanted");
	return read_value(r, member);
}

static enum tf_err
read_object(struct reader *r, struct tf_json *v)
{
	struct tf_json *tail = NULL;
	v->kind = TF_JSON_OBJECT;
	skip_space(r);
	if (take(r, '}'))
		return TF_OK;
	do {
		tail = add_node(r, v, tail);
		if (!tail)
			return no_room(r);
		TF_TRY(read_member(r, tail));
		skip_space(r);
	} while (take(r, ','));
	if (!take(r, '}'))
		return wrong(r, "a comma or } is wanted");
	return check_members(r, v);
}

static enum tf_err
read_nested(struct reader *r, struct tf_json *v)
{
	if (++r->depth > r->depth_max)
		return fail_at(r, TF_TOO_LARGE, r->p, "nested too deep");
	bool object = *r->p++ == '{';
	TF_TRY(object ? read_object(r, v) : read_array(r, v));
	r->depth--;
	return TF_OK;
}

static enum tf_err
read_value(struct reader *r, struct tf_json *v)
{
	skip_space(r);
	v->at = (uint32_t)(r->p - r->begin);
	if (r->p == r->end)
		return wrong(r, "");
	switch (*r->p) {
	case '"':
		r->p++;
		v->kind = TF_JSON_STRING;
		return read_string(r, &v->text);
	case '{':
	case '[':
		return read_nested(r, v);
	case 't':
		return read_word(r, "true", v, TF_JSON_BOOL);
	case 'f':
		return read_word(r, "false", v, TF_JSON_BOOL);
	case 'n':
		return read_word(r, "null", v, TF_JSON_NULL);
	default:
		if (*r->p == '-' || digit(r))
			return read_number(r, v);
		return wrong(r, "a value is wanted");
	}
}

enum tf_err
tf_json_parse(struct tf_str text, struct tf_arena *arena, int depth_max, const struct tf_json **out, struct tf_fault *f)
{
	TF_ASSERT(depth_max >= 0 && depth_max <= TF_JSON_DEPTH_MAX);
	if (text.n > TF_JSON_TEXT_MAX)
		return tf_fault(f, TF_TOO_LARGE, "JSON text too large: %zu bytes", text.n);
	const char *begin = text.p ? text.p : "";
	struct reader r = {begin, begin, begin + text.n, arena, 0, depth_max ? depth_max : TF_JSON_DEPTH, f};
	struct tf_json *root = tf_arena_calloc(arena, 1, sizeof *root);
	if (!root)
		return no_room(&r);
	TF_TRY(read_value(&r, root));
	skip_space(&r);
	if (r.p != r.end)
		return wrong(&r, "something follows the value");
	*out = root;
	return TF_OK;
}
