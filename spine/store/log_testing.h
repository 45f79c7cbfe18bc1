/* What the log's tests share: records whose bytes follow from their offset, and what must come back. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/os.h"
#include "store/log.h"

#define PAYLOAD_MAX (100 << 10)

/* Bytes of record n of a partition: empty, small with zeros in them, over a sector, and every 16th if big is set past
 * what goes through the buffer. */
static inline struct tf_str
payload(uint32_t partition, uint64_t n, bool big)
{
	static char bytes[PAYLOAD_MAX];
	uint64_t x = n * 0x9e3779b97f4a7c15u + partition + 1;
	size_t len = (size_t)(x >> 40) % 90;
	if (n % 7 == 3)
		len = 600 + (size_t)(x >> 50) % 700;
	if (big && n % 16 == 9)
		len = (70 << 10) + (size_t)(x >> 50) % 777;
	if (n % 11 == 5)
		len = 0;
	for (size_t i = 0; i < len; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = i % 9 == 8 ? 0 : (char)(x >> 56);
	}
	return tf_str_n(bytes, len);
}

static inline enum tf_err
append_next(struct tf_log *log, uint32_t partition, bool big, struct tf_fault *f)
{
	uint64_t n = tf_log_end(log, partition), offset = UINT64_MAX;
	TF_TRY(tf_log_append(log, partition, (uint32_t)n % 5, payload(partition, n, big), &offset, f));
	assert_int_equal(offset, n);
	return TF_OK;
}

static inline void
must(enum tf_err e, const struct tf_fault *f, const char *what)
{
	if (e != TF_OK)
		fail_msg("%s: %s: %s", what, tf_err_name(e), f->text);
}
#define MUST(call) must((call), &fault, #call)

static inline void
append_many(struct tf_log *log, uint32_t partition, int count, bool big)
{
	struct tf_fault fault = {0};
	for (int i = 0; i < count; i++)
		MUST(append_next(log, partition, big, &fault));
}

static inline void
check_record(const struct tf_log_record *r, uint32_t partition, uint64_t n, bool big)
{
	struct tf_str want = payload(partition, n, big);
	assert_int_equal(r->offset, n);
	assert_int_equal(r->type, n % 5);
	assert_int_equal(r->bytes.n, want.n);
	if (want.n)
		assert_memory_equal(r->bytes.p, want.p, want.n);
}

/* Reads [from, to) and then the end; times never fall. */
static inline void
expect(struct tf_log *log, uint32_t partition, uint64_t from, uint64_t to, bool big)
{
	struct tf_fault fault = {0};
	struct tf_log_reader *r = NULL;
	struct tf_log_record record;
	tf_time time = INT64_MIN;
	MUST(tf_log_read(log, partition, from, &r, &fault));
	for (uint64_t n = from; n < to; n++) {
		MUST(tf_log_next(r, &record, &fault));
		check_record(&record, partition, n, big);
		assert_true(record.time >= time);
		time = record.time;
	}
	assert_int_equal(tf_log_next(r, &record, &fault), TF_END);
	tf_log_reader_close(&r);
	assert_null(r);
}
