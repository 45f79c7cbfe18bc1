/* Torn tails are cut off, damage is found and named, on the kernel and on the simulated os. */
#include "log_world_test.h"

#include "os/dir_testing.h"

/* Five records synced one by one (or in one batch), a sixth behind them; marks as they were after the fifth (or at the
 * start). */
struct torn {
	struct image segment, marks;
	size_t five, six;
};

static struct torn
torn_setup(struct world *w, bool one_batch, bool first_marks)
{
	struct torn t = {0};
	struct tf_log *log = open_log(w, NULL);
	tf_log_close(&log);
	if (first_marks)
		t.marks = image_of(w, "synced");
	log = open_log(w, NULL);
	for (int i = 0; i < 5; i++) {
		append_many(log, 0, 1, false);
		if (!one_batch)
			sync_log(log);
	}
	sync_log(log);
	t.five = (size_t)tf_log_bytes(log, 0);
	tf_log_close(&log);
	if (!first_marks)
		t.marks = image_of(w, "synced");
	log = open_log(w, NULL);
	append_many(log, 0, 1, false);
	sync_log(log);
	tf_log_close(&log);
	t.segment = image_of(w, SEGMENT_0);
	t.six = t.segment.n;
	return t;
}

static void
torn_free(struct torn *t)
{
	image_free(&t->segment);
	image_free(&t->marks);
}

static void
a_torn_tail_is_cut_at_every_byte(void **state)
{
	struct world *w = *state;
	struct torn t = torn_setup(w, false, false);
	for (size_t n = t.five; n <= t.six; n = n < t.six && n + w->stride > t.six ? t.six : n + w->stride) {
		image_put(w, &t.segment, n);
		image_put(w, &t.marks, t.marks.n);
		struct tf_log *log = open_log(w, &(struct tf_log_options){.read_only = true});
		expect(log, 0, 0, n < t.six ? 5 : 6, false);
		tf_log_close(&log);
		log = open_log(w, NULL);
		expect(log, 0, 0, n < t.six ? 5 : 6, false);
		append_many(log, 0, 3, false);
		sync_log(log);
		tf_log_close(&log);
		log = open_log(w, NULL);
		expect(log, 0, 0, n < t.six ? 8 : 9, false);
		tf_log_close(&log);
	}
	torn_free(&t);
}

static void
a_tail_of_zeros_is_cut(void **state)
{
	struct world *w = *state;
	struct torn t = torn_setup(w, false, false);
	for (size_t keep = t.five; keep < t.six; keep += w->stride) {
		char *bytes = t.segment.p;
		t.segment.p = calloc(1, t.six + 8192);
		memcpy(t.segment.p, bytes, keep);
		image_put(w, &t.segment, t.six + 8192);
		image_put(w, &t.marks, t.marks.n);
		struct tf_log *log = open_log(w, NULL);
		expect(log, 0, 0, 5, false);
		tf_log_close(&log);
		free(t.segment.p);
		t.segment.p = bytes;
	}
	torn_free(&t);
}

static void
a_file_shorter_than_what_was_synced_is_damage(void **state)
{
	struct world *w = *state;
	for (int lost_marks = 0; lost_marks < 2; lost_marks++) {
		struct torn t = torn_setup(w, false, lost_marks);
		struct tf_log *log = NULL;
		for (size_t n = 0; n < t.five; n += w->stride) {
			image_put(w, &t.segment, n);
			image_put(w, &t.marks, t.marks.n);
			enum tf_err e = tf_log_open(w->os, w->dir, NULL, &log, &fault);
			if (e == TF_OK) { /* without the marks nobody can know of the last ones */
				assert_true(lost_marks);
				tf_log_close(&log);
			} else {
				assert_int_equal(e, TF_CORRUPT);
				assert_non_null(strstr(fault.text, SEGMENT_0));
			}
		}
		torn_free(&t);
		MUST(dir_clear(w->os, w->dir));
	}
}

static void
a_segment_created_and_not_finished_is_forgotten(void **state)
{
	struct world *w = *state;
	const size_t sizes[] = {0, 1, 20, 47, 48, 4096};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct tf_log *log = open_log(w, NULL);
		append_many(log, 0, 3, false);
		sync_log(log);
		uint64_t end = tf_log_end(log, 0);
		tf_log_close(&log);
		char zeros[4096] = "TFLOGSEG";
		if (sizes[i] > 48)
			memset(zeros, 0, 8);
		struct image image = {.p = zeros};
		snprintf(image.path, sizeof(image.path), "%s/0/%020llu.log", w->dir, (unsigned long long)end);
		image_put(w, &image, sizes[i]);
		log = open_log(w, &(struct tf_log_options){.read_only = true});
		expect(log, 0, 0, end, false);
		tf_log_close(&log);
		log = open_log(w, NULL);
		expect(log, 0, 0, end, false);
		append_many(log, 0, 3, false);
		sync_log(log);
		expect(log, 0, 0, end + 3, false);
		tf_log_close(&log);
	}
}

static void
flip(struct image *i, size_t at, int bit)
{
	i->p[at] ^= (char)(1 << bit);
}

