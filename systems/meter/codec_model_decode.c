/* Decoding METER_CODEC_MODEL. A token waits for the one before it (its context, its state), so rows are decoded four
 * at a time: their chains are independent and fill the processor's pipes.
 *
 * Bounds: states come from tables built here, so an index is always within them; a row's bit position is clamped to the
 * row's end, behind which MODEL_PAD bytes lie; the length is checked once the row is done. */
#include "base/mem.h"
#include "codec_model.h"

#define LANES 4
/* Lanes live in registers only where every loop over them is unrolled. */
#define UNROLL _Pragma("GCC unroll 4")

/* What a state tells: raw bits 0-7, token 8-15, next state less its bits 16-27, bits of that 28-31. */
typedef uint32_t model_entry;

struct model_value {
	int64_t base;
	uint64_t mask; /* of the raw bits */
};

struct codec_model {
	struct model_head head;
	struct codec_list kinds;
	bool pairs; /* two values fit one load of bits */
	bool bmi2;
	uint32_t offset[MODEL_CLASSES_MAX][MODEL_CONTEXTS]; /* of a context's table, in entries */
	struct model_value values[256];
	model_entry entries[];
};

struct lane {
	const uint8_t *p;
	uint64_t bit, size; /* position; bits in the row */
	const uint32_t *offset;
	int64_t *out;
	uint32_t state, last, mean; /* last and mean: tokens in 1/256 */
};

static void
entries_build(model_entry *out, const uint16_t *frequency, const struct model_head *h)
{
	uint8_t token[1 << MODEL_LOG2_MAX];
	uint16_t next[MODEL_TOKENS_MAX];
	uint32_t fixed[MODEL_TOKENS_MAX], size = 1u << h->log2;
	model_spread(frequency, h->tokens, h->log2, token);
	memcpy(next, frequency, h->tokens * sizeof *next);
	for (unsigned t = 0; t < h->tokens; t++)
		fixed[t] = t << 8 | model_token_bits(t >= h->zero ? t - h->zero : h->zero - t);
	for (uint32_t i = 0; i < size; i++) {
		unsigned t = token[i], x = next[t]++;
		unsigned bits = h->log2 - 31 + (unsigned)__builtin_clz(x);
		out[i] = fixed[t] | ((x << bits) - size) << 16 | bits << 28;
	}
}

static enum tf_err
head_take(struct tf_cur *c, struct model_head *h)
{
	h->log2 = tf_cur_u8(c);
	h->classes = tf_cur_u8(c);
	h->shift = tf_cur_u8(c);
	h->zero = tf_cur_u8(c);
	h->tokens = tf_cur_u8(c);
	h->start = tf_cur_u8(c);
	uint64_t day = tf_cur_varint(c);
	if (c->bad || h->log2 < MODEL_LOG2_MIN || h->log2 > MODEL_LOG2_MAX || h->shift < MODEL_SHIFT_MIN ||
	    h->shift > 16 || day > MODEL_DAY_MAX)
		return TF_CORRUPT;
	h->day = (uint32_t)day;
	if (!h->classes || h->classes > MODEL_CLASSES_MAX || !h->tokens || h->tokens > MODEL_TOKENS_MAX)
		return TF_CORRUPT;
	if (h->zero >= h->tokens || h->start >= h->tokens || h->zero > 123 || h->tokens - h->zero > 124)
		return TF_CORRUPT;
	/* no context beyond the last */
	return (h->tokens - 1) * 1024u >> h->shift < MODEL_CONTEXTS ? TF_OK : TF_CORRUPT;
}

static enum tf_err
model_build(const struct model_head *h, const struct model_tables *t, struct codec_model **out)
{
	struct codec_model *m = tf_malloc(sizeof *m + ((size_t)t->count << h->log2) * sizeof *m->entries);
	if (!m)
		return TF_NO_MEMORY;
	m->head = *h;
	unsigned top = model_token_bits(h->zero), above = model_token_bits(h->tokens - 1 - h->zero);
	m->pairs = 2 * (h->log2 + (above > top ? above : top)) <= 57;
#if defined(__x86_64__)
	m->bmi2 = __builtin_cpu_supports("bmi2"); /* lzcnt is older than it in every processor */
#endif
	for (unsigned i = 0; i < h->tokens; i++) {
		unsigned raw = model_token_bits(i >= h->zero ? i - h->zero : h->zero - i);
		m->values[i] = (struct model_value){model_token_base(i, h->zero), ((uint64_t)1 << raw) - 1};
	}
	for (unsigned k = 0; k < h->classes; k++)
		for (unsigned i = 0; i < MODEL_CONTEXTS; i++)
			m->offset[k][i] = (uint32_t)t->map[k][i] << h->log2;
	uint16_t frequency[MODEL_TOKENS_MAX];
	for (unsigned i = 0; i < t->count; i++) {
		if (!model_frequencies(t->level[i], h->tokens, h->log2, frequency)) {
			tf_free(m);
			return TF_CORRUPT;
		}
		entries_build(m->entries + ((size_t)i << h->log2), frequency, h);
	}
	*out = m;
	return TF_OK;
}

