/* Sizes and durations as texts; see units.h. */
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Ascending, so that the last one that divides a value is the shortest form. */
static const struct unit sizes[] = {
	{"", 1},           {"k", 1000},     {"Ki", 1 << 10},      {"M", 1000000},           {"Mi", 1 << 20},
	{"G", 1000000000}, {"Gi", 1 << 30}, {"T", 1000000000000}, {"Ti", (int64_t)1 << 40}, {0},
};

static const struct unit durations[] = {
	{"us", 1}, {"ms", 1000}, {"s", TF_SEC}, {"m", TF_MINUTE}, {"h", TF_HOUR}, {"d", TF_DAY}, {"w", 7 * TF_DAY}, {0},
};

static bool
take_count(struct tf_str *s, uint64_t *out)
{
	size_t n = 0;
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (!tf_str_u64(tf_str_n(s->p, n), out))
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

/* The unit whose name is all letters up to the next digit. */
static const struct unit *
take_unit(struct tf_str *s, const struct unit *units)
{
	size_t n = 0;
	while (n < s->n && (s->p[n] < '0' || s->p[n] > '9'))
		n++;
	for (const struct unit *u = units; u->name; u++)
		if (tf_str_eq(tf_str_n(s->p, n), tf_str(u->name))) {
			s->p += n;
			s->n -= n;
			return u;
		}
	return NULL;
}

static enum tf_err
add(int64_t *sum, uint64_t count, int64_t factor)
{
	int64_t product;
	if (__builtin_mul_overflow(count, factor, &product) || __builtin_add_overflow(*sum, product, sum))
		return TF_TOO_LARGE;
	return TF_OK;
}

enum tf_err
tf_size_parse(struct tf_str s, int64_t *out)
{
	uint64_t count;
	int64_t sum = 0;
	if (!take_count(&s, &count))
		return TF_INVALID;
	if (s.n && s.p[s.n - 1] == 'B')
		s.n--;
	const struct unit *u = take_unit(&s, sizes);
	if (!u || s.n)
		return TF_INVALID;
	TF_TRY(add(&sum, count, u->factor));
	*out = sum;
	return TF_OK;
}

enum tf_err
tf_dur_parse(struct tf_str s, tf_dur *out)
{
	int64_t sum = 0;
	if (tf_str_eq(s, TF_STR("0"))) {
		*out = 0;
		return TF_OK;
	}
	do {
		uint64_t count;
		const struct unit *u = take_count(&s, &count) ? take_unit(&s, durations) : NULL;
		if (!u)
			return TF_INVALID;
		TF_TRY(add(&sum, count, u->factor));
	} while (s.n);
	*out = sum;
	return TF_OK;
}

static char *
format(int64_t v, const struct unit *units, char out[static 32])
{
	const struct unit *best = units;
	for (const struct unit *u = units; v && u->name; u++)
		if (v % u->factor == 0)
			best = u;
	snprintf(out, 32, "%" PRId64 "%s", v / best->factor, best->name);
	return out;
}

char *
tf_size_format(int64_t size, char out[static 32])
{
	return format(size, sizes, out);
}

char *
tf_dur_format(tf_dur d, char out[static 32])
{
	if (d == 0)
		return memcpy(out, "0s", 3);
	return format(d, durations, out);
}
