/* Bytes against decode rate: the interval codec beside its peers, on the same values in the same run.
 *
 *   codec_bench [FILE]   FILE: a wide CSV, plain or .gz, first column the interval's start, one column per meter, whole
 *                        numbers, half-hours. Without one, homes are made up from a fixed seed.
 *
 * Rates are the best of several runs on one core, in millions of values a second; sizes are whole encoded blocks, with
 * tables and row directories. A month block is all meters by 30 days, a day block all meters by one day. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <zlib.h>
#include <zstd.h>

#include "codec.h"

#define DAY        48
#define MONTH      (30 * DAY)
#define METERS_MAX 1000
#define SLOTS_MAX  (400 * DAY)
#define RUNS       5

struct data {
	uint32_t meters, slots;
	int64_t *values; /* meter after meter */
};

/* One span of the data as a grid, row after row. */
struct block {
	uint32_t rows, slots;
	int64_t *values;
};

struct result {
	double bytes, encode_s, decode_s, values;
};

static void *
must(void *p)
{
	if (!p) {
		fputs("out of memory\n", stderr);
		exit(75);
	}
	return p;
}

static double
now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t
draw(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void
data_make(struct data *d)
{
	uint64_t seed = 1;
	d->meters = 200;
	d->slots = 92 * DAY;
	d->values = must(malloc((size_t)d->meters * d->slots * sizeof *d->values));
	for (uint32_t m = 0; m < d->meters; m++) {
		int64_t base = 20 + (int64_t)(draw(&seed) % 120), load = 0;
		for (uint32_t i = 0; i < d->slots; i++) {
			uint32_t hour = i % DAY / 2;
			int64_t shape = hour >= 17 && hour <= 22 ? 200 : hour >= 7 ? 80 : 10;
			load = draw(&seed) % 4 ? load * 3 / 4 : (int64_t)(draw(&seed) % 1500);
			int64_t noise = (int64_t)(draw(&seed) % (uint64_t)(base / 4 + shape / 3 + 1));
			d->values[(size_t)m * d->slots + i] = base + noise + (hour >= 7 ? load : load / 16);
		}
	}
}

static int
data_read(struct data *d, const char *path)
{
	gzFile f = gzopen(path, "rb");
	size_t cap = 1 << 20;
	char *line = must(malloc(cap));
	if (!f || !gzgets(f, line, (int)cap))
		return -1;
	for (char *p = line; *p; p++)
		d->meters += *p == ',';
	if (!d->meters || d->meters > METERS_MAX)
		return -1;
	d->values = must(malloc((size_t)d->meters * SLOTS_MAX * sizeof *d->values));
	while (d->slots < SLOTS_MAX && gzgets(f, line, (int)cap)) {
		char *p = strchr(line, ',');
		for (uint32_t m = 0; p && m < d->meters; m++)
			d->values[(size_t)m * SLOTS_MAX + d->slots] = strtoll(p + 1, &p, 10);
		d->slots++;
	}
	for (uint32_t m = 0; m < d->meters; m++)
		memmove(d->values + (size_t)m * d->slots, d->values + (size_t)m * SLOTS_MAX,
			d->slots * sizeof *d->values);
	gzclose(f);
	free(line);
	return d->slots >= MONTH ? 0 : -1;
}

static struct block *
blocks_cut(const struct data *d, uint32_t span, size_t *out_n)
{
	size_t n = d->slots / span;
	struct block *b = must(malloc(n * sizeof *b));
	for (size_t k = 0; k < n; k++) {
		b[k] = (struct block){d->meters, span, must(malloc((size_t)d->meters * span * sizeof(int64_t)))};
		for (uint32_t m = 0; m < d->meters; m++)
			memcpy(b[k].values + (size_t)m * span, d->values + (size_t)m * d->slots + k * span,
			       span * sizeof(int64_t));
	}
	*out_n = n;
	return b;
}

/* A way to encode a block and get it back. */
struct way {
	const char *name;
	void (*encode)(const struct way *w, const struct block *b, struct tf_buf *out);
	void (*decode)(const struct way *w, const struct tf_buf *in, const struct block *like, int64_t *out);
	int option, width;
};

static void
own_encode(const struct way *w, const struct block *b, struct tf_buf *out)
{
	struct meter_grid g = {.rows = b->rows, .slots = b->slots, .slots_per_day = DAY, .values = b->values};
	if (meter_codec_encode((enum meter_codec)w->option, &g, out))
		abort();
}

static void
own_decode(const struct way *w, const struct tf_buf *in, const struct block *like, int64_t *out)
{
	struct meter_decoder *d = NULL;
	if (meter_decoder_open(tf_buf_view(in), like->rows, like->slots, &d, NULL) ||
	    meter_decoder_rows(d, 0, like->rows, out))
		abort();
	meter_decoder_free(&d);
}

static void
own_decode_single(const struct way *w, const struct tf_buf *in, const struct block *like, int64_t *out)
{
	struct meter_decoder *d = NULL;
	if (meter_decoder_open(tf_buf_view(in), like->rows, like->slots, &d, NULL))
		abort();
	for (uint32_t r = 0; r < like->rows; r++)
		if (meter_decoder_row(d, r, out + (size_t)r * like->slots))
			abort();
	meter_decoder_free(&d);
}

static void
zstd_encode(const struct way *w, const struct block *b, struct tf_buf *out)
{
	size_t n = (size_t)b->rows * b->slots;
	uint8_t *narrow = must(malloc(n * 4));
	for (size_t i = 0; i < n; i++) {
		uint32_t v = (uint32_t)b->values[i];
		memcpy(narrow + i * (size_t)w->width, &v, (size_t)w->width);
	}
	size_t room = ZSTD_compressBound(n * (size_t)w->width);
	uint8_t *p = must(tf_buf_room(out, room));
	size_t size = ZSTD_compress(p, room, narrow, n * (size_t)w->width, w->option);
	if (ZSTD_isError(size))
		abort();
	out->n += size;
	free(narrow);
}

static void
zstd_decode(const struct way *w, const struct tf_buf *in, const struct block *like, int64_t *out)
{
	size_t n = (size_t)like->rows * like->slots;
	uint8_t *narrow = must(malloc(n * 4));
	if (ZSTD_isError(ZSTD_decompress(narrow, n * (size_t)w->width, in->p, in->n)))
		abort();
	for (size_t i = 0; i < n; i++) {
		uint32_t v = 0;
		memcpy(&v, narrow + i * (size_t)w->width, (size_t)w->width);
		out[i] = v;
	}
	free(narrow);
}

/* Bits, low first, for the peers below. */
struct bits {
	uint8_t *p;
	uint64_t at;
};

static void
bits_put(struct bits *b, uint64_t v, unsigned n)
{
	for (unsigned done = 0; done < n;) {
		unsigned in_byte = (unsigned)(b->at & 7), part = 8 - in_byte < n - done ? 8 - in_byte : n - done;
		uint8_t *p = b->p + (b->at >> 3);
		if (!in_byte)
			*p = 0;
		*p |= (uint8_t)((v >> done & ((1u << part) - 1)) << in_byte);
		b->at += part;
		done += part;
	}
}

static uint64_t
bits_take(struct bits *b, unsigned n)
{
	uint64_t w, high = 0;
	unsigned shift = (unsigned)(b->at & 7);
	memcpy(&w, b->p + (b->at >> 3), 8);
	w >>= shift;
	if (shift + n > 64)
		high = (uint64_t)b->p[(b->at >> 3) + 8] << (64 - shift);
	b->at += n;
	return (w | high) & (n == 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1);
}

/* Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series Database", VLDB 2015: values as doubles. */
struct gorilla {
	uint64_t last;
	unsigned lead, trail;
};

static void
gorilla_put(struct gorilla *g, struct bits *b, double value)
{
	uint64_t v, x;
	memcpy(&v, &value, 8);
	x = v ^ g->last;
	g->last = v;
	bits_put(b, x != 0, 1);
	if (!x)
		return;
	unsigned lead = (unsigned)__builtin_clzll(x), trail = (unsigned)__builtin_ctzll(x);
	lead = lead > 31 ? 31 : lead;
	if (lead >= g->lead && trail >= g->trail) {
		bits_put(b, 0, 1);
		bits_put(b, x >> g->trail, 64 - g->lead - g->trail);
		return;
	}
	g->lead = lead;
	g->trail = trail;
	bits_put(b, 1, 1);
	bits_put(b, lead, 5);
	bits_put(b, 64 - lead - trail - 1, 6);
	bits_put(b, x >> trail, 64 - lead - trail);
}

static double
gorilla_take(struct gorilla *g, struct bits *b)
{
	if (bits_take(b, 1)) {
		if (bits_take(b, 1)) {
			g->lead = (unsigned)bits_take(b, 5);
			g->trail = 64 - g->lead - (unsigned)bits_take(b, 6) - 1;
		}
		g->last ^= bits_take(b, 64 - g->lead - g->trail) << g->trail;
	}
	double value;
	memcpy(&value, &g->last, 8);
	return value;
}

static void
gorilla_encode(const struct way *w, const struct block *b, struct tf_buf *out)
{
	struct bits bits = {must(tf_buf_room(out, (size_t)b->rows * b->slots * 10 + 16)), 0};
	for (uint32_t r = 0; r < b->rows; r++) {
		struct gorilla g = {0, 64, 64};
		for (uint32_t i = 0; i < b->slots; i++)
			gorilla_put(&g, &bits, (double)b->values[(size_t)r * b->slots + i] / w->option);
	}
	out->n += (bits.at + 7) / 8;
}

static void
gorilla_decode(const struct way *w, const struct tf_buf *in, const struct block *like, int64_t *out)
{
	struct bits bits = {in->p, 0};
	for (uint32_t r = 0; r < like->rows; r++) {
		struct gorilla g = {0, 64, 64};
		for (uint32_t i = 0; i < like->slots; i++)
			*out++ = llrint(gorilla_take(&g, &bits) * w->option);
	}
}

/* Zigzag differences, packed at one width per DAY slots. */
static void
delta_encode(const struct way *w, const struct block *b, struct tf_buf *out)
{
	struct bits bits = {must(tf_buf_room(out, (size_t)b->rows * b->slots * 9 + 16)), 0};
	for (uint32_t r = 0; r < b->rows; r++) {
		int64_t last = 0;
		for (uint32_t at = 0; at < b->slots; at += DAY) {
			uint64_t zigzag[DAY], any = 0;
			for (uint32_t i = 0; i < DAY; i++) {
				int64_t v = b->values[(size_t)r * b->slots + at + i], d = v - last;
				last = v;
				any |= zigzag[i] = (uint64_t)d << 1 ^ (uint64_t)(d >> 63);
			}
			unsigned width = any ? 64 - (unsigned)__builtin_clzll(any) : 0;
			bits_put(&bits, width, 8);
			for (uint32_t i = 0; i < DAY; i++)
				bits_put(&bits, zigzag[i], width);
		}
	}
	out->n += (bits.at + 7) / 8;
}

static void
delta_decode(const struct way *w, const struct tf_buf *in, const struct block *like, int64_t *out)
{
	struct bits bits = {in->p, 0};
	for (uint32_t r = 0; r < like->rows; r++) {
		int64_t last = 0;
		for (uint32_t at = 0; at < like->slots; at += DAY) {
			unsigned width = (unsigned)bits_take(&bits, 8);
			for (uint32_t i = 0; i < DAY; i++) {
				uint64_t z = bits_take(&bits, width);
				last += (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
				*out++ = last;
			}
		}
	}
}

static void
copy_encode(const struct way *w, const struct block *b, struct tf_buf *out)
{
	tf_buf_put(out, b->values, (size_t)b->rows * b->slots * sizeof *b->values);
}

static void
copy_decode(const struct way *w, const struct tf_buf *in, const struct block *like, int64_t *out)
{
	memcpy(out, in->p, in->n);
}

static const struct way ways[] = {
	{"own: plain", own_encode, own_decode, METER_CODEC_PLAIN, 0},
	{"own: model", own_encode, own_decode, METER_CODEC_MODEL, 0},
	{"own: model, row by row", own_encode, own_decode_single, METER_CODEC_MODEL, 0},
	{"zstd -3, 16 bit", zstd_encode, zstd_decode, 3, 2},
	{"zstd -3, 32 bit", zstd_encode, zstd_decode, 3, 4},
	{"zstd -19, 16 bit", zstd_encode, zstd_decode, 19, 2},
	{"zstd -19, 32 bit", zstd_encode, zstd_decode, 19, 4},
	{"Gorilla, doubles of Wh", gorilla_encode, gorilla_decode, 1, 0},
	{"Gorilla, doubles of kWh", gorilla_encode, gorilla_decode, 1000, 0},
	{"zigzag delta, packed a day", delta_encode, delta_decode, 0, 0},
	{"memcpy of 64 bit", copy_encode, copy_decode, 0, 0},
};

/* Best times of some runs over all blocks; slow ways run once. */
static struct result
measure(const struct way *w, const struct block *b, size_t n)
{
	struct result r = {.encode_s = HUGE_VAL, .decode_s = HUGE_VAL};
	size_t cells = (size_t)b->rows * b->slots;
	struct tf_buf *out = must(calloc(n, sizeof *out));
	int64_t *back = must(malloc(cells * sizeof *back));
	for (int run = 0; run < RUNS; run++) {
		double t0 = now_s();
		for (size_t k = 0; k < n; k++) {
			tf_buf_reset(&out[k]);
			w->encode(w, &b[k], &out[k]);
		}
		double t = now_s() - t0;
		r.encode_s = t < r.encode_s ? t : r.encode_s;
		if (t > 2)
			break;
	}
	for (int run = 0; run < 3 * RUNS; run++) {
		double t0 = now_s();
		for (size_t k = 0; k < n; k++)
			w->decode(w, &out[k], &b[k], back);
		double t = now_s() - t0;
		r.decode_s = t < r.decode_s ? t : r.decode_s;
	}
	if (memcmp(back, b[n - 1].values, cells * sizeof *back)) {
		fprintf(stderr, "%s: what came back differs\n", w->name);
		exit(1);
	}
	for (size_t k = 0; k < n; k++) {
		r.bytes += (double)out[k].n;
		tf_buf_release(&out[k]);
	}
	r.values = (double)(cells * n);
	free(out);
	free(back);
	return r;
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* Bits a value if each meter's values in a block were drawn from their own histogram, given away free. */
static double
entropy(const struct block *b, size_t n)
{
	double bits = 0, values = 0;
	for (size_t k = 0; k < n; k++)
		for (uint32_t r = 0; r < b[k].rows; r++) {
			uint32_t slots = b[k].slots;
			int64_t *v = must(malloc(slots * sizeof *v));
			memcpy(v, b[k].values + (size_t)r * slots, slots * sizeof *v);
			qsort(v, slots, sizeof *v, by_value);
			for (uint32_t i = 0, from = 0; i < slots; i++)
				if (i + 1 == slots || v[i + 1] != v[i]) {
					double c = i + 1 - from;
					bits -= c * log2(c / slots);
					from = i + 1;
				}
			values += slots;
			free(v);
		}
	return bits / values;
}

static void
table_print(const struct data *d, const char *title, uint32_t span)
{
	size_t n;
	struct block *b = blocks_cut(d, span, &n);
	printf("%s: %zu blocks of %u rows x %u slots\n", title, n, b->rows, b->slots);
	printf("  %-28s %11s %9s %14s %14s\n", "", "bytes/value", "bits", "encode M/s", "decode M/s");
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct result r = measure(&ways[i], b, n);
		printf("  %-28s %11.4f %9.3f %14.1f %14.1f\n", ways[i].name, r.bytes / r.values, 8 * r.bytes / r.values,
		       r.values / r.encode_s / 1e6, r.values / r.decode_s / 1e6);
		fflush(stdout);
	}
	double h = entropy(b, n);
	printf("  %-28s %11.4f %9.3f\n", "bound: own histogram, free", h / 8, h);
	for (size_t k = 0; k < n; k++)
		free(b[k].values);
	free(b);
}

int
main(int argc, char **argv)
{
	struct data d = {0};
	if (argc > 2) {
		fputs("usage: codec_bench [FILE.csv[.gz]]\n", stderr);
		return 2;
	}
	if (argc < 2)
		data_make(&d);
	else if (data_read(&d, argv[1])) {
		fprintf(stderr, "cannot read '%s' as a wide CSV of at least 30 days of half-hours\n", argv[1]);
		return 2;
	}
	struct block whole = {d.meters, d.slots, d.values};
	printf("%u meters, %u half-hours, order-0 entropy per meter over all of them %.3f bits\n", d.meters, d.slots,
	       entropy(&whole, 1));
	table_print(&d, "month blocks", MONTH);
	table_print(&d, "day blocks", DAY);
	free(d.values);
	return 0;
}
