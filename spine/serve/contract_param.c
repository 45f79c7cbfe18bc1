/* Parameters as text: split by their style, made JSON by their schema's types, and checked; see contract_impl.h. */
#include "serve/contract_impl.h"

#include <stdarg.h>
#include <stdio.h>

#define VALUES_MAX 256 /* elements of one parameter */

static struct tf_str
keep(struct tf_contract_findings *found, struct tf_str s)
{
	size_t room = sizeof found->bytes - found->used, n = s.n < room ? s.n : room;
	char *p = found->bytes + found->used;
	if (n)
		memcpy(p, s.p, n);
	found->used += n;
	return tf_str_n(p, n);
}

void
contract_find(struct contract_check *k, const char *code, int status, struct tf_str pointer, const char *fmt, ...)
{
	struct tf_contract_findings *found = k->found;
	char text[256];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (found->count == TF_FINDINGS_MAX)
		return;
	size_t length = n < 0 ? 0 : n < (int)sizeof text ? (size_t)n : sizeof text - 1;
	struct tf_finding *to = &found->of[found->count++];
	if (found->count == 1)
		found->status = status;
	to->where = k->where;
	to->code = code;
	to->status = status;
	to->pointer = keep(found, pointer);
	to->field = k->where == TF_IN_BODY ? to->pointer : keep(found, k->field);
	to->text = keep(found, tf_str_n(text, length));
}

static bool
take_violation(void *ctx, const struct tf_violation *v)
{
	struct contract_check *k = ctx;
	const char *code = v->member.p ? "MISSING" : *v->keyword ? "INVALID" : "UNKNOWN";
	struct tf_buf pointer;
	tf_buf_init(&pointer, 0);
	tf_buf_str(&pointer, v->instance);
	if (v->member.p)
		tf_buf_u8(&pointer, '/');
	for (size_t i = 0; v->member.p && i < v->member.n; i++) {
		char c = v->member.p[i];
		if (c == '~' || c == '/')
			tf_buf_cstr(&pointer, c == '~' ? "~0" : "~1");
		else
			tf_buf_u8(&pointer, (uint8_t)c);
	}
	contract_find(k, code, k->status, tf_buf_view(&pointer), "%.*s", TF_FMT(v->message));
	tf_buf_release(&pointer);
	return k->found->count < TF_FINDINGS_MAX;
}

void
contract_check_value(struct contract_check *k, const struct tf_schema *s, const struct tf_json *v)
{
	bool ok;
	if (!s || k->err)
		return;
	k->err = tf_schema_check(s, v, k->w->checker, take_violation, k, &ok, k->fault);
}

/* A lexeme that JSON takes as a number. */
static bool
is_number(struct tf_str s)
{
	if (!s.n)
		return false;
	size_t i = s.p[0] == '-', from = i;
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	if (i == from || (s.p[from] == '0' && i > from + 1))
		return false;
	if (i < s.n && s.p[i] == '.') {
		from = ++i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			i++;
		if (i == from)
			return false;
	}
	if (i < s.n && (s.p[i] | 0x20) == 'e') {
		i++;
		i += i < s.n && (s.p[i] == '+' || s.p[i] == '-');
		from = i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			i++;
		if (i == from)
			return false;
	}
	return i == s.n;
}

/* A scalar: a number, a bool or null where the schema leaves those and the text is one, else a string. */
static void
make_scalar(uint8_t types, struct tf_str s, struct tf_json *v)
{
	bool number = types >> TF_JSON_NUMBER & 1 || types >> SCHEMA_INTEGER & 1;
	s = s.p ? s : TF_STR("");
	bool truth = tf_str_eq(s, TF_STR("true"));
	v->text = s;
	v->kind = TF_JSON_STRING;
	if (types == SCHEMA_ANY_TYPE)
		return;
	if (number && is_number(s))
		v->kind = TF_JSON_NUMBER;
	else if ((types >> TF_JSON_BOOL & 1) && (truth || tf_str_eq(s, TF_STR("false")))) {
		v->kind = TF_JSON_BOOL;
		v->truth = truth;
	} else if (!(types >> TF_JSON_STRING & 1) && (types >> TF_JSON_NULL & 1) && tf_str_eq(s, TF_STR("null"))) {
		v->kind = TF_JSON_NULL;
	}
}

static bool
add_element(struct contract_check *k, uint8_t types, struct tf_str s, struct tf_json *array, struct tf_json **tail)
{
	struct tf_json *v = tf_arena_calloc(&k->w->arena, 1, sizeof *v);
	if (!v) {
		k->err = tf_arena_fault(&k->w->arena, k->fault);
		return false;
	}
	if (array->count == VALUES_MAX) {
		contract_find(k, "INVALID", 400, TF_STR(""), "has more than %d values", VALUES_MAX);
		return false;
	}
	make_scalar(types, s, v);
	if (*tail)
		(*tail)->next = v;
	else
		array->first = v;
	*tail = v;
	array->count++;
	return true;
}

static bool
make_array(struct contract_check *k, const struct operation_parameter *p, const struct tf_str *values, uint32_t count,
	   struct tf_json *v)
{
	static const char separators[] = {',', ',', ' ', '|'};
	struct tf_json *tail = NULL;
	v->kind = TF_JSON_ARRAY;
	if (p->style == STYLE_FORM && p->explode) {
		for (uint32_t i = 0; i < count; i++)
			if (!add_element(k, p->item_types, values[i], v, &tail))
				return false;
		return true;
	}
	struct tf_str left = values[0], one;
	while (tf_str_cut(&left, separators[p->style], &one)) {
		if (p->style == STYLE_SIMPLE)
			one = tf_str_trim(one);
		if (!add_element(k, p->item_types, one, v, &tail))
			return false;
	}
	return true;
}

/* The parameter as JSON; false: it has been told, or failed. */
static bool
make_value(struct contract_check *k, const struct operation_parameter *p, const struct tf_str *values, uint32_t count,
	   const struct tf_json **out)
{
	struct tf_json *v = tf_arena_calloc(&k->w->arena, 1, sizeof *v);
	struct tf_fault f = {0};
	if (!v) {
		k->err = tf_arena_fault(&k->w->arena, k->fault);
		return false;
	}
	*out = v;
	bool array = p->types != SCHEMA_ANY_TYPE && (p->types >> TF_JSON_ARRAY & 1);
	if (count > 1 && !array) {
		contract_find(k, "INVALID", 400, TF_STR(""), "is given more than once");
		return false;
	}
	if (p->style == STYLE_JSON) {
		enum tf_err e = tf_json_parse(values[0], &k->w->arena, 0, out, &f);
		if (e)
			contract_find(k, "SYNTAX", 400, TF_STR(""), "%s", f.text);
		return !e;
	}
	if (array)
		return make_array(k, p, values, count, v);
	make_scalar(p->types, values[0], v);
	return true;
}

void
contract_check_parameter(struct contract_check *k, const struct operation_parameter *p, const struct tf_str *values,
			 uint32_t count)
{
	const struct tf_json *v;
	k->where = p->in;
	k->field = p->name;
	k->status = 400;
	if (!count) {
		if (p->required)
			contract_find(k, "MISSING", 400, TF_STR(""), "is missing");
		return;
	}
	if (count == 1 && !values[0].n && p->empty)
		return;
	if (make_value(k, p, values, count, &v))
		contract_check_value(k, p->schema, v);
}
