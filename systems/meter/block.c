/* Blocks in memory: cells, stamps, history. The bytes are in block_format.c. */
#include "block.h"

#include "base/mem.h"

static bool
fits(uint32_t rows, uint32_t slots)
{
	return rows <= METER_BUCKET_ROWS && (uint64_t)rows * slots <= METER_BLOCK_CELLS_MAX;
}

enum tf_err
meter_block_init(struct meter_block *b, uint32_t bucket, enum meter_level level, int32_t span,
		 const struct meter_grid_shape *shape, uint32_t rows)
{
	if (!fits(rows, shape->slots))
		return TF_TOO_LARGE;
	size_t cells = (size_t)rows * shape->slots;
	struct meter_block n = {.bucket = bucket, .level = level, .span = span, .shape = *shape, .rows = rows};
	n.values = tf_calloc(cells, sizeof *n.values);
	n.stamp = tf_calloc(cells, sizeof *n.stamp);
	if (!n.values || !n.stamp) {
		meter_block_release(&n);
		return TF_NO_MEMORY;
	}
	*b = n;
	return TF_OK;
}

void
meter_block_release(struct meter_block *b)
{
	tf_free(b->values);
	tf_free(b->stamp);
	tf_free(b->stamps);
	tf_free(b->past);
	*b = (struct meter_block){0};
}

enum tf_err
meter_block_grow(struct meter_block *b, uint32_t rows)
{
	if (rows <= b->rows)
		return TF_OK;
	if (!fits(rows, b->shape.slots))
		return TF_TOO_LARGE;
	size_t was = (size_t)b->rows * b->shape.slots, now = (size_t)rows * b->shape.slots;
	int64_t *values = tf_realloc(b->values, now * sizeof *values);
	if (!values)
		return TF_NO_MEMORY;
	b->values = values;
	uint32_t *stamp = tf_realloc(b->stamp, now * sizeof *stamp);
	if (!stamp)
		return TF_NO_MEMORY;
	b->stamp = stamp;
	memset(values + was, 0, (now - was) * sizeof *values);
	memset(stamp + was, 0, (now - was) * sizeof *stamp);
	b->rows = rows;
	return TF_OK;
}

static bool
same_stamp(const struct meter_stamp *a, const struct meter_stamp *b)
{
	return a->quality == b->quality && a->delivery == b->delivery && a->issued == b->issued;
}

uint32_t
meter_block_stamp(struct meter_block *b, const struct meter_stamp *s)
{
	/* New values come under few stamps, the latest first: looking back a little finds nearly all of them. */
	uint32_t floor = b->stamp_count > 64 ? b->stamp_count - 64 : 0;
	for (uint32_t i = b->stamp_count; i > floor; i--)
		if (same_stamp(&b->stamps[i - 1], s))
			return i;
	if (b->stamp_count == b->stamp_cap) {
		uint32_t cap = b->stamp_cap ? b->stamp_cap * 2 : 4;
		struct meter_stamp *p = cap > METER_STAMPS_MAX ? NULL : tf_realloc(b->stamps, cap * sizeof *p);
		if (!p)
			return 0;
		b->stamps = p;
		b->stamp_cap = cap;
	}
	b->stamps[b->stamp_count++] = *s;
	return b->stamp_count;
}

static int
past_order(const struct meter_past *a, const struct meter_past *b)
{
	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	if (a->stamp.issued != b->stamp.issued)
		return a->stamp.issued < b->stamp.issued ? -1 : 1;
	if (a->stamp.delivery != b->stamp.delivery)
		return a->stamp.delivery < b->stamp.delivery ? -1 : 1;
	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	return a->stamp.quality < b->stamp.quality ? -1 : a->stamp.quality > b->stamp.quality;
}

/* The first entry not before p. */
static uint32_t
past_find(const struct meter_block *b, const struct meter_past *p)
{
	uint32_t lo = 0, hi = b->past_count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (past_order(&b->past[mid], p) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
meter_block_has(const struct meter_block *b, const struct meter_past *p)
{
	uint32_t at = past_find(b, p);
	return at < b->past_count && past_order(&b->past[at], p) == 0;
}

enum tf_err
meter_block_keep(struct meter_block *b, const struct meter_past *p)
{
	uint32_t at = past_find(b, p);
	if (at < b->past_count && past_order(&b->past[at], p) == 0)
		return TF_OK;
	if (b->past_count == b->past_cap) {
		uint32_t cap = b->past_cap ? b->past_cap * 2 : 16;
		struct meter_past *n = tf_realloc(b->past, cap * sizeof *n);
		if (!n)
			return TF_NO_MEMORY;
		b->past = n;
		b->past_cap = cap;
	}
	memmove(&b->past[at + 1], &b->past[at], (b->past_count - at) * sizeof *b->past);
	b->past[at] = *p;
	b->past_count++;
	return TF_OK;
}

uint32_t
meter_block_past(const struct meter_block *b, uint32_t row, uint32_t slot)
{
	if (!b->past_count)
		return 0;
	struct meter_past first = {row, slot, INT64_MIN, {0, 0, INT64_MIN}};
	uint32_t from = past_find(b, &first), to = from;
	while (to < b->past_count && b->past[to].row == row && b->past[to].slot == slot)
		to++;
	return to - from;
}

void
meter_block_stats(const struct meter_block *b, struct meter_block_stats *out)
{
	uint32_t slots = b->shape.slots, first = slots, last = 0;
	uint64_t n = 0;
	for (uint32_t r = 0; r < b->rows; r++) {
		const uint32_t *s = b->stamp + (size_t)r * slots;
		for (uint32_t i = 0; i < slots; i++) {
			if (!s[i])
				continue;
			n++;
			first = i < first ? i : first;
			last = i > last ? i : last;
		}
	}
	tf_dur step = b->shape.interval_s * TF_SEC;
	*out = (struct meter_block_stats){n, n ? b->shape.first + first * step : TF_TIME_MAX,
					  n ? b->shape.first + last * step : 0};
}

static uint32_t
slot_at_or_after(const struct meter_grid_shape *s, tf_time t)
{
	if (t <= s->first)
		return 0;
	uint64_t step = (uint64_t)s->interval_s * TF_SEC, n = ((uint64_t)(t - s->first) + step - 1) / step;
	return n < s->slots ? (uint32_t)n : s->slots;
}

void
meter_shape_slots(const struct meter_grid_shape *s, tf_time from, tf_time to, uint32_t *out_from, uint32_t *out_to)
{
	*out_from = slot_at_or_after(s, from);
	*out_to = to > from ? slot_at_or_after(s, to) : *out_from;
}
