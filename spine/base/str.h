/* Sized strings: a pointer and a length by value, never owning, not NUL-terminated. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct tf_str {
	const char *p;
	size_t n;
};

#define TF_STR(lit) ((struct tf_str){"" lit, sizeof(lit) - 1})
/* For printf's "%.*s"; a message never carries more than 200 bytes of a subject. */
#define TF_FMT(s) (int)((s).n > 200 ? 200 : (s).n), (s).p ? (s).p : ""

static inline struct tf_str
tf_str(const char *cstr)
{
	return (struct tf_str){cstr, cstr ? strlen(cstr) : 0};
}

static inline struct tf_str
tf_str_n(const void *p, size_t n)
{
	return (struct tf_str){p, n};
}

static inline bool
tf_str_eq(struct tf_str a, struct tf_str b)
{
	return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool
tf_str_starts(struct tf_str s, struct tf_str prefix)
{
	return s.n >= prefix.n && (!prefix.n || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* Byte order, shorter first when one is a prefix: <0, 0, >0. */
int tf_str_cmp(struct tf_str a, struct tf_str b);
/* Of the same length. */
bool tf_str_same_nocase(struct tf_str a, struct tf_str b);

/* ASCII case folded. */
static inline bool
tf_str_eq_nocase(struct tf_str a, struct tf_str b)
{
	return a.n == b.n && tf_str_same_nocase(a, b);
}

/* How many bytes at its start are printable ASCII, and neither a quote nor a backslash. */
size_t tf_str_plain(struct tf_str s);
/* As much of it as fits, and a 0 behind that. Returns out. */
char *tf_str_copy(struct tf_str s, char *out, size_t size);
/* Without leading and trailing space, tab, CR, LF. */
struct tf_str tf_str_trim(struct tf_str s);
/* Takes the bytes before the first sep off *s (sep is consumed); false when *s is used up. A string "a,,b" gives a, "",
 * b. */
bool tf_str_cut(struct tf_str *s, char sep, struct tf_str *out_head);
/* Whole string as a decimal integer: sign only for i64, no blanks, no overflow; false otherwise. */
bool tf_str_u64(struct tf_str s, uint64_t *out);
bool tf_str_i64(struct tf_str s, int64_t *out);
/* n bytes as 2 n lower-case hexadecimal digits, and a 0 behind them. Returns where that 0 is. */
char *tf_hex(const void *p, size_t n, char *out);
