/* Rows to tokens: the model encoder's first pass. */
#include "codec_model_encode.h"

static uint64_t
magnitude(int64_t v)
{
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

/* Bits that the values would take as magnitudes and signs, near enough, on every third slot; and as differences. */
static void
sizes_guess(const int64_t *v, uint32_t slots, int64_t offset, uint64_t *out_plain, uint64_t *out_delta)
{
	uint64_t plain = 0, delta = 0;
	for (uint32_t i = 1; i < slots; i += 3) {
		plain += codec_bits(magnitude(v[i] - offset)) + (v[i] < offset);
		delta += codec_bits(magnitude(v[i] - v[i - 1])) + 1;
	}
	*out_plain = plain;
	*out_delta = delta;
}

/* Values far from zero for their spread are taken from their least; values that creep are taken as differences. */
static void
shape_choose(struct model_row *r, const int64_t *v, uint32_t slots)
{
	uint64_t spread = (uint64_t)(r->high - r->low), plain, delta;
	if (r->low > 0 && (uint64_t)r->low > 2 * spread)
		r->offset = r->low;
	if (r->high < 0 && magnitude(r->high) > 2 * spread)
		r->offset = r->low;
	sizes_guess(v, slots, r->offset, &plain, &delta);
	if (delta + slots / 3 < plain)
		r->flags |= MODEL_SHAPE_DELTA;
	r->flags |= r->offset ? MODEL_SHAPE_OFFSET : 0;
	r->flags |= r->quantum > 1 ? MODEL_SHAPE_QUANTUM : 0;
}

static void
range_take(struct model_row *r, const int64_t *v, uint32_t slots)
{
	r->low = r->high = v[0];
	for (uint32_t i = 1; i < slots; i++) {
		r->low = v[i] < r->low ? v[i] : r->low;
		r->high = v[i] > r->high ? v[i] : r->high;
	}
}

const int64_t *
model_row_shape(struct model_work *w, uint32_t row)
{
	const struct model_row *r = &w->rows[row];
	uint32_t slots = w->grid->slots;
	const int64_t *v = w->grid->values + (size_t)row * slots;
	int64_t *out = w->shaped;
	if (r->quantum == 1 && !r->flags)
		return v;
	memcpy(out, v, slots * sizeof *out);
	if (r->quantum > 1)
		for (uint32_t i = 0; i < slots; i++)
			out[i] /= (int64_t)r->quantum;
	if (r->flags & MODEL_SHAPE_DELTA) {
		for (uint32_t i = slots - 1; i > 0; i--)
			out[i] -= out[i - 1];
		out[0] -= r->offset;
	} else if (r->offset) {
		for (uint32_t i = 0; i < slots; i++)
			out[i] -= r->offset;
	}
	return out;
}

static void
row_plan(struct model_work *w, uint32_t row)
{
	uint32_t slots = w->grid->slots;
	const int64_t *v = w->grid->values + (size_t)row * slots;
	struct model_row *r = &w->rows[row];
	*r = (struct model_row){.kind = MODEL_ROW_PLAIN, .quantum = 1};
	if (codec_row_is_zero(w->grid, row))
		return;
	range_take(r, v, slots);
	if (r->low == r->high)
		return;
	r->quantum = codec_quantum(v, slots);
	const int64_t *shaped = model_row_shape(w, row);
	r->low /= (int64_t)r->quantum;
	r->high /= (int64_t)r->quantum;
	shape_choose(r, shaped, slots);
	if (r->flags) {
		shaped = model_row_shape(w, row);
		range_take(r, shaped, slots);
	}
	r->first = shaped[0];
	if (magnitude(r->low) <= MODEL_MAGNITUDE_MAX && magnitude(r->high) <= MODEL_MAGNITUDE_MAX)
		r->kind = r->flags ? MODEL_ROW_SHAPED : MODEL_ROW_CLASS;
}

static unsigned
token_of(const struct model_head *h, int64_t v)
{
	unsigned d = model_magnitude_token((uint32_t)magnitude(v));
	return v < 0 ? h->zero - d : h->zero + d;
}

/* Where rows begin on average. */
static unsigned
start_level(const struct model_work *w)
{
	uint64_t sum = 0, n = 0;
	for (uint32_t i = 0; i < w->grid->rows; i++)
		if (model_row_coded(&w->rows[i])) {
			sum += token_of(&w->head, w->rows[i].first);
			n++;
		}
	return n ? (unsigned)(sum / n) : 0;
}

void
model_rows_plan(struct model_work *w)
{
	struct model_head *h = &w->head;
	unsigned zero = 0, top = 0;
	for (uint32_t i = 0; i < w->grid->rows; i++) {
		row_plan(w, i);
		const struct model_row *r = &w->rows[i];
		if (!model_row_coded(r))
			continue;
		unsigned below = r->low < 0 ? model_magnitude_token((uint32_t)-r->low) : 0;
		unsigned above = r->high > 0 ? model_magnitude_token((uint32_t)r->high) : 0;
		zero = below > zero ? below : zero;
		top = above > top ? above : top;
	}
	h->zero = zero;
	h->tokens = zero + top + 1;
	h->shift = MODEL_SHIFT_MIN;
	while ((h->tokens - 1) * 1024 >> h->shift >= MODEL_CONTEXTS)
		h->shift++;
	for (unsigned t = 0; t < h->tokens; t++) {
		w->base[t] = model_token_base(t, h->zero);
		w->raw_bits[t] = (uint8_t)model_token_bits(t >= h->zero ? t - h->zero : h->zero - t);
	}
	h->start = start_level(w);
	h->day = w->grid->slots_per_day <= MODEL_DAY_MAX ? w->grid->slots_per_day : 0;
}

/* The decoder's lane_step, the other way about. */
void
model_row_tokens(struct model_work *w, uint32_t row)
{
	const struct model_head *h = &w->head;
	uint32_t slots = w->grid->slots, day = h->day && h->day < slots ? h->day : slots;
	size_t at = (size_t)row * slots;
	uint16_t slot[MODEL_DAY_MAX] = {0};
	uint32_t last = (uint32_t)h->start << 8, mean = last;
	const int64_t *shaped = model_row_shape(w, row);
	for (uint32_t i = 0, s = 0; i < slots; i++) {
		bool first = i < day;
		uint32_t expected = first ? mean : slot[s];
		uint32_t level = model_expect(last, expected, mean);
		unsigned token = token_of(h, shaped[i]);
		w->token[at + i] = (uint8_t)token;
		w->context[at + i] = (uint8_t)(level >> h->shift);
		last = token << 8;
		mean += (uint32_t)((int32_t)(last - mean) >> MODEL_RATE);
		if (h->day)
			slot[s] = (uint16_t)(first ? last
						   : expected + (uint32_t)((int32_t)(last - expected) >> MODEL_RATE));
		s = s + 1 == day ? 0 : s + 1;
	}
}
