/* Encoding METER_CODEC_MODEL: rows become tokens (codec_tokens.c), tokens get tables (codec_classes.c), and here the
 * tables code them. tANS runs backward: a row's last token is coded first, and the decoder reads forward. */
#include "codec_model_encode.h"

#include "base/mem.h"

#define UNROLL _Pragma("GCC unroll 4")
#define WALKS  4    /* rows coded side by side: a state waits for the one before */
#define SMALL  8192 /* values or bytes: a smaller block may be smaller plain */

/* Coding a token from state x (2^log2 and up): bits = (x + bits_from) >> 16; the low bits go out; the next state is
 * next[(x >> bits) + first]. */
struct token_code {
	uint32_t bits_from;
	int32_t first;
};

struct coding {
	struct token_code *codes; /* of each table, head.tokens */
	uint16_t *next;           /* of each table, 2^log2 */
	uint32_t *bits;           /* of one row: state bits, count in the top byte */
};

static void
coding_release(struct coding *c)
{
	tf_free(c->codes);
	tf_free(c->next);
	tf_free(c->bits);
}

static void
coding_table(const struct model_head *h, const uint8_t *levels, struct token_code *codes, uint16_t *next)
{
	uint16_t frequency[MODEL_TOKENS_MAX], from[MODEL_TOKENS_MAX];
	uint8_t token[1 << MODEL_LOG2_MAX];
	uint32_t size = 1u << h->log2, sum = 0;
	bool any = model_frequencies(levels, h->tokens, h->log2, frequency);
	TF_ASSERT(any);
	model_spread(frequency, h->tokens, h->log2, token);
	for (unsigned t = 0; t < h->tokens; t++) {
		uint32_t f = frequency[t], most = f > 1 ? h->log2 + 1 - codec_bits(f - 1) : h->log2;
		codes[t] = (struct token_code){(most << 16) - (f << most), (int32_t)(sum - f)};
		from[t] = (uint16_t)sum;
		sum += f;
	}
	for (uint32_t i = 0; i < size; i++)
		next[from[token[i]]++] = (uint16_t)(size + i);
}

static enum tf_err
coding_init(const struct model_work *w, struct coding *c)
{
	const struct model_head *h = &w->head;
	c->codes = tf_malloc((size_t)w->tables.count * h->tokens * sizeof *c->codes);
	c->next = tf_malloc(((size_t)w->tables.count << h->log2) * sizeof *c->next);
	c->bits = tf_malloc((size_t)w->grid->slots * WALKS * sizeof *c->bits + 1);
	if (!c->codes || !c->next || !c->bits)
		return TF_NO_MEMORY;
	for (unsigned i = 0; i < w->tables.count; i++)
		coding_table(h, w->tables.level[i], c->codes + (size_t)i * h->tokens, c->next + ((size_t)i << h->log2));
	return TF_OK;
}

static inline uint32_t
state_next(const struct model_work *w, const struct coding *c, unsigned table, struct token_code code, uint32_t x,
	   uint32_t bits)
{
	return c->next[((size_t)table << w->head.log2) + (size_t)((int64_t)(x >> bits) + code.first)];
}

/* A row on its way through the states. */
struct walk {
	const uint8_t *map, *token, *context;
	uint32_t *bits;
	uint32_t state;
};

/* The states of some rows, last to first. The last token needs no bits: any state that shows it will do. */
static inline __attribute__((always_inline)) void
walks_run(const struct model_work *w, const struct coding *c, struct walk *walks, unsigned count)
{
	unsigned tokens = w->head.tokens;
	uint32_t last = w->grid->slots - 1;
	struct walk l[WALKS];
	UNROLL
	for (unsigned k = 0; k < count; k++)
		l[k] = walks[k];
	for (unsigned k = 0; k < count; k++) {
		struct walk *a = &l[k];
		unsigned table = a->map[a->context[last]];
		struct token_code code = c->codes[table * tokens + a->token[last]];
		uint32_t bits = (code.bits_from + (1u << 15)) >> 16;
		a->state = state_next(w, c, table, code, (bits << 16) - code.bits_from, bits);
		a->bits[last] = 0;
	}
	for (uint32_t i = last; i-- > 0;) {
		UNROLL
		for (unsigned k = 0; k < count; k++) {
			struct walk *a = &l[k];
			unsigned table = a->map[a->context[i]];
			struct token_code code = c->codes[table * tokens + a->token[i]];
			uint32_t x = a->state, bits = (x + code.bits_from) >> 16;
			a->bits[i] = bits << 24 | (x & ((1u << bits) - 1));
			a->state = state_next(w, c, table, code, x, bits);
		}
	}
	UNROLL
	for (unsigned k = 0; k < count; k++)
		walks[k] = l[k];
}

