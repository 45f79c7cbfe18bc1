/* Sized strings; see str.h. */
#include "base/str.h"

#include <endian.h>

int
tf_str_cmp(struct tf_str a, struct tf_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool
tf_str_same_nocase(struct tf_str a, struct tf_str b)
{
	for (size_t i = 0; i < a.n; i++)
		if (a.p[i] != b.p[i] && lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

/* Of eight bytes. A byte less than what is taken off it borrows from the next: the lowest mark is true, and those above
 * it may not be. */
static unsigned
plain_of_eight(const char *p)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	uint64_t w;
	memcpy(&w, p, sizeof w);
	w = le64toh(w);
	uint64_t quote = w ^ ones * '"', backslash = w ^ ones * '\\';
	uint64_t marks = ((quote - ones) | (backslash - ones) | (w - ones * ' ') | (w + ones) | w) & high;
	return marks ? (unsigned)__builtin_ctzll(marks) / 8 : 8;
}

static bool
plain(unsigned char c)
{
	return c >= ' ' && c < 127 && c != '"' && c != '\\';
}

size_t
tf_str_plain(struct tf_str s)
{
	size_t i = 0;
	for (; s.n - i >= 8; i += 8) {
		unsigned n = plain_of_eight(s.p + i);
		if (n < 8)
			return i + n;
	}
	if (s.n >= 8) /* what is left of it, behind bytes that are plain */
		return s.n - 8 + plain_of_eight(s.p + s.n - 8);
	while (i < s.n && plain((unsigned char)s.p[i]))
		i++;
	return i;
}

char *
tf_str_copy(struct tf_str s, char *out, size_t size)
{
	size_t n = s.n < size ? s.n : size - 1;
	if (n)
		memcpy(out, s.p, n);
	out[n] = 0;
	return out;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct tf_str
tf_str_trim(struct tf_str s)
{
	while (s.n && blank(s.p[0]))
		s.p++, s.n--;
	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
tf_str_cut(struct tf_str *s, char sep, struct tf_str *out_head)
{
	if (!s->p)
		return false;
	const char *at = s->n ? memchr(s->p, sep, s->n) : NULL;
	if (!at) {
		*out_head = *s;
		*s = (struct tf_str){NULL, 0};
		return true;
	}
	size_t n = (size_t)(at - s->p);
	*out_head = (struct tf_str){s->p, n};
	s->p += n + 1;
	s->n -= n + 1;
	return true;
}

bool
tf_str_u64(struct tf_str s, uint64_t *out)
{
	if (!s.n)
		return false;
	uint64_t v = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
		if (d > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*out = v;
	return true;
}

bool
tf_str_i64(struct tf_str s, int64_t *out)
{
	bool neg = s.n && s.p[0] == '-';
	uint64_t v;
	if (!tf_str_u64(neg ? tf_str_n(s.p + 1, s.n - 1) : s, &v) || v > (uint64_t)INT64_MAX + neg)
		return false;
	*out = neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

char *
tf_hex(const void *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = ((const uint8_t *)p)[i];
		*out++ = "0123456789abcdef"[byte >> 4];
		*out++ = "0123456789abcdef"[byte & 15];
	}
	*out = 0;
	return out;
}
