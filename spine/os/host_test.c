/* What only the kernel's implementation can show: other processes, threads, devices and the host's calendars. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/dir_testing.h"

#define OK(expr)     assert_int_equal(expr, TF_OK)
#define IS(err, got) assert_int_equal(got, TF_##err)

static struct tf_fault fault;
static char root[256];

static int
setup(void **state)
{
	return dir_make(root, sizeof(root), "os") && chdir(root) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	unsetenv("TZDIR");
	return chdir("/") == 0 ? dir_remove(root) : -1;
}

static void
a_full_device_is_no_space(void **state)
{
	struct tf_file *file;
	if (tf_os_open(tf_os_real(), "/dev/full", TF_OPEN_WRITE, &file, &fault) != TF_OK)
		skip();
	IS(NO_SPACE, tf_file_write(file, "x", 1, 0, &fault));
	assert_string_equal(fault.text, "cannot write '/dev/full': no space");
	tf_file_close(&file);
}

/* Locks "lock", says so through the pipe and waits to be killed. */
static _Noreturn void
holder(int say)
{
	struct tf_file *file;
	if (tf_os_open(tf_os_real(), "lock", TF_OPEN_CREATE, &file, NULL) != TF_OK ||
	    tf_file_lock(file, true, NULL) != TF_OK || write(say, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void
a_lock_of_another_process_is_busy_until_it_dies(void **state)
{
	struct tf_file *file;
	int said[2];
	char c;
	assert_int_equal(pipe(said), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		holder(said[1]);
	assert_int_equal(read(said[0], &c, 1), 1);
	OK(tf_os_open(tf_os_real(), "lock", TF_OPEN_CREATE, &file, &fault));
	IS(BUSY, tf_file_lock(file, true, &fault));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	OK(tf_file_lock(file, true, &fault));
	tf_file_close(&file);
	close(said[0]);
	close(said[1]);
}

static void
look_at_mask(void *arg)
{
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	*(bool *)arg = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGUSR1);
}

static void
signals_are_left_to_the_main_thread(void **state)
{
	struct tf_worker *w;
	bool blocked = false;
	sigset_t mine;
	OK(tf_os_start(tf_os_real(), look_at_mask, &blocked, &w, &fault));
	tf_worker_join(&w);
	assert_true(blocked);
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
}

enum { AT_ONCE = 10 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	int here, rounds;
} meeting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

/* Waits until all are there. */
static void
meet(void *arg)
{
	pthread_mutex_lock(&meeting.lock);
	int round = meeting.rounds;
	if (++meeting.here == AT_ONCE) {
		meeting.here = 0;
		meeting.rounds++;
		pthread_cond_broadcast(&meeting.moved);
	}
	while (meeting.rounds == round)
		pthread_cond_wait(&meeting.moved, &meeting.lock);
	pthread_mutex_unlock(&meeting.lock);
	(*(int *)arg)++;
}

/* However many are parked. */
static void
workers_started_together_run_together(void **state)
{
	struct tf_worker *w[AT_ONCE];
	int met[AT_ONCE] = {0};
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < AT_ONCE; i++)
			OK(tf_os_start(tf_os_real(), meet, &met[i], &w[i], &fault));
		for (int i = 0; i < AT_ONCE; i++)
			tf_worker_join(&w[i]);
	}
	for (int i = 0; i < AT_ONCE; i++)
		assert_int_equal(met[i], 50);
}

static void
note_thread(void *arg)
{
	*(pthread_t *)arg = pthread_self();
}

/* As often as a group commit wants one. */
static void
a_thread_is_used_again(void **state)
{
	struct tf_worker *w;
	pthread_t first, next;
	OK(tf_os_start(tf_os_real(), note_thread, &first, &w, &fault));
	tf_worker_join(&w);
	for (int i = 0; i < 100; i++) {
		OK(tf_os_start(tf_os_real(), note_thread, &next, &w, &fault));
		tf_worker_join(&w);
		assert_true(pthread_equal(first, next));
	}
}

/* Threads that wait are not the child's. */
static void
a_forked_child_starts_its_own_threads(void **state)
{
#ifdef __SANITIZE_THREAD__
	skip(); /* it ends a forked child that starts a thread */
#endif
	struct tf_worker *w;
	int ran = 0;
	pthread_t thread;
	OK(tf_os_start(tf_os_real(), note_thread, &thread, &w, &fault));
	tf_worker_join(&w);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(10);
		_exit(tf_os_start(tf_os_real(), note_thread, &thread, &w, NULL) || (tf_worker_join(&w), w) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &ran, 0), pid);
	assert_int_equal(ran, 0);
}

