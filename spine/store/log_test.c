/* The log's contract, on the kernel and on the simulated os; what a broken file does is in log_damage_test.c. */
#include "log_world_test.h"

#include <xxhash.h>

static void
a_record_comes_back_once_it_is_synced(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, NULL);
	struct tf_log_reader *r;
	struct tf_log_record record;
	uint64_t offset;
	tf_time before = tf_os_now(w->os);
	MUST(tf_log_append(log, 0, 42, TF_STR("hello"), &offset, &fault));
	assert_int_equal(offset, 0);
	MUST(tf_log_read(log, 0, 0, &r, &fault));
	assert_int_equal(tf_log_next(r, &record, &fault), TF_END);
	assert_int_equal(tf_log_synced(log, 0), 0);
	sync_log(log);
	assert_int_equal(tf_log_synced(log, 0), 1);
	MUST(tf_log_next(r, &record, &fault));
	assert_int_equal(record.offset, 0);
	assert_int_equal(record.type, 42);
	assert_true(record.time >= before && record.time <= tf_os_now(w->os));
	assert_true(tf_str_eq(record.bytes, TF_STR("hello")));
	assert_int_equal(tf_log_next(r, &record, &fault), TF_END);
	MUST(tf_log_append(log, 0, 43, TF_STR(""), NULL, &fault));
	sync_log(log);
	MUST(tf_log_next(r, &record, &fault));
	assert_int_equal(record.offset, 1);
	assert_int_equal(record.bytes.n, 0);
	tf_log_reader_close(&r);
	tf_log_close(&log);
}

static void
records_survive_closing_and_rolling(void **state)
{
	struct world *w = *state;
	struct tf_log_options o = {.segment_bytes = 40 << 10};
	for (int round = 0; round < 4; round++) {
		struct tf_log *log = open_log(w, &o);
		assert_int_equal(tf_log_end(log, 0), round * 50);
		append_many(log, 0, 50, true);
		sync_log(log);
		expect(log, 0, 0, (uint64_t)(round + 1) * 50, true);
		tf_log_close(&log);
	}
	struct tf_log *log = open_log(w, &(struct tf_log_options){.read_only = true});
	uint64_t records;
	MUST(tf_log_verify(log, &records, &fault));
	assert_int_equal(records, 200);
	tf_log_close(&log);
}

static void
a_reader_starts_at_any_offset(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.segment_bytes = 3000});
	append_many(log, 0, 100, false);
	sync_log(log);
	for (uint64_t from = 0; from <= 100; from++)
		expect(log, 0, from, 100, false);
	struct tf_log_reader *r;
	assert_int_equal(tf_log_read(log, 0, 101, &r, &fault), TF_INVALID);
	tf_log_close(&log);
}

static void
a_far_offset_and_time_are_found_by_waypoints(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, NULL);
	append_many(log, 0, 2000, true);
	sync_log(log);
	for (uint64_t from = 1999; from > 100; from -= 97)
		expect(log, 0, from, 2000, true);
	expect(log, 0, 1000, 2000, true);
	tf_log_close(&log);
}

static void
partitions_have_their_own_offsets(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.partitions = 3});
	append_many(log, 2, 7, false);
	append_many(log, 0, 2, false);
	sync_log(log);
	assert_int_equal(tf_log_end(log, 1), 0);
	assert_int_equal(tf_log_append(log, 3, 0, TF_STR("x"), NULL, &fault), TF_INVALID);
	tf_log_close(&log);
	assert_int_equal(tf_log_open(w->os, w->dir, &(struct tf_log_options){.partitions = 2}, &log, &fault),
			 TF_CONFLICT);
	log = open_log(w, NULL);
	assert_int_equal(tf_log_partitions(log), 3);
	expect(log, 0, 0, 2, false);
	expect(log, 1, 0, 0, false);
	expect(log, 2, 0, 7, false);
	tf_log_close(&log);
}

static void
what_was_not_synced_is_not_seen(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, NULL);
	append_many(log, 0, 3, false);
	sync_log(log);
	append_many(log, 0, 4, false);
	expect(log, 0, 0, 3, false);
	expect(log, 0, 3, 3, false);
	struct tf_log_reader *r;
	struct tf_log_record record;
	MUST(tf_log_read(log, 0, 6, &r, &fault));
	assert_int_equal(tf_log_next(r, &record, &fault), TF_END);
	sync_log(log);
	MUST(tf_log_next(r, &record, &fault));
	check_record(&record, 0, 6, false);
	tf_log_reader_close(&r);
	append_many(log, 0, 1, false);
	tf_log_close(&log);
	log = open_log(w, NULL);
	expect(log, 0, 0, 7, false);
	tf_log_close(&log);
}

