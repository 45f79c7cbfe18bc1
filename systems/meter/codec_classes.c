/* Classes of rows and tables of contexts: the model encoder's second pass.
 *
 * Rows that behave alike share tables: k-means on code length, started from the rows' mean levels. Within a class,
 * neighbouring contexts share a table wherever one table costs less than two. All in integers: the same grid gives the
 * same bytes everywhere. */
#include "base/mem.h"
#include "codec_model_encode.h"

#define LOG_ONE        4096 /* fixed point of a bit */
#define COARSE_SHIFT   3
#define COARSE         (MODEL_CONTEXTS >> COARSE_SHIFT)
#define ROUNDS         2
#define SEGMENTS_MAX   16    /* tables of a class */
#define RARE           64    /* a context below this part of its class is */
#define CLASSES_VALUES 32768 /* fewer values than this are one class */
/* Bits that a table and each token in it take in the head, about. */
#define TABLE_BITS 8
#define TOKEN_BITS 7 /* more than they take: fewer tables open faster */

struct logs {
	uint32_t fraction[257]; /* log2(1 + i / 256) in LOG_ONE */
};

/* log2 by repeated squaring, so that no maths library can differ. */
static void
logs_init(struct logs *g)
{
	for (uint32_t i = 0; i <= 256; i++) {
		uint64_t x = ((uint64_t)(256 + i)) << 22; /* 1.30 fixed point */
		uint32_t y = 0;
		for (int b = 0; b < 13; b++) {
			unsigned carry = x >> 31 & 1;
			y = y << 1 | carry;
			x = carry ? x >> 1 : x;
			x = x * x >> 30;
		}
		g->fraction[i] = y;
	}
}

/* n * log2(n). */
static inline uint64_t
n_log(const struct logs *g, uint64_t n)
{
	if (n < 2)
		return 0;
	unsigned e = codec_bits(n) - 1;
	uint64_t i = e >= 8 ? n >> (e - 8) : n << (8 - e);
	return n * (e * LOG_ONE + g->fraction[i & 255]);
}

static uint64_t
log_of(const struct logs *g, uint64_t n)
{
	return n < 2 ? 0 : n_log(g, n) / n;
}

static inline uint32_t *
counts_of(const struct model_work *w, unsigned class, unsigned context)
{
	return w->counts + ((size_t) class * MODEL_CONTEXTS + context) * w->head.tokens;
}

static void
counts_fill(struct model_work *w, unsigned classes)
{
	uint32_t slots = w->grid->slots;
	memset(w->counts, 0, (size_t)classes * MODEL_CONTEXTS * w->head.tokens * sizeof *w->counts);
	for (uint32_t r = 0; r < w->grid->rows; r++) {
		if (!model_row_coded(&w->rows[r]))
			continue;
		uint32_t *counts = counts_of(w, w->rows[r].class, 0);
		size_t at = (size_t)r * slots;
		for (uint32_t i = 0; i < slots; i++)
			counts[w->context[at + i] * w->head.tokens + w->token[at + i]]++;
	}
}

/* Neighbouring contexts that share counts: a piece of a class's 256. */
struct segment {
	uint32_t *counts;
	uint64_t cost;  /* of coding its values and its table */
	uint64_t saved; /* by joining the next one; 0: nothing */
	unsigned first;
};

static uint64_t
counts_cost(const struct model_work *w, const struct logs *g, const uint32_t *a, const uint32_t *b)
{
	uint64_t n = 0, gain = 0, used = 0;
	for (unsigned t = 0; t < w->head.tokens; t++) {
		uint32_t c = a[t] + (b ? b[t] : 0);
		if (!c)
			continue;
		n += c;
		used++;
		gain += n_log(g, c);
	}
	return n_log(g, n) - gain + (TABLE_BITS + TOKEN_BITS * used) * LOG_ONE;
}

static void
segment_weigh(const struct model_work *w, const struct logs *g, struct segment *s, bool has_next)
{
	s->saved = 0;
	if (!has_next)
		return;
	uint64_t joint = counts_cost(w, g, s->counts, s[1].counts), apart = s->cost + s[1].cost;
	if (joint < apart)
		s->saved = apart - joint;
}

static uint64_t
counts_sum(const struct model_work *w, const uint32_t *counts)
{
	uint64_t n = 0;
	for (unsigned t = 0; t < w->head.tokens; t++)
		n += counts[t];
	return n;
}

static void
counts_add(const struct model_work *w, uint32_t *to, const uint32_t *more)
{
	for (unsigned t = 0; t < w->head.tokens; t++)
		to[t] += more[t];
}

