/* Numbers as their lexemes say, of any length and exponent, without floating point; see schema_impl.h. */
#include "serve/schema_impl.h"

/* Exponents past this are all alike: no text of 2 GiB has digits enough to tell. */
#define EXPONENT_MAX ((int64_t)1 << 60)

static int64_t
read_exponent(const char *p, const char *end)
{
	int64_t v = 0;
	bool negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++)
		if (v < EXPONENT_MAX / 16)
			v = v * 10 + (*p - '0');
	return negative ? -v : v;
}

static char
digit_at(const struct schema_number *n, uint32_t i)
{
	return i < n->whole.n ? n->whole.p[i] : n->part.p[i - n->whole.n];
}

struct schema_number
schema_number(struct tf_str s)
{
	struct schema_number n = {0};
	const char *p = s.p, *end = s.p + s.n;
	n.negative = p < end && *p == '-';
	p += n.negative;
	const char *from = p;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	n.whole = tf_str_n(from, (size_t)(p - from));
	n.part = tf_str_n(p, 0);
	if (p < end && *p == '.') {
		from = ++p;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		n.part = tf_str_n(from, (size_t)(p - from));
	}
	int64_t exponent = p < end ? read_exponent(p + 1, end) : 0;
	n.to = (uint32_t)(n.whole.n + n.part.n);
	while (n.to > n.from && digit_at(&n, n.to - 1) == '0')
		n.to--;
	while (n.from < n.to && digit_at(&n, n.from) == '0')
		n.from++;
	if (n.from == n.to)
		return (struct schema_number){.whole = n.whole, .part = n.part};
	n.exponent = exponent + (int64_t)n.whole.n - (int64_t)n.to;
	return n;
}

static int
cmp_magnitude(const struct schema_number *a, const struct schema_number *b)
{
	uint32_t an = a->to - a->from, bn = b->to - b->from;
	if (!an || !bn)
		return (an > 0) - (bn > 0);
	int64_t ah = a->exponent + an, bh = b->exponent + bn;
	if (ah != bh)
		return ah < bh ? -1 : 1;
	for (uint32_t i = 0; i < an && i < bn; i++) {
		char x = digit_at(a, a->from + i), y = digit_at(b, b->from + i);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (an > bn) - (an < bn);
}

int
schema_number_cmp(const struct schema_number *a, const struct schema_number *b)
{
	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	return a->negative ? -cmp_magnitude(a, b) : cmp_magnitude(a, b);
}

bool
schema_number_whole(const struct schema_number *a)
{
	return a->from == a->to || a->exponent >= 0;
}

uint64_t
schema_number_hash(const struct schema_number *a)
{
	uint64_t h = (uint64_t)a->exponent * 31 + a->negative;
	for (uint32_t i = a->from; i < a->to; i++)
		h = h * 0x9e3779b97f4a7c15u + (unsigned char)digit_at(a, i);
	return h ^ h >> 29;
}

static uint64_t
mul_mod(uint64_t a, uint64_t b, uint64_t m)
{
	return (uint64_t)((unsigned __int128)a * b % m);
}

/* Digits of a, then 10^zeros, modulo a divisor of up to 18 digits. */
static bool
multiple_of_small(const struct schema_number *a, uint64_t zeros, uint64_t divisor)
{
	uint64_t rest = 0, power = 10 % divisor;
	for (uint32_t i = a->from; i < a->to; i++)
		rest = (mul_mod(rest, 10, divisor) + (uint64_t)(digit_at(a, i) - '0')) % divisor;
	for (; zeros; zeros >>= 1) {
		if (zeros & 1)
			rest = mul_mod(rest, power, divisor);
		power = mul_mod(power, power, divisor);
	}
	return rest == 0;
}

/* rest and divisor as digits, highest first, equally long: rest -= divisor as often as it goes. */
static void
reduce(unsigned char *rest, const unsigned char *divisor, uint32_t n)
{
	while (memcmp(rest, divisor, n) >= 0) {
		int borrow = 0;
		for (uint32_t i = n; i-- > 0;) {
			int d = rest[i] - divisor[i] - borrow;
			borrow = d < 0;
			rest[i] = (unsigned char)(borrow ? d + 10 : d);
		}
	}
}

/* Long division with a divisor of up to SCHEMA_DIVISOR_MAX digits. Only 2 and 5 in the divisor meet the zeros, and it
 * has fewer than four per digit of them: more zeros change nothing. */
static bool
multiple_of_large(const struct schema_number *a, uint64_t zeros, const struct schema_number *b)
{
	unsigned char rest[SCHEMA_DIVISOR_MAX + 1] = {0}, divisor[SCHEMA_DIVISOR_MAX + 1] = {0};
	uint32_t n = b->to - b->from + 1;
	TF_ASSERT(n <= sizeof rest);
	for (uint32_t i = 1; i < n; i++)
		divisor[i] = (unsigned char)(digit_at(b, b->from + i - 1) - '0');
	uint64_t most = 4 * (uint64_t)n, steps = a->to - a->from + (zeros < most ? zeros : most);
	for (uint64_t i = 0; i < steps; i++) {
		memmove(rest, rest + 1, n - 1);
		rest[n - 1] = i < a->to - a->from ? (unsigned char)(digit_at(a, a->from + (uint32_t)i) - '0') : 0;
		reduce(rest, divisor, n);
	}
	for (uint32_t i = 0; i < n; i++)
		if (rest[i])
			return false;
	return true;
}

bool
schema_number_multiple(const struct schema_number *a, const struct schema_number *b)
{
	if (a->from == a->to)
		return true;
	/* The last digit of a is no 0: no multiple of 10^k with k > 0. */
	if (a->exponent < b->exponent)
		return false;
	uint64_t zeros = (uint64_t)(a->exponent - b->exponent), divisor = 0;
	if (b->to - b->from > 18)
		return multiple_of_large(a, zeros, b);
	for (uint32_t i = b->from; i < b->to; i++)
		divisor = divisor * 10 + (uint64_t)(digit_at(b, i) - '0');
	TF_ASSERT(divisor > 0);
	return multiple_of_small(a, zeros, divisor);
}

bool
schema_number_count(const struct tf_json *v, uint32_t *out)
{
	if (!tf_json_is(v, TF_JSON_NUMBER))
		return false;
	struct schema_number n = schema_number(v->text);
	if (n.negative || !schema_number_whole(&n))
		return false;
	int64_t i;
	*out = tf_json_i64(v, &i) && i < UINT32_MAX ? (uint32_t)i : UINT32_MAX;
	return true;
}

int
tf_json_number_cmp(const struct tf_json *a, const struct tf_json *b)
{
	TF_ASSERT(tf_json_is(a, TF_JSON_NUMBER) && tf_json_is(b, TF_JSON_NUMBER));
	struct schema_number x = schema_number(a->text), y = schema_number(b->text);
	return schema_number_cmp(&x, &y);
}

bool
tf_json_whole(const struct tf_json *v)
{
	if (!tf_json_is(v, TF_JSON_NUMBER))
		return false;
	for (size_t i = v->text.p[0] == '-'; i < v->text.n; i++)
		if (v->text.p[i] < '0' || v->text.p[i] > '9') {
			struct schema_number n = schema_number(v->text);
			return schema_number_whole(&n);
		}
	return true;
}
