/* The log when the world fails: power lost, process killed, disk full, the n-th operation or allocation failing. After
 * each: everything synced is there, nothing is doubled, reordered or made up, and the log goes on. */
#include "os/sim.h"
#include "store/log_testing.h"

#define PARTITIONS 2
#define ROUNDS     9
#define DIR        "data/log"

/* What the story's caller was told. */
struct told {
	uint64_t tried[PARTITIONS];  /* appends begun */
	uint64_t synced[PARTITIONS]; /* end at the last sync that returned TF_OK */
	uint64_t consumer, consumer_tried;
	bool set;
	bool broken; /* an append or sync failed */
};

static struct tf_fault fault;
static const struct tf_log_options options = {.partitions = PARTITIONS, .segment_bytes = 6000};

static enum tf_err
append_told(struct tf_log *log, struct told *t, uint32_t partition, int count)
{
	for (int i = 0; i < count; i++) {
		t->tried[partition] = tf_log_end(log, partition) + 1;
		enum tf_err e = append_next(log, partition, true, NULL);
		t->broken |= e != TF_OK && e != TF_NO_MEMORY;
		TF_TRY(e);
	}
	return TF_OK;
}

static enum tf_err
sync_told(struct tf_log *log, struct told *t)
{
	enum tf_err e = tf_log_sync(log, NULL);
	t->broken |= e != TF_OK;
	TF_TRY(e);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		t->synced[p] = tf_log_end(log, p);
	return TF_OK;
}

static enum tf_err
read_through(struct tf_log *log, uint32_t partition)
{
	struct tf_log_reader *r;
	struct tf_log_record record;
	uint64_t n = tf_log_first(log, partition);
	TF_TRY(tf_log_read(log, partition, n, &r, NULL));
	enum tf_err e;
	while ((e = tf_log_next(r, &record, NULL)) == TF_OK)
		check_record(&record, partition, n++, true);
	tf_log_reader_close(&r);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
round_told(struct tf_log *log, struct told *t, int round)
{
	TF_TRY(append_told(log, t, 0, 1 + round % 4));
	TF_TRY(append_told(log, t, 1, round % 3));
	if (round % 5 != 4)
		TF_TRY(sync_told(log, t));
	if (round % 4 == 3) {
		t->consumer_tried = t->synced[0] - t->synced[0] / 4;
		TF_TRY(tf_log_consumer_set(log, TF_STR("follower"), 0, t->consumer_tried, NULL));
		t->consumer = t->consumer_tried;
		t->set = true;
	}
	if (round % 4 == 0) {
		uint64_t offset;
		TF_TRY(tf_log_seek(log, 0, TF_TIME_MAX, &offset, NULL));
		TF_TRY(read_through(log, 0));
		TF_TRY(tf_log_trim(log, 1, tf_log_end(log, 1), NULL));
		return t->set ? tf_log_trim(log, 0, tf_log_end(log, 0), NULL) : TF_OK;
	}
	return TF_OK;
}

/* Opens the log twice, and works with it. */
static enum tf_err
story(struct tf_os *os, struct told *t)
{
	for (int round = 0; round < ROUNDS;) {
		struct tf_log *log = NULL;
		TF_TRY(tf_log_open(os, DIR, &options, &log, NULL));
		enum tf_err e = TF_OK;
		do
			e = round_told(log, t, round);
		while (e == TF_OK && ++round % 5 != 0 && round < ROUNDS);
		if (t->broken) {
			assert_int_not_equal(append_next(log, 0, false, NULL), TF_OK);
			assert_int_not_equal(tf_log_sync(log, NULL), TF_OK);
		}
		tf_log_close(&log);
		TF_TRY(e);
	}
	return TF_OK;
}

/* What is there goes from at least what was synced to at most what was begun. */
static void
check_told(struct tf_log *log, const struct told *t, uint64_t n, uint64_t seed)
{
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		uint64_t end = tf_log_end(log, p);
		if (end < t->synced[p] || end > t->tried[p])
			fail_msg("op %d seed %d partition %d: %d synced, %d begun, %d there", (int)n, (int)seed, (int)p,
				 (int)t->synced[p], (int)t->tried[p], (int)end);
		assert_int_equal(tf_log_synced(log, p), end);
		expect(log, p, tf_log_first(log, p), end, true);
	}
	uint64_t at = 0;
	enum tf_err e = tf_log_consumer_get(log, TF_STR("follower"), 0, &at, &fault);
	assert_true(e == TF_OK || (e == TF_NOT_FOUND && !t->set));
	if (e == TF_OK && at != t->consumer)
		assert_int_equal(at, t->consumer_tried);
	if (e == TF_OK)
		assert_true(tf_log_first(log, 0) <= at);
}