enum tf_err
codec_model_open(struct tf_cur *c, struct meter_decoder *d)
{
	struct model_head h = {0};
	TF_TRY(head_take(c, &h));
	d->plain_log2 = MODEL_PLAIN_LOG2;
	struct tf_str coded = tf_cur_lstr(c);
	if (c->bad)
		return TF_CORRUPT;
	struct model_tables *t = tf_calloc(1, sizeof *t);
	enum tf_err e = t ? model_tables_take(coded, &h, t) : TF_NO_MEMORY;
	e = e ? e : model_build(&h, t, &d->model);
	tf_free(t);
	TF_TRY(e);
	TF_TRY(codec_list_take(c, d->rows, &d->model->kinds));
	return codec_directory_take(c, d, MODEL_PAD);
}

void
codec_model_free(struct codec_model **m)
{
	tf_free(*m);
	*m = NULL;
}

#define SENTINEL ((uint64_t)1 << 63)

/* The lane's next 57 bits, and on top a sentinel by whose place one sees how many were used. */
static inline uint64_t
lane_bits(struct lane *l)
{
	l->bit = l->bit < l->size ? l->bit : l->size;
	return codec_load64(l->p + (l->bit >> 3)) >> (l->bit & 7) | SENTINEL;
}

/* One token and its raw bits: where the time goes. slot is the level expected from the days before. */
static inline void
lane_step(const struct codec_model *m, struct lane *l, uint32_t slot, uint64_t *w, int64_t *out)
{
	uint32_t context = model_expect(l->last, slot, l->mean) >> m->head.shift;
	model_entry e = m->entries[l->offset[context] + l->state];
	const struct model_value *v = &m->values[e >> 8 & 255];
	*out = v->base + (int64_t)(*w & v->mask);
	*w >>= e & 63;
	l->state = (uint32_t)((e >> 16 & 0xfff) + (*w & (((uint64_t)1 << (e >> 28)) - 1)));
	*w >>= e >> 28;
	l->last = e & 0xff00;
	l->mean += (uint32_t)((int32_t)(l->last - l->mean) >> MODEL_RATE);
}

/* A slot of the first day for each lane, or of none (keep false); steps times. */
static inline __attribute__((always_inline)) void
lanes_first(const struct codec_model *m, struct lane *l, unsigned count, unsigned steps, uint32_t at,
	    uint16_t (*slot)[MODEL_DAY_MAX + 1])
{
	uint64_t w[LANES];
	UNROLL
	for (unsigned k = 0; k < count; k++)
		w[k] = lane_bits(&l[k]);
	UNROLL
	for (unsigned j = 0; j < steps; j++) {
		UNROLL
		for (unsigned k = 0; k < count; k++) {
			lane_step(m, &l[k], l[k].mean, &w[k], l[k].out + at + j);
			if (slot)
				slot[k][at + j] = (uint16_t)l[k].last;
		}
	}
	UNROLL
	for (unsigned k = 0; k < count; k++)
		l[k].bit += (unsigned)__builtin_clzll(w[k]);
}

static inline __attribute__((always_inline)) void
lanes_later(const struct codec_model *m, struct lane *l, unsigned count, unsigned steps, uint32_t at, uint32_t i,
	    uint16_t (*slot)[MODEL_DAY_MAX + 1])
{
	uint64_t w[LANES];
	UNROLL
	for (unsigned k = 0; k < count; k++)
		w[k] = lane_bits(&l[k]);
	UNROLL
	for (unsigned j = 0; j < steps; j++) {
		UNROLL
		for (unsigned k = 0; k < count; k++) {
			uint32_t was = slot[k][i + j];
			lane_step(m, &l[k], was, &w[k], l[k].out + at + j);
			slot[k][i + j] = (uint16_t)(was + (uint32_t)((int32_t)(l[k].last - was) >> MODEL_RATE));
		}
	}
	UNROLL
	for (unsigned k = 0; k < count; k++)
		l[k].bit += (unsigned)__builtin_clzll(w[k]);
}

/* The rows of all lanes; count and steps are constants at each call. */
static inline __attribute__((always_inline)) void
lanes_run(const struct codec_model *m, struct lane *lanes, unsigned count, unsigned steps, uint32_t slots)
{
	uint16_t slot[LANES][MODEL_DAY_MAX + 1];
	struct lane l[LANES];
	UNROLL
	for (unsigned k = 0; k < count; k++)
		l[k] = lanes[k];
	uint32_t day = m->head.day, at = 0;
	if (!day || day >= slots) {
		for (; at + steps <= slots; at += steps)
			lanes_first(m, l, count, steps, at, NULL);
		for (; at < slots; at++)
			lanes_first(m, l, count, 1, at, NULL);
		day = 0;
	} else {
		for (; at + steps <= day; at += steps)
			lanes_first(m, l, count, steps, at, slot);
		for (; at < day; at++)
			lanes_first(m, l, count, 1, at, slot);
	}
	while (at < slots) {
		uint32_t i = 0, n = slots - at < day ? slots - at : day;
		for (; i + steps <= n; i += steps)
			lanes_later(m, l, count, steps, at + i, i, slot);
		for (; i < n; i++)
			lanes_later(m, l, count, 1, at + i, i, slot);
		at += n;
	}
	UNROLL
	for (unsigned k = 0; k < count; k++)
		lanes[k] = l[k];
}