static void
row_bits(struct model_work *w, const struct walk *walk, uint32_t row, struct tf_buf *out)
{
	const struct model_head *h = &w->head;
	uint32_t slots = w->grid->slots;
	size_t at = (size_t)row * slots;
	uint8_t *start = tf_buf_room(out, (size_t)slots * 6 + 16), *p = start;
	if (!p)
		return;
	const int64_t *shaped = model_row_shape(w, row);
	uint64_t acc = walk->state & ((1u << h->log2) - 1);
	unsigned held = h->log2;
	for (uint32_t i = 0; i < slots; i++) {
		codec_store64(p, acc);
		p += held >> 3;
		acc >>= held & ~7u;
		held &= 7;
		unsigned raw = w->raw_bits[w->token[at + i]], bits = walk->bits[i] >> 24;
		acc |= (uint64_t)(shaped[i] - w->base[w->token[at + i]]) << held | (uint64_t)(walk->bits[i] & 0xffffff)
											   << (held + raw);
		held += raw + bits;
	}
	codec_store64(p, acc);
	p += (held + 7) >> 3;
	out->n += (size_t)(p - start);
}

static void
row_head(const struct model_row *r, struct tf_buf *out)
{
	if (r->kind != MODEL_ROW_SHAPED)
		return;
	tf_buf_u8(out, r->flags);
	if (r->flags & MODEL_SHAPE_QUANTUM)
		tf_buf_varint(out, r->quantum);
	if (r->flags & MODEL_SHAPE_OFFSET)
		tf_buf_zigzag(out, r->offset);
}

static void
row_plain(struct model_work *w, uint32_t row, struct tf_buf *out)
{
	struct model_row as_is = {.quantum = w->rows[row].quantum};
	struct model_row planned = w->rows[row];
	w->rows[row] = as_is;
	const int64_t *shaped = model_row_shape(w, row);
	w->rows[row] = planned;
	codec_plain_row_put(out, shaped, w->grid->slots, MODEL_PLAIN_LOG2, as_is.quantum);
}

/* The row coded, or kept plain where that is smaller. */
static void
row_put(struct model_work *w, const struct walk *walk, uint32_t row, struct tf_buf *out)
{
	struct model_row *r = &w->rows[row];
	size_t before = out->n;
	if (codec_row_is_zero(w->grid, row))
		return;
	if (model_row_coded(r)) {
		row_head(r, out);
		row_bits(w, walk, row, out);
		size_t n = out->n - before;
		const int64_t *v = w->grid->values + (size_t)row * w->grid->slots;
		if (n <= codec_plain_row_size(v, w->grid->slots, MODEL_PLAIN_LOG2))
			return;
		out->n = before;
		r->kind = MODEL_ROW_PLAIN;
	}
	row_plain(w, row, out);
}

static void
head_put(const struct model_work *w, struct tf_buf *out)
{
	const struct model_head *h = &w->head;
	tf_buf_u8(out, METER_CODEC_MODEL);
	tf_buf_u8(out, (uint8_t)h->log2);
	tf_buf_u8(out, (uint8_t)h->classes);
	tf_buf_u8(out, (uint8_t)h->shift);
	tf_buf_u8(out, (uint8_t)h->zero);
	tf_buf_u8(out, (uint8_t)h->tokens);
	tf_buf_u8(out, (uint8_t)h->start);
	tf_buf_varint(out, h->day);
}

/* Everything but the rows; uses w->lengths for the kinds in between. */
static enum tf_err
block_put(struct model_work *w, const struct tf_buf *body, struct tf_buf *out)
{
	struct tf_buf coded;
	uint32_t rows = w->grid->rows, last = MODEL_ROW_PLAIN;
	uint32_t *kinds = tf_malloc((size_t)rows * sizeof *kinds + 1);
	if (!kinds)
		return TF_NO_MEMORY;
	for (uint32_t r = 0; r < rows; r++) {
		bool coded_row = model_row_coded(&w->rows[r]);
		if (w->lengths[r]) /* a row without bytes has any kind */
			last = w->rows[r].kind + (coded_row ? w->rows[r].class : 0u);
		kinds[r] = last;
	}
	tf_buf_init(&coded, 0);
	model_tables_put(&coded, &w->tables, &w->head);
	head_put(w, out);
	tf_buf_lstr(out, tf_buf_view(&coded));
	codec_list_put(out, kinds, rows);
	codec_list_put(out, w->lengths, rows);
	tf_buf_put(out, body->p, body->n);
	tf_buf_u64(out, 0); /* MODEL_PAD */
	enum tf_err e = coded.err ? coded.err : out->err;
	tf_buf_release(&coded);
	tf_free(kinds);
	return e;
}