static void
bad_calls_are_refused_and_break_nothing(void **state)
{
	struct world *w = *state;
	struct tf_log *log = NULL;
	struct tf_log_options only = {.read_only = true};
	assert_int_equal(tf_log_open(w->os, w->dir, &only, &log, &fault), TF_NOT_FOUND);
	assert_int_equal(tf_log_open(w->os, w->dir, &(struct tf_log_options){.partitions = 9999}, &log, &fault),
			 TF_INVALID);
	log = open_log(w, &(struct tf_log_options){.record_bytes_max = 10});
	assert_int_equal(tf_log_append(log, 0, 0, TF_STR("elevenbytes"), NULL, &fault), TF_TOO_LARGE);
	MUST(tf_log_append(log, 0, 0, TF_STR("ten bytes."), NULL, &fault));
	sync_log(log);
	struct tf_log *reader = open_log(w, &only);
	assert_int_equal(tf_log_append(reader, 0, 0, TF_STR("x"), NULL, &fault), TF_DENIED);
	assert_int_equal(tf_log_sync(reader, &fault), TF_DENIED);
	assert_int_equal(tf_log_trim(reader, 0, 1, &fault), TF_DENIED);
	assert_int_equal(tf_log_consumer_set(reader, TF_STR("c"), 0, 1, &fault), TF_DENIED);
	tf_log_close(&reader);
	tf_log_close(&log);
	tf_log_close(&log);
}

static void
there_is_one_writer(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, NULL), *second = NULL;
	assert_int_equal(tf_log_open(w->os, w->dir, NULL, &second, &fault), TF_BUSY);
	assert_null(second);
	tf_log_close(&log);
	log = open_log(w, NULL);
	tf_log_close(&log);
}

/* -- the bytes, by docs/formats/log.md -- */

static uint64_t
number(const struct image *i, size_t offset, size_t size)
{
	uint64_t v = 0;
	for (size_t k = size; k-- > 0;)
		v = v << 8 | (uint8_t)i->p[offset + k];
	return v;
}

static void
the_bytes_are_those_documented(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, NULL);
	MUST(tf_log_append(log, 0, 7, TF_STR("first"), NULL, &fault));
	sync_log(log);
	MUST(tf_log_append(log, 0, 8, TF_STR("second record"), NULL, &fault));
	sync_log(log);
	MUST(tf_log_consumer_set(log, TF_STR("c"), 0, 1, &fault));
	tf_log_close(&log);
	struct image s = image_of(w, SEGMENT_0), m = image_of(w, "synced"), t = image_of(w, "meta");
	assert_int_equal(s.n, 48 + 48 + 8 + 48 + 16);
	assert_memory_equal(s.p, "TFLOGSEG\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
	assert_true(number(&s, 40, 8) == XXH3_64bits(s.p, 40));
	const char *second = s.p + 48 + 48 + 8;
	assert_memory_equal(second, "TFR1\15\0\0\0\1\0\0\0\0\0\0\0", 16);
	assert_true(number(&s, 104 + 16, 8) >= number(&s, 48 + 16, 8) && number(&s, 48 + 16, 8) >= number(&s, 24, 8));
	assert_memory_equal(second + 24, "\10\0\0\0\0\0\0\0", 8);
	assert_true(number(&s, 104 + 32, 8) == XXH3_64bits("second record", 13));
	assert_true(number(&s, 104 + 40, 8) == XXH3_64bits_withSeed(second, 40, number(&s, 32, 8)));
	assert_memory_equal(second + 48, "second record\0\0", 16);
	assert_int_equal(m.n, 128);
	for (size_t i = 0; i < 128; i += 64) {
		assert_int_equal(number(&m, i + 8, 8), 0);
		assert_true(number(&m, i + 16, 8) == number(&s, 32, 8));
		assert_int_equal(number(&m, i + 24, 8), s.n);
		assert_int_equal(number(&m, i + 32, 8), 2);
		assert_true(number(&m, i + 56, 8) == XXH3_64bits_withSeed(m.p + i, 56, 1));
	}
	assert_int_equal(t.n, 8 + 4 + 4 + 8 + 4 + (4 + 8 + 1 + 1) + 8);
	assert_memory_equal(t.p, "TFLOGMET\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0", 28);
	assert_memory_equal(t.p + 28, "\0\0\0\0\1\0\0\0\0\0\0\0\1c", 14);
	assert_true(number(&t, 42, 8) == XXH3_64bits(t.p, 42));
	image_free(&s);
	image_free(&m);
	image_free(&t);
}

