/* How close simulated homes are to measured ones: prints figures of both side by side.
 *   zcat HOMES.csv.gz | sim_calibration [HOMES [SEED]]
 * The input is a wide CSV: a header, then a row each half hour from a midnight on, its time and then Wh, a column a
 * home, days of 48 rows in standard time. Simulated are HOMES homes (1000) on the same days, wall clocks ahead by an
 * hour from the 29th day on (as in the data this is for: 2009-03-01 on, clocks forward on the 29th of March), at 30
 * minutes and at
 * 15. A figure is the mean over homes unless it says otherwise. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "codec.h"
#include "sim.h"

enum { HOMES_MAX = 4096, DAYS_MAX = 400, SUMMER_DAY = 28, CODEC_ROWS = 200 };

struct homes {
	uint32_t count, days, slots; /* slots of a day */
	int64_t *v;                  /* count x days x slots */
};

/* Figures of one home. */
#define FIGURES(X)                                                                                                     \
	X(ENTROPY, "order-0 entropy, bits a value")                                                                    \
	X(CONDITIONAL, "entropy given the value before, bits")                                                         \
	X(DELTA, "order-0 entropy of differences, bits")                                                               \
	X(ZSTD, "zstd -19 of 16-bit values, bits")                                                                     \
	X(DISTINCT, "distinct values")                                                                                 \
	X(MEAN, "mean, Wh")                                                                                            \
	X(LAG1, "correlation of log load with the interval before")                                                    \
	X(LAG2, "with the second before")                                                                              \
	X(DAY, "with the day before")                                                                                  \
	X(SPREAD, "standard deviation of days over their mean")                                                        \
	X(SAME, "share within 2 Wh of the interval before")
enum figure {
#define X(name, text) name,
	FIGURES(X)
#undef X
		FIGURE_COUNT
};

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* Sorts v. */
static double
entropy(int64_t *v, size_t n, size_t *out_distinct)
{
	double bits = 0;
	size_t distinct = 0;
	qsort(v, n, sizeof(*v), by_value);
	for (size_t i = 0, k; i < n; i = k, distinct++) {
		for (k = i; k < n && v[k] == v[i]; k++)
			;
		double p = (double)(k - i) / (double)n;
		bits -= p * log2(p);
	}
	if (out_distinct)
		*out_distinct = distinct;
	return bits;
}

static double
correlation(const double *x, size_t n, size_t lag)
{
	double a = 0, b = 0, ab = 0, aa = 0, bb = 0, m = (double)(n - lag);
	for (size_t i = lag; i < n; i++)
		a += x[i - lag] / m, b += x[i] / m;
	for (size_t i = lag; i < n; i++) {
		double p = x[i - lag] - a, q = x[i] - b;
		ab += p * q, aa += p * p, bb += q * q;
	}
	return ab / (sqrt(aa * bb) + 1e-12);
}

static double
zstd_bits(const int64_t *v, size_t n)
{
	size_t cap = ZSTD_compressBound(2 * n);
	int16_t *in = malloc(2 * n);
	void *out = malloc(cap);
	for (size_t i = 0; i < n; i++)
		in[i] = (int16_t)v[i];
	size_t size = ZSTD_compress(out, cap, in, 2 * n, 19);
	free(in);
	free(out);
	return 8.0 * (double)size / (double)n;
}

static double
day_spread(const int64_t *v, const struct homes *h)
{
	double sum = 0, squares = 0, days = h->days;
	for (uint32_t d = 0; d < h->days; d++) {
		double day = 0;
		for (uint32_t i = 0; i < h->slots; i++)
			day += (double)v[d * h->slots + i];
		sum += day, squares += day * day;
	}
	double mean = sum / days, variance = squares / days - mean * mean;
	return mean > 0 && variance > 0 ? sqrt(variance) / mean : 0;
}

