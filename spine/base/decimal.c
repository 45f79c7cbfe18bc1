/* Scaled decimals; see decimal.h. */
#include "base/decimal.h"

/* An exponent beyond this is zero or too large, whatever the digits: texts are far shorter. */
#define EXPONENT_MAX 1000000

static int64_t
power_of_ten(int n)
{
	int64_t p = 1;
	while (n-- > 0)
		p *= 10;
	return p;
}

struct parts {
	bool negative;
	struct tf_str whole, fraction;
	int32_t exponent;
};

static struct tf_str
take_digits(struct tf_str *s)
{
	size_t n = 0;
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	struct tf_str digits = tf_str_n(s->p, n);
	s->p += n;
	s->n -= n;
	return digits;
}

static bool
take_sign(struct tf_str *s)
{
	bool minus = s->n && s->p[0] == '-';
	if (minus || (s->n && s->p[0] == '+')) {
		s->p++;
		s->n--;
	}
	return minus;
}

static bool
split(struct tf_str s, struct parts *out)
{
	*out = (struct parts){.negative = take_sign(&s)};
	out->whole = take_digits(&s);
	if (s.n && s.p[0] == '.') {
		s = tf_str_n(s.p + 1, s.n - 1);
		out->fraction = take_digits(&s);
	}
	if (!out->whole.n && !out->fraction.n)
		return false;
	if (s.n && (s.p[0] | 0x20) == 'e') {
		s = tf_str_n(s.p + 1, s.n - 1);
		bool minus = take_sign(&s);
		struct tf_str digits = take_digits(&s);
		if (!digits.n)
			return false;
		int32_t e = 0;
		for (size_t i = 0; i < digits.n && e <= EXPONENT_MAX; i++)
			e = e * 10 + (digits.p[i] - '0');
		out->exponent = minus ? -e : e;
	}
	return s.n == 0;
}

/* One step away from zero, or none. rest says how the part cut off compares with a half: -1, 0, 1; exact: nothing was
 * cut off. */
static enum tf_err
round_up(uint64_t magnitude, bool exact, int rest, enum tf_round round, bool *out_up)
{
	*out_up = false;
	if (exact || round == TF_ROUND_DOWN)
		return TF_OK;
	if (round == TF_ROUND_NOT)
		return TF_INVALID;
	*out_up = rest > 0 || (rest == 0 && (round == TF_ROUND_HALF_UP || (magnitude & 1)));
	return TF_OK;
}

static enum tf_err
with_sign(uint64_t magnitude, bool negative, int64_t *out)
{
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return TF_TOO_LARGE;
	*out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return TF_OK;
}

static int
digit_at(const struct parts *p, size_t i)
{
	return (i < p->whole.n ? p->whole.p[i] : p->fraction.p[i - p->whole.n]) - '0';
}

/* The first `keep` digits (zeros appended where there are fewer) are the magnitude, the rest is rounded off. */
static enum tf_err
collect(const struct parts *p, int64_t keep, enum tf_round round, int64_t *out)
{
	size_t count = p->whole.n + p->fraction.n;
	uint64_t magnitude = 0;
	int64_t i = 0;
	for (; i < keep && (magnitude || i < (int64_t)count); i++) {
		int digit = i < (int64_t)count ? digit_at(p, (size_t)i) : 0;
		if (__builtin_mul_overflow(magnitude, 10, &magnitude) ||
		    __builtin_add_overflow(magnitude, digit, &magnitude))
			return TF_TOO_LARGE;
	}
	int first = 0;
	bool more = false, up;
	for (size_t k = keep < 0 ? 0 : (size_t)keep; k < count; k++) {
		int digit = digit_at(p, k);
		if ((int64_t)k == keep)
			first = digit;
		else
			more |= digit != 0;
	}
	int rest = first > 5 || (first == 5 && more) ? 1 : first == 5 ? 0 : -1;
	TF_TRY(round_up(magnitude, !first && !more, rest, round, &up));
	if (__builtin_add_overflow(magnitude, up, &magnitude))
		return TF_TOO_LARGE;
	return with_sign(magnitude, p->negative, out);
}

enum tf_err
tf_decimal_parse(struct tf_str s, int scale, enum tf_round round, int64_t *out)
{
	TF_ASSERT(scale >= 0 && scale <= TF_SCALE_MAX);
	struct parts p;
	if (s.n > INT32_MAX || !split(s, &p))
		return TF_INVALID;
	return collect(&p, (int64_t)p.whole.n + p.exponent + scale, round, out);
}

char *
tf_decimal_format(int64_t value, int scale, char out[static 32])
{
	TF_ASSERT(scale >= 0 && scale <= TF_SCALE_MAX);
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char reversed[32];
	int n = 0;
	for (int digits = 0; magnitude || digits <= scale; digits++) {
		if (digits == scale && scale)
			reversed[n++] = '.';
		reversed[n++] = (char)('0' + magnitude % 10);
		magnitude /= 10;
	}
	char *p = out;
	if (value < 0)
		*p++ = '-';
	while (n)
		*p++ = reversed[--n];
	*p = 0;
	return out;
}

char *
tf_decimal_format_short(int64_t value, int scale, char out[static 32])
{
	tf_decimal_format(value, scale, out);
	size_t n = strlen(out);
	while (scale && out[n - 1] == '0')
		n--;
	if (scale && out[n - 1] == '.')
		n--;
	out[n] = 0;
	return out;
}

enum tf_err
tf_mul_div(int64_t a, int64_t b, int64_t c, enum tf_round round, int64_t *out)
{
	if (c == 0)
		return TF_INVALID;
	__int128 product = (__int128)a * b;
	bool negative = (product < 0) != (c < 0) && product != 0;
	unsigned __int128 top = product < 0 ? -(unsigned __int128)product : (unsigned __int128)product;
	uint64_t below = c < 0 ? 0 - (uint64_t)c : (uint64_t)c;
	unsigned __int128 quotient = top / below;
	uint64_t rest = (uint64_t)(top % below);
	if (quotient > UINT64_MAX)
		return TF_TOO_LARGE;
	uint64_t magnitude = (uint64_t)quotient;
	uint64_t other = below - rest; /* rest against half: rest against what is missing to the next */
	bool up;
	TF_TRY(round_up(magnitude, rest == 0, (rest > other) - (rest < other), round, &up));
	if (__builtin_add_overflow(magnitude, up, &magnitude))
		return TF_TOO_LARGE;
	return with_sign(magnitude, negative, out);
}

enum tf_err
tf_decimal_rescale(int64_t value, int from, int to, enum tf_round round, int64_t *out)
{
	TF_ASSERT(from >= 0 && from <= TF_SCALE_MAX && to >= 0 && to <= TF_SCALE_MAX);
	if (to >= from)
		return tf_mul_div(value, power_of_ten(to - from), 1, round, out);
	return tf_mul_div(value, 1, power_of_ten(from - to), round, out);
}