static struct tf_log *
reopen(struct tf_os *os, uint64_t n, uint64_t seed)
{
	struct tf_log *log = NULL;
	enum tf_err e = tf_log_open(os, DIR, &options, &log, &fault);
	if (e != TF_OK)
		fail_msg("op %d seed %d: %s: %s", (int)n, (int)seed, tf_err_name(e), fault.text);
	return log;
}

/* What a recovered log holds is durable, what is appended to it stays. */
static void
check_after(struct tf_os *os, const struct told *t, uint64_t n, uint64_t seed)
{
	struct told after = *t;
	struct tf_log *log = NULL;
	enum tf_err e = tf_log_open(os, DIR, &(struct tf_log_options){.read_only = true}, &log, &fault);
	if (e != TF_OK && (e != TF_NOT_FOUND || t->synced[0]))
		fail_msg("op %d seed %d, reader: %s: %s", (int)n, (int)seed, tf_err_name(e), fault.text);
	if (e == TF_OK)
		for (uint32_t p = 0; p < PARTITIONS; p++)
			assert_in_range(tf_log_end(log, p), t->synced[p], t->tried[p]);
	tf_log_close(&log);
	log = reopen(os, n, seed);
	check_told(log, t, n, seed);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		after.tried[p] = after.synced[p] = tf_log_end(log, p);
	tf_log_close(&log);
	tf_sim_power_loss(os);
	log = reopen(os, n, seed);
	check_told(log, &after, n, seed);
	after.broken = false;
	assert_int_equal(append_told(log, &after, 0, 3), TF_OK);
	assert_int_equal(append_told(log, &after, 1, 20), TF_OK);
	assert_int_equal(sync_told(log, &after), TF_OK);
	tf_sim_power_loss(os);
	tf_log_close(&log);
	log = reopen(os, n, seed);
	check_told(log, &after, n, seed);
	tf_log_close(&log);
}

static void
cut_at_every_operation(void (*cut)(struct tf_os *), uint64_t seeds)
{
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		enum tf_err e = TF_IO;
		uint64_t n = 1;
		for (; e != TF_OK; n++) {
			assert_true(n < 3000);
			struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = seed * 1000 + n});
			struct told t = {0};
			tf_sim_down_at(os, n);
			e = story(os, &t);
			tf_sim_down_at(os, 0);
			cut(os);
			check_after(os, &t, n, seed);
			tf_sim_free(&os);
		}
		assert_true(n > 150);
	}
}

static void
power_loss_at_every_operation_keeps_what_was_synced(void **state)
{
	cut_at_every_operation(tf_sim_power_loss, 6);
}

static void
a_kill_at_every_operation_keeps_what_was_synced(void **state)
{
	cut_at_every_operation(tf_sim_crash, 5);
}

static void
power_loss_during_recovery_keeps_what_was_synced(void **state)
{
	for (uint64_t n = 7; n < 230; n += 9) {
		enum tf_err e = TF_IO;
		for (uint64_t m = 1; e != TF_OK; m++) {
			struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
			struct told t = {0};
			struct tf_log *log = NULL;
			tf_sim_down_at(os, n);
			story(os, &t);
			tf_sim_power_loss(os);
			tf_sim_down_at(os, m);
			e = tf_log_open(os, DIR, &options, &log, NULL);
			tf_log_close(&log);
			tf_sim_down_at(os, 0);
			if (m % 2)
				tf_sim_power_loss(os);
			else
				tf_sim_crash(os);
			check_after(os, &t, n * 1000 + m, n);
			tf_sim_free(&os);
		}
	}
}

/* The n-th call of a kind fails: what follows is refused, and after a restart all that was synced is there. */
static void
a_failing_call_of_any_kind_loses_nothing_synced(void **state)
{
	const unsigned kinds[] = {TF_SIM_OPEN,  TF_SIM_READ,     TF_SIM_WRITE,  TF_SIM_TRUNCATE,
				  TF_SIM_SYNC,  TF_SIM_SYNC_DIR, TF_SIM_RENAME, TF_SIM_UNLINK,
				  TF_SIM_MKDIR, TF_SIM_STAT,     TF_SIM_LIST,   TF_SIM_LOCK};
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		bool failed = true;
		for (uint64_t n = 1; failed; n++) {
			struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
			struct told t = {0};
			tf_sim_fail_at(os, kinds[k], n, n % 2 ? TF_IO : TF_NO_SPACE);
			enum tf_err e = story(os, &t);
			failed = tf_sim_failed(os);
			if (failed && e == TF_OK && kinds[k] != TF_SIM_UNLINK)
				assert_true(kinds[k] & (TF_SIM_WRITE | TF_SIM_SYNC)); /* close's own mark */
			tf_sim_fail_at(os, 0, 0, TF_OK);
			if (n % 3)
				tf_sim_power_loss(os);
			check_after(os, &t, n, kinds[k]);
			tf_sim_free(&os);
		}
	}
}

