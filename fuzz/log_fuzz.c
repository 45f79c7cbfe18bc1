/* Fuzzes the log's recovery and readers. The input is a list of edits of a log's files on a simulated disk: bytes
 * changed, files cut or extended, the marks taken back. Whatever it does: no crash, and no record comes back other than
 * it was appended. What stays below the edits' reach is the tests' business (log_test.c, log_damage_test.c).
 *
 * An edit is five bytes: file (segment, second segment, meta, synced), kind, position low, position high, value. */
#include "os/sim.h"
#include "store/log.h"

#define DIR     "log"
#define RECORDS 25 /* and one is appended */

static const char *const files[] = {DIR "/0/00000000000000000000.log", DIR "/0/00000000000000000012.log", DIR "/meta",
				    DIR "/synced"};

static struct tf_str
payload(uint64_t n)
{
	static char bytes[200];
	memset(bytes, (int)(n * 37 + 1), sizeof(bytes));
	return tf_str_n(bytes, n * 29 % sizeof(bytes));
}

static bool
is_own(const struct tf_log_record *r)
{
	return r->offset < RECORDS && r->type == (uint32_t)r->offset % 3 && tf_str_eq(r->bytes, payload(r->offset));
}

static void
append(struct tf_log *log, int count)
{
	for (int i = 0; i < count; i++) {
		uint64_t n = tf_log_end(log, 0);
		TF_ASSERT(tf_log_append(log, 0, (uint32_t)n % 3, payload(n), NULL, NULL) == TF_OK);
	}
}

static void
make(struct tf_os *os)
{
	struct tf_log *log;
	TF_ASSERT(tf_log_open(os, DIR, NULL, &log, NULL) == TF_OK);
	append(log, 12);
	TF_ASSERT(tf_log_sync(log, NULL) == TF_OK);
	tf_log_close(&log);
	TF_ASSERT(tf_log_open(os, DIR, &(struct tf_log_options){.segment_bytes = 1}, &log, NULL) == TF_OK);
	append(log, 1);
	tf_log_close(&log);
	TF_ASSERT(tf_log_open(os, DIR, NULL, &log, NULL) == TF_OK);
	append(log, 6);
	TF_ASSERT(tf_log_sync(log, NULL) == TF_OK);
	append(log, 6);
	TF_ASSERT(tf_log_sync(log, NULL) == TF_OK);
	tf_log_close(&log);
}

static void
edit(struct tf_file *file, unsigned kind, uint64_t at, uint8_t value)
{
	uint64_t size;
	uint8_t byte = 0, zeros[64] = {0};
	size_t n;
	TF_ASSERT(tf_file_size(file, &size, NULL) == TF_OK);
	if (kind % 4 == 0)
		TF_ASSERT(tf_file_truncate(file, at % (size + 1), NULL) == TF_OK);
	else if (kind % 4 == 1)
		TF_ASSERT(tf_file_write(file, zeros, 1 + value % 64, at % (size + 64), NULL) == TF_OK);
	else if (size && kind % 4 == 2) {
		TF_ASSERT(tf_file_read(file, &byte, 1, at % size, &n, NULL) == TF_OK);
		byte ^= value;
		TF_ASSERT(tf_file_write(file, &byte, 1, at % size, NULL) == TF_OK);
	} else
		TF_ASSERT(tf_file_write(file, &value, 1, at % (size + 64), NULL) == TF_OK);
}

static void
edit_all(struct tf_os *os, const uint8_t *p, size_t n)
{
	for (; n >= 5; p += 5, n -= 5) {
		struct tf_file *file;
		if (tf_os_open(os, files[p[0] % 4], TF_OPEN_WRITE, &file, NULL) != TF_OK)
			continue;
		edit(file, p[1], p[2] | (uint64_t)p[3] << 8, p[4]);
		tf_file_close(&file);
	}
}

static void
read_all(struct tf_log *log)
{
	struct tf_log_reader *r;
	struct tf_log_record record;
	uint64_t offset;
	uint64_t first = tf_log_first(log, 0);
	(void)!tf_log_seek(log, 0, TF_TIME_MAX / 2, &offset, NULL);
	(void)!tf_log_consumer_get(log, TF_STR("x"), 0, &offset, NULL);
	if (tf_log_read(log, 0, first, &r, NULL) != TF_OK)
		return;
	for (uint64_t n = first; tf_log_next(r, &record, NULL) == TF_OK; n++)
		TF_ASSERT(record.offset == n && is_own(&record));
	tf_log_reader_close(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n > 200)
		return 0;
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = 1});
	make(os);
	edit_all(os, p, n);
	struct tf_log *log = NULL;
	if (tf_log_open(os, DIR, &(struct tf_log_options){.read_only = true}, &log, NULL) == TF_OK)
		read_all(log);
	tf_log_close(&log);
	if (tf_log_open(os, DIR, NULL, &log, NULL) == TF_OK) {
		read_all(log);
		uint64_t end = tf_log_end(log, 0);
		TF_ASSERT(tf_log_append(log, 0, (uint32_t)end % 3, payload(end), NULL, NULL) == TF_OK);
		TF_ASSERT(tf_log_sync(log, NULL) == TF_OK);
	}
	tf_log_close(&log);
	tf_sim_free(&os);
	return 0;
}
