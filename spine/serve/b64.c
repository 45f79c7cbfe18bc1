/* base64url; see b64.h. */
#include "serve/b64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool
tf_b64_decode(struct tf_str s, uint8_t *out, size_t *out_n)
{
	uint32_t bits = 0;
	int have = 0;
	size_t n = 0;
	if (s.n % 4 == 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int d = digit(s.p[i]);
		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
			bits &= (1u << have) - 1;
		}
	}
	if (bits)
		return false;
	*out_n = n;
	return true;
}

bool
tf_b64_exact(struct tf_str s, uint8_t *out, size_t n)
{
	size_t got;
	return s.n == TF_B64_CHARS(n) && tf_b64_decode(s, out, &got) && got == n;
}

void
tf_b64_text(const uint8_t *p, size_t n, char *out)
{
	uint32_t bits = 0;
	int have = 0;
	for (size_t i = 0; i < n; i++) {
		bits = (bits << 8 | p[i]) & 0xffff;
		for (have += 8; have >= 6; have -= 6)
			*out++ = alphabet[bits >> (have - 6) & 63];
	}
	if (have)
		*out++ = alphabet[bits << (6 - have) & 63];
	*out = '\0';
}

void
tf_b64_put(struct tf_buf *b, struct tf_str bytes)
{
	char *room = (char *)tf_buf_room(b, TF_B64_CHARS(bytes.n) + 1);
	if (!room)
		return;
	tf_b64_text((const uint8_t *)bytes.p, bytes.n, room);
	b->n += TF_B64_CHARS(bytes.n);
}
