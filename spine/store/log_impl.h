/* Inside the log: the structs that lie on disk and what its files share. Private to spine/store/log*.c.
 *
 * A partition's lock guards all of struct log_partition. While `syncing` is set one thread writes a buffer and syncs
 * without the lock: others may append into the other buffer (and write) meanwhile, but whoever changes the open segment
 * waits for it. Lock order: the log's meta lock, then a partition's. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "store/log.h"

#define LOG_PATH_MAX        1024
#define LOG_PARTITIONS_MAX  1024        /* the marks of all are read at open */
#define LOG_CONSUMERS_MAX   4096        /* the meta file is rewritten for each change */
#define LOG_NAME_MAX        255         /* bytes of a consumer's name */
#define LOG_BUFFER          (256 << 10) /* appends gather here before they go to the file */
#define LOG_DIRECT          (64 << 10)  /* payloads from here on go to the file by themselves */
#define LOG_WAYPOINT_EVERY  (256 << 10) /* bytes of a segment between two remembered places */
#define LOG_LOCK_TRIES      200         /* a reader's probe holds the lock for an instant */
#define LOG_ALIGN(n)        (((uint64_t)(n) + 7) & ~UINT64_C(7))
#define LOG_SEGMENT_VERSION 1
#define LOG_META_VERSION    1

/* These three are the bytes on disk, little-endian; the offset table is in log_format.c. */
struct log_segment_header {
	char magic[8];
	uint32_t version;
	uint32_t partition;
	uint64_t first; /* offset of the first record */
	tf_time time;   /* no record before is later, no record in it is earlier */
	uint64_t id;    /* random; seeds the checksums of the record headers */
	uint64_t check;
};

struct log_record_header {
	uint32_t magic;
	uint32_t length; /* of the payload */
	uint64_t offset;
	tf_time time;
	uint32_t type;
	uint32_t behind; /* offset minus the offset known durable when this was appended; UINT32_MAX means that or more
			  */
	uint64_t payload_check;
	uint64_t check;
};

struct log_mark {
	uint64_t serial;  /* the larger of two is the newer */
	uint64_t segment; /* first offset of the open segment */
	uint64_t id;      /* and its id */
	uint64_t bytes;   /* durable bytes of it */
	uint64_t next;    /* offset after the last durable record */
	tf_time time;     /* of that record */
	uint64_t unused;  /* 0 */
	uint64_t check;
};

#define LOG_SEGMENT_HEADER sizeof(struct log_segment_header)
#define LOG_RECORD_HEADER  sizeof(struct log_record_header)
#define LOG_MARK           sizeof(struct log_mark)

/* A place between two records: where the next one starts, its offset, and the time of the one before. */
struct log_place {
	uint64_t at, next;
	tf_time time;
};

struct log_segment {
	uint64_t first, bytes; /* bytes: of a segment that is not the last */
	tf_time time;
	uint64_t id; /* time and id: once known */
	bool known;
	struct log_place *waypoints; /* ascending, found by whoever walked here */
	uint32_t waypoint_count, waypoint_cap;
};

struct log_partition {
	uint32_t number;
	pthread_mutex_t lock;
	pthread_cond_t synced_cond;
	bool syncing;
	uint64_t floor;               /* first offset held */
	struct log_segment *segments; /* by first offset; the last is the one appended to */
	size_t segment_count, segment_cap;
	struct log_place end;    /* of the last segment, with what is in the buffer */
	struct log_place synced; /* of the last segment: what is durable, and all that readers see */
	uint64_t mark_serial;
	bool mark_dirty; /* a mark was written and not synced */
	/* the writer's */
	struct tf_file *file;    /* the last segment */
	uint8_t *buffer, *spare; /* NULL: not needed yet, or being written by a sync */
	size_t buffered;         /* the file has end.at - buffered bytes, or will once a sync that runs is over */
};

struct log_consumer {
	char *name;
	uint32_t partition;
	uint64_t offset;
};

struct tf_log {
	struct tf_os *os;
	char *dir;
	uint32_t partition_count;
	uint64_t segment_bytes;
	uint32_t record_bytes_max;
	bool read_only;
	atomic_bool broken;
	struct tf_file *marks; /* DIR/synced: marks, and the writer's lock */
	struct log_partition *partitions;
	pthread_mutex_t meta_lock;
	struct log_consumer *consumers; /* under meta_lock */
	size_t consumer_count;
};

/* Walks the records of one segment. */
struct log_scan {
	struct tf_file *file;
	char path[LOG_PATH_MAX];
	uint64_t id;
	struct log_place place;
	uint64_t limit; /* bytes of the file that may be looked at */
	size_t chunk;   /* bytes to read at once */
	uint8_t *window;
	size_t window_cap, window_n;
	uint64_t window_at;
};

/* -- log_format.c: bytes and checksums -- */

void log_segment_header_seal(struct log_segment_header *h);
/* TF_CORRUPT, or TF_UNSUPPORTED for another version. */
enum tf_err log_segment_header_check(const struct log_segment_header *h) TF_MUST_USE;
void log_record_header_seal(struct log_record_header *h, uint64_t segment_id);
bool log_record_header_valid(const struct log_record_header *h, uint64_t segment_id);
uint64_t log_payload_check(struct tf_str bytes);
void log_mark_seal(struct log_mark *m, uint32_t partition);
bool log_mark_valid(const struct log_mark *m, uint32_t partition);
/* The offset that was known durable when the record was appended. */
uint64_t log_record_durable(const struct log_record_header *h);

