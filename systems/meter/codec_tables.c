/* The model's tables: from counts to levels to frequencies to states, and their bytes.
 *
 * Frequencies travel as half-octave levels: the few per mille that rounding costs in code length are less than the
 * bits exact counts would take. Both sides derive the frequencies from the levels alone, in integers. */
#include "base/mem.h"
#include "codec_coder.h"
#include "codec_model.h"

/* 4 * 2^((level - 1) / 2), rounded; level 0 is never. */
static const uint16_t level_weight[MODEL_LEVELS] = {0,    4,    6,    8,    11,   16,   23,    32,   45,
						    64,   91,   128,  181,  256,  362,  512,   724,  1024,
						    1448, 2048, 2896, 4096, 5793, 8192, 11585, 16384};

int64_t
model_token_base(unsigned token, unsigned zero)
{
	if (token >= zero)
		return model_token_least(token - zero);
	unsigned d = zero - token;
	return -((int64_t)model_token_least(d) + ((int64_t)1 << model_token_bits(d)) - 1);
}

uint8_t
model_level(uint64_t count, uint64_t total)
{
	/* Nearest weight by ratio: the border between two is their geometric mean, compared squared. */
	uint64_t share = (count << 14) / total;
	unsigned l = 1;
	while (l + 1 < MODEL_LEVELS && share * share >= (uint64_t)level_weight[l] * level_weight[l + 1])
		l++;
	return (uint8_t)l;
}

static unsigned
largest(const uint16_t *v, unsigned n)
{
	unsigned best = 0;
	for (unsigned i = 1; i < n; i++)
		best = v[i] > v[best] ? i : best;
	return best;
}

bool
model_frequencies(const uint8_t *levels, unsigned tokens, unsigned log2, uint16_t *out_frequency)
{
	uint32_t sum = 0, size = 1u << log2;
	for (unsigned i = 0; i < tokens; i++)
		sum += level_weight[levels[i]];
	if (!sum)
		return false;
	int32_t left = (int32_t)size;
	for (unsigned i = 0; i < tokens; i++) {
		uint32_t f =
			(uint32_t)((((uint64_t)level_weight[levels[i]] << (log2 + 1)) + sum) / (2 * (uint64_t)sum));
		out_frequency[i] = (uint16_t)(levels[i] && !f ? 1 : f);
		left -= out_frequency[i];
	}
	/* tokens <= size, so what is over can always be taken from one that has two */
	while (left) {
		unsigned i = largest(out_frequency, tokens);
		int32_t step = left > 0 ? left : -1 - out_frequency[i] / 16;
		step = step < left && left < 0 ? left : step;
		out_frequency[i] = (uint16_t)(out_frequency[i] + step);
		left -= step;
	}
	return true;
}

void
model_spread(const uint16_t *frequency, unsigned tokens, unsigned log2, uint8_t *out_tokens)
{
	uint32_t size = 1u << log2, step = (size >> 1) + (size >> 3) + 3, at = 0;
	for (unsigned t = 0; t < tokens; t++)
		for (unsigned k = 0; k < frequency[t]; k++) {
			out_tokens[at] = (uint8_t)t;
			at = (at + step) & (size - 1);
		}
}

/* Contexts of the table coder. A level is expected to be near its neighbours': the token before in the same table, and
 * the same token and the next one in the table before. */
struct level_coder {
	struct coder_bit present[2][8], hit[4], side[4], further[4][8], border[3];
};

struct level_place {
	unsigned expected; /* 0: nothing known */
	unsigned zero_context, group, first;
};

static struct level_place
level_place(const uint8_t *now, const uint8_t *before, unsigned token, unsigned tokens)
{
	unsigned left = token ? now[token - 1] : 0, up = before ? before[token] : 0;
	unsigned next = before && token + 1 < tokens ? before[token + 1] : 0;
	struct level_place p = {.first = !before};
	p.zero_context = (left ? 1 : 0) | (up ? 2 : 0) | (next ? 4 : 0);
	unsigned weight = (left ? 1 : 0) + (up ? 2 : 0) + (next ? 1 : 0);
	p.expected = weight ? (left + 2 * up + next + weight / 2) / weight : 1;
	p.group = !before ? 0 : p.expected < 4 ? 1 : p.expected < 10 ? 2 : 3;
	return p;
}

/* One level, put or taken: the coder says which, and returns the level either way. */
static unsigned
level_code(struct coder *c, struct level_coder *m, struct level_place p, unsigned level)
{
	if (!coder_bit(c, &m->present[p.first][p.zero_context], level != 0))
		return 0;
	if (coder_bit(c, &m->hit[p.group], level == p.expected))
		return p.expected;
	bool up = p.expected < 2 ||
		  (p.expected + 1 < MODEL_LEVELS && coder_bit(c, &m->side[p.group], level > p.expected));
	unsigned room = up ? MODEL_LEVELS - 1 - p.expected : p.expected - 1;
	unsigned away = up ? level - p.expected : p.expected - level, k = 1;
	while (k < room && coder_bit(c, &m->further[p.group][k < 8 ? k - 1 : 7], away > k))
		k++;
	return up ? p.expected + k : p.expected - k;
}

/* Borders between the contexts that share a table; a class's tables are numbered upward from its first. */
static enum tf_err
maps_code(struct coder *c, struct level_coder *m, const struct model_head *h, struct model_tables *t)
{
	unsigned next = 0;
	for (unsigned k = 0; k < h->classes; k++) {
		if (next == MODEL_TABLES_MAX)
			return TF_CORRUPT;
		t->map[k][0] = (uint8_t)next++;
		unsigned since = 2;
		for (unsigned i = 1; i < MODEL_CONTEXTS; i++) {
			bool border = coder_bit(c, &m->border[since], t->map[k][i] != t->map[k][i - 1]);
			if (border && next == MODEL_TABLES_MAX)
				return TF_CORRUPT;
			next += border;
			since = border ? 0 : since < 2 ? since + 1 : 2;
			t->map[k][i] = (uint8_t)(next - 1);
		}
	}
	t->count = next;
	return TF_OK;
}

static enum tf_err
tables_code(struct coder *c, const struct model_head *h, struct model_tables *t)
{
	struct level_coder m;
	coder_bits_init((struct coder_bit *)&m, sizeof m / sizeof(struct coder_bit));
	TF_TRY(maps_code(c, &m, h, t));
	unsigned k = 0;
	for (unsigned i = 0; i < t->count; i++) {
		bool opens_class = k < h->classes && t->map[k][0] == i;
		const uint8_t *before = i ? t->level[i - 1] : NULL;
		if (opens_class && k)
			before = t->level[t->map[k - 1][0]];
		k += opens_class;
		for (unsigned j = 0; j < h->tokens; j++)
			t->level[i][j] = (uint8_t)level_code(c, &m, level_place(t->level[i], before, j, h->tokens),
							     t->level[i][j]);
	}
	return TF_OK;
}

void
model_tables_put(struct tf_buf *out, struct model_tables *t, const struct model_head *h)
{
	struct coder c;
	coder_put_init(&c, out);
	enum tf_err e = tables_code(&c, h, t);
	TF_ASSERT(!e);
	coder_put_end(&c);
}

enum tf_err
model_tables_take(struct tf_str bytes, const struct model_head *h, struct model_tables *out)
{
	struct coder c;
	coder_take_init(&c, bytes);
	return tables_code(&c, h, out);
}