static inline __attribute__((always_inline)) void
lanes_choose(const struct codec_model *m, struct lane *lanes, unsigned count, uint32_t slots)
{
	if (count == LANES && m->pairs)
		lanes_run(m, lanes, LANES, 2, slots);
	else
		for (unsigned k = 0; k < count; k++)
			lanes_run(m, &lanes[k], 1, 1, slots);
}

#if defined(__x86_64__)
__attribute__((target("bmi,bmi2,lzcnt"))) static void
lanes_run_bmi2(const struct codec_model *m, struct lane *lanes, unsigned count, uint32_t slots)
{
	lanes_choose(m, lanes, count, slots);
}
#endif

static void
lanes_run_any(const struct codec_model *m, struct lane *lanes, unsigned count, uint32_t slots)
{
	lanes_choose(m, lanes, count, slots);
}

/* The bits for the state after the last token, a state's at most, are not stored. */
static enum tf_err
lane_check(const struct codec_model *m, const struct lane *l)
{
	return l->bit <= l->size + m->head.log2 && l->size <= l->bit + 7 ? TF_OK : TF_CORRUPT;
}

/* What a row of kind SHAPED holds before its bits. */
struct shape {
	uint8_t flags;
	uint64_t quantum;
	int64_t offset;
};

static enum tf_err
shape_take(struct tf_cur *c, struct shape *s)
{
	s->flags = tf_cur_u8(c);
	s->quantum = s->flags & MODEL_SHAPE_QUANTUM ? tf_cur_varint(c) : 1;
	s->offset = s->flags & MODEL_SHAPE_OFFSET ? tf_cur_zigzag(c) : 0;
	return c->bad || s->flags > 7 ? TF_CORRUPT : TF_OK;
}

static void
shape_undo(const struct shape *s, int64_t *v, uint32_t slots)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < slots; i++) {
		sum = (s->flags & MODEL_SHAPE_DELTA ? sum : 0) + (uint64_t)v[i];
		v[i] = (int64_t)((sum + (uint64_t)s->offset) * s->quantum);
	}
}

static void
lane_open(const struct codec_model *m, unsigned class, const struct tf_cur *c, int64_t *out, struct lane *l)
{
	*l = (struct lane){.p = c->p, .size = (uint64_t)tf_cur_left(c) * 8, .offset = m->offset[class], .out = out};
	l->state = (uint32_t)(codec_load64(c->p) & ((1u << m->head.log2) - 1));
	l->bit = m->head.log2;
	l->last = l->mean = (uint32_t)m->head.start << 8;
}

/* Rows that wait for company. */
struct queue {
	struct lane lanes[LANES];
	struct shape shapes[LANES];
	int64_t *out[LANES];
	unsigned n;
};

static enum tf_err
queue_run(const struct meter_decoder *d, struct queue *q)
{
#if defined(__x86_64__)
	if (d->model->bmi2)
		lanes_run_bmi2(d->model, q->lanes, q->n, d->slots);
	else
#endif
		lanes_run_any(d->model, q->lanes, q->n, d->slots);
	enum tf_err e = TF_OK;
	for (unsigned k = 0; k < q->n; k++) {
		e = e ? e : lane_check(d->model, &q->lanes[k]);
		if (q->shapes[k].flags)
			shape_undo(&q->shapes[k], q->out[k], d->slots);
	}
	q->n = 0;
	return e;
}

static enum tf_err
row_take(const struct meter_decoder *d, uint32_t row, struct queue *q, int64_t *out)
{
	struct tf_cur c = {d->bytes + d->start[row], d->bytes + d->start[row + 1], false};
	uint64_t kind = codec_list_at(&d->model->kinds, row);
	if (kind == MODEL_ROW_PLAIN || !tf_cur_left(&c) || !d->slots)
		return codec_plain_row(d, row, out);
	struct shape *s = &q->shapes[q->n];
	s->flags = 0;
	if (kind >= MODEL_ROW_SHAPED)
		TF_TRY(shape_take(&c, s));
	uint64_t class = kind - (kind >= MODEL_ROW_SHAPED ? MODEL_ROW_SHAPED : MODEL_ROW_CLASS);
	if (class >= d->model->head.classes || !tf_cur_left(&c))
		return TF_CORRUPT;
	lane_open(d->model, (unsigned)class, &c, out, &q->lanes[q->n]);
	q->out[q->n] = out;
	return ++q->n == LANES ? queue_run(d, q) : TF_OK;
}

enum tf_err
codec_model_rows(const struct meter_decoder *d, uint32_t first, uint32_t count, int64_t *out_values)
{
	struct queue q = {.n = 0};
	for (uint32_t i = 0; i < count; i++)
		TF_TRY(row_take(d, first + i, &q, out_values + (size_t)i * d->slots));
	return queue_run(d, &q);
}