/* One segment for each context that occurs; rare ones go along with the one before. */
static unsigned
segments_open(const struct model_work *w, const struct logs *g, unsigned class, struct segment *out)
{
	unsigned n = 0;
	uint64_t held = 0, sums[MODEL_CONTEXTS], total = 0;
	for (unsigned c = 0; c < MODEL_CONTEXTS; c++)
		total += sums[c] = counts_sum(w, counts_of(w, class, c));
	for (unsigned c = 0; c < MODEL_CONTEXTS; c++) {
		if (!sums[c])
			continue;
		if (n && held < total / RARE)
			counts_add(w, out[n - 1].counts, counts_of(w, class, c));
		else
			out[n++] = (struct segment){counts_of(w, class, c), 0, 0, c};
		held = (held < total / RARE ? held : 0) + sums[c];
	}
	for (unsigned i = 0; i < n; i++)
		out[i].cost = counts_cost(w, g, out[i].counts, NULL);
	for (unsigned i = 0; i < n; i++)
		segment_weigh(w, g, &out[i], i + 1 < n);
	return n;
}

static void
segments_join(const struct model_work *w, const struct logs *g, struct segment *s, unsigned i, unsigned *n)
{
	counts_add(w, s[i].counts, s[i + 1].counts);
	s[i].cost = counts_cost(w, g, s[i].counts, NULL);
	memmove(&s[i + 1], &s[i + 2], (*n - i - 2) * sizeof *s);
	--*n;
	segment_weigh(w, g, &s[i], i + 1 < *n);
	if (i)
		segment_weigh(w, g, &s[i - 1], true);
}

/* Joins the pair that saves most until none saves anything, and then the last ones while there are too many. */
static unsigned
segments_reduce(const struct model_work *w, const struct logs *g, struct segment *s, unsigned n)
{
	while (n > 1) {
		unsigned best = 0;
		for (unsigned i = 1; i + 1 < n; i++)
			best = s[i].saved > s[best].saved ? i : best;
		if (!s[best].saved && n <= SEGMENTS_MAX)
			break;
		segments_join(w, g, s, best, &n);
	}
	return n;
}

static void
table_levels(const struct model_work *w, const uint32_t *counts, uint8_t *out)
{
	uint64_t n = counts_sum(w, counts);
	for (unsigned t = 0; t < w->head.tokens; t++)
		out[t] = counts[t] ? model_level(counts[t], n) : 0;
}

/* The tables of one class from its counts, numbered on from t->count; returns what they cost. */
static uint64_t
class_tables(struct model_work *w, const struct logs *g, unsigned from_counts, unsigned class, struct model_tables *t)
{
	struct segment s[MODEL_CONTEXTS];
	unsigned n = segments_reduce(w, g, s, segments_open(w, g, from_counts, s));
	uint64_t cost = 0;
	unsigned first = t->count;
	if (!n) { /* no row is in this class; a table there must be */
		memset(t->map[class], (int)t->count, MODEL_CONTEXTS);
		memset(t->level[t->count++], 1, w->head.tokens);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned from = i ? s[i].first : 0, to = i + 1 < n ? s[i + 1].first : MODEL_CONTEXTS;
		memset(t->map[class] + from, (int)(first + i), to - from);
		table_levels(w, s[i].counts, t->level[first + i]);
		cost += s[i].cost;
	}
	t->count += n;
	return cost;
}

/* Tables of classes from counts that begin at counts_of(first); the counts are used up. */
static uint64_t
tables_build(struct model_work *w, const struct logs *g, unsigned first, unsigned classes, struct model_tables *t)
{
	uint64_t cost = 0;
	t->count = 0;
	for (unsigned k = 0; k < classes; k++)
		cost += class_tables(w, g, first + k, k, t);
	return cost;
}

/* Finding classes: a coarser view of contexts, counts by class and the code lengths that follow, in 1/256 bit. */
struct coarse {
	uint32_t counts[MODEL_CLASSES_MAX][COARSE][MODEL_TOKENS_MAX];
	uint16_t bits[COARSE][MODEL_TOKENS_MAX][MODEL_CLASSES_MAX];
};

static void
coarse_count(const struct model_work *w, struct coarse *c)
{
	uint32_t slots = w->grid->slots;
	memset(c->counts, 0, sizeof c->counts);
	for (uint32_t r = 0; r < w->grid->rows; r++) {
		if (!model_row_coded(&w->rows[r]))
			continue;
		uint32_t(*counts)[MODEL_TOKENS_MAX] = c->counts[w->rows[r].class];
		size_t at = (size_t)r * slots;
		for (uint32_t i = 0; i < slots; i++)
			counts[w->context[at + i] >> COARSE_SHIFT][w->token[at + i]]++;
	}
}

