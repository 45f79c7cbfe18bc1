/* The small parts: errors and faults, memory, strings, buffers, arenas, the hash map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

static void
errors_have_text_and_exit_code(void **state)
{
	for (int e = 0; e < TF_ERR_COUNT; e++) {
		assert_true(tf_err_text(e)[0]);
		int code = tf_err_exit(e);
		assert_true(code == 0 || code == 1 || code == 2 || code == 70 || code == 75);
		assert_int_equal(tf_err_retry(e), code == 75); /* a retry can help: that is what 75 says */
		assert_in_range(tf_err_http(e), 200, 599);
	}
	assert_string_equal(tf_err_name(TF_NOT_FOUND), "NOT_FOUND");
	assert_string_equal(tf_err_name((enum tf_err)999), "BUG");
	assert_string_equal(tf_err_name((enum tf_err) - 1), "BUG");
}

static void
faults_are_wrapped_outer_inner(void **state)
{
	struct tf_fault f = {0};
	assert_int_equal(tf_fault(&f, TF_NO_SPACE, "cannot write '%s'", "x"), TF_NO_SPACE);
	assert_int_equal(tf_fault_wrap(&f, TF_IO, "cannot load"), TF_NO_SPACE);
	assert_string_equal(f.text, "cannot load: cannot write 'x'");
	assert_int_equal(tf_fault(NULL, TF_IO, "x"), TF_IO);
	assert_int_equal(tf_fault_wrap(NULL, TF_IO, "x"), TF_IO);
	char longer[2 * TF_FAULT_TEXT_MAX];
	memset(longer, 'y', sizeof longer);
	longer[sizeof longer - 1] = 0;
	tf_fault(&f, TF_IO, "%s", longer);
	tf_fault_wrap(&f, TF_IO, "%s", longer);
	assert_int_equal(strlen(f.text), TF_FAULT_TEXT_MAX - 1);
}

static void
nth_allocation_fails_once(void **state)
{
	tf_mem_fail_at(2);
	void *a = tf_malloc(1), *b = tf_calloc(1, 1), *c = tf_realloc(NULL, 1);
	assert_non_null(a);
	assert_null(b);
	assert_non_null(c);
	assert_int_equal(tf_mem_fail_at(0), 3);
	tf_free(a);
	tf_free(c);
	tf_free(NULL);
	char *s = tf_strndup("abc", 2);
	assert_string_equal(s, "ab");
	tf_free(s);
}

static void
strings_compare_trim_and_cut(void **state)
{
	assert_true(tf_str_eq(tf_str(NULL), TF_STR("")));
	assert_true(tf_str_starts(TF_STR("abc"), TF_STR("ab")));
	assert_false(tf_str_starts(TF_STR("a"), TF_STR("ab")));
	assert_true(tf_str_cmp(TF_STR("ab"), TF_STR("abc")) < 0);
	assert_true(tf_str_cmp(TF_STR("b"), TF_STR("abc")) > 0);
	assert_true(tf_str_cmp(TF_STR("\xff"), TF_STR("a")) > 0);
	assert_int_equal(tf_str_cmp(tf_str(NULL), TF_STR("")), 0);
	assert_true(tf_str_eq_nocase(TF_STR("KwH"), TF_STR("kWh")));
	assert_false(tf_str_eq_nocase(TF_STR("@"), TF_STR("`")));
	assert_true(tf_str_eq(tf_str_trim(TF_STR(" \t a b\r\n")), TF_STR("a b")));
	assert_int_equal(tf_str_trim(TF_STR("  ")).n, 0);
	struct tf_str rest = TF_STR("a,,b"), head;
	assert_true(tf_str_cut(&rest, ',', &head) && tf_str_eq(head, TF_STR("a")));
	assert_true(tf_str_cut(&rest, ',', &head) && head.n == 0);
	assert_true(tf_str_cut(&rest, ',', &head) && tf_str_eq(head, TF_STR("b")));
	assert_false(tf_str_cut(&rest, ',', &head));
	rest = TF_STR("a,");
	assert_true(tf_str_cut(&rest, ',', &head) && tf_str_cut(&rest, ',', &head) && head.n == 0);
	assert_false(tf_str_cut(&rest, ',', &head));
}

