/* The audit log: what somebody who can write the log's checksums changes is found, and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/sim.h"
#include "store/audit.h"

#define OK(expr) assert_int_equal(expr, TF_OK)
#define ENTRIES  20

static struct tf_os *
sim(void)
{
	struct tf_sim_options o = {.seed = 7};
	return tf_sim_new(&o);
}

static void
fill(struct tf_os *os, const char *dir, int from, int to)
{
	struct tf_audit *a;
	char text[64];
	OK(tf_audit_open(os, dir, &a, NULL));
	for (int i = from; i < to; i++) {
		int n = snprintf(text, sizeof text, "{\"n\":%d}", i);
		OK(tf_audit_append(a, tf_str_n(text, (size_t)n), NULL));
	}
	OK(tf_audit_sync(a, NULL));
	tf_audit_close(&a);
}

/* Writes the log of `from` anew into `to`, with good checksums; change alters a record or says false to leave it out.
 */
static void
forge(struct tf_os *os, const char *from, const char *to, bool (*change)(uint64_t n, char *p, size_t size))
{
	struct tf_log *in, *out;
	struct tf_log_options read = {.read_only = true}, write = {.partitions = 1};
	struct tf_log_reader *r;
	struct tf_log_record rec;
	char p[1024];
	uint64_t offset;
	OK(tf_log_open(os, from, &read, &in, NULL));
	OK(tf_log_open(os, to, &write, &out, NULL));
	OK(tf_log_read(in, 0, 0, &r, NULL));
	while (!tf_log_next(r, &rec, NULL)) {
		assert_true(rec.bytes.n <= sizeof p);
		memcpy(p, rec.bytes.p, rec.bytes.n);
		if (change(rec.offset, p, rec.bytes.n))
			OK(tf_log_append(out, 0, rec.type, tf_str_n(p, rec.bytes.n), &offset, NULL));
	}
	OK(tf_log_sync(out, NULL));
	tf_log_reader_close(&r);
	tf_log_close(&in);
	tf_log_close(&out);
}

static void
a_chain_goes_on_after_reopening(void **state)
{
	struct tf_os *os = sim();
	struct tf_audit_head head;
	fill(os, "a", 0, 5);
	fill(os, "a", 5, ENTRIES);
	fill(os, "b", 0, ENTRIES);
	OK(tf_audit_verify(os, "a", NULL, NULL, NULL, &head, NULL));
	assert_int_equal(head.count, ENTRIES);
	OK(tf_audit_verify(os, "b", &head, NULL, NULL, &head, NULL));
	tf_sim_free(&os);
}

static enum tf_err
see(void *ctx, uint64_t number, tf_time at, struct tf_str text, struct tf_fault *f)
{
	int *seen = ctx;
	char want[64];
	snprintf(want, sizeof want, "{\"n\":%d}", *seen);
	assert_true(tf_str_eq(text, tf_str(want)));
	assert_int_equal(number, (*seen)++);
	return number == 9 ? TF_END : TF_OK;
}

static void
records_are_given_out_in_order(void **state)
{
	struct tf_os *os = sim();
	struct tf_audit_head head;
	int seen = 0;
	fill(os, "a", 0, ENTRIES);
	assert_int_equal(tf_audit_verify(os, "a", NULL, see, &seen, &head, NULL), TF_END);
	assert_int_equal(seen, 10);
	tf_sim_free(&os);
}

static bool
change_text(uint64_t n, char *p, size_t size)
{
	if (n == 7)
		p[size - 2] ^= 1;
	return true;
}

static bool
change_hash(uint64_t n, char *p, size_t size)
{
	(void)size;
	if (n == 7)
		p[3] ^= 1;
	return true;
}

static bool
leave_out(uint64_t n, char *p, size_t size)
{
	(void)p;
	(void)size;
	return n != 7;
}

static bool
leave_out_first(uint64_t n, char *p, size_t size)
{
	(void)p;
	(void)size;
	return n != 0;
}

static void
what_was_changed_is_named(void **state)
{
	static const struct {
		bool (*change)(uint64_t n, char *p, size_t size);
		const char *says;
		uint64_t good;
	} rows[] = {{change_text, "record 7 ", 7},
		    {change_hash, "record 7 ", 7},
		    {leave_out, "record 7 ", 7},
		    {leave_out_first, "record 0 ", 0}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tf_os *os = sim();
		struct tf_audit_head head;
		struct tf_fault f = {0};
		fill(os, "a", 0, ENTRIES);
		forge(os, "a", "b", rows[i].change);
		assert_int_equal(tf_audit_verify(os, "b", NULL, NULL, NULL, &head, &f), TF_CORRUPT);
		assert_non_null(strstr(f.text, rows[i].says));
		assert_int_equal(head.count, rows[i].good);
		tf_sim_free(&os);
	}
}