/* -- consumers and trim -- */

static void
consumer_positions_last(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.partitions = 2});
	uint64_t offset = 77;
	append_many(log, 1, 9, false);
	assert_int_equal(tf_log_consumer_set(log, TF_STR("bill"), 1, 3, &fault), TF_INVALID);
	sync_log(log);
	MUST(tf_log_consumer_set(log, TF_STR("bill"), 1, 3, &fault));
	MUST(tf_log_consumer_set(log, TF_STR("bill"), 0, 0, &fault));
	MUST(tf_log_consumer_set(log, TF_STR("tier"), 1, 9, &fault));
	MUST(tf_log_consumer_set(log, TF_STR("bill"), 1, 4, &fault));
	assert_int_equal(tf_log_consumer_set(log, TF_STR("bill"), 1, 10, &fault), TF_INVALID);
	assert_int_equal(tf_log_consumer_set(log, TF_STR(""), 1, 1, &fault), TF_INVALID);
	assert_int_equal(tf_log_consumer_get(log, TF_STR("tier"), 0, &offset, &fault), TF_NOT_FOUND);
	assert_int_equal(offset, 77);
	tf_log_close(&log);
	log = open_log(w, NULL);
	MUST(tf_log_consumer_get(log, TF_STR("bill"), 1, &offset, &fault));
	assert_int_equal(offset, 4);
	MUST(tf_log_consumer_get(log, TF_STR("tier"), 1, &offset, &fault));
	assert_int_equal(offset, 9);
	struct tf_log *reader = open_log(w, &(struct tf_log_options){.read_only = true});
	MUST(tf_log_consumer_set(log, TF_STR("bill"), 1, 5, &fault));
	MUST(tf_log_consumer_get(reader, TF_STR("bill"), 1, &offset, &fault));
	assert_int_equal(offset, 5);
	tf_log_close(&reader);
	tf_log_close(&log);
}

static void
trim_waits_for_every_consumer(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.segment_bytes = 1500});
	append_many(log, 0, 60, false);
	sync_log(log);
	MUST(tf_log_consumer_set(log, TF_STR("slow"), 0, 0, &fault));
	MUST(tf_log_consumer_set(log, TF_STR("fast"), 0, 60, &fault));
	MUST(tf_log_trim(log, 0, 60, &fault));
	assert_int_equal(tf_log_first(log, 0), 0);
	MUST(tf_log_consumer_set(log, TF_STR("slow"), 0, 30, &fault));
	MUST(tf_log_trim(log, 0, 60, &fault));
	uint64_t first = tf_log_first(log, 0), bytes = tf_log_bytes(log, 0);
	assert_in_range(first, 10, 30);
	expect(log, 0, first, 60, false);
	struct tf_log_reader *r;
	assert_int_equal(tf_log_read(log, 0, first - 1, &r, &fault), TF_NOT_FOUND);
	MUST(tf_log_trim(log, 0, 20, &fault));
	assert_int_equal(tf_log_first(log, 0), first);
	tf_log_close(&log);
	log = open_log(w, NULL);
	assert_int_equal(tf_log_first(log, 0), first);
	assert_int_equal(tf_log_bytes(log, 0), bytes);
	expect(log, 0, first, 60, false);
	tf_log_close(&log);
}

struct usage {
	struct world *w;
	char dir[300];
	uint64_t bytes, disk;
	int segments;
};

static enum tf_err
usage_entry(void *ctx, const char *name, bool is_dir)
{
	struct usage *u = ctx;
	struct tf_stat st;
	char path[600];
	snprintf(path, sizeof(path), "%s/%s", u->dir, name);
	TF_TRY(tf_os_stat(u->w->os, path, &st, &fault));
	u->bytes += is_dir ? 0 : st.size;
	u->disk += st.disk;
	u->segments += strstr(name, ".log") != NULL;
	if (!is_dir)
		return TF_OK;
	struct usage below = {.w = u->w};
	snprintf(below.dir, sizeof(below.dir), "%.200s/%.50s", u->dir, name);
	TF_TRY(tf_os_list(u->w->os, below.dir, usage_entry, &below, &fault));
	u->bytes += below.bytes;
	u->disk += below.disk;
	u->segments += below.segments;
	return TF_OK;
}