/* -- log_scan.c: reading one segment -- */

/* TF_CORRUPT, TF_UNSUPPORTED name the file. */
enum tf_err log_segment_header_read(struct tf_file *file, const char *path, uint32_t partition, uint64_t first,
				    struct log_segment_header *out, struct tf_fault *f) TF_MUST_USE;
/* The record at the place; *bytes (may be NULL: the payload is neither read nor checked) is valid until the next call.
 * TF_END exactly at the limit; TF_CORRUPT leaves the place where the bad record starts. */
enum tf_err log_scan_next(struct log_scan *s, struct log_record_header *out, struct tf_str *bytes,
			  struct tf_fault *f) TF_MUST_USE;
/* Closes the file and frees the window. */
void log_scan_release(struct log_scan *s);

/* -- log_segments.c: the list of a partition's segments -- */

/* TF_INVALID when it does not fit. suffix as in "meta". */
enum tf_err log_path(const struct tf_log *log, char out[static LOG_PATH_MAX], struct tf_fault *f, const char *fmt, ...)
	TF_PRINTF(4, 5) TF_MUST_USE;
enum tf_err log_segment_path(const struct tf_log *log, const struct log_partition *p, uint64_t first,
			     char out[static LOG_PATH_MAX], struct tf_fault *f) TF_MUST_USE;
/* Lists the directory anew; keeps what is known of segments that are still there. */
enum tf_err log_segments_list(struct tf_log *log, struct log_partition *p, struct tf_fault *f) TF_MUST_USE;
/* The segment that holds offset; NULL when it is below the first. */
struct log_segment *log_segment_of(struct log_partition *p, uint64_t offset);
struct log_segment *log_segment_last(struct log_partition *p);
/* Room for one more. */
enum tf_err log_segments_reserve(struct log_partition *p, struct tf_fault *f) TF_MUST_USE;
void log_segments_remove_first(struct log_partition *p);
void log_segments_remove_last(struct log_partition *p);
void log_segments_clear(struct log_partition *p);

/* -- log_mark.c: DIR/synced -- */

/* The newer valid mark; *out_found is false when there is none. */
enum tf_err log_mark_read(struct tf_log *log, uint32_t partition, struct log_mark *out, bool *out_found,
			  struct tf_fault *f) TF_MUST_USE;
/* Writes p->synced as the partition's mark, without a sync. */
enum tf_err log_mark_write(struct tf_log *log, struct log_partition *p, struct tf_fault *f) TF_MUST_USE;
/* Writes it into both places and syncs the file. */
enum tf_err log_mark_settle(struct tf_log *log, struct log_partition *p, struct tf_fault *f) TF_MUST_USE;

/* -- log_meta.c: DIR/meta -- */

/* TF_NOT_FOUND when there is none. Fills partition count, floors and consumers of a log just opened, or (partitions
 * are there) refreshes them. */
enum tf_err log_meta_read(struct tf_log *log, struct tf_fault *f) TF_MUST_USE;
enum tf_err log_meta_write(struct tf_log *log, struct tf_fault *f) TF_MUST_USE;
/* Makes partition_count partitions, all zero. */
enum tf_err log_partitions_new(struct tf_log *log, struct tf_fault *f) TF_MUST_USE;

/* -- log_recover.c: what is there when a log is opened -- */

/* The writer's, at open: finds the end of a partition, cuts a torn tail, makes the rest durable, opens the last segment
 * for appending; creates the first one. */
enum tf_err log_recover(struct tf_log *log, struct log_partition *p, struct tf_fault *f) TF_MUST_USE;
/* A reader's, at open and when it has read everything: what is synced by now. Changes nothing on disk. */
enum tf_err log_refresh(struct tf_log *log, struct log_partition *p, struct tf_fault *f) TF_MUST_USE;

/* -- log_tail.c: where a segment that was being written ends -- */

struct log_tail {
	uint64_t durable;            /* offsets below this were synced */
	const struct log_mark *mark; /* NULL when there is none */
	struct log_place end;        /* found */
	uint64_t file_bytes;         /* found */
};
/* Scans file, the last segment, from the mark (or its start) on; fills segment, end and file_bytes. TF_CORRUPT when
 * something is wrong that no interrupted write explains. */
enum tf_err log_tail_find(struct log_partition *p, struct tf_file *file, const char *path, struct log_tail *t,
			  struct tf_fault *f) TF_MUST_USE;
/* Is there nothing in this file but what creating a segment leaves when interrupted? */
enum tf_err log_tail_unfinished(struct tf_file *file, bool *out, struct tf_fault *f) TF_MUST_USE;

/* -- log.c -- */

/* Creates an empty segment, durable with its name, and makes it the one appended to. Under the lock, nothing buffered,
 * everything before it synced. */
enum tf_err log_segment_create(struct tf_log *log, struct log_partition *p, struct tf_fault *f) TF_MUST_USE;
/* Syncs the open segment and starts another. Under the lock. */
enum tf_err log_roll(struct tf_log *log, struct log_partition *p, struct tf_fault *f) TF_MUST_USE;
/* Fails when the log is broken or the partition is none of its. */
enum tf_err log_usable(const struct tf_log *log, uint32_t partition, struct tf_fault *f) TF_MUST_USE;
/* Or when it is read only. */
enum tf_err log_writable(const struct tf_log *log, uint32_t partition, struct tf_fault *f) TF_MUST_USE;