/* What was drawn ahead is not given twice. */
static void
a_forked_child_draws_other_bytes(void **state)
{
	uint8_t first[16], mine[16], its[16];
	int said[2];
	tf_os_random(tf_os_real(), first, sizeof first); /* the rest of the block is there when it forks */
	assert_int_equal(pipe(said), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		tf_os_random(tf_os_real(), its, sizeof its);
		_exit(write(said[1], its, sizeof its) != sizeof its);
	}
	tf_os_random(tf_os_real(), mine, sizeof mine);
	assert_int_equal(read(said[0], its, sizeof its), sizeof its);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_memory_not_equal(mine, its, sizeof mine);
	assert_memory_not_equal(mine, first, sizeof mine);
	close(said[0]);
	close(said[1]);
}

enum { DRAWS = 1500, DRAW = 8 };

static void
draw_many(void *arg)
{
	uint8_t(*to)[DRAW] = arg;
	for (int i = 0; i < DRAWS; i++)
		tf_os_random(tf_os_real(), to[i], DRAW);
}

static int
by_draw(const void *a, const void *b)
{
	return memcmp(a, b, DRAW);
}

/* Over several blocks and two threads. */
static void
no_random_bytes_come_twice(void **state)
{
	static uint8_t all[2 * DRAWS][DRAW];
	struct tf_worker *w;
	OK(tf_os_start(tf_os_real(), draw_many, all, &w, &fault));
	draw_many(all + DRAWS);
	tf_worker_join(&w);
	qsort(all, 2 * DRAWS, DRAW, by_draw);
	for (int i = 1; i < 2 * DRAWS; i++)
		assert_memory_not_equal(all[i - 1], all[i], DRAW);
}

static void
a_calendar_comes_by_its_name(void **state)
{
	struct tf_zone *zone;
	bool dst;
	enum tf_err e = tf_os_zone(tf_os_real(), TF_STR("Europe/London"), &zone, &fault);
	if (e == TF_NOT_FOUND)
		skip(); /* no tzdata installed */
	OK(e);
	assert_string_equal(tf_zone_name(zone), "Europe/London");
	assert_int_equal(tf_zone_offset(zone, (tf_time)1782864000 * TF_SEC, &dst), 3600); /* 2026-07-01 */
	assert_true(dst);
	tf_zone_free(&zone);
}

static void
utc_needs_no_file(void **state)
{
	struct tf_zone *zone;
	setenv("TZDIR", root, 1);
	OK(tf_os_zone(tf_os_real(), TF_STR("UTC"), &zone, &fault));
	assert_int_equal(tf_zone_offset(zone, 0, NULL), 0);
	tf_zone_free(&zone);
}

static void
bad_zone_names_are_refused(void **state)
{
	struct tf_zone *zone;
	const char *invalid[] = {"", "/etc/passwd", "../x", "Europe/../../etc/passwd", "Europe/", "a b", "a\nb"};
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		IS(INVALID, tf_os_zone(tf_os_real(), tf_str(invalid[i]), &zone, &fault));
	IS(INVALID, tf_os_zone(tf_os_real(), TF_STR("Europe/London\0"), &zone, &fault));
	char longer[66];
	memset(longer, 'a', 65);
	IS(INVALID, tf_os_zone(tf_os_real(), tf_str_n(longer, 65), &zone, &fault));
	setenv("TZDIR", root, 1);
	IS(NOT_FOUND, tf_os_zone(tf_os_real(), TF_STR("Mars/Olympus"), &zone, &fault));
	assert_non_null(strstr(fault.text, "no time zone 'Mars/Olympus' in "));
	IS(NOT_FOUND, tf_os_zone(tf_os_real(), TF_STR("."), &zone, &fault));
	OK(tf_os_write_file(tf_os_real(), "Broken", TF_STR("not a zone"), &fault));
	IS(CORRUPT, tf_os_zone(tf_os_real(), TF_STR("Broken"), &zone, &fault));
}

static void
the_zone_version_is_the_datas_own(void **state)
{
	char text[32];
	struct tf_os *os = tf_os_real();
	setenv("TZDIR", root, 1);
	assert_string_equal(tf_os_zone_version(os, text), "unknown");
	OK(tf_os_write_file(os, "+VERSION", TF_STR("2025b\n"), &fault));
	assert_string_equal(tf_os_zone_version(os, text), "2025b");
	OK(tf_os_write_file(os, "tzdata.zi", TF_STR("# version 2026a\n# redo posix_only\n"), &fault));
	assert_string_equal(tf_os_zone_version(os, text), "2026a");
	OK(tf_os_write_file(os, "tzdata.zi", TF_STR("# version 0123456789012345678901234567890123456789"), &fault));
	assert_string_equal(tf_os_zone_version(os, text), "0123456789012345678901234567890");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_full_device_is_no_space, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lock_of_another_process_is_busy_until_it_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(signals_are_left_to_the_main_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(workers_started_together_run_together, setup, teardown),
		cmocka_unit_test_setup_teardown(a_thread_is_used_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_forked_child_starts_its_own_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(a_forked_child_draws_other_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(no_random_bytes_come_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(a_calendar_comes_by_its_name, setup, teardown),
		cmocka_unit_test_setup_teardown(utc_needs_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_zone_names_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_zone_version_is_the_datas_own, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