static bool
cut(uint64_t n, char *p, size_t size)
{
	(void)p;
	(void)size;
	return n < 15;
}

static void
a_noted_head_finds_what_was_cut_off_or_written_anew(void **state)
{
	struct tf_os *os = sim();
	struct tf_audit_head noted, head;
	struct tf_fault f = {0};
	fill(os, "a", 0, ENTRIES);
	OK(tf_audit_verify(os, "a", NULL, NULL, NULL, &noted, NULL));
	forge(os, "a", "b", cut);
	OK(tf_audit_verify(os, "b", NULL, NULL, NULL, &head, NULL)); /* by itself it is a good chain */
	assert_int_equal(tf_audit_verify(os, "b", &noted, NULL, NULL, &head, &f), TF_CORRUPT);
	assert_non_null(strstr(f.text, "15 to 19 are missing"));
	fill(os, "c", 1, ENTRIES + 1);
	assert_int_equal(tf_audit_verify(os, "c", &noted, NULL, NULL, &head, &f), TF_CORRUPT);
	assert_non_null(strstr(f.text, "not the one that was noted"));
	fill(os, "a", ENTRIES, ENTRIES + 3);
	OK(tf_audit_verify(os, "a", &noted, NULL, NULL, &head, NULL)); /* it may have grown */
	tf_sim_free(&os);
}

static void
what_was_synced_survives_power_loss(void **state)
{
	for (uint64_t seed = 1; seed < 20; seed++) {
		struct tf_sim_options o = {.seed = seed};
		struct tf_os *os = tf_sim_new(&o);
		struct tf_audit *a;
		struct tf_audit_head synced, head;
		fill(os, "a", 0, ENTRIES);
		OK(tf_audit_open(os, "a", &a, NULL));
		tf_audit_head(a, &synced);
		OK(tf_audit_append(a, TF_STR("{\"lost\":true}"), NULL));
		tf_sim_power_loss(os);
		tf_audit_close(&a);
		fill(os, "a", ENTRIES, ENTRIES + 1);
		OK(tf_audit_verify(os, "a", &synced, NULL, NULL, &head, NULL));
		assert_true(head.count > ENTRIES);
		tf_sim_free(&os);
	}
}

static void
a_text_has_a_bound(void **state)
{
	static char text[TF_AUDIT_TEXT + 1];
	struct tf_os *os = sim();
	struct tf_audit *a;
	OK(tf_audit_open(os, "a", &a, NULL));
	assert_int_equal(tf_audit_append(a, tf_str_n(text, sizeof text), NULL), TF_TOO_LARGE);
	OK(tf_audit_append(a, tf_str_n(text, sizeof text - 1), NULL));
	OK(tf_audit_append(a, (struct tf_str){0}, NULL));
	OK(tf_audit_sync(a, NULL));
	tf_audit_close(&a);
	struct tf_audit_head head;
	OK(tf_audit_verify(os, "a", NULL, NULL, NULL, &head, NULL));
	assert_int_equal(head.count, 2);
	tf_sim_free(&os);
}

struct seen {
	unsigned count;
	char last[32];
};

static bool
ends_in_seven(void *ctx, struct tf_str text)
{
	struct seen *s = ctx;
	s->count++;
	if (text.n < 8 || text.p[text.n - 2] != '7')
		return false;
	snprintf(s->last, sizeof s->last, "%.*s", TF_FMT(text));
	return true;
}

static bool
never(void *ctx, struct tf_str text)
{
	(void)text;
	((struct seen *)ctx)->count++;
	return false;
}

static void
looking_back_finds_the_newest(void **state)
{
	(void)state;
	struct tf_os *os = sim();
	struct tf_audit *a;
	struct seen some = {0}, none = {0}, empty = {0};
	fill(os, "log", 0, 1000);
	OK(tf_audit_open(os, "log", &a, NULL));
	OK(tf_audit_back(a, ends_in_seven, &some, NULL));
	assert_string_equal(some.last, "{\"n\":997}");
	assert_true(some.count < 1000); /* not all of them */
	OK(tf_audit_back(a, never, &none, NULL));
	assert_int_equal(none.count, 1000);
	tf_audit_close(&a);
	OK(tf_audit_open(os, "new", &a, NULL));
	OK(tf_audit_back(a, never, &empty, NULL));
	assert_int_equal(empty.count, 0);
	tf_audit_close(&a);
	tf_sim_free(&os);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_goes_on_after_reopening),
		cmocka_unit_test(records_are_given_out_in_order),
		cmocka_unit_test(what_was_changed_is_named),
		cmocka_unit_test(a_noted_head_finds_what_was_cut_off_or_written_anew),
		cmocka_unit_test(what_was_synced_survives_power_loss),
		cmocka_unit_test(looking_back_finds_the_newest),
		cmocka_unit_test(a_text_has_a_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
