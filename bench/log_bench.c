/* Group commit of the log beside plain write and fdatasync of the same bytes, in the same run and directory.
 *
 *   log_bench DIR [SECONDS]   DIR is made, and emptied again. SECONDS a row, default 1.
 *
 * A row is a size of sync: so many records of so many bytes, then one sync. "raw" appends the payload bytes alone to
 * one file with one write; "ahead" does it over bytes written before, which is what preallocating could save. The three
 * take turns, 8 syncs each. Then one core's rates of append (no sync), read and verify, and how long opening takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"
#include "store/log.h"

#define TURN       8
#define AHEAD_MAX  (UINT64_C(256) << 20)
#define BATCH_MAX  ((size_t)16 << 20)
#define RATE_BYTES ((uint64_t)512 << 20)

static struct tf_os *os;
static struct tf_fault fault;
static char *noise;

static void
must(enum tf_err e)
{
	if (e == TF_OK)
		return;
	fprintf(stderr, "%s\n", fault.text);
	exit(tf_err_exit(e));
}

static double
now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct lane {
	struct tf_file *file;
	uint64_t at, wrap; /* wrap: start over, 0 for never */
	double seconds, worst;
	uint64_t syncs;
};

static void
count(struct lane *l, double start)
{
	double took = now_s() - start;
	l->seconds += took;
	l->worst = took > l->worst ? took : l->worst;
	l->syncs++;
}

static void
raw_turn(struct lane *l, size_t n)
{
	for (int i = 0; i < TURN; i++) {
		double start = now_s();
		if (l->wrap && l->at + n > l->wrap)
			l->at = 0;
		must(tf_file_write(l->file, noise, n, l->at, &fault));
		must(tf_file_sync(l->file, &fault));
		l->at += n;
		count(l, start);
	}
}

static void
log_turn(struct lane *l, struct tf_log *log, size_t records, size_t bytes)
{
	for (int i = 0; i < TURN; i++) {
		double start = now_s();
		for (size_t k = 0; k < records; k++)
			must(tf_log_append(log, 0, 1, tf_str_n(noise + k * bytes, bytes), NULL, &fault));
		must(tf_log_sync(log, &fault));
		count(l, start);
	}
}

static void
print(const struct lane *l, size_t n)
{
	double rate = (double)l->syncs / l->seconds;
	printf("  %8.0f %7.1f %7.1f", rate, rate * (double)n / 1e6, l->worst * 1e3);
}

static void
open_file(const char *name, struct lane *l, uint64_t ahead)
{
	must(tf_os_open(os, name, TF_OPEN_CREATE | TF_OPEN_TRUNCATE, &l->file, &fault));
	for (uint64_t at = 0; at < ahead; at += BATCH_MAX)
		must(tf_file_write(l->file, noise, BATCH_MAX, at, &fault));
	must(tf_file_sync(l->file, &fault));
	l->wrap = ahead;
}

static void
row(size_t records, size_t bytes, double seconds)
{
	struct lane raw = {0}, ahead = {0}, own = {0};
	struct tf_log *log;
	size_t n = records * bytes;
	open_file("raw", &raw, 0);
	open_file("ahead", &ahead, AHEAD_MAX);
	must(tf_log_open(os, "log", NULL, &log, &fault));
	while (raw.seconds + ahead.seconds + own.seconds < 3 * seconds) {
		raw_turn(&raw, n);
		log_turn(&own, log, records, bytes);
		raw_turn(&ahead, n);
	}
	printf("%7zu x %7zu", records, bytes);
	print(&own, n);
	print(&raw, n);
	print(&ahead, n);
	printf("\n");
	must(tf_log_trim(log, 0, tf_log_end(log, 0), &fault));
	tf_log_close(&log);
	tf_file_close(&raw.file);
	tf_file_close(&ahead.file);
	must(tf_os_unlink(os, "raw", &fault));
	must(tf_os_unlink(os, "ahead", &fault));
}

static void
rates(size_t bytes)
{
	struct tf_log *log;
	struct tf_log_reader *r;
	struct tf_log_record record;
	uint64_t count = RATE_BYTES / bytes, records, offset, sum = 0;
	must(tf_log_open(os, "log", NULL, &log, &fault));
	uint64_t first = tf_log_end(log, 0);
	double t0 = now_s();
	for (uint64_t i = 0; i < count; i++)
		must(tf_log_append(log, 0, 1, tf_str_n(noise + i % 512 * 8, bytes), NULL, &fault));
	double t1 = now_s();
	must(tf_log_sync(log, &fault));
	double t2 = now_s();
	must(tf_log_read(log, 0, first, &r, &fault));
	while (tf_log_next(r, &record, &fault) == TF_OK)
		sum += record.bytes.n;
	double t3 = now_s();
	must(tf_log_verify(log, &records, &fault));
	double t4 = now_s();
	must(tf_log_seek(log, 0, TF_TIME_MAX, &offset, &fault));
	double t5 = now_s();
	tf_log_close(&log);
	double t6 = now_s();
	must(tf_log_open(os, "log", NULL, &log, &fault));
	double t7 = now_s();
	double mb = (double)sum / 1e6;
	printf("%9zu %9.0f %9.0f %9.0f %9.0f %12.2f %9.2f\n", bytes, mb / (t1 - t0), mb / (t2 - t0), mb / (t3 - t2),
	       mb / (t4 - t3), (t5 - t4) * 1e3, (t7 - t6) * 1e3);
	must(tf_log_trim(log, 0, tf_log_end(log, 0), &fault));
	tf_log_close(&log);
}

static enum tf_err
remove_entry(void *ctx, const char *name, bool is_dir)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%.200s", (const char *)ctx, name);
	if (!is_dir)
		return tf_os_unlink(os, path, &fault);
	TF_TRY(tf_os_list(os, path, remove_entry, path, &fault));
	return tf_os_rmdir(os, path, &fault);
}

int
main(int argc, char **argv)
{
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
	os = tf_os_real();
	noise = malloc(BATCH_MAX);
	if (argc < 2 || !noise) {
		fprintf(stderr, "usage: log_bench DIR [SECONDS]\n");
		return 2;
	}
	tf_os_random(os, noise, BATCH_MAX);
	must(tf_os_mkdirs(os, argv[1], &fault));
	if (chdir(argv[1]) != 0)
		return 2;
	printf("syncs/s, MB/s of payload, slowest ms\n");
	printf("records x   bytes       log syncs/s, MB/s, ms       raw syncs/s, MB/s, ms     ahead syncs/s, MB/s, "
	       "ms\n");
	const size_t rows[][2] = {{1, 200},      {20, 200},       {300, 200},   {1, 16 << 10},
				  {1, 64 << 10}, {16, 16 << 10},  {1, 1 << 20}, {64, 16 << 10},
				  {4, 1 << 20},  {512, 16 << 10}, {16, 1 << 20}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		row(rows[i][0], rows[i][1], seconds);
	printf("\nMB/s of payload on one core, 512 MB; seek walks headers of the last segment, nothing remembered\n");
	printf("   record    append   +1 sync      read    verify  seek, ms   open, ms\n");
	rates(200);
	rates(16 << 10);
	rates(1 << 20);
	must(tf_os_list(os, "log", remove_entry, "log", &fault));
	must(tf_os_rmdir(os, "log", &fault));
	free(noise);
	return 0;
}