static void
a_trimmed_log_takes_almost_nothing(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.segment_bytes = 200 << 10});
	append_many(log, 0, 200, true);
	sync_log(log);
	MUST(tf_log_trim(log, 0, 200, &fault));
	MUST(tf_log_trim(log, 0, 1000, &fault));
	assert_int_equal(tf_log_first(log, 0), 200);
	assert_int_equal(tf_log_end(log, 0), 200);
	struct usage u = {.w = w};
	snprintf(u.dir, sizeof(u.dir), "%s", w->dir);
	MUST(tf_os_list(w->os, w->dir, usage_entry, &u, &fault));
	assert_int_equal(u.segments, 1);
	assert_in_range(u.bytes, 100, 300);
	assert_in_range(u.disk, 1, 20 << 10);
	tf_log_close(&log);
	log = open_log(w, NULL);
	expect(log, 0, 200, 200, true);
	append_many(log, 0, 5, true);
	sync_log(log);
	expect(log, 0, 200, 205, true);
	tf_log_close(&log);
}

static void
a_reader_overtaken_by_a_trim_is_told(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.segment_bytes = 1500});
	struct tf_log_reader *r;
	struct tf_log_record record;
	append_many(log, 0, 60, false);
	sync_log(log);
	MUST(tf_log_read(log, 0, 0, &r, &fault));
	MUST(tf_log_next(r, &record, &fault));
	MUST(tf_log_trim(log, 0, 60, &fault));
	uint64_t n = 1;
	enum tf_err e;
	while ((e = tf_log_next(r, &record, &fault)) == TF_OK)
		check_record(&record, 0, n++, false); /* the segment it holds open stays readable */
	assert_int_equal(e, TF_NOT_FOUND);
	tf_log_reader_close(&r);
	tf_log_close(&log);
}

/* -- time -- */

static void
seek_finds_the_first_record_of_a_time(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.segment_bytes = 2000});
	struct tf_log_reader *r;
	struct tf_log_record record;
	tf_time times[120];
	for (int i = 0; i < 120; i++) {
		append_many(log, 0, 1, false);
		if (i % 3 == 0)
			sync_log(log);
	}
	sync_log(log);
	MUST(tf_log_read(log, 0, 0, &r, &fault));
	for (int i = 0; i < 120; i++) {
		MUST(tf_log_next(r, &record, &fault));
		times[i] = record.time;
	}
	tf_log_reader_close(&r);
	for (int reopened = 0; reopened < 2; reopened++) {
		uint64_t offset;
		for (int i = 0; i < 120; i++) {
			for (tf_time t = times[i] - 1; t <= times[i] + 1; t++) {
				uint64_t want = 0;
				while (want < 120 && times[want] < t)
					want++;
				MUST(tf_log_seek(log, 0, t, &offset, &fault));
				assert_int_equal(offset, want);
			}
		}
		MUST(tf_log_seek(log, 0, INT64_MIN, &offset, &fault));
		assert_int_equal(offset, 0);
		MUST(tf_log_seek(log, 0, TF_TIME_MAX, &offset, &fault));
		assert_int_equal(offset, 120);
		tf_log_close(&log);
		log = open_log(w, &(struct tf_log_options){.read_only = true});
	}
	tf_log_close(&log);
}

/* -- readers beside a writer -- */

static void
another_process_reads_while_one_writes(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.segment_bytes = 3000});
	struct tf_log *reader = open_log(w, &(struct tf_log_options){.read_only = true});
	struct tf_log_reader *r;
	struct tf_log_record record;
	MUST(tf_log_read(reader, 0, 0, &r, &fault));
	uint64_t n = 0;
	for (int round = 0; round < 40; round++) {
		append_many(log, 0, 5, false);
		if (round % 4 == 3)
			sync_log(log);
		if (round == 20)
			MUST(tf_log_trim(log, 0, 60, &fault));
		enum tf_err e;
		while ((e = tf_log_next(r, &record, &fault)) == TF_OK)
			check_record(&record, 0, n++, false);
		assert_int_equal(e, TF_END);
		assert_true(n >= tf_log_synced(log, 0)); /* more than the last sync: a roll syncs too */
		assert_int_equal(n, tf_log_synced(log, 0));
	}
	tf_log_reader_close(&r);
	assert_int_equal(tf_log_end(reader, 0), 200);
	tf_log_close(&reader);
	tf_log_close(&log);
}

/* -- threads: on the kernel -- */

#define THREAD_RECORDS 3000

struct crew {
	struct tf_log *log;
	uint32_t partition;
	bool done;
	uint64_t read;
	enum tf_err err;
};

