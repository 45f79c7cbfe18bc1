/* Asking a JSON tree; see json.h. */
#include "base/json.h"

#include <stdio.h>

const char *
tf_json_kind_name(enum tf_json_kind kind)
{
	static const char *const names[] = {"null", "bool", "number", "string", "array", "object"};
	return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

bool
tf_json_is(const struct tf_json *v, enum tf_json_kind kind)
{
	return v && v->kind == kind;
}

static const struct tf_json *
find_sorted(const struct tf_json *v, struct tf_str name)
{
	size_t low = 0, high = v->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = tf_str_cmp(v->sorted[mid]->key, name);
		if (c == 0)
			return v->sorted[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const struct tf_json *
tf_json_get_n(const struct tf_json *v, struct tf_str name)
{
	if (!tf_json_is(v, TF_JSON_OBJECT))
		return NULL;
	if (v->sorted)
		return find_sorted(v, name);
	for (const struct tf_json *m = v->first; m; m = m->next)
		if (tf_str_eq(m->key, name))
			return m;
	return NULL;
}

const struct tf_json *
tf_json_get(const struct tf_json *v, const char *name)
{
	return tf_json_get_n(v, tf_str(name));
}

const struct tf_json *
tf_json_first(const struct tf_json *v)
{
	return v ? v->first : NULL;
}

bool
tf_json_str(const struct tf_json *v, struct tf_str *out)
{
	if (!tf_json_is(v, TF_JSON_STRING))
		return false;
	*out = v->text;
	return true;
}

bool
tf_json_bool(const struct tf_json *v, bool *out)
{
	if (!tf_json_is(v, TF_JSON_BOOL))
		return false;
	*out = v->truth;
	return true;
}

bool
tf_json_decimal(const struct tf_json *v, int scale, int64_t *out)
{
	return tf_json_is(v, TF_JSON_NUMBER) && tf_decimal_parse(v->text, scale, TF_ROUND_NOT, out) == TF_OK;
}

bool
tf_json_i64(const struct tf_json *v, int64_t *out)
{
	return tf_json_decimal(v, 0, out);
}

static enum tf_err
unfit(const struct tf_json *m, const char *name, const char *wanted, struct tf_fault *f)
{
	if (!m)
		return tf_fault(f, TF_INVALID, "missing member '%s'", name);
	if (m->kind == TF_JSON_NUMBER)
		return tf_fault(f, TF_INVALID, "member '%s' is %.*s: %s is wanted", name, TF_FMT(m->text), wanted);
	return tf_fault(f, TF_INVALID, "member '%s' is %s %s: %s is wanted", name,
			m->kind == TF_JSON_ARRAY || m->kind == TF_JSON_OBJECT ? "an" : "a", tf_json_kind_name(m->kind),
			wanted);
}

enum tf_err
tf_json_need_str(const struct tf_json *v, const char *name, struct tf_str *out, struct tf_fault *f)
{
	const struct tf_json *m = tf_json_get(v, name);
	return tf_json_str(m, out) ? TF_OK : unfit(m, name, "a string", f);
}

enum tf_err
tf_json_need_i64(const struct tf_json *v, const char *name, int64_t *out, struct tf_fault *f)
{
	const struct tf_json *m = tf_json_get(v, name);
	return tf_json_i64(m, out) ? TF_OK : unfit(m, name, "a whole number of 64 bits", f);
}

enum tf_err
tf_json_need_decimal(const struct tf_json *v, const char *name, int scale, int64_t *out, struct tf_fault *f)
{
	const struct tf_json *m = tf_json_get(v, name);
	if (tf_json_decimal(m, scale, out))
		return TF_OK;
	char wanted[64];
	snprintf(wanted, sizeof wanted, "a number of at most %d decimals", scale);
	return unfit(m, name, wanted, f);
}

enum tf_err
tf_json_need(const struct tf_json *v, const char *name, enum tf_json_kind kind, const struct tf_json **out,
	     struct tf_fault *f)
{
	const struct tf_json *m = tf_json_get(v, name);
	if (!tf_json_is(m, kind))
		return unfit(m, name, kind == TF_JSON_ARRAY ? "an array" : tf_json_kind_name(kind), f);
	*out = m;
	return TF_OK;
}