/* Each byte at each place of eight, with others like it before and behind. */
static void
plain_bytes_are_counted_to_the_first_that_is_not(void **state)
{
	static const char near[] = {'a', ' ', '~', 127, '!', '#', '[', ']', (char)128, (char)255, 0, 31};
	char text[19];
	for (int c = 0; c < 256; c++)
		for (size_t at = 0; at < sizeof text; at++)
			for (size_t i = 0; i < sizeof near; i++) {
				memset(text, 'a', at);
				text[at] = (char)c;
				memset(text + at + 1, near[i], sizeof text - at - 1);
				size_t n = 0;
				while (n < sizeof text && text[n] >= ' ' && text[n] < 127 && text[n] != '"' &&
				       text[n] != '\\')
					n++;
				assert_int_equal(tf_str_plain(tf_str_n(text, sizeof text)), n);
			}
	assert_int_equal(tf_str_plain((struct tf_str){NULL, 0}), 0);
}

static void
copies_are_cut_and_ended(void **state)
{
	char out[4] = "xxx";
	assert_string_equal(tf_str_copy(TF_STR("ab"), out, sizeof out), "ab");
	assert_string_equal(tf_str_copy(TF_STR("abcd"), out, sizeof out), "abc");
	assert_string_equal(tf_str_copy((struct tf_str){NULL, 0}, out, sizeof out), "");
}

static void
digits_are_those_of_printf(void **state)
{
	static const uint64_t numbers[] = {0, 9, 10, 201, 1234567890, INT64_MAX, UINT64_MAX};
	struct tf_buf a, b;
	tf_buf_init(&a, 0);
	tf_buf_init(&b, 0);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		tf_buf_digits(&a, numbers[i]);
		tf_buf_printf(&b, "%" PRIu64, numbers[i]);
	}
	assert_true(tf_str_eq(tf_buf_view(&a), tf_buf_view(&b)));
	tf_buf_release(&a);
	tf_buf_release(&b);
}

static void
integers_are_read_whole_and_exact(void **state)
{
	uint64_t u;
	int64_t i;
	assert_true(tf_str_u64(TF_STR("18446744073709551615"), &u) && u == UINT64_MAX);
	assert_true(tf_str_i64(TF_STR("-9223372036854775808"), &i) && i == INT64_MIN);
	assert_true(tf_str_i64(TF_STR("9223372036854775807"), &i) && i == INT64_MAX);
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "0x1", "1.0", "18446744073709551616", "--1"};
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
		assert_false(tf_str_u64(tf_str(bad[k]), &u));
		assert_false(tf_str_i64(tf_str(bad[k]), &i));
	}
	assert_false(tf_str_u64(TF_STR("-1"), &u));
	assert_false(tf_str_i64(TF_STR("9223372036854775808"), &i));
	assert_false(tf_str_i64(TF_STR("-9223372036854775809"), &i));
}

static void
buffer_writes_little_endian_and_reads_back(void **state)
{
	static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_u32(&b, 0x01020304);
	assert_memory_equal(b.p, "\4\3\2\1", 4);
	tf_buf_u8(&b, 7);
	tf_buf_u16(&b, 0x1234);
	tf_buf_u64(&b, UINT64_MAX - 1);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		tf_buf_varint(&b, values[i]);
		tf_buf_zigzag(&b, (int64_t)values[i]);
	}
	tf_buf_zigzag(&b, INT64_MIN);
	tf_buf_lstr(&b, TF_STR("hello"));
	tf_buf_printf(&b, "%s-%d", "x", 5);
	assert_int_equal(b.err, TF_OK);
	struct tf_cur c = tf_cur(tf_buf_view(&b));
	assert_int_equal(tf_cur_u32(&c), 0x01020304);
	assert_int_equal(tf_cur_u8(&c), 7);
	assert_int_equal(tf_cur_u16(&c), 0x1234);
	assert_true(tf_cur_u64(&c) == UINT64_MAX - 1);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		assert_true(tf_cur_varint(&c) == values[i]);
		assert_true(tf_cur_zigzag(&c) == (int64_t)values[i]);
	}
	assert_true(tf_cur_zigzag(&c) == INT64_MIN);
	assert_true(tf_str_eq(tf_cur_lstr(&c), TF_STR("hello")));
	assert_true(tf_str_eq(tf_cur_bytes(&c, 3), TF_STR("x-5")));
	assert_false(c.bad);
	assert_int_equal(tf_cur_left(&c), 0);
	assert_int_equal(tf_cur_u8(&c), 0);
	assert_true(c.bad);
	tf_buf_release(&b);
}

