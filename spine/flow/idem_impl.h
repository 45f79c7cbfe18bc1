/* Inside the idempotency index: keys in memory and the runs on disk. Private to spine/flow/idem*.c. */
#pragma once
#include <stdatomic.h>

#include "base/map.h"
#include "flow/idem.h"

#define IDEM_PATH_BYTES   1024
#define IDEM_SECRET_BYTES 192
#define IDEM_PAGE_BYTES   4096u
#define IDEM_PAGE_HEAD    16u
#define IDEM_ENTRY_BYTES  36u
#define IDEM_PAGE_ENTRIES ((IDEM_PAGE_BYTES - IDEM_PAGE_HEAD) / IDEM_ENTRY_BYTES)
#define IDEM_BLOCK_BYTES  64u /* of the filter: one cache line */
#define IDEM_BLOCK_KEYS   50u /* 10.24 bits a key */

struct idem_key {
	uint64_t high, low;
};

/* In memory; on disk without `used`. */
struct idem_entry {
	struct idem_key key;
	uint64_t body;   /* the first 8 bytes of the request's hash */
	uint64_t offset; /* of the decision in the log */
	uint32_t second; /* since 1970 */
	uint32_t used;   /* 0: an empty place */
};

/* The keys of now: open addressing, linear probing, at most 3/4 full. */
struct idem_table {
	struct idem_entry *places;
	uint64_t size, count;   /* size: a power of two, or 0 */
	struct tf_map partners; /* 8 bytes of hash -> keys */
	uint64_t first, next;   /* offsets it stands for */
	uint64_t lowest;        /* offset that a key names; UINT64_MAX for none */
	tf_time since;          /* when it began; 0: before the first tick */
	tf_time earliest, latest;
};

struct idem_partner {
	uint64_t hash;
	uint64_t keys;
};

struct idem_run {
	char path[IDEM_PATH_BYTES];
	struct tf_file *file;
	uint64_t first, next, lowest, count, bytes;
	tf_time earliest, latest;
	uint32_t pages, blocks, partner_count;
	uint64_t *fences; /* high half of each page's first key */
	uint8_t *filter;  /* blocks */
	struct idem_partner *partners;
};

struct tf_idem {
	struct tf_os *os;
	struct tf_log *log;
	char dir[IDEM_PATH_BYTES];
	struct tf_idem_options o;
	uint8_t secret[IDEM_SECRET_BYTES];
	struct idem_table table;
	struct tf_map partners; /* 8 bytes of hash -> unexpired keys */
	uint64_t keys;
	tf_time clock, told;    /* the index's own time; what it was told last. 0: nothing yet */
	struct idem_run **runs; /* by offset */
	uint32_t run_count, run_cap;
	struct tf_buf record; /* of the last answer */

	/* While a run is written: its keys, and who writes. */
	struct idem_table sealing;
	struct idem_run *sealed;
	struct tf_worker *worker;
	atomic_bool done;
	enum tf_err err;
	struct tf_fault fault;
};

/* idem.c */
enum tf_err idem_no_memory(struct tf_fault *f);
/* Room for one more run. */
enum tf_err idem_runs_reserve(struct tf_idem *x) TF_MUST_USE;
/* Waits for the worker and takes its run. */
enum tf_err idem_seal_end(struct tf_idem *x, struct tf_fault *f) TF_MUST_USE;

/* idem_open.c: everything that is on disk. */
enum tf_err idem_start(struct tf_idem *x, struct tf_fault *f) TF_MUST_USE;

/* idem_table.c */
/* With places for so many keys, so that it need not stop to grow. */
enum tf_err idem_table_begin(struct idem_table *t, uint64_t first, uint64_t keys) TF_MUST_USE;
void idem_table_release(struct idem_table *t);
/* Room for one more. */
enum tf_err idem_table_reserve(struct idem_table *t) TF_MUST_USE;
const struct idem_entry *idem_table_find(const struct idem_table *t, struct idem_key key);
/* Adds or replaces; true when it was new. Needs a reserved place. */
bool idem_table_put(struct idem_table *t, const struct idem_entry *e);
/* Adds to a partner's count. */
enum tf_err idem_partner_add(struct tf_map *m, uint64_t partner, int64_t by) TF_MUST_USE;
uint64_t idem_partner_keys(const struct tf_map *m, uint64_t partner);

/* idem_write.c: the table as a run in dir, durable. */
enum tf_err idem_run_write(struct tf_os *os, const char *dir, const struct idem_table *t, struct idem_run **out,
			   struct tf_fault *f) TF_MUST_USE;

/* idem_run.c */
/* Header, page index, filter and partners; the first offset is in the name. */
enum tf_err idem_run_open(struct tf_os *os, const char *path, struct idem_run **out, struct tf_fault *f) TF_MUST_USE;
void idem_run_close(struct idem_run **run);
/* Could it hold the key? */
bool idem_run_maybe(const struct idem_run *r, struct idem_key key);
void idem_run_prefetch(const struct idem_run *r, struct idem_key key);
/* TF_NOT_FOUND when it does not. */
enum tf_err idem_run_find(const struct idem_run *r, struct idem_key key, struct idem_entry *out,
			  struct tf_fault *f) TF_MUST_USE;
void idem_filter_add(uint8_t *filter, uint32_t blocks, struct idem_key key);
