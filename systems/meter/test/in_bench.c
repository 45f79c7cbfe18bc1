/* How fast the parsers are, in memory, one thread: best of several passes over a generated text.
 *   in_bench [SECONDS]    passes for so long per format (default 2)
 * Text: 15-minute kWh with three decimals of a noisy load, as NEM12; half-hourly Wh of 200 meters, as wide CSV. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "in.h"

static uint64_t readings;

static enum tf_err
on_run(void *ctx, const struct meter_run *r, struct tf_fault *f)
{
	readings += r->count;
	return TF_OK;
}

static enum tf_err
on_bad(void *ctx, const struct meter_bad *b, struct tf_fault *f)
{
	fprintf(stderr, "bad line %llu: %.*s\n", (unsigned long long)b->line, TF_FMT(b->text));
	return TF_OK;
}

static uint32_t
random_load(void)
{
	static uint64_t x = 88172645463325252u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	uint32_t r = (uint32_t)(x >> 40), top = (r & 15) == 0 ? 4000 : (r & 15) < 5 ? 900 : 250;
	return (r >> 4) % top;
}

static void
write_nem12(struct tf_buf *b)
{
	tf_buf_cstr(b, "100,NEM12,202401011200,MDA,RET\n");
	for (int meter = 0; meter < 200; meter++) {
		tf_buf_printf(b, "200,NMI%07d,E1,E1,E1,N1,S%d,kWh,15,\n", meter, meter);
		for (int day = 1; day <= 28; day++) {
			tf_buf_printf(b, "300,202402%02d,", day);
			for (int i = 0; i < 96; i++) {
				uint32_t wh = random_load();
				tf_buf_printf(b, "%u.%03u,", wh / 1000, wh % 1000);
			}
			tf_buf_printf(b, "A,,,202403%02d120000,\n", day);
		}
	}
	tf_buf_cstr(b, "900\n");
}

static void
write_wide(struct tf_buf *b)
{
	tf_buf_cstr(b, "time (Wh)");
	for (int meter = 0; meter < 200; meter++)
		tf_buf_printf(b, ",M%d", meter);
	for (int row = 0; row < 3000; row++) {
		char text[40];
		tf_time_format(row * 30 * TF_MINUTE, text);
		tf_buf_printf(b, "\n%s", text);
		for (int meter = 0; meter < 200; meter++)
			tf_buf_printf(b, ",%u", random_load());
	}
	tf_buf_u8(b, '\n');
}

static void
write_long(struct tf_buf *b)
{
	tf_buf_cstr(b, "meter,start,kwh\n");
	for (int meter = 0; meter < 200; meter++)
		for (int row = 0; row < 2000; row++) {
			char text[40];
			uint32_t wh = random_load();
			tf_time_format(row * 30 * TF_MINUTE, text);
			tf_buf_printf(b, "M%d,%s,%u.%03u\n", meter, text, wh / 1000, wh % 1000);
		}
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
pass(struct tf_str text)
{
	struct meter_in_options o = {.name = TF_STR("bench")};
	struct meter_sink sink = {.run = on_run, .bad = on_bad};
	struct tf_fault f = {0};
	struct meter_in *in;
	double from = now();
	if (meter_in_new(&o, &sink, &in, &f) != TF_OK)
		exit(1);
	for (size_t at = 0; at < text.n; at += 1 << 20)
		if (meter_in_feed(in, tf_str_n(text.p + at, text.n - at < 1 << 20 ? text.n - at : 1 << 20), &f) !=
		    TF_OK)
			exit(1);
	if (meter_in_finish(in, &f) != TF_OK)
		exit(1);
	meter_in_free(&in);
	return now() - from;
}

static void
bench(const char *name, void (*write)(struct tf_buf *), double seconds)
{
	struct tf_buf b = {0};
	write(&b);
	double best = 1e9, until = now() + seconds;
	uint64_t count;
	do {
		readings = 0;
		double s = pass(tf_buf_view(&b));
		best = s < best ? s : best;
		count = readings;
	} while (now() < until);
	printf("%-10s %8.1f MB/s %8.1f M readings/s %6.2f bytes a reading\n", name, (double)b.n / best / 1e6,
	       (double)count / best / 1e6, (double)b.n / (double)count);
	tf_buf_release(&b);
}

int
main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	bench("nem12", write_nem12, seconds);
	bench("csv-wide", write_wide, seconds);
	bench("csv-long", write_long, seconds);
	return 0;
}
