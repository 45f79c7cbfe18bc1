/* From a path to its operation; see contract.h. */
#include "serve/contract_impl.h"

bool
contract_segments(struct tf_str path, struct tf_str out[static OPERATION_SEGMENTS_MAX], uint32_t *out_count)
{
	uint32_t n = 0;
	size_t i = path.n && path.p[0] == '/';
	while (i <= path.n && path.n) {
		size_t from = i;
		while (i < path.n && path.p[i] != '/')
			i++;
		if (n == OPERATION_SEGMENTS_MAX)
			return false;
		out[n++] = tf_str_n(path.p + from, i - from);
		i++;
	}
	*out_count = n;
	return true;
}

/* "a{b}c": one parameter with text around it; more in one segment are not distinguished. */
bool
contract_segment_value(struct tf_str segment, struct tf_str text, struct tf_str name, struct tf_str *out_value)
{
	const char *open = segment.n ? memchr(segment.p, '{', segment.n) : NULL;
	const char *close = open ? memrchr(segment.p, '}', segment.n) : NULL;
	if (!close || close < open)
		return false;
	size_t before = (size_t)(open - segment.p), after = segment.n - (size_t)(close - segment.p) - 1;
	if (text.n <= before + after || memcmp(text.p, segment.p, before) != 0 ||
	    memcmp(text.p + text.n - after, close + 1, after) != 0)
		return false;
	if (!out_value)
		return true;
	if (!tf_str_eq(name, tf_str_n(open + 1, (size_t)(close - open) - 1)))
		return false;
	*out_value = tf_str_n(text.p + before, text.n - before - after);
	return true;
}

struct tf_str
contract_below(const struct tf_contract *c, struct tf_str path)
{
	for (uint32_t i = 0; i < c->base_count; i++) {
		struct tf_str base = c->bases[i];
		if (tf_str_starts(path, base) && (path.n == base.n || path.p[base.n] == '/'))
			return tf_str_n(path.p + base.n, path.n - base.n);
	}
	return c->base_count ? (struct tf_str){NULL, 0} : path;
}

const struct tf_operation *
tf_contract_operation(const struct tf_contract *c, struct tf_str method, struct tf_str path)
{
	struct tf_str below = contract_below(c, path);
	for (uint32_t i = 0; i < c->count; i++) {
		const struct tf_operation *op = &c->operations[i];
		if (tf_str_eq(op->method, method) && (tf_str_eq(op->path, path) || tf_str_eq(op->path, below)))
			return op;
	}
	return NULL;
}

/* Fixed segments that match, counted so that the first weigh most; -1: no match. */
static int64_t
weigh(const struct operation_parts *p, const struct tf_str *segments, uint32_t count)
{
	int64_t weight = 0;
	if (count != p->segment_count)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		bool fixed = tf_str_eq(p->segments[i], segments[i]);
		if (!fixed && !contract_segment_value(p->segments[i], segments[i], TF_STR(""), NULL))
			return -1;
		weight = weight << 1 | fixed;
	}
	return weight;
}

const struct tf_operation *
tf_contract_find(const struct tf_contract *c, struct tf_str method, struct tf_str path, bool *out_other)
{
	struct tf_str below = contract_below(c, path), segments[OPERATION_SEGMENTS_MAX];
	const struct tf_operation *best = NULL;
	int64_t weight = -1, other = -1;
	uint32_t count;
	if (below.p && contract_segments(below, segments, &count)) {
		for (uint32_t i = 0; i < c->count; i++) {
			int64_t w = weigh(c->operations[i].parts, segments, count);
			bool same = tf_str_eq(c->operations[i].method, method);
			other = w > other ? w : other;
			if (same && w > weight) {
				weight = w;
				best = &c->operations[i];
			}
		}
	}
	if (out_other)
		*out_other = !best && other >= 0;
	return best;
}