static void
a_full_disk_loses_nothing_synced(void **state)
{
	for (uint64_t capacity = 512; capacity < 200 << 10; capacity += 1536) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 3, .capacity = capacity});
		struct told t = {0};
		enum tf_err e = story(os, &t);
		assert_true(e == TF_OK || e == TF_NO_SPACE);
		tf_sim_set_capacity(os, 0);
		check_after(os, &t, capacity, 3);
		tf_sim_free(&os);
	}
}

static void
out_of_memory_loses_nothing_synced(void **state)
{
	enum tf_err e = TF_NO_MEMORY;
	for (uint64_t n = 1; e != TF_OK; n++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = n});
		struct told t = {0};
		tf_mem_fail_at(n);
		e = story(os, &t);
		tf_mem_fail_at(0);
		check_after(os, &t, n, 0);
		tf_sim_free(&os);
		assert_true(n < 3000);
	}
}

/* An empty file that a roll left is removed; power loss must not bring it back once the log has grown past it. */
static void
an_unfinished_segment_does_not_come_back(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = seed});
		struct told t = {0};
		struct tf_log *log = reopen(os, 0, seed);
		assert_int_equal(append_told(log, &t, 0, 3), TF_OK);
		assert_int_equal(sync_told(log, &t), TF_OK);
		tf_log_close(&log);
		struct tf_file *file;
		const char *path = DIR "/0/00000000000000000003.log";
		MUST(tf_os_open(os, path, TF_OPEN_CREATE, &file, &fault));
		tf_file_close(&file);
		MUST(tf_os_sync_parent(os, path, &fault));
		log = reopen(os, 0, seed);
		assert_int_equal(append_told(log, &t, 0, 3), TF_OK);
		assert_int_equal(sync_told(log, &t), TF_OK);
		tf_sim_power_loss(os);
		tf_log_close(&log);
		check_after(os, &t, 0, seed);
		tf_sim_free(&os);
	}
}

struct watch {
	uint64_t synced_after_write; /* writes to segments not yet covered by a sync */
};

static void
on_event(void *ctx, const struct tf_sim_event *e)
{
	struct watch *w = ctx;
	bool segment = e->path && strstr(e->path, "/00000");
	if (segment && e->op == TF_SIM_WRITE)
		w->synced_after_write++;
	if (segment && e->op == TF_SIM_SYNC)
		w->synced_after_write = 0;
}

static void
a_sync_covers_all_writes_with_one_fdatasync(void **state)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 1});
	struct watch w = {0};
	struct told t = {0};
	struct tf_log *log = reopen(os, 0, 0);
	for (int i = 0; i < 20; i++) {
		append_many(log, 0, 20, true);
		uint64_t before = tf_sim_ops(os, TF_SIM_SYNC);
		bool dirty = tf_log_synced(log, 0) < tf_log_end(log, 0);
		tf_sim_trace(os, on_event, &w);
		assert_int_equal(sync_told(log, &t), TF_OK);
		tf_sim_trace(os, NULL, NULL);
		assert_int_equal(w.synced_after_write, 0);
		assert_int_equal(tf_sim_ops(os, TF_SIM_SYNC) - before, dirty);
	}
	assert_true(tf_sim_durable(os, DIR "/0"));
	tf_log_close(&log);
	assert_true(tf_sim_durable(os, DIR));
	tf_sim_free(&os);
}

/* The same calls leave the same bytes. */
static void
the_same_story_leaves_the_same_bytes(void **state)
{
	uint64_t digest[2];
	for (int i = 0; i < 2; i++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 5});
		struct told t = {0};
		assert_int_equal(story(os, &t), TF_OK);
		digest[i] = tf_sim_digest(os);
		tf_sim_free(&os);
	}
	assert_true(digest[0] == digest[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_story_leaves_the_same_bytes),
		cmocka_unit_test(a_sync_covers_all_writes_with_one_fdatasync),
		cmocka_unit_test(power_loss_at_every_operation_keeps_what_was_synced),
		cmocka_unit_test(a_kill_at_every_operation_keeps_what_was_synced),
		cmocka_unit_test(power_loss_during_recovery_keeps_what_was_synced),
		cmocka_unit_test(a_failing_call_of_any_kind_loses_nothing_synced),
		cmocka_unit_test(a_full_disk_loses_nothing_synced),
		cmocka_unit_test(out_of_memory_loses_nothing_synced),
		cmocka_unit_test(an_unfinished_segment_does_not_come_back),
	};
	return cmocka_run_group_tests_name("log faults", tests, NULL, NULL);
}
