/* Metrics: what a scrape shows. */
#include "watch/metric.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

enum { READINGS, TIER_BYTES, SYNC, DEBT };

static const struct tf_metric table[] = {
	TF_METRIC(COUNTER, "tenfold_readings_total", "readings taken", NULL, NULL, 0),
	TF_METRIC(GAUGE, "tenfold_tier_bytes", "bytes on\ndisk \\ tier", "tier", "hot,warm,cold", 0),
	TF_METRIC(HISTOGRAM, "tenfold_sync_seconds", "time of a sync", NULL, NULL, 6),
	TF_METRIC(GAUGE, "tenfold_debt", "below nothing", NULL, NULL, 2),
};

static struct tf_metrics *
metrics(void)
{
	struct tf_metrics *m = NULL;
	assert_int_equal(tf_metrics_new(table, 4, &m, NULL), TF_OK);
	return m;
}

static char *
render(struct tf_metrics *m, struct tf_buf *b)
{
	tf_buf_init(b, 0);
	tf_metrics_render(m, b);
	tf_buf_u8(b, 0);
	assert_int_equal(b->err, TF_OK);
	return (char *)b->p;
}

static void
a_scrape_shows_counters_and_gauges(void **state)
{
	struct tf_metrics *m = metrics();
	struct tf_buf b;
	tf_metric_add(m, READINGS, 0, 96);
	tf_metric_add(m, READINGS, 0, 4);
	tf_metric_set(m, TIER_BYTES, 1, 7);
	tf_metric_add(m, TIER_BYTES, 2, -3);
	tf_metric_set(m, DEBT, 0, -105);
	assert_int_equal(tf_metric_get(m, READINGS, 0), 100);
	const char *text = render(m, &b), *expected = "# HELP tenfold_readings_total readings taken\n"
						      "# TYPE tenfold_readings_total counter\n"
						      "tenfold_readings_total 100\n"
						      "# HELP tenfold_tier_bytes bytes on\\ndisk \\\\ tier\n"
						      "# TYPE tenfold_tier_bytes gauge\n"
						      "tenfold_tier_bytes{tier=\"hot\"} 0\n"
						      "tenfold_tier_bytes{tier=\"warm\"} 7\n"
						      "tenfold_tier_bytes{tier=\"cold\"} -3\n";
	assert_memory_equal(text, expected, strlen(expected));
	assert_non_null(strstr(text, "\ntenfold_debt -1.05\n"));
	tf_buf_release(&b);
	tf_metrics_free(&m);
}

static void
a_histogram_counts_up_to_each_bound(void **state)
{
	struct tf_metrics *m = metrics();
	struct tf_buf b;
	static const int64_t us[] = {0, 10, 11, 2500, 2500, 100000000, 100000001, 4000000};
	for (size_t i = 0; i < sizeof us / sizeof *us; i++)
		tf_metric_observe(m, SYNC, 0, us[i]);
	const char *text = render(m, &b);
	assert_non_null(strstr(text, "\n# TYPE tenfold_sync_seconds histogram\n"
				     "tenfold_sync_seconds_bucket{le=\"0.00001\"} 2\n"
				     "tenfold_sync_seconds_bucket{le=\"0.00002\"} 3\n"));
	assert_non_null(strstr(text, "\ntenfold_sync_seconds_bucket{le=\"0.002\"} 3\n"
				     "tenfold_sync_seconds_bucket{le=\"0.005\"} 5\n"));
	assert_non_null(strstr(text, "\ntenfold_sync_seconds_bucket{le=\"5\"} 6\n"));
	assert_non_null(strstr(text, "\ntenfold_sync_seconds_bucket{le=\"100\"} 7\n"
				     "tenfold_sync_seconds_bucket{le=\"+Inf\"} 8\n"
				     "tenfold_sync_seconds_sum 204.005022\n"
				     "tenfold_sync_seconds_count 8\n"));
	assert_int_equal(tf_metric_get(m, SYNC, 0), 8);
	tf_buf_release(&b);
	tf_metrics_free(&m);
}

static void *
add_many(void *arg)
{
	for (int i = 0; i < 100000; i++) {
		tf_metric_add(arg, READINGS, 0, 1);
		tf_metric_observe(arg, SYNC, 0, 15);
	}
	return NULL;
}

static void
threads_lose_no_update(void **state)
{
	struct tf_metrics *m = metrics();
	pthread_t thread[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, add_many, m), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(tf_metric_get(m, READINGS, 0), 400000);
	assert_int_equal(tf_metric_get(m, SYNC, 0), 400000);
	tf_metrics_free(&m);
}

static void
a_failing_allocation_is_reported(void **state)
{
	for (uint64_t n = 1; n <= 3; n++) {
		struct tf_metrics *m = NULL;
		tf_mem_fail_at(n);
		assert_int_equal(tf_metrics_new(table, 4, &m, NULL), TF_NO_MEMORY);
		assert_null(m);
	}
	tf_mem_fail_at(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scrape_shows_counters_and_gauges),
		cmocka_unit_test(a_histogram_counts_up_to_each_bound),
		cmocka_unit_test(threads_lose_no_update),
		cmocka_unit_test(a_failing_allocation_is_reported),
	};
	return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