/* The walks of the coded rows among some; all walks wait less than one. */
static void
walks_of(const struct model_work *w, const struct coding *c, uint32_t first, uint32_t n, struct walk *out)
{
	struct walk some[WALKS];
	uint32_t count = 0, row[WALKS];
	for (uint32_t k = 0; k < n; k++) {
		size_t at = (size_t)(first + k) * w->grid->slots;
		if (!model_row_coded(&w->rows[first + k]))
			continue;
		row[count] = k;
		some[count++] = (struct walk){w->tables.map[w->rows[first + k].class], w->token + at, w->context + at,
					      c->bits + (size_t)k * w->grid->slots, 0};
	}
	if (count == WALKS)
		walks_run(w, c, some, WALKS);
	else
		for (uint32_t k = 0; k < count; k++)
			walks_run(w, c, &some[k], 1);
	for (uint32_t k = 0; k < count; k++)
		out[row[k]] = some[k];
}

static enum tf_err
rows_put(struct model_work *w, const struct coding *c, struct tf_buf *body)
{
	struct walk walks[WALKS];
	for (uint32_t r = 0; r < w->grid->rows; r++) {
		size_t before = body->n;
		if (r % WALKS == 0)
			walks_of(w, c, r, w->grid->rows - r < WALKS ? w->grid->rows - r : WALKS, walks);
		row_put(w, &walks[r % WALKS], r, body);
		if (body->n - before > UINT32_MAX)
			return TF_TOO_LARGE;
		w->lengths[r] = (uint32_t)(body->n - before);
	}
	return body->err;
}

static enum tf_err
work_init(struct model_work *w)
{
	size_t rows = w->grid->rows, cells = rows * w->grid->slots;
	w->rows = tf_malloc(rows * sizeof *w->rows + 1);
	w->lengths = tf_malloc(rows * sizeof *w->lengths + 1);
	w->shaped = tf_malloc(w->grid->slots * sizeof *w->shaped + 1);
	w->token = tf_malloc(cells + 1);
	w->context = tf_malloc(cells + 1);
	return w->rows && w->lengths && w->shaped && w->token && w->context ? TF_OK : TF_NO_MEMORY;
}

static void
work_free(struct model_work *w)
{
	tf_free(w->rows);
	tf_free(w->lengths);
	tf_free(w->shaped);
	tf_free(w->token);
	tf_free(w->context);
	tf_free(w->counts);
	tf_free(w);
}

static unsigned
states_log2(size_t cells)
{
	return cells >= 24000 ? 10 : 9;
}

static enum tf_err
block_encode(struct model_work *w, struct tf_buf *out)
{
	struct coding c = {0};
	struct tf_buf body;
	TF_TRY(work_init(w));
	model_rows_plan(w);
	w->counts = tf_malloc((size_t)(MODEL_CLASSES_MAX + 1) * MODEL_CONTEXTS * w->head.tokens * sizeof *w->counts);
	if (!w->counts)
		return TF_NO_MEMORY;
	for (uint32_t r = 0; r < w->grid->rows; r++)
		if (model_row_coded(&w->rows[r]))
			model_row_tokens(w, r);
	TF_TRY(model_classes_choose(w));
	w->head.log2 = states_log2((size_t)w->grid->rows * w->grid->slots);
	tf_buf_init(&body, 0);
	enum tf_err e = coding_init(w, &c);
	e = e ? e : rows_put(w, &c, &body);
	e = e ? e : block_put(w, &body, out);
	coding_release(&c);
	tf_buf_release(&body);
	return e;
}

enum tf_err
codec_model_encode(const struct meter_grid *grid, struct tf_buf *out)
{
	size_t before = out->n;
	struct tf_buf plain;
	struct model_work *w = tf_calloc(1, sizeof *w);
	if (!w)
		return TF_NO_MEMORY;
	w->grid = grid;
	enum tf_err e = block_encode(w, out);
	work_free(w);
	size_t cells = (size_t)grid->rows * grid->slots, n = out->n - before;
	if (e || (n >= SMALL && cells >= SMALL && n < 4 * cells))
		return e;
	tf_buf_init(&plain, n);
	e = codec_plain_encode(grid, &plain);
	if (!e && plain.n < n) {
		out->n = before;
		tf_buf_put(out, plain.p, plain.n);
	}
	tf_buf_release(&plain);
	return e == TF_TOO_LARGE ? out->err : e ? e : out->err;
}
