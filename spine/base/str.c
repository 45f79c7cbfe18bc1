/* Sized strings; see str.h. */
#include "base/str.h"

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
tf_str_eq_nocase(struct tf_str a, struct tf_str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
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