static void
figures_of(const int64_t *v, const struct homes *h, double out[static FIGURE_COUNT])
{
	size_t n = (size_t)h->days * h->slots, distinct;
	int64_t *t = malloc(n * sizeof(*t));
	double *x = malloc(n * sizeof(*x));
	out[MEAN] = out[SAME] = 0;
	for (size_t i = 0; i < n; i++) {
		x[i] = log(1 + (double)v[i]);
		out[MEAN] += (double)v[i] / (double)n;
		out[SAME] += i && llabs(v[i] - v[i - 1]) <= 2 ? 1.0 / (double)(n - 1) : 0;
	}
	memcpy(t, v, n * sizeof(*t));
	out[ENTROPY] = entropy(t, n, &distinct);
	out[DISTINCT] = (double)distinct;
	for (size_t i = 1; i < n; i++)
		t[i - 1] = v[i] - v[i - 1];
	out[DELTA] = entropy(t, n - 1, NULL);
	memcpy(t, v, (n - 1) * sizeof(*t));
	out[CONDITIONAL] = -entropy(t, n - 1, NULL);
	for (size_t i = 1; i < n; i++)
		t[i - 1] = v[i - 1] << 32 | v[i];
	out[CONDITIONAL] += entropy(t, n - 1, NULL);
	out[ZSTD] = zstd_bits(v, n);
	out[LAG1] = correlation(x, n, 1);
	out[LAG2] = correlation(x, n, 2);
	out[DAY] = correlation(x, n, h->slots);
	out[SPREAD] = day_spread(v, h);
	free(t);
	free(x);
}

static double
codec_bits(const struct homes *h, enum meter_codec codec)
{
	struct meter_grid grid = {.rows = CODEC_ROWS, .slots = h->days * h->slots, .slots_per_day = h->slots};
	double bits = 0;
	for (uint32_t first = 0; first + CODEC_ROWS <= h->count; first += CODEC_ROWS) {
		struct tf_buf b;
		tf_buf_init(&b, 0);
		grid.values = h->v + (size_t)first * grid.slots;
		if (meter_codec_encode(codec, &grid, &b) != TF_OK)
			exit(70);
		bits += 8.0 * (double)b.n / ((double)(h->count / CODEC_ROWS) * CODEC_ROWS * grid.slots);
		tf_buf_release(&b);
	}
	return bits;
}

static struct homes
read_homes(FILE *in)
{
	struct homes h = {.slots = 48};
	static char line[1 << 20];
	int64_t *row = malloc((size_t)DAYS_MAX * 48 * HOMES_MAX * sizeof(*row));
	uint32_t rows = 0;
	if (!fgets(line, sizeof(line), in))
		return h;
	for (char *p = line; *p; p++)
		h.count += *p == ',';
	while (fgets(line, sizeof(line), in) && rows < DAYS_MAX * 48) {
		char *p = strchr(line, ',');
		for (uint32_t i = 0; i < h.count && p; i++)
			row[(size_t)rows * h.count + i] = strtoll(p + 1, &p, 10);
		rows++;
	}
	h.days = rows / 48;
	h.v = malloc((size_t)rows * h.count * sizeof(*h.v));
	for (uint32_t i = 0; i < h.count; i++)
		for (uint32_t k = 0; k < h.days * 48; k++)
			h.v[(size_t)i * h.days * 48 + k] = row[(size_t)k * h.count + i];
	free(row);
	return h;
}

static struct homes
simulate(uint32_t count, uint32_t days, uint32_t slots, uint64_t seed)
{
	struct homes h = {count, days, slots, malloc((size_t)count * days * slots * sizeof(int64_t))};
	int32_t first;
	if (tf_date_from_civil(2009, 3, 1, &first) != TF_OK)
		exit(70);
	for (uint32_t i = 0; i < count; i++) {
		struct meter_sim_meter m;
		meter_sim_meter_init_as(&m, seed, i, METER_SIM_HOME);
		for (uint32_t d = 0; d < days; d++)
			meter_sim_day(&m, first + (int32_t)d, d >= SUMMER_DAY ? 60 : 0, slots,
				      h.v + ((size_t)i * days + d) * slots, NULL);
	}
	return h;
}

static void
put_row(const char *name, const double v[static 3])
{
	printf("| %s | %.3f | %.3f | %+.1f %% | %.3f |\n", name, v[0], v[1], 100 * (v[1] / v[0] - 1), v[2]);
}

