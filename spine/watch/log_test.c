/* Log lines: read back by the strict JSON reader. */
#include "watch/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "os/sim.h"

struct world {
	struct tf_os *os;
	struct tf_watch w;
	struct tf_buf lines;
	unsigned calls; /* of the sink */
};

static void
keep(void *ctx, struct tf_str line)
{
	struct world *w = ctx;
	tf_buf_str(&w->lines, line);
	w->calls++;
}

static int
setup(void **state)
{
	struct world *w = tf_calloc(1, sizeof *w);
	w->os = tf_sim_new(&(struct tf_sim_options){.seed = 1});
	tf_buf_init(&w->lines, 0);
	tf_watch_init(&w->w, w->os, "meter", TF_LOG_INFO, keep, w);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	tf_watch_release(&w->w);
	tf_buf_release(&w->lines);
	tf_sim_free(&w->os);
	tf_free(w);
	return 0;
}

static const char *
text(struct world *w)
{
	tf_buf_u8(&w->lines, 0);
	return (char *)w->lines.p;
}

static void
an_event_is_one_line_of_json(void **state)
{
	struct world *w = *state;
	struct tf_trace t;
	int count = -96;
	uint64_t large = UINT64_MAX;
	assert_int_equal(tf_trace_parse(TF_STR("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), &t), TF_OK);
	assert_int_equal(tf_trace_correlate(&t, TF_STR("order-7")), TF_OK);
	TF_LOG(&w->w, TF_LOG_INFO, "file.loaded", &t, TF_KV("file", "a \"b\"\n.csv"), TF_KV("readings", count),
	       TF_KV("large", large), TF_KV("durable", (bool)true), TF_KV("zone", TF_STR("UTC")));
	const char *expected = "\"level\":\"info\",\"service\":\"meter\",\"event\":\"file.loaded\","
			       "\"trace\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span\":\"00f067aa0ba902b7\","
			       "\"correlation\":\"order-7\",\"file\":\"a \\\"b\\\"\\n.csv\",\"readings\":-96,"
			       "\"large\":18446744073709551615,\"durable\":true,\"zone\":\"UTC\"}\n";
	const char *line = text(w), *level = strstr(line, "\"level\"");
	assert_memory_equal(line, "{\"time\":\"2026-01-01T00:00:00", 28);
	assert_non_null(level);
	assert_string_equal(level, expected);
}

static void
levels_below_the_least_are_silent(void **state)
{
	struct world *w = *state;
	TF_LOG(&w->w, TF_LOG_DEBUG, "cache.missed", NULL);
	assert_int_equal(w->lines.n, 0);
	TF_LOG(&w->w, TF_LOG_WARN, "disk.slow", NULL);
	assert_non_null(strstr(text(w), "\"level\":\"warn\",\"service\":\"meter\",\"event\":\"disk.slow\"}\n"));
}

static void
a_fault_is_logged_with_code_and_text(void **state)
{
	struct world *w = *state;
	struct tf_fault f;
	(void)tf_fault(&f, TF_NO_SPACE, "cannot write 'x': no space");
	tf_watch_fault(&w->w, "append.failed", NULL, &f);
	assert_non_null(strstr(text(w), "\"level\":\"error\""));
	assert_non_null(strstr(text(w), "\"error\":\"NO_SPACE\",\"text\":\"cannot write 'x': no space\"}"));
}

static void
any_bytes_make_a_line_that_can_be_read(void **state)
{
	struct world *w = *state;
	char bytes[256];
	struct tf_arena arena;
	const struct tf_json *v = NULL;
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	TF_LOG(&w->w, TF_LOG_INFO, "bytes.seen", NULL, TF_KV("bytes", tf_str_n(bytes, sizeof bytes)));
	assert_ptr_equal(memchr(w->lines.p, '\n', w->lines.n), w->lines.p + w->lines.n - 1);
	tf_arena_init(&arena, "test", 1 << 20);
	assert_int_equal(tf_json_parse(tf_buf_view(&w->lines), &arena, 0, &v, NULL), TF_OK);
	tf_arena_release(&arena);
}

static void
long_values_are_cut_and_too_long_lines_counted(void **state)
{
	struct world *w = *state;
	static char big[100000];
	memset(big, 'x', sizeof big - 1);
	TF_LOG(&w->w, TF_LOG_INFO, "a.b", NULL, TF_KV("v", big));
	assert_true(w->lines.n > 2048 && w->lines.n < 2300);
	assert_non_null(strstr(text(w), "x\",\"v_bytes\":99999}\n"));
	tf_buf_reset(&w->lines);
	struct tf_kv many[20];
	for (int i = 0; i < 20; i++)
		many[i] = TF_KV("v", big);
	tf_watch_log(&w->w, TF_LOG_INFO, "a.b", NULL, many, 20);
	assert_int_equal(w->lines.n, 0);
	assert_int_equal(w->w.dropped, 1);
	tf_mem_fail_at(1);
	TF_LOG(&w->w, TF_LOG_INFO, "a.b", NULL);
	tf_mem_fail_at(0);
	assert_int_equal(w->w.dropped, 2);
}

static void
lines_put_together_reach_the_sink_at_once(void **state)
{
	struct world *w = *state;
	static char big[100000];
	struct tf_buf put;
	tf_buf_init(&put, 0);
	memset(big, 'x', sizeof big - 1);
	struct tf_kv many[20];
	for (int i = 0; i < 20; i++)
		many[i] = TF_KV("v", big);
	TF_LOG_PUT(&w->w, &put, TF_LOG_INFO, "a.first", NULL, TF_KV("n", 1));
	TF_LOG_PUT(&w->w, &put, TF_LOG_DEBUG, "a.silent", NULL);
	tf_watch_put(&w->w, &put, TF_LOG_INFO, "a.long", NULL, many, 20); /* counted; the others stay */
	TF_LOG_PUT(&w->w, &put, TF_LOG_INFO, "a.last", NULL);
	assert_int_equal(w->calls, 0);
	tf_watch_pass(&w->w, &put);
	tf_watch_pass(&w->w, &put); /* nothing is left */
	assert_int_equal(w->calls, 1);
	assert_int_equal(w->w.dropped, 1);
	const char *first = strstr(text(w), "a.first"), *last = strstr(text(w), "a.last");
	assert_true(first && last && first < last);
	assert_null(strstr(text(w), "a.silent"));
	assert_null(strstr(text(w), "a.long"));
	tf_buf_release(&put);
}

static void
levels_are_read_by_name(void **state)
{
	enum tf_log_level level = TF_LOG_DEBUG;
	assert_int_equal(tf_log_level_parse(TF_STR("warn"), &level), TF_OK);
	assert_int_equal(level, TF_LOG_WARN);
	assert_int_equal(tf_log_level_parse(TF_STR("WARN"), &level), TF_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_is_one_line_of_json, setup, teardown),
		cmocka_unit_test_setup_teardown(levels_below_the_least_are_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(a_fault_is_logged_with_code_and_text, setup, teardown),
		cmocka_unit_test_setup_teardown(any_bytes_make_a_line_that_can_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(long_values_are_cut_and_too_long_lines_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_put_together_reach_the_sink_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(levels_are_read_by_name, setup, teardown),
	};
	return cmocka_run_group_tests_name("watch log", tests, NULL, NULL);
}
