/* Idempotency keys: same key, same answer; another body under it, refused; still being written, come back later.
 *
 * The truth is the log: a decision's record (decision.h) carries its key and its reply, so both commit with the effect.
 * This is the index over it: key hash (128 bits, with the directory's secret) -> body hash, log offset, time. It is
 * derived and made again from the log when its directory is removed.
 *
 * The keys of now are a hash table in memory, at most run_keys of them. When that is full, or its time bucket is over,
 * it becomes a run: a sorted file with page checksums, page index and Bloom filter (docs/formats/idem.md), at most 40
 * bytes a key, of which 1.4 stay in memory. A new key costs one look at each run's filter, a known one a 4 KiB read and
 * its log record. A run whose last key is older than the retention is removed whole: a key is kept for the retention
 * and at most two buckets more. Opening reads the runs' page indexes and filters, then the log from where the last run
 * ends: at most run_keys keys or one bucket, for a bucket in which nothing but other events came becomes an empty run.
 * A run only ever holds synced keys, so it never names an offset that power loss takes back.
 *
 * How old a key is goes by a time of the index's own. It follows the times that tf_idem_tick is told and, when the log
 * is read, those of its records: forward only, and by at most TF_IDEM_STEP at once. So a wall clock that is wrong for a
 * moment or a whole boot, by a year say, costs each key a minute of its retention and not all of it, and one that is
 * set back keeps nothing for ever. Time in which nothing ticks counts as a minute at most: over a long stop keys are
 * kept longer. Bounds: run_keys in memory (54 to 107 bytes each, 60 by default, twice while a run is written; a table
 * that grows stops everybody for a tenth of a second, so its places are allocated at open and again for each run, and
 * grow only past 3/4), partner_keys and keys_max unexpired, beyond which a new key is TF_OVERLOAD; partners_max. Thread
 * rule: one thread; a worker of its own writes runs. */
#pragma once
#include "flow/decision.h"
#include "store/log.h"

#define TF_IDEM_STEP TF_MINUTE

struct tf_idem;

struct tf_idem_options {
	tf_dur retention;      /* 0 means 24 h */
	tf_dur bucket;         /* 0 means 1 h */
	uint32_t run_keys;     /* 0 means 700,000: 3/4 of 2^20 places, less what comes while one is written */
	uint64_t partner_keys; /* unexpired keys of one partner; 0 means 8,388,608 */
	uint64_t keys_max;     /* of all; 0 means 33,554,432 */
	uint32_t partners_max; /* 0 means 65,536 */
	uint32_t partition;    /* of the log */
	uint32_t type;         /* of its records that are decisions; 0: all of them */
};

enum tf_idem_state {
	TF_IDEM_NEW,   /* decide; there is room for the key */
	TF_IDEM_DONE,  /* answer what is stored */
	TF_IDEM_OTHER, /* used with another request: 422 */
	TF_IDEM_BUSY,  /* its decision is not durable yet: 409 */
};

struct tf_idem_answer {
	enum tf_idem_state state;
	uint64_t offset;             /* DONE: of the decision */
	struct tf_decision decision; /* DONE: valid until the next ask */
};

struct tf_idem_stats {
	uint64_t keys, memory_keys; /* unexpired; those of them not in a run */
	uint64_t runs, run_bytes;   /* files, and their bytes */
};

/* Borrows os and log until close. Reads the runs and the log's tail. TF_CORRUPT names a damaged run: remove the
 * directory, and the index is made again from the log. */
enum tf_err tf_idem_open(struct tf_os *os, const char *dir, struct tf_log *log, const struct tf_idem_options *o,
			 struct tf_idem **out, struct tf_fault *f) TF_MUST_USE;
/* Waits for the worker. */
void tf_idem_close(struct tf_idem **idem);

/* What to do with a request of that name and hash (tf_decision_hash). TF_OVERLOAD: it is new and over a quota;
 * TF_INVALID: a name that is empty or too long. Blocks while it reads a page and a record. */
enum tf_err tf_idem_ask(struct tf_idem *x, const struct tf_idem_name *name,
			const uint8_t hash[static TF_IDEM_HASH_BYTES], struct tf_idem_answer *out,
			struct tf_fault *f) TF_MUST_USE;
/* For a flow's apply, with every event in the order of the log: remembers its key. d is NULL for an event that is no
 * decision. What was applied before is passed over. */
enum tf_err tf_idem_apply(struct tf_idem *x, uint64_t offset, const struct tf_decision *d,
			  struct tf_fault *f) TF_MUST_USE;
/* After each commit, and by a timer at least every few seconds: time goes on, runs begin and end to be written, what is
 * too old is dropped. */
enum tf_err tf_idem_tick(struct tf_idem *x, tf_time now, struct tf_fault *f) TF_MUST_USE;
/* The log must be kept from here on: what unexpired keys point to. A key whose record was trimmed all the same is
 * forgotten. */
uint64_t tf_idem_floor(const struct tf_idem *x);
/* The same where nobody has the index open, by age alone: from here on the log is younger than retention, by what its
 * newest record and the wall clock agree on. */
enum tf_err tf_idem_young(struct tf_os *os, struct tf_log *log, uint32_t partition, tf_dur retention, uint64_t *out,
			  struct tf_fault *f) TF_MUST_USE;
void tf_idem_stats(const struct tf_idem *x, struct tf_idem_stats *out);