static void
buffer_keeps_its_first_error(void **state)
{
	struct tf_buf b;
	tf_buf_init(&b, 4);
	tf_buf_cstr(&b, "abcd");
	assert_int_equal(b.err, TF_OK);
	tf_buf_u8(&b, 'e');
	assert_int_equal(b.err, TF_TOO_LARGE);
	tf_buf_reset(&b);
	tf_buf_cstr(&b, "x");
	assert_int_equal(b.err, TF_OK);
	tf_buf_release(&b);
	tf_buf_init(&b, 0);
	tf_mem_fail_at(1);
	tf_buf_cstr(&b, "x");
	tf_buf_cstr(&b, "y");
	tf_mem_fail_at(0);
	assert_int_equal(b.err, TF_NO_MEMORY);
	assert_int_equal(b.n, 0);
	tf_buf_release(&b);
}

static void
bad_varints_stop_the_cursor(void **state)
{
	static const char *const rows[] = {"\x80", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
					   "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", ""};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tf_cur c = tf_cur(tf_str(rows[i]));
		assert_int_equal(tf_cur_varint(&c), 0);
		assert_true(c.bad);
	}
	struct tf_cur c = tf_cur(TF_STR("\5ab"));
	assert_int_equal(tf_cur_lstr(&c).n, 0);
	assert_true(c.bad);
}

static void
arena_is_aligned_capped_and_reused(void **state)
{
	struct tf_arena a;
	struct tf_fault f = {0};
	tf_arena_init(&a, "step", 100000);
	assert_int_equal(tf_arena_fault(&a, &f), TF_OK);
	size_t count = 0;
	for (unsigned char *p; (p = tf_arena_alloc(&a, count % 97)); count++) {
		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, 0xaa, count % 97);
	}
	assert_true(count > 1000 && a.taken <= 100000);
	assert_int_equal(tf_arena_fault(&a, &f), TF_TOO_LARGE);
	assert_string_equal(f.text, "too large: arena 'step' is full at 100000 bytes");
	tf_arena_reset(&a);
	assert_int_equal(tf_arena_fault(&a, &f), TF_OK);
	const char *zero = tf_arena_calloc(&a, 100, 10);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(zero[i], 0);
	assert_string_equal(tf_arena_str(&a, TF_STR("abc")).p, "abc");
	assert_null(tf_arena_calloc(&a, SIZE_MAX, 2));
	tf_arena_release(&a);
	assert_int_equal(a.taken, 0);
	tf_arena_release(&a);
}

static void
arena_takes_no_more_blocks_when_reset_in_a_loop(void **state)
{
	struct tf_arena a;
	tf_arena_init(&a, "step", 0);
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 1000; k++)
			assert_non_null(tf_arena_alloc(&a, 100));
		tf_arena_reset(&a);
	}
	tf_mem_fail_at(0);
	for (int k = 0; k < 100; k++)
		assert_non_null(tf_arena_alloc(&a, 100));
	tf_arena_reset(&a);
	tf_mem_fail_at(1);
	assert_non_null(tf_arena_alloc(&a, 100)); /* from the block that was kept */
	assert_null(tf_arena_alloc(&a, (size_t)1 << 30));
	tf_mem_fail_at(0);
	assert_int_equal(tf_arena_fault(&a, NULL), TF_NO_MEMORY);
	tf_arena_release(&a);
}

