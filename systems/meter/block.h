/* A block: the readings of one bucket over one date span, in memory and as bytes. Byte format: docs/formats/block.md.
 *
 * A bucket is up to METER_BUCKET_ROWS channels of one zone, interval length and phase; a span is one local day (hot) or
 * one local month (warm, cold) of that zone. A block is a grid: a row per channel, a slot per interval that starts in
 * the span. A cell holds a value and which stamp (quality, delivery, time issued) it came under; stamp 0 means that
 * there is no reading. Values that a later correction superseded stay in the history; a reading's version is one more
 * than its entries there. Ownership: a block owns its arrays. Thread rule: one thread at a time. */
#pragma once
#include "codec.h"
#include "reading.h"

#define METER_BUCKET_ROWS     256
#define METER_BLOCK_CELLS_MAX (4u << 20) /* rows * slots of a block */
#define METER_STAMPS_MAX      (1u << 24)

enum meter_level { METER_DAY = 0, METER_MONTH = 1 };

/* Where slots lie in time. */
struct meter_grid_shape {
	tf_time first; /* start of slot 0 */
	uint32_t interval_s;
	uint32_t slots;
};

/* What a value came with. The greater (issued, delivery) supersedes. */
struct meter_stamp {
	uint32_t quality; /* meter_quality_code */
	uint32_t delivery;
	tf_time issued;
};

/* A superseded reading. */
struct meter_past {
	uint32_t row, slot;
	int64_t value;
	struct meter_stamp stamp;
};

struct meter_block {
	uint32_t bucket;
	enum meter_level level;
	int32_t span; /* date, or month since 1970-01 */
	struct meter_grid_shape shape;
	uint32_t rows;
	int64_t *values; /* rows * slots; meaningless where stamp is 0 */
	uint32_t *stamp; /* rows * slots; 0 absent, else index + 1 into stamps */
	struct meter_stamp *stamps;
	uint32_t stamp_count, stamp_cap;
	struct meter_past *past; /* ordered by row, slot, issued, delivery */
	uint32_t past_count, past_cap;
};

/* What statistics a manifest keeps of a block. */
struct meter_block_stats {
	uint64_t readings;
	tf_time oldest, newest; /* start of the first and of the last reading; TF_TIME_MAX and 0 when there is none */
};

/* An empty block with all cells absent. */
enum tf_err meter_block_init(struct meter_block *b, uint32_t bucket, enum meter_level level, int32_t span,
			     const struct meter_grid_shape *shape, uint32_t rows) TF_MUST_USE;
void meter_block_release(struct meter_block *b);
/* Makes room for more rows, absent. */
enum tf_err meter_block_grow(struct meter_block *b, uint32_t rows) TF_MUST_USE;
/* The number + 1 of a stamp, added where new. 0 when memory is out. */
uint32_t meter_block_stamp(struct meter_block *b, const struct meter_stamp *s);
/* Keeps a superseded reading, in order; nothing when that very one is there already. */
enum tf_err meter_block_keep(struct meter_block *b, const struct meter_past *p) TF_MUST_USE;
/* Is that very reading in the history? */
bool meter_block_has(const struct meter_block *b, const struct meter_past *p);
/* How many superseded readings a cell has: its version less one. */
uint32_t meter_block_past(const struct meter_block *b, uint32_t row, uint32_t slot);
void meter_block_stats(const struct meter_block *b, struct meter_block_stats *out);
/* Slots [*out_from, *out_to) of b that start in [from, to). */
void meter_shape_slots(const struct meter_grid_shape *s, tf_time from, tf_time to, uint32_t *out_from,
		       uint32_t *out_to);

enum tf_err meter_block_encode(const struct meter_block *b, enum meter_codec codec, struct tf_buf *out,
			       struct tf_fault *f) TF_MUST_USE;

/* A block's bytes opened for reading: stamps, presence and history are parsed, rows decode on demand. Borrows the
 * bytes. */
struct meter_block_view {
	struct meter_block head; /* values NULL; stamp NULL */
	struct meter_decoder *decoder;
	const uint8_t **row_runs; /* per row: where its presence runs lie */
	uint8_t *row_full;        /* per row: 1 when all slots have one stamp */
	struct tf_str bytes;
};
enum tf_err meter_block_open(struct tf_str bytes, struct meter_block_view *out, struct tf_fault *f) TF_MUST_USE;
void meter_block_close(struct meter_block_view *v);
/* One row: slots values (any number where absent) and slots stamps. */
enum tf_err meter_block_row(const struct meter_block_view *v, uint32_t row, int64_t *out_values,
			    uint32_t *out_stamps) TF_MUST_USE;
/* The whole block into memory, as for meter_block_init. */
enum tf_err meter_block_decode(struct tf_str bytes, struct meter_block *out, struct tf_fault *f) TF_MUST_USE;
