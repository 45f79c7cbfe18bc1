/* The types of plain scalars in YAML 1.2's core schema (10.3.2), and numbers as JSON writes them; see yaml_impl.h. */
#include "serve/yaml_impl.h"

#include <stdio.h>

static bool
one_of(struct tf_str s, const char *const *words)
{
	for (; *words; words++)
		if (tf_str_eq(s, tf_str(*words)))
			return true;
	return false;
}

static size_t
digits_from(struct tf_str s, size_t i)
{
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i;
}

/* 0o17 and 0x1f: how many bits a digit has; 0 when it is neither. */
static int
prefixed(struct tf_str s)
{
	int bits = tf_str_starts(s, TF_STR("0o")) ? 3 : tf_str_starts(s, TF_STR("0x")) ? 4 : 0;
	if (s.n < 3)
		return 0;
	for (size_t i = 2; i < s.n; i++) {
		char c = s.p[i], letter = (char)(c | 0x20);
		bool digit = c >= '0' && c <= (bits == 3 ? '7' : '9');
		if (!digit && !(bits == 4 && letter >= 'a' && letter <= 'f'))
			return 0;
	}
	return bits;
}

static enum yaml_scalar
read_prefixed(struct tf_str s, int bits, struct tf_arena *a, struct tf_str *out)
{
	uint64_t v = 0;
	for (size_t i = 2; i < s.n; i++) {
		char c = s.p[i];
		unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
		if (v >> (64 - bits))
			return YAML_BAD_NUMBER;
		v = v << bits | digit;
	}
	char text[24];
	snprintf(text, sizeof text, "%llu", (unsigned long long)v);
	*out = tf_arena_str(a, tf_str(text));
	return out->p ? YAML_NUMBER : YAML_NO_MEMORY;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? : where its parts end; false when it is none. */
struct number {
	size_t whole, whole_end, part, part_end, exponent;
	bool negative;
};

static bool
split(struct tf_str s, struct number *n)
{
	size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
	n->negative = i && s.p[0] == '-';
	n->whole = i;
	n->whole_end = n->part = n->part_end = digits_from(s, i);
	i = n->whole_end;
	if (i < s.n && s.p[i] == '.') {
		n->part = i + 1;
		n->part_end = i = digits_from(s, i + 1);
	}
	if (n->whole == n->whole_end && n->part == n->part_end)
		return false;
	n->exponent = i;
	if (i < s.n && (s.p[i] | 0x20) == 'e') {
		i++;
		i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
		size_t from = i;
		i = digits_from(s, i);
		if (i == from)
			return false;
	}
	return i == s.n;
}

static enum yaml_scalar
read_number(struct tf_str s, const struct number *n, struct tf_arena *a, struct tf_str *out)
{
	char *p = tf_arena_alloc(a, s.n + 3), *to = p;
	size_t whole = n->whole;
	if (!p)
		return YAML_NO_MEMORY;
	while (whole + 1 < n->whole_end && s.p[whole] == '0')
		whole++;
	if (n->negative)
		*to++ = '-';
	if (whole == n->whole_end)
		*to++ = '0';
	memcpy(to, s.p + whole, n->whole_end - whole);
	to += n->whole_end - whole;
	if (n->part < n->part_end) {
		*to++ = '.';
		memcpy(to, s.p + n->part, n->part_end - n->part);
		to += n->part_end - n->part;
	}
	memcpy(to, s.p + n->exponent, s.n - n->exponent);
	to += s.n - n->exponent;
	*out = tf_str_n(p, (size_t)(to - p));
	return YAML_NUMBER;
}

enum yaml_scalar
yaml_plain(struct tf_str s, struct tf_arena *a, struct tf_str *out)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	static const char *const none[] = {".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
					   "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL};
	struct number n;
	*out = s;
	if (one_of(s, nulls))
		return YAML_NULL;
	if (one_of(s, trues))
		return YAML_TRUE;
	if (one_of(s, falses))
		return YAML_FALSE;
	if (one_of(s, none))
		return YAML_BAD_NUMBER;
	int bits = prefixed(s);
	if (bits)
		return read_prefixed(s, bits, a, out);
	return split(s, &n) ? read_number(s, &n, a, out) : YAML_STRING;
}