static void
coarse_weigh(const struct model_work *w, const struct logs *g, struct coarse *c)
{
	for (unsigned k = 0; k < MODEL_CLASSES_MAX; k++)
		for (unsigned i = 0; i < COARSE; i++) {
			/* a quarter of a count for every token, seen or not */
			uint64_t n = w->head.tokens;
			for (unsigned t = 0; t < w->head.tokens; t++)
				n += 4 * (uint64_t)c->counts[k][i][t];
			uint64_t log_all = log_of(g, n);
			for (unsigned t = 0; t < w->head.tokens; t++) {
				uint64_t own = 4 * (uint64_t)c->counts[k][i][t] + 1;
				c->bits[i][t][k] = (uint16_t)((log_all - log_of(g, own)) / (LOG_ONE / 256));
			}
		}
}

/* Each row to the class that codes it shortest; every other slot of a long row will do. */
static void
coarse_assign(struct model_work *w, const struct coarse *c)
{
	uint32_t slots = w->grid->slots, step = slots > 256 ? 2 : 1;
	for (uint32_t r = 0; r < w->grid->rows; r++) {
		uint32_t sum[MODEL_CLASSES_MAX] = {0};
		size_t at = (size_t)r * slots;
		if (!model_row_coded(&w->rows[r]))
			continue;
		for (uint32_t i = 0; i < slots; i += step) {
			const uint16_t *bits = c->bits[w->context[at + i] >> COARSE_SHIFT][w->token[at + i]];
			for (unsigned k = 0; k < MODEL_CLASSES_MAX; k++)
				sum[k] += bits[k] >> 4; /* 32 bits last for 2^24 slots of at most 2^8 sixteenths */
		}
		unsigned best = 0;
		for (unsigned k = 1; k < MODEL_CLASSES_MAX; k++)
			best = sum[k] < sum[best] ? k : best;
		w->rows[r].class = (uint8_t)best;
	}
}

/* Rows by mean token, as many in each class. */
static void
rows_start(struct model_work *w)
{
	uint32_t slots = w->grid->slots, level_rows[MODEL_TOKENS_MAX + 1] = {0}, coded = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t r = 0; r < w->grid->rows; r++) {
			uint64_t sum = 0;
			if (!model_row_coded(&w->rows[r]))
				continue;
			for (uint32_t i = 0; i < slots; i += 4)
				sum += w->token[(size_t)r * slots + i];
			uint64_t level = sum / ((slots + 3) / 4);
			if (pass)
				w->rows[r].class = (uint8_t)((uint64_t)level_rows[level] * MODEL_CLASSES_MAX / coded);
			else
				level_rows[level + 1]++;
			coded += !pass;
		}
		for (unsigned t = 1; !pass && t <= MODEL_TOKENS_MAX; t++)
			level_rows[t] += level_rows[t - 1];
	}
}

static enum tf_err
rows_class(struct model_work *w, const struct logs *g)
{
	struct coarse *c = tf_malloc(sizeof *c);
	if (!c)
		return TF_NO_MEMORY;
	rows_start(w);
	for (int i = 0; i < ROUNDS; i++) {
		coarse_count(w, c);
		coarse_weigh(w, g, c);
		coarse_assign(w, c);
	}
	tf_free(c);
	return TF_OK;
}

/* The counts of all classes as those of one, in front of which the four stay as they are. */
static void
counts_join(struct model_work *w)
{
	size_t n = (size_t)MODEL_CONTEXTS * w->head.tokens;
	uint32_t *all = counts_of(w, MODEL_CLASSES_MAX, 0);
	memcpy(all, w->counts, n * sizeof *all);
	for (unsigned k = 1; k < MODEL_CLASSES_MAX; k++)
		for (size_t i = 0; i < n; i++)
			all[i] += w->counts[k * n + i];
}

enum tf_err
model_classes_choose(struct model_work *w)
{
	struct logs g;
	logs_init(&g);
	w->head.classes = 1;
	if ((uint64_t)w->grid->rows * w->grid->slots < CLASSES_VALUES) {
		counts_fill(w, 1);
		tables_build(w, &g, 0, 1, &w->tables);
		return TF_OK;
	}
	TF_TRY(rows_class(w, &g));
	counts_fill(w, MODEL_CLASSES_MAX);
	counts_join(w);
	uint64_t one = tables_build(w, &g, MODEL_CLASSES_MAX, 1, &w->other);
	/* with classes, each row says its own: two bits */
	uint64_t many = tables_build(w, &g, 0, MODEL_CLASSES_MAX, &w->tables) + (uint64_t)w->grid->rows * 2 * LOG_ONE;
	if (many < one) {
		w->head.classes = MODEL_CLASSES_MAX;
		return TF_OK;
	}
	w->tables = w->other;
	for (uint32_t r = 0; r < w->grid->rows; r++)
		w->rows[r].class = 0;
	return TF_OK;
}
