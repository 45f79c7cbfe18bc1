/* A data directory of the meter system, open: log, catalog, packs, and the flow that ties them.
 *
 *   DIR/log/     the durable log: every reading before it is acknowledged
 *   DIR/packs/   hot and warm blocks, many to a file, immutable; a file that no block needs is removed
 *   DIR/cold/    Parquet, partitioned by year and region
 *   DIR/meter.db the catalog (manifest, channels, deliveries, quarantine) and the aggregates
 *   DIR/keys/    the index of Idempotency-Keys, of serve (keys.h)
 *
 * One writer at a time (the log's lock); a writer first publishes what the log holds and the tiers don't. Readers see
 * the last commit. Thread rule: one thread; publish runs in the flow's worker. */
#pragma once
#include "catalog.h"
#include "core_ingest.h"
#include "flow/flow.h"
#include "flow/idem.h"
#include "in.h"
#include "store/blob.h"
#include "store/lake.h"

#include <pthread.h>

struct meter_user_lake;

struct meter_store {
	struct tf_os *os;
	char *dir;
	bool read_only;
	struct tf_log *log;
	struct tf_flow *flow;
	struct meter_catalog catalog;
	struct meter_ingest ingest;
	struct tf_idem *keys; /* DIR/keys, where it is open (keys.h) */
	struct tf_buf record; /* of the last METER_EVENT_POSTED */
	struct tf_blob *cold; /* DIR/cold */
	struct tf_lake *lake; /* opened at first use (view_lake.h) */
	struct tf_lake_table tables[2];
	struct meter_user_lake *user_lake;
	pthread_mutex_t *lock;         /* NULL, or held by publish: who uses the catalog beside it holds it too */
	struct meter_counts published; /* what publish did since open */
	uint64_t quarantined;          /* records put aside since open */
	/* A read-only store's: told of each cold month that is read, instead of the table access. NULL: a connection of
	 * its own, opened at the first such month, notes it there. */
	void (*opened)(void *ctx, uint32_t bucket, int32_t month);
	void *opened_ctx;
	struct meter_catalog *notes;
	bool no_notes; /* it cannot be opened */
	uint64_t opened_bytes[METER_TIER_COUNT], opened_blocks[METER_TIER_COUNT];
};

struct meter_store_options {
	bool read_only;
	bool wait;              /* at the bound of waiting events: publish first instead of TF_OVERLOAD */
	uint64_t publish_bytes; /* 0: 16 MiB */
	uint64_t queue_bytes;   /* bound of waiting events; 0: 4 times publish_bytes */
};

/* Creates the directory for a writer. TF_BUSY when another writer has it; TF_NOT_FOUND for a reader when it is not
 * there. */
enum tf_err meter_store_open(struct tf_os *os, const char *dir, const struct meter_store_options *o,
			     struct meter_store **out, struct tf_fault *f) TF_MUST_USE;
void meter_store_close(struct meter_store **s);
/* Of a read-only store: does the log hold readings that are not published? A crash leaves some, and so does a writer at
 * work. */
enum tf_err meter_store_behind(struct meter_store *s, bool *out, struct tf_fault *f) TF_MUST_USE;
/* Of a read-only store: opens the log to be read, beside a writer too. Closed with the store. */
enum tf_err meter_store_read_log(struct meter_store *s, struct tf_fault *f) TF_MUST_USE;
/* DIR/rest; the caller frees with tf_free. NULL when memory is out. */
char *meter_store_path(const struct meter_store *s, const char *rest);

/* A block's bytes, checked against its hash; the caller frees *out with tf_free. */
enum tf_err meter_store_read_block(struct meter_store *s, const struct meter_block_ref *ref, char **out,
				   struct tf_fault *f) TF_MUST_USE;
/* Writes a durable pack file of the next number. */
enum tf_err meter_store_write_pack(struct meter_store *s, struct tf_str bytes, uint32_t *out_pack,
				   struct tf_fault *f) TF_MUST_USE;
enum tf_err meter_store_pack_bytes(struct meter_store *s, uint32_t pack, uint64_t *out, struct tf_fault *f) TF_MUST_USE;
/* Removes pack files that no block of the catalog needs. */
enum tf_err meter_store_sweep(struct meter_store *s, struct tf_fault *f) TF_MUST_USE;

/* Of a METER_EVENT_POSTED: *out is the decision, and type and bytes become those of the METER_EVENT_DELIVERED in it. Of
 * other events: they stay, and *out says nothing. */
enum tf_err meter_event_unwrap(uint32_t *type, struct tf_str *bytes, struct tf_decision *out,
			       struct tf_fault *f) TF_MUST_USE;

/* The flow's publish (publish.c). */
enum tf_err meter_publish(void *ctx, const struct tf_flow_event *events, size_t count, uint64_t next,
			  struct tf_fault *f) TF_MUST_USE;