/* v[home * FIGURE_COUNT + f], sorted per figure to give quantiles. */
static int
by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void
print_figures(const struct homes h[static 3])
{
	static const char *const names[] = {
#define X(name, text) text,
		FIGURES(X)
#undef X
	};
	static double of[FIGURE_COUNT][3][HOMES_MAX];
	for (int s = 0; s < 3; s++)
		for (uint32_t i = 0; i < h[s].count; i++) {
			double one[FIGURE_COUNT];
			figures_of(h[s].v + (size_t)i * h[s].days * h[s].slots, &h[s], one);
			for (int k = 0; k < FIGURE_COUNT; k++)
				of[k][s][i] = one[k];
		}
	for (int k = 0; k < FIGURE_COUNT; k++) {
		double mean[3] = {0}, low[3], high[3];
		for (int s = 0; s < 3; s++) {
			for (uint32_t i = 0; i < h[s].count; i++)
				mean[s] += of[k][s][i] / h[s].count;
			qsort(of[k][s], h[s].count, sizeof(double), by_double);
			low[s] = of[k][s][h[s].count / 10];
			high[s] = of[k][s][h[s].count * 9 / 10];
		}
		put_row(names[k], mean);
		if (k == ENTROPY || k == CONDITIONAL || k == DELTA || k == ZSTD || k == MEAN) {
			put_row("&nbsp; a tenth of homes is below", low);
			put_row("&nbsp; a tenth of homes is above", high);
		}
	}
}

static void
print_pooled(const struct homes h[static 3])
{
	static const double at[] = {0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999};
	int64_t *sorted[3];
	double zero[3] = {0};
	for (int s = 0; s < 3; s++) {
		size_t n = (size_t)h[s].count * h[s].days * h[s].slots;
		sorted[s] = malloc(n * sizeof(int64_t));
		memcpy(sorted[s], h[s].v, n * sizeof(int64_t));
		qsort(sorted[s], n, sizeof(int64_t), by_value);
		for (size_t i = 0; i < n; i++)
			zero[s] += sorted[s][i] == 0 ? 100.0 / (double)n : 0;
	}
	put_row("zeros, % of all values", zero);
	for (size_t k = 0; k < sizeof(at) / sizeof(at[0]); k++) {
		char name[64];
		double v[3];
		for (int s = 0; s < 3; s++)
			v[s] = (double)sorted[s][(size_t)(at[k] * h[s].count * h[s].days * h[s].slots)];
		snprintf(name, sizeof(name), "quantile %g of all values, Wh", at[k]);
		put_row(name, v);
	}
	for (int s = 0; s < 3; s++)
		free(sorted[s]);
}

/* Load of four-hour blocks over the mean load. */
static void
print_shape(const struct homes h[static 3])
{
	for (uint32_t block = 0; block < 8; block++) {
		char name[64];
		double v[3] = {0};
		for (int s = 0; s < 3; s++) {
			double all = 0;
			for (size_t i = 0; i < (size_t)h[s].count * h[s].days * h[s].slots; i++) {
				all += (double)h[s].v[i];
				v[s] += i % h[s].slots * 8 / h[s].slots == block ? (double)h[s].v[i] : 0;
			}
			v[s] *= 8 / all;
		}
		snprintf(name, sizeof(name), "load from %02u:00 to %02u:00 over the mean", block * 3, block * 3 + 3);
		put_row(name, v);
	}
}

int
main(int argc, char **argv)
{
	uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct homes h[3] = {read_homes(stdin)};
	if (!h[0].days || h[0].count > HOMES_MAX || !count || count > HOMES_MAX) {
		fprintf(stderr, "usage: zcat HOMES.csv.gz | sim_calibration [HOMES [SEED]]\n");
		return 2;
	}
	h[1] = simulate(count, h[0].days, 48, seed);
	h[2] = simulate(count, h[0].days, 96, seed);
	printf("| figure | %u real homes, 30 min | %u simulated, 30 min | | the same, 15 min |\n| --- | --: | --: | "
	       "--: | --: |\n",
	       h[0].count, count);
	print_figures(h);
	print_pooled(h);
	print_shape(h);
	static const char *const codecs[] = {"own codec, plain, bits a value", "own codec, model, bits a value"};
	for (int codec = 0; codec < 2; codec++) {
		double bits[3];
		for (int s = 0; s < 3; s++)
			bits[s] = codec_bits(&h[s], codec ? METER_CODEC_MODEL : METER_CODEC_PLAIN);
		put_row(codecs[codec], bits);
	}
	for (int s = 0; s < 3; s++)
		free(h[s].v);
	return 0;
}
