/* The durable log: partitioned, checksummed, append-only segment files. Byte format: docs/formats/log.md.
 *
 * A log is a directory; partition P lives in DIR/P/ as segments named by the offset of their first record, 20 digits,
 * ".log". An offset counts records of one partition from 0 and never repeats. Each record has its append time (UTC,
 * never decreasing within a partition), a type, and bytes; XXH3-64 covers all of it.
 * Durability: an append is not durable, and must not be acknowledged, before tf_log_sync returned TF_OK: group commit
 * is one sync for all appends before it. After a failed append or sync the log is broken: every later call fails; end
 * the process. Recovery: an incomplete or failing record past what was ever synced (a torn tail) is cut off; anything
 * wrong before that is TF_CORRUPT, named by file and byte, and never skipped silently. One writer per directory (a lock
 * file); readers, of other processes too, need no lock and see what was synced when they opened or met the end. Trim:
 * whole segments below an offset are removed; what a consumer has not passed is never trimmed.
 * Limits: 1024 partitions, 4096 consumer positions with names of 255 bytes. Memory: 256 KiB, and as much again where
 * appends meet a sync, for each partition that is appended to, and 256 KiB for each reader (more while a record is
 * larger), 24 bytes for each 256 KiB of log walked through. Thread rule: a log may be shared between threads, a reader
 * belongs to one. A sync does not hold up appends. Close all readers before the log. What was appended and not synced
 * when it is closed is lost. */
#pragma once
#include "os/os.h"

struct tf_log;
struct tf_log_reader;

struct tf_log_options {
	uint32_t partitions;    /* fixed when the log is created (0 means 1); later 0 or the same, else TF_CONFLICT */
	uint64_t segment_bytes; /* roll to a new segment past this; 0 means 64 MiB */
	uint32_t record_bytes_max; /* 0 means 64 MiB */
	bool read_only;            /* no lock, no recovery; append fails */
};

struct tf_log_record {
	uint64_t offset;
	tf_time time;        /* when it was appended */
	uint32_t type;       /* the caller's */
	struct tf_str bytes; /* valid until the reader's next call */
};

/* Creates the directory where missing (not when read_only: TF_NOT_FOUND). TF_BUSY when another writer has it. */
enum tf_err tf_log_open(struct tf_os *os, const char *dir, const struct tf_log_options *o, struct tf_log **out,
			struct tf_fault *f) TF_MUST_USE;
void tf_log_close(struct tf_log **log);
/* Adds one record; its offset is known at once. Large records go to the file directly, small ones through a buffer. */
enum tf_err tf_log_append(struct tf_log *log, uint32_t partition, uint32_t type, struct tf_str bytes,
			  uint64_t *out_offset, struct tf_fault *f) TF_MUST_USE;
/* Makes every earlier append of all partitions durable. */
enum tf_err tf_log_sync(struct tf_log *log, struct tf_fault *f) TF_MUST_USE;
uint32_t tf_log_partitions(const struct tf_log *log);
/* Offset the next append will get; first offset still held; bytes held on disk in this partition. */
uint64_t tf_log_end(const struct tf_log *log, uint32_t partition);
uint64_t tf_log_first(const struct tf_log *log, uint32_t partition);
uint64_t tf_log_bytes(const struct tf_log *log, uint32_t partition);
/* Offset after the last durable record: where readers meet the end. */
uint64_t tf_log_synced(const struct tf_log *log, uint32_t partition);

/* Reads from an offset; TF_NOT_FOUND when that was trimmed, TF_INVALID when it is past the end. */
enum tf_err tf_log_read(struct tf_log *log, uint32_t partition, uint64_t offset, struct tf_log_reader **out,
			struct tf_fault *f) TF_MUST_USE;
/* The next record; TF_END at the end (call again after more was appended and synced); TF_CORRUPT names file and byte.
 */
enum tf_err tf_log_next(struct tf_log_reader *r, struct tf_log_record *out, struct tf_fault *f) TF_MUST_USE;
void tf_log_reader_close(struct tf_log_reader **r);
/* The first offset whose time is at or after t; the end of what is synced when none is. */
enum tf_err tf_log_seek(struct tf_log *log, uint32_t partition, tf_time t, uint64_t *out_offset,
			struct tf_fault *f) TF_MUST_USE;

/* Consumer positions: named, durable when this returns, one small file for all of them. TF_INVALID when offset is past
 * what is synced. */
enum tf_err tf_log_consumer_set(struct tf_log *log, struct tf_str name, uint32_t partition, uint64_t offset,
				struct tf_fault *f) TF_MUST_USE;
/* TF_NOT_FOUND when it never was set. */
enum tf_err tf_log_consumer_get(struct tf_log *log, struct tf_str name, uint32_t partition, uint64_t *out_offset,
				struct tf_fault *f) TF_MUST_USE;

/* Removes whole segments that hold only records below offset and that every consumer has passed. When the last segment
 * too is wholly below, a new empty one is started first, so that a trimmed log takes almost no bytes. */
enum tf_err tf_log_trim(struct tf_log *log, uint32_t partition, uint64_t offset, struct tf_fault *f) TF_MUST_USE;
/* Reads every record of every partition. On the first damage TF_CORRUPT, with file and byte in the fault. */
enum tf_err tf_log_verify(struct tf_log *log, uint64_t *out_records, struct tf_fault *f) TF_MUST_USE;