/* Opens and verifies; the damage must be noticed. *at_open tells where. */
static void
expect_noticed(struct world *w, const char *name, size_t at, bool read_only)
{
	struct tf_log *log = NULL;
	uint64_t records;
	enum tf_err e = tf_log_open(w->os, w->dir, &(struct tf_log_options){.read_only = read_only}, &log, &fault);
	if (e == TF_OK)
		e = tf_log_verify(log, &records, &fault);
	tf_log_close(&log);
	if (e != TF_CORRUPT && e != TF_UNSUPPORTED)
		fail_msg("'%s' byte %zu changed: %s", name, at, tf_err_name(e));
	if (!strstr(fault.text, name) || !strstr(fault.text, " byte "))
		fail_msg("'%s' byte %zu changed: no place in '%s'", name, at, fault.text);
}

static void
no_flipped_bit_goes_unnoticed(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.segment_bytes = 1500});
	append_many(log, 0, 14, false);
	sync_log(log);
	MUST(tf_log_consumer_set(log, TF_STR("follower"), 0, 5, &fault));
	tf_log_close(&log);
	struct naming second = segment_name(w, 1), third = segment_name(w, 2);
	const char *names[] = {SEGMENT_0, second.name, third.name, "meta"};
	for (size_t k = 0; k < 4; k++) {
		struct image i = image_of(w, names[k]);
		for (size_t at = 0; at < i.n; at++) {
			flip(&i, at, (int)(at % 8));
			image_put(w, &i, i.n);
			expect_noticed(w, names[k], at, at % 2);
			flip(&i, at, (int)(at % 8));
		}
		image_put(w, &i, i.n);
		image_free(&i);
	}
	log = open_log(w, NULL);
	expect(log, 0, 0, 14, false);
	tf_log_close(&log);
}

static void
no_flipped_bit_in_the_marks_loses_a_record(void **state)
{
	struct world *w = *state;
	struct torn t = torn_setup(w, false, false);
	image_free(&t.marks);
	t.marks = image_of(w, "synced");
	for (size_t at = 0; at < t.marks.n; at += w->stride) {
		flip(&t.marks, at, (int)(at % 8));
		image_put(w, &t.marks, t.marks.n);
		struct tf_log *log = open_log(w, NULL);
		expect(log, 0, 0, 6, false);
		tf_log_close(&log);
		flip(&t.marks, at, (int)(at % 8));
	}
	memset(t.marks.p, 0xff, t.marks.n);
	image_put(w, &t.marks, t.marks.n);
	expect_noticed(w, "synced", 0, false);
	torn_free(&t);
}

static void
damage_in_the_middle_is_named_by_file_and_byte(void **state)
{
	struct world *w = *state;
	struct torn t = torn_setup(w, false, false);
	size_t third = 48; /* where record 2 starts */
	for (uint64_t n = 0; n < 2; n++)
		third += 48 + (payload(0, n, false).n + 7) / 8 * 8;
	image_put(w, &t.marks, t.marks.n);
	flip(&t.segment, third + 4, 3); /* its length */
	image_put(w, &t.segment, t.segment.n);
	struct tf_log *log = open_log(w, NULL);
	struct tf_log_reader *r;
	struct tf_log_record record;
	MUST(tf_log_read(log, 0, 0, &r, &fault));
	MUST(tf_log_next(r, &record, &fault));
	MUST(tf_log_next(r, &record, &fault));
	for (int again = 0; again < 2; again++) {
		assert_int_equal(tf_log_next(r, &record, &fault), TF_CORRUPT);
		char place[80];
		snprintf(place, sizeof(place), "%s' byte %zu:", SEGMENT_0, third);
		assert_non_null(strstr(fault.text, place));
	}
	tf_log_reader_close(&r);
	tf_log_close(&log);
	torn_free(&t);
}

/* Power loss may take the marks back to those of the open: the records themselves must do. */
static void
damage_in_the_middle_is_not_cut_without_marks(void **state)
{
	struct world *w = *state;
	struct torn t = torn_setup(w, false, true);
	size_t fifth = 48;
	for (uint64_t n = 0; n < 4; n++)
		fifth += 48 + (payload(0, n, false).n + 7) / 8 * 8;
	for (size_t at = 48; at < fifth; at += w->stride) {
		flip(&t.segment, at, (int)(at % 8));
		image_put(w, &t.segment, t.segment.n);
		image_put(w, &t.marks, t.marks.n);
		expect_noticed(w, SEGMENT_0, at, at % 2);
		flip(&t.segment, at, (int)(at % 8));
	}
	torn_free(&t);
}

/* One batch, never vouched for by anything: a wrong length that valid records follow is no torn write either. */
static void
a_wrong_length_before_valid_records_is_not_cut(void **state)
{
	struct world *w = *state;
	struct torn t = torn_setup(w, true, true);
	size_t second = 48 + 48 + (payload(0, 0, false).n + 7) / 8 * 8;
	flip(&t.segment, second + 5, 2);
	image_put(w, &t.segment, t.five);
	image_put(w, &t.marks, t.marks.n);
	expect_noticed(w, SEGMENT_0, second + 5, false);
	memset(t.segment.p + second, 0, 8); /* as zeros at its start it is what a lost sector looks like */
	image_put(w, &t.segment, t.five);
	struct tf_log *log = open_log(w, NULL);
	expect(log, 0, 0, 1, false);
	append_many(log, 0, 1, false);
	sync_log(log);
	tf_log_close(&log);
	log = open_log(w, NULL);
	expect(log, 0, 0, 2, false); /* what was cut off does not come back behind a record of the same size */
	tf_log_close(&log);
	torn_free(&t);
}