static void
append_in_thread(void *arg)
{
	struct crew *c = arg;
	char bytes[200];
	for (int i = 0; c->err == TF_OK && i < THREAD_RECORDS; i++) {
		memset(bytes, i, sizeof(bytes));
		c->err = tf_log_append(c->log, c->partition, 1, tf_str_n(bytes, (size_t)i % 200), NULL, NULL);
		if (c->err == TF_OK && i % 50 == 49)
			c->err = tf_log_sync(c->log, NULL);
	}
}

static void
read_in_thread(void *arg)
{
	struct crew *c = arg;
	struct tf_log_reader *r;
	struct tf_log_record record;
	c->err = tf_log_read(c->log, c->partition, 0, &r, NULL);
	while (c->err == TF_OK && c->read < (uint64_t)2 * THREAD_RECORDS) {
		enum tf_err e = tf_log_next(r, &record, NULL);
		if (e == TF_OK)
			c->err = record.offset == c->read++ ? TF_OK : TF_BUG;
		else if (e != TF_END)
			c->err = e;
	}
	tf_log_reader_close(&r);
}

static void
threads_append_sync_and_read_together(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.partitions = 2, .segment_bytes = 50000});
	struct crew crew[4] = {{log, 0}, {log, 0}, {log, 1}, {log, 0}};
	struct tf_worker *workers[4];
	for (int i = 0; i < 4; i++)
		MUST(tf_os_start(w->os, i < 3 ? append_in_thread : read_in_thread, &crew[i], &workers[i], &fault));
	for (int i = 0; i < 4; i++)
		tf_worker_join(&workers[i]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(crew[i].err, TF_OK);
	assert_int_equal(tf_log_synced(log, 1), THREAD_RECORDS);
	uint64_t records;
	MUST(tf_log_verify(log, &records, &fault));
	assert_int_equal(records, 3 * THREAD_RECORDS);
	tf_log_close(&log);
}

/* -- the clock: on the simulation -- */

static void
time_does_not_fall_when_the_clock_does(void **state)
{
	struct world *w = *state;
	struct tf_log_reader *r;
	struct tf_log_record record;
	struct world ahead = {.os = tf_sim_new(&(struct tf_sim_options){.start = tf_os_now(w->os) + TF_DAY})};
	memcpy(ahead.dir, w->dir, sizeof(ahead.dir));
	struct tf_log *log = open_log(&ahead, NULL);
	append_many(log, 0, 2, false);
	sync_log(log);
	tf_log_close(&log);
	MUST(tf_os_mkdirs(w->os, "data/log/0", &fault));
	for (int i = 0; i < 3; i++) {
		struct image image = image_of(&ahead, (const char *[]){"synced", "meta", SEGMENT_0}[i]);
		image_put(w, &image, image.n);
		image_free(&image);
	}
	tf_sim_free(&ahead.os);
	log = open_log(w, &(struct tf_log_options){.segment_bytes = 300});
	append_many(log, 0, 8, false);
	sync_log(log);
	MUST(tf_log_read(log, 0, 1, &r, &fault));
	MUST(tf_log_next(r, &record, &fault));
	tf_time time = record.time;
	assert_true(time > tf_os_now(w->os));
	while (tf_log_next(r, &record, &fault) == TF_OK)
		assert_int_equal(record.time, time);
	tf_log_reader_close(&r);
	uint64_t offset;
	MUST(tf_log_seek(log, 0, time, &offset, &fault));
	assert_in_range(offset, 0, 1);
	tf_log_close(&log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_record_comes_back_once_it_is_synced),
		ON_BOTH(records_survive_closing_and_rolling),
		ON_BOTH(a_reader_starts_at_any_offset),
		ON_BOTH(a_far_offset_and_time_are_found_by_waypoints),
		ON_BOTH(partitions_have_their_own_offsets),
		ON_BOTH(what_was_not_synced_is_not_seen),
		ON_BOTH(bad_calls_are_refused_and_break_nothing),
		ON_BOTH(there_is_one_writer),
		ON_BOTH(the_bytes_are_those_documented),
		ON_BOTH(consumer_positions_last),
		ON_BOTH(trim_waits_for_every_consumer),
		ON_BOTH(a_trimmed_log_takes_almost_nothing),
		ON_BOTH(a_reader_overtaken_by_a_trim_is_told),
		ON_BOTH(seek_finds_the_first_record_of_a_time),
		ON_BOTH(another_process_reads_while_one_writes),
		cmocka_unit_test_setup_teardown(threads_append_sync_and_read_together, real_setup, real_teardown),
		cmocka_unit_test_setup_teardown(time_does_not_fall_when_the_clock_does, sim_setup, sim_teardown),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
