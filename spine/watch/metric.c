/* Metrics; see metric.h. Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, 0.0.4). */
#include "watch/metric.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"

static const int64_t bounds[] = {10,      20,      50,       100,      200,      500,      1000,   2000,
				 5000,    10000,   20000,    50000,    100000,   200000,   500000, 1000000,
				 2000000, 5000000, 10000000, 20000000, 50000000, 100000000};

#define BOUNDS (sizeof bounds / sizeof *bounds)
/* A histogram's cells: one for each bound, one for what is above, and the sum. */
#define HISTOGRAM_CELLS (BOUNDS + 2)

struct row {
	size_t first;  /* cell */
	size_t values; /* of the label; 1 without */
};

struct tf_metrics {
	const struct tf_metric *table;
	size_t count;
	struct row *rows;
	_Atomic int64_t *cells;
};

static bool
is_name(const char *s)
{
	for (size_t i = 0; s[i]; i++) {
		char c = s[i], lower = (char)(c | 0x20);
		if (!(lower >= 'a' && lower <= 'z') && c != '_' && !(i && c >= '0' && c <= '9'))
			return false;
	}
	return s[0];
}

static size_t
count_values(const struct tf_metric *t)
{
	struct tf_str rest = tf_str(t->values), value;
	size_t n = 0;
	if (!t->label)
		return 1;
	while (tf_str_cut(&rest, ',', &value))
		n++;
	return n;
}

static size_t
cells_of(const struct tf_metric *t)
{
	return t->kind == TF_METRIC_HISTOGRAM ? HISTOGRAM_CELLS : 1;
}

enum tf_err
tf_metrics_new(const struct tf_metric *table, size_t count, struct tf_metrics **out, struct tf_fault *f)
{
	struct tf_metrics *m = tf_calloc(1, sizeof *m);
	size_t cells = 0;
	if (m)
		m->rows = tf_calloc(count, sizeof *m->rows);
	for (size_t i = 0; m && m->rows && i < count; i++) {
		const struct tf_metric *t = &table[i];
		TF_ASSERT(is_name(t->name) && t->digits <= 9 && !t->label == !t->values);
		TF_ASSERT(!t->label || (is_name(t->label) && !strpbrk(t->values, "\"\\\n")));
		m->rows[i] = (struct row){.first = cells, .values = count_values(t)};
		cells += m->rows[i].values * cells_of(t);
	}
	if (m)
		m->cells = tf_calloc(cells, sizeof *m->cells);
	if (!m || !m->rows || !m->cells) {
		tf_metrics_free(&m);
		return tf_fault(f, TF_NO_MEMORY, "cannot make metrics: out of memory");
	}
	m->table = table;
	m->count = count;
	*out = m;
	return TF_OK;
}

void
tf_metrics_free(struct tf_metrics **m)
{
	if (!*m)
		return;
	tf_free((*m)->rows);
	tf_free((void *)(*m)->cells);
	tf_free(*m);
	*m = NULL;
}

static _Atomic int64_t *
cell(const struct tf_metrics *m, size_t id, size_t value)
{
	TF_ASSERT(id < m->count && value < m->rows[id].values);
	return &m->cells[m->rows[id].first + value * cells_of(&m->table[id])];
}

