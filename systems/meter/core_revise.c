/* revise: readings into a block; see core_revise.h. */
#include "core_revise.h"

void
meter_counts_add(struct meter_counts *to, const struct meter_counts *add)
{
	to->readings += add->readings;
	to->accepted += add->accepted;
	to->duplicate += add->duplicate;
	to->superseded += add->superseded;
}

static int
later(const struct meter_stamp *a, const struct meter_stamp *b)
{
	if (a->issued != b->issued)
		return a->issued < b->issued ? -1 : 1;
	return (a->delivery > b->delivery) - (a->delivery < b->delivery);
}

/* The cell holds something else: one stands, the other is history. */
static enum tf_err
contend(struct meter_block *b, uint32_t row, uint32_t slot, int64_t value, const struct meter_stamp *stamp,
	struct meter_counts *counts)
{
	size_t at = (size_t)row * b->shape.slots + slot;
	struct meter_past now = {row, slot, b->values[at], b->stamps[b->stamp[at] - 1]};
	struct meter_past new = {row, slot, value, *stamp};
	int order = later(stamp, &now.stamp);
	if (order <= 0 && meter_block_has(b, &new)) {
		counts->duplicate++;
		return TF_OK;
	}
	counts->superseded++;
	if (order < 0)
		return meter_block_keep(b, &new);
	uint32_t number = meter_block_stamp(b, stamp);
	if (!number)
		return TF_NO_MEMORY;
	b->values[at] = value;
	b->stamp[at] = number;
	return meter_block_keep(b, &now);
}

static enum tf_err
revise_cell(struct meter_block *b, const struct meter_piece *p, uint32_t i, struct meter_counts *counts)
{
	size_t at = (size_t)p->row * b->shape.slots + p->slot + i;
	const struct meter_stamp *now = &b->stamps[b->stamp[at] - 1];
	if (b->values[at] != p->values[i] || now->quality != p->stamp.quality)
		return contend(b, p->row, p->slot + i, p->values[i], &p->stamp, counts);
	counts->duplicate++;
	if (p->stamp.issued > now->issued) {
		/* Confirmed later: what was issued in between no longer supersedes it. */
		uint32_t number = meter_block_stamp(b, &p->stamp);
		if (!number)
			return TF_NO_MEMORY;
		b->stamp[at] = number;
	}
	return TF_OK;
}

enum tf_err
meter_revise(struct meter_block *b, const struct meter_piece *p, struct meter_counts *counts)
{
	TF_ASSERT(p->row < b->rows && p->slot + p->count <= b->shape.slots);
	size_t at = (size_t)p->row * b->shape.slots + p->slot;
	uint32_t number = 0;
	for (uint32_t i = 0; i < p->count; i++) {
		if (p->values[i] == METER_ABSENT)
			continue;
		counts->readings++;
		if (b->stamp[at + i]) {
			TF_TRY(revise_cell(b, p, i, counts));
			continue;
		}
		if (!number && !(number = meter_block_stamp(b, &p->stamp)))
			return TF_NO_MEMORY;
		b->values[at + i] = p->values[i];
		b->stamp[at + i] = number;
		counts->accepted++;
	}
	return TF_OK;
}

void
meter_day_of(const struct meter_block *b, uint32_t row, uint32_t from, uint32_t to, struct meter_day *out)
{
	struct meter_day d = {0};
	uint32_t max_slot = 0;
	const int64_t *v = b->values + (size_t)row * b->shape.slots;
	const uint32_t *s = b->stamp + (size_t)row * b->shape.slots;
	for (uint32_t i = from; i < to; i++) {
		if (!s[i])
			continue;
		if (!d.count || v[i] > d.max) {
			d.max = v[i];
			max_slot = i;
		}
		d.count++;
		d.sum += v[i];
		d.other += (b->stamps[s[i] - 1].quality & 0xff) != 'A';
	}
	d.max_at = d.count ? b->shape.first + (tf_dur)max_slot * b->shape.interval_s * TF_SEC : 0;
	*out = d;
}
