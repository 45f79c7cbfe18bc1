/* The pure core of bulk work: a block and new readings in, the revised block and what changed out.
 *
 * revise(block, readings) follows three rules, whatever order deliveries come in:
 *   - a cell without a reading takes the new one                                             (accepted)
 *   - the same value and quality again changes nothing                                       (duplicate)
 *   - a different one: the greater (issued, delivery) stands, the other goes to the history  (superseded)
 * Two different readings of one cell in one delivery: the later in it stands. No I/O, clock or threads. */
#pragma once
#include "block.h"

/* Readings of one row that lie in one block: slots [slot, slot + count), one quality. */
struct meter_piece {
	uint32_t row, slot, count;
	const int64_t *values; /* METER_ABSENT where there is none */
	struct meter_stamp stamp;
};

struct meter_counts {
	uint64_t readings, accepted, duplicate, superseded;
};

void meter_counts_add(struct meter_counts *to, const struct meter_counts *add);

/* Applies one piece; counts are added to. TF_NO_MEMORY leaves the block half revised: drop it. */
enum tf_err meter_revise(struct meter_block *b, const struct meter_piece *piece,
			 struct meter_counts *counts) TF_MUST_USE;

/* What the aggregates keep of one channel and local day. */
struct meter_day {
	uint32_t count; /* readings */
	uint32_t other; /* of these not actual (quality kind other than A) */
	int64_t sum;    /* smallest steps */
	int64_t max;    /* largest reading; 0 when count is 0 */
	tf_time max_at; /* when the first such starts */
};
/* Of slots [from, to) of a row. Exact: the same cells give the same bits. */
void meter_day_of(const struct meter_block *b, uint32_t row, uint32_t from, uint32_t to, struct meter_day *out);