static void
fill_map(enum tf_map_flags flags)
{
	static char keys[50000][12];
	struct tf_map m;
	uint64_t v = 7;
	assert_int_equal(tf_map_init(&m, flags), TF_OK);
	assert_false(tf_map_get(&m, TF_STR("x"), &v));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 50000; i++) {
			int n = snprintf(keys[i], sizeof keys[i], "%d", i);
			assert_int_equal(tf_map_put(&m, tf_str_n(keys[i], (size_t)n), (uint64_t)i), TF_OK);
		}
		assert_int_equal(tf_map_put(&m, TF_STR(""), 99), TF_OK);
		assert_int_equal(tf_map_put(&m, TF_STR("17"), 18), TF_OK);
		assert_int_equal(m.count, 50001);
		if (flags == TF_MAP_OWN_KEYS)
			memset(keys, 0, sizeof keys); /* the map has its own */
		for (int i = 0; i < 50000; i++) {
			char key[12];
			int n = snprintf(key, sizeof key, "%d", i);
			assert_true(tf_map_get(&m, tf_str_n(key, (size_t)n), &v));
			assert_int_equal(v, i == 17 ? 18 : i);
			key[n] = 'x';
			assert_false(tf_map_get(&m, tf_str_n(key, (size_t)n + 1), &v));
		}
		assert_true(tf_map_get(&m, TF_STR(""), &v) && v == 99);
		tf_map_clear(&m);
		assert_int_equal(m.count, 0);
		assert_false(tf_map_get(&m, TF_STR("17"), &v));
	}
	tf_map_release(&m);
}

static void
map_finds_what_was_put(void **state)
{
	fill_map(TF_MAP_OWN_KEYS);
	fill_map(TF_MAP_BORROW_KEYS);
}

static void
map_stays_as_it_was_when_memory_is_out(void **state)
{
	struct tf_map m;
	uint64_t v;
	assert_int_equal(tf_map_init(&m, TF_MAP_OWN_KEYS), TF_OK);
	for (uint64_t i = 0; i < 2000; i++) {
		char key[24];
		int n = snprintf(key, sizeof key, "key%llu", (unsigned long long)i);
		tf_mem_fail_at(1);
		enum tf_err e = tf_map_put(&m, tf_str_n(key, (size_t)n), i);
		tf_mem_fail_at(0);
		assert_int_equal(m.count, i + (e == TF_OK));
		assert_int_equal(tf_map_get(&m, tf_str_n(key, (size_t)n), &v), e == TF_OK);
		if (e) {
			assert_int_equal(e, TF_NO_MEMORY);
			assert_int_equal(tf_map_put(&m, tf_str_n(key, (size_t)n), i), TF_OK);
		}
	}
	assert_int_equal(m.count, 2000);
	tf_map_release(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_have_text_and_exit_code),
		cmocka_unit_test(faults_are_wrapped_outer_inner),
		cmocka_unit_test(nth_allocation_fails_once),
		cmocka_unit_test(strings_compare_trim_and_cut),
		cmocka_unit_test(plain_bytes_are_counted_to_the_first_that_is_not),
		cmocka_unit_test(copies_are_cut_and_ended),
		cmocka_unit_test(digits_are_those_of_printf),
		cmocka_unit_test(integers_are_read_whole_and_exact),
		cmocka_unit_test(buffer_writes_little_endian_and_reads_back),
		cmocka_unit_test(buffer_keeps_its_first_error),
		cmocka_unit_test(bad_varints_stop_the_cursor),
		cmocka_unit_test(arena_is_aligned_capped_and_reused),
		cmocka_unit_test(arena_takes_no_more_blocks_when_reset_in_a_loop),
		cmocka_unit_test(map_finds_what_was_put),
		cmocka_unit_test(map_stays_as_it_was_when_memory_is_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
