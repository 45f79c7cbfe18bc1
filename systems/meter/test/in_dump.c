/* Prints what the parsers take from files, for comparison with other programs:
 *   in_dump [-z ZONE] [-e EXPONENT] [-c CHUNK] [-q] FILE...
 * "sum meter channel unit count total when actual" per channel (absent values not counted; when: the sum of value times
 * start in minutes, modulo 2^64, so that a value at a wrong time shows; actual: those of quality A), "bad line field
 * rule text" per bad record; -q leaves those out and prints throughput instead. Exit 1 where a file cannot be read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "in.h"
#include "os/os.h"

struct sum {
	char meter[METER_METER_MAX + 1], channel[METER_CHANNEL_MAX + 1];
	enum meter_unit unit;
	uint64_t count, when, actual;
	__int128 total;
};

struct dump {
	struct sum *sums;
	size_t count, cap, last;
	uint64_t readings, runs, bads;
	bool quiet;
};

static struct sum *
find_sum(struct dump *d, const struct meter_run *r)
{
	for (size_t n = 0, i = d->last; n < d->count; n++, i = i + 1 < d->count ? i + 1 : 0) {
		struct sum *s = &d->sums[i];
		if (s->unit == r->unit && tf_str_eq(tf_str(s->meter), r->meter) &&
		    tf_str_eq(tf_str(s->channel), r->channel)) {
			d->last = i;
			return s;
		}
	}
	if (d->count == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 256;
		d->sums = realloc(d->sums, d->cap * sizeof(*d->sums));
		if (!d->sums)
			abort();
	}
	struct sum *s = &d->sums[d->last = d->count++];
	*s = (struct sum){.unit = r->unit};
	memcpy(s->meter, r->meter.p, r->meter.n);
	memcpy(s->channel, r->channel.p, r->channel.n);
	return s;
}

static enum tf_err
on_run(void *ctx, const struct meter_run *r, struct tf_fault *f)
{
	struct dump *d = ctx;
	d->runs++;
	d->readings += r->count;
	if (d->quiet)
		return TF_OK;
	struct sum *s = find_sum(d, r);
	for (uint32_t i = 0; i < r->count; i++)
		if (r->values[i] != METER_ABSENT) {
			s->count++;
			s->total += r->values[i];
			s->actual += r->quality[r->quality_count > 1 ? i : 0].kind == 'A';
			int64_t minute = (r->start / TF_SEC + (int64_t)i * r->interval_s) / 60;
			s->when += (uint64_t)r->values[i] * (uint64_t)minute;
		}
	return TF_OK;
}

static enum tf_err
on_bad(void *ctx, const struct meter_bad *b, struct tf_fault *f)
{
	struct dump *d = ctx;
	d->bads++;
	if (!d->quiet)
		printf("bad %llu %u %.*s %.*s\n", (unsigned long long)b->line, b->field, TF_FMT(b->rule),
		       TF_FMT(b->text));
	return TF_OK;
}

static int
dump_file(struct dump *d, const struct meter_in_options *o, const char *path, size_t chunk)
{
	struct meter_in_options options = *o;
	struct meter_sink sink = {.ctx = d, .run = on_run, .bad = on_bad};
	struct tf_fault f = {0};
	struct meter_in *in;
	char *buffer = malloc(chunk);
	FILE *file = fopen(path, "rb");
	uint64_t bytes = 0;
	if (!file || !buffer) {
		printf("error cannot open %s\n", path);
		free(buffer);
		if (file)
			fclose(file);
		return 1;
	}
	options.name = tf_str(path);
	enum tf_err e = meter_in_new(&options, &sink, &in, &f);
	struct timespec from, to;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (size_t n; e == TF_OK && (n = fread(buffer, 1, chunk, file)) > 0; bytes += n)
		e = meter_in_feed(in, tf_str_n(buffer, n), &f);
	if (e == TF_OK)
		e = meter_in_finish(in, &f);
	clock_gettime(CLOCK_MONOTONIC, &to);
	double s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
	if (e != TF_OK)
		printf("error %s\n", f.text);
	else if (d->quiet)
		printf("%.*s: %llu bytes, %llu runs, %llu readings, %llu bad, %.3f s, %.1f MB/s, %.1f M readings/s\n",
		       TF_FMT(meter_in_format(in)), (unsigned long long)bytes, (unsigned long long)d->runs,
		       (unsigned long long)d->readings, (unsigned long long)d->bads, s, (double)bytes / s / 1e6,
		       (double)d->readings / s / 1e6);
	else
		printf("format %.*s\n", TF_FMT(meter_in_format(in)));
	meter_in_free(&in);
	fclose(file);
	free(buffer);
	return e != TF_OK;
}

static void
print_sums(const struct dump *d)
{
	static const char *const units[] = {
#define X(name, text) text,
		METER_UNITS(X)
#undef X
	};
	for (size_t i = 0; i < d->count; i++) {
		const struct sum *s = &d->sums[i];
		printf("sum %s %s %s %llu %lld %llu %llu\n", s->meter, s->channel, units[s->unit],
		       (unsigned long long)s->count, (long long)s->total, (unsigned long long)s->when,
		       (unsigned long long)s->actual);
	}
}

int
main(int argc, char **argv)
{
	struct meter_in_options o = {0};
	struct dump d = {0};
	struct tf_zone *zone = NULL;
	struct tf_fault f = {0};
	size_t chunk = 1 << 20;
	int bad = 0;
	for (int c; (c = getopt(argc, argv, "z:e:c:q")) != -1;) {
		if (c == 'z' && tf_os_zone(tf_os_real(), tf_str(optarg), &zone, &f) != TF_OK)
			return fprintf(stderr, "%s\n", f.text), 2;
		if (c == 'e')
			o.unit_exponent = (int8_t)strtol(optarg, NULL, 10);
		if (c == 'c')
			chunk = strtoul(optarg, NULL, 10);
		d.quiet |= c == 'q';
		if (c == '?' || !chunk)
			return 2;
	}
	o.zone = zone;
	for (int i = optind; i < argc; i++)
		bad |= dump_file(&d, &o, argv[i], chunk);
	print_sums(&d);
	free(d.sums);
	tf_zone_free(&zone);
	return bad;
}