static int64_t
load(const _Atomic int64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void
tf_metric_add(struct tf_metrics *m, size_t id, size_t value, int64_t by)
{
	TF_ASSERT(m->table[id].kind == TF_METRIC_GAUGE || (m->table[id].kind == TF_METRIC_COUNTER && by >= 0));
	atomic_fetch_add_explicit(cell(m, id, value), by, memory_order_relaxed);
}

void
tf_metric_set(struct tf_metrics *m, size_t id, size_t value, int64_t to)
{
	TF_ASSERT(m->table[id].kind == TF_METRIC_GAUGE);
	atomic_store_explicit(cell(m, id, value), to, memory_order_relaxed);
}

void
tf_metric_observe(struct tf_metrics *m, size_t id, size_t value, int64_t v)
{
	TF_ASSERT(m->table[id].kind == TF_METRIC_HISTOGRAM);
	_Atomic int64_t *c = cell(m, id, value);
	size_t i = 0;
	while (i < BOUNDS && v > bounds[i])
		i++;
	atomic_fetch_add_explicit(&c[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c[BOUNDS + 1], v, memory_order_relaxed);
}

int64_t
tf_metric_get(const struct tf_metrics *m, size_t id, size_t value)
{
	const _Atomic int64_t *c = cell(m, id, value);
	size_t n = m->table[id].kind == TF_METRIC_HISTOGRAM ? BOUNDS + 1 : 1;
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += load(&c[i]);
	return sum;
}

/* v with `digits` of it behind the point, without zeros at the end: 1500000 with 6 digits is 1.5. */
static const char *
decimal(int64_t v, unsigned digits, char out[static 40])
{
	uint64_t scale = 1, size = v < 0 ? -(uint64_t)v : (uint64_t)v;
	for (unsigned i = 0; i < digits; i++)
		scale *= 10;
	uint64_t rest = size % scale;
	for (; rest && rest % 10 == 0; digits--)
		rest /= 10;
	const char *sign = v < 0 ? "-" : "";
	if (rest)
		snprintf(out, 40, "%s%" PRIu64 ".%0*" PRIu64, sign, size / scale, (int)digits, rest);
	else
		snprintf(out, 40, "%s%" PRIu64, sign, size / scale);
	return out;
}

/* One line: name, suffix, labels, value. le is NULL, or the bound's text. */
static void
put_sample(struct tf_buf *b, const struct tf_metric *t, const char *suffix, struct tf_str value, const char *le,
	   int64_t v, unsigned digits)
{
	char text[40];
	tf_buf_printf(b, "%s%s", t->name, suffix);
	if (t->label || le)
		tf_buf_cstr(b, "{");
	if (t->label)
		tf_buf_printf(b, "%s=\"%.*s\"", t->label, TF_FMT(value));
	if (le)
		tf_buf_printf(b, "%sle=\"%s\"", t->label ? "," : "", le);
	tf_buf_printf(b, "%s %s\n", t->label || le ? "}" : "", decimal(v, digits, text));
}

static void
put_histogram(struct tf_buf *b, const struct tf_metric *t, const _Atomic int64_t *c, struct tf_str value)
{
	int64_t below = 0;
	char le[40];
	for (size_t i = 0; i < BOUNDS; i++) {
		below += load(&c[i]);
		put_sample(b, t, "_bucket", value, decimal(bounds[i], t->digits, le), below, 0);
	}
	below += load(&c[BOUNDS]);
	put_sample(b, t, "_bucket", value, "+Inf", below, 0);
	put_sample(b, t, "_sum", value, NULL, load(&c[BOUNDS + 1]), t->digits);
	put_sample(b, t, "_count", value, NULL, below, 0);
}

static void
put_help(struct tf_buf *b, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\' || *help == '\n')
			tf_buf_cstr(b, *help == '\n' ? "\\n" : "\\\\");
		else
			tf_buf_u8(b, (uint8_t)*help);
	}
}

void
tf_metrics_render(const struct tf_metrics *m, struct tf_buf *b)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	for (size_t id = 0; id < m->count; id++) {
		const struct tf_metric *t = &m->table[id];
		struct tf_str rest = tf_str(t->values), value = {NULL, 0};
		tf_buf_printf(b, "# HELP %s ", t->name);
		put_help(b, t->help);
		tf_buf_printf(b, "\n# TYPE %s %s\n", t->name, kinds[t->kind]);
		for (size_t i = 0; i < m->rows[id].values; i++) {
			const _Atomic int64_t *c = cell(m, id, i);
			if (t->label)
				(void)tf_str_cut(&rest, ',', &value);
			if (t->kind == TF_METRIC_HISTOGRAM)
				put_histogram(b, t, c, value);
			else
				put_sample(b, t, "", value, NULL, load(c), t->digits);
		}
	}
}