static void
a_record_in_anothers_place_is_damage(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, NULL);
	for (size_t i = 0; i < 4; i++)
		MUST(tf_log_append(log, 0, 0, tf_str_n(&"abcd"[i], 1), NULL, &fault));
	sync_log(log);
	tf_log_close(&log);
	struct image i = image_of(w, SEGMENT_0);
	memcpy(i.p + 48 + 56, i.p + 48 + 2 * 56, 56);
	image_put(w, &i, i.n);
	expect_noticed(w, SEGMENT_0, 48 + 56, false);
	image_free(&i);
}

static void
a_log_that_ends_before_a_consumers_position_is_damage(void **state)
{
	struct world *w = *state;
	struct torn t = torn_setup(w, true, true);
	struct tf_log *log = open_log(w, NULL);
	MUST(tf_log_consumer_set(log, TF_STR("follower"), 0, 6, &fault));
	tf_log_close(&log);
	image_put(w, &t.segment, t.five);
	image_put(w, &t.marks, t.marks.n);
	assert_int_equal(tf_log_open(w->os, w->dir, NULL, &log, &fault), TF_CORRUPT);
	assert_non_null(strstr(fault.text, SEGMENT_0));
	torn_free(&t);
}

static void
a_missing_or_swapped_segment_is_damage(void **state)
{
	struct world *w = *state;
	struct tf_log *log = open_log(w, &(struct tf_log_options){.segment_bytes = 1500});
	append_many(log, 0, 40, false);
	sync_log(log);
	tf_log_close(&log);
	struct naming name = segment_name(w, 1);
	struct image first = image_of(w, SEGMENT_0), second = image_of(w, name.name);
	image_put(w, &first, first.n - 8);
	expect_noticed(w, "00000000000000000000.log", first.n, true);
	image_put(w, &first, 48);
	expect_noticed(w, "00000000000000000000.log", 48, true);
	MUST(tf_os_unlink(w->os, first.path, &fault));
	expect_noticed(w, "00000000000000000000.log", 0, false);
	image_put(w, &first, first.n);
	MUST(tf_os_unlink(w->os, second.path, &fault));
	expect_noticed(w, "00000000000000000000.log", 0, true);
	char *own = second.p;
	second.p = first.p;
	image_put(w, &second, first.n);
	expect_noticed(w, name.name, 0, false);
	second.p = own;
	image_put(w, &second, second.n);
	log = open_log(w, NULL);
	expect(log, 0, 0, 40, false);
	tf_log_close(&log);
	image_free(&first);
	image_free(&second);
}

static void
a_reader_of_a_dead_writers_log_sees_what_recovery_keeps(void **state)
{
	struct world *w = *state;
	struct torn t = torn_setup(w, true, true);
	image_put(w, &t.segment, t.six - 1);
	image_put(w, &t.marks, t.marks.n);
	struct tf_log *log = open_log(w, &(struct tf_log_options){.read_only = true});
	expect(log, 0, 0, 5, false);
	uint64_t records;
	MUST(tf_log_verify(log, &records, &fault));
	assert_int_equal(records, 5);
	struct image after = image_of(w, SEGMENT_0);
	assert_int_equal(after.n, t.six - 1);
	image_free(&after);
	struct tf_log *writer = open_log(w, NULL);
	append_many(writer, 0, 4, false);
	sync_log(writer);
	expect(log, 0, 0, 9, false);
	tf_log_close(&writer);
	tf_log_close(&log);
	torn_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_torn_tail_is_cut_at_every_byte),
		ON_BOTH(a_tail_of_zeros_is_cut),
		ON_BOTH(a_file_shorter_than_what_was_synced_is_damage),
		ON_BOTH(a_segment_created_and_not_finished_is_forgotten),
		{"sim: no_flipped_bit_goes_unnoticed", no_flipped_bit_goes_unnoticed, sim_setup, sim_teardown, NULL},
		ON_BOTH(no_flipped_bit_in_the_marks_loses_a_record),
		ON_BOTH(damage_in_the_middle_is_named_by_file_and_byte),
		ON_BOTH(damage_in_the_middle_is_not_cut_without_marks),
		ON_BOTH(a_wrong_length_before_valid_records_is_not_cut),
		ON_BOTH(a_record_in_anothers_place_is_damage),
		ON_BOTH(a_log_that_ends_before_a_consumers_position_is_damage),
		ON_BOTH(a_missing_or_swapped_segment_is_damage),
		ON_BOTH(a_reader_of_a_dead_writers_log_sees_what_recovery_keeps),
	};
	return cmocka_run_group_tests_name("log damage", tests, NULL, NULL);
}
