/* The catalog of a data directory: meter.db. Channels and buckets, where each block lies (the manifest), deliveries,
 * quarantine, settings, and the aggregates (tier 4). One transaction publishes blocks, aggregates and the applied
 * offset together: a commit is the manifest switch. Tables and what kind of data each is: docs/data.md.
 *
 * Channels are known in memory to a writer (meter_catalog_load); readers ask the tables. A channel's number (sid) is
 * its bucket times METER_BUCKET_ROWS plus its row. Thread rule: one thread at a time. */
#pragma once
#include "base/map.h"
#include "batch.h"
#include "block.h"
#include "core_revise.h"
#include "store/sql.h"

enum meter_tier { METER_HOT = 0, METER_WARM = 1, METER_COLD = 2, METER_TIER_COUNT };
extern const char *const meter_tier_names[METER_TIER_COUNT];

struct meter_bucket {
	uint32_t id, rows, rows_max;
	uint32_t zone; /* index into the catalog's zones */
	uint32_t interval_s;
	uint32_t phase_s; /* start of every interval modulo interval_s */
	bool fresh;       /* not in the table yet */
};

struct meter_channel {
	uint32_t sid;
	uint32_t meter_at, channel_at; /* in the catalog's text */
	uint8_t meter_n, channel_n, unit;
};

#define METER_COLD_MAX 40

/* Where a block lies and what it holds. A cold block's values are in Parquet; its pack holds the rest: stamps,
 * presence, history. */
struct meter_block_ref {
	uint32_t bucket;
	enum meter_level level;
	int32_t span;
	enum meter_tier tier;
	uint32_t pack; /* number of the pack file */
	uint64_t offset, bytes, hash;
	struct meter_block_stats stats;
	int32_t through;           /* month blocks: the last local date moved in */
	char cold[METER_COLD_MAX]; /* cold: which Parquet files (table cold_file); "" elsewhere */
};

struct meter_catalog {
	struct tf_os *os;
	struct tf_sql *db;
	struct tf_zone **zones;
	uint32_t zone_count, zone_cap;
	struct meter_bucket *buckets;
	uint32_t bucket_count, bucket_cap;
	struct tf_map bucket_index; /* zone, interval, phase -> last bucket */
	struct meter_channel *channels;
	uint32_t channel_count, channel_cap, channel_stored; /* from channel_stored on: not in the table yet */
	struct tf_map channel_index; /* meter, channel, unit, interval, phase, zone -> index in channels */
	struct tf_buf text, key;
	struct tf_stmt *find_block, *put_block, *put_day, *put_month;
};

enum tf_err meter_catalog_open(struct tf_os *os, const char *path, bool read_only, struct meter_catalog *out,
			       struct tf_fault *f) TF_MUST_USE;
void meter_catalog_close(struct meter_catalog *c);
/* Reads channels and buckets into memory, for a writer. */
enum tf_err meter_catalog_load(struct meter_catalog *c, struct tf_fault *f) TF_MUST_USE;

/* The index of a zone among c->zones, opened at first use. */
enum tf_err meter_catalog_zone(struct meter_catalog *c, struct tf_str name, uint32_t *out,
			       struct tf_fault *f) TF_MUST_USE;
/* The bucket of a number; its zone is opened. */
enum tf_err meter_catalog_bucket(struct meter_catalog *c, uint32_t id, struct meter_bucket *out,
				 struct tf_fault *f) TF_MUST_USE;
/* The number of a channel, given one when it is new (stored by the next meter_catalog_store_new). */
enum tf_err meter_catalog_channel(struct meter_catalog *c, const struct meter_batch_channel *ch, uint32_t zone,
				  uint32_t phase_s, uint32_t *out_sid, struct tf_fault *f) TF_MUST_USE;
/* Inside a transaction: writes channels and buckets that are new. */
enum tf_err meter_catalog_store_new(struct meter_catalog *c, struct tf_fault *f) TF_MUST_USE;

/* TF_NOT_FOUND when there is no such block. */
enum tf_err meter_catalog_find_block(struct meter_catalog *c, uint32_t bucket, enum meter_level level, int32_t span,
				     struct meter_block_ref *out, struct tf_fault *f) TF_MUST_USE;
enum tf_err meter_catalog_put_block(struct meter_catalog *c, const struct meter_block_ref *ref,
				    struct tf_fault *f) TF_MUST_USE;
enum tf_err meter_catalog_drop_block(struct meter_catalog *c, uint32_t bucket, enum meter_level level, int32_t span,
				     struct tf_fault *f) TF_MUST_USE;

/* Setting's integer; fallback where it is not set. */
enum tf_err meter_catalog_get(struct meter_catalog *c, const char *name, int64_t fallback, int64_t *out,
			      struct tf_fault *f) TF_MUST_USE;
enum tf_err meter_catalog_set(struct meter_catalog *c, const char *name, int64_t value, struct tf_fault *f) TF_MUST_USE;

/* What one local day of one channel was and is; the aggregates follow the difference. */
struct meter_day_change {
	uint32_t sid;
	int32_t date;
	struct meter_day was, now;
};
/* Inside a transaction: day rows replaced, month rows moved by the differences, network rows too. changes is sorted by
 * (date, sid) in place. */
enum tf_err meter_catalog_days(struct meter_catalog *c, struct meter_day_change *changes, size_t count,
			       struct tf_fault *f) TF_MUST_USE;

/* Geometry: the slots of a bucket in one local day or month. */
void meter_bucket_shape(const struct tf_zone *zone, const struct meter_bucket *b, enum meter_level level, int32_t span,
			struct meter_grid_shape *out);
