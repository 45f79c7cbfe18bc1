/* JSON bodies; see in_purchase.h.
 *
 *   {"product": "TERM_LIFE", "sum_insured": 500000000, "currency": "INR", "term_years": 20, "start_date": "2026-12-01",
 *    "quoted_premium": 860000, "holder": {"name": "Asha Rao", "date_of_birth": "1990-04-01", "phone": "+919812345678"}}
 * Amounts are paise; quoted_premium may be absent. */
#include "in_purchase.h"

#include <stdio.h>

#include "base/json.h"

#define DEPTH     4
#define CODE_MAX  32
#define PHONE_MIN 8 /* '+' and 7 digits, to 15: E.164 */
#define PHONE_MAX 16

/* What a body is read with: the object being read, its pointer, and where a finding goes. */
struct reader {
	const struct tf_json *object;
	const char *at; /* "" or "/holder" */
	char *field;
	struct tf_fault *f;
};

static void
name_field(const struct reader *r, struct tf_str member)
{
	snprintf(r->field, INSURE_FIELD_MAX, "%s/%.*s", r->at, (int)(member.n > 60 ? 60 : member.n), member.p);
}

/* The member's pointer becomes the field; TF_INVALID when it is missing. */
static enum tf_err
need(const struct reader *r, const char *name, enum tf_json_kind kind, const struct tf_json **out)
{
	name_field(r, tf_str(name));
	*out = tf_json_get(r->object, name);
	if (!*out)
		return tf_fault(r->f, TF_INVALID, "'%s/%s' is missing", r->at, name);
	if (!tf_json_is(*out, kind))
		return tf_fault(r->f, TF_INVALID, "'%s/%s' is a %s: a %s is wanted", r->at, name,
				tf_json_kind_name((enum tf_json_kind)(*out)->kind), tf_json_kind_name(kind));
	return TF_OK;
}

static enum tf_err
need_text(const struct reader *r, const char *name, size_t min, size_t max, struct tf_str *out)
{
	const struct tf_json *v;
	TF_TRY(need(r, name, TF_JSON_STRING, &v));
	if (v->text.n < min || v->text.n > max)
		return tf_fault(r->f, TF_INVALID, "'%s/%s' has %zu bytes: %zu to %zu are wanted", r->at, name,
				v->text.n, min, max);
	*out = v->text;
	return TF_OK;
}

static enum tf_err
need_whole(const struct reader *r, const char *name, int64_t min, int64_t max, int64_t *out)
{
	const struct tf_json *v;
	TF_TRY(need(r, name, TF_JSON_NUMBER, &v));
	if (!tf_json_i64(v, out) || *out < min || *out > max)
		return tf_fault(r->f, TF_INVALID, "'%s/%s' is %.*s: a whole number from %lld to %lld is wanted", r->at,
				name, TF_FMT(v->text), (long long)min, (long long)max);
	return TF_OK;
}

static enum tf_err
need_date(const struct reader *r, const char *name, int32_t *out)
{
	const struct tf_json *v;
	TF_TRY(need(r, name, TF_JSON_STRING, &v));
	int32_t least, most;
	if (tf_date_from_civil(1900, 1, 1, &least) || tf_date_from_civil(2199, 12, 31, &most))
		return tf_fault(r->f, TF_BUG, "no calendar");
	if (tf_date_parse(v->text, out) || *out < least || *out > most)
		return tf_fault(r->f, TF_INVALID, "'%s/%s' is '%.*s': a date YYYY-MM-DD from 1900 to 2199 is wanted",
				r->at, name, TF_FMT(v->text));
	return TF_OK;
}

/* names: between blanks. */
static enum tf_err
only(const struct reader *r, const char *names)
{
	for (const struct tf_json *m = tf_json_first(r->object); m; m = m->next) {
		struct tf_str rest = tf_str(names), word;
		bool known = false;
		while (!known && tf_str_cut(&rest, ' ', &word))
			known = tf_str_eq(word, m->key);
		if (known)
			continue;
		name_field(r, m->key);
		return tf_fault(r->f, TF_INVALID, "'%s/%.*s' is not known here", r->at, TF_FMT(m->key));
	}
	return TF_OK;
}

static enum tf_err
parse(struct tf_str body, struct tf_arena *arena, struct reader *r)
{
	r->field[0] = 0;
	TF_TRY(tf_json_parse(body, arena, DEPTH, &r->object, r->f));
	if (!tf_json_is(r->object, TF_JSON_OBJECT))
		return tf_fault(r->f, TF_INVALID, "the body is a %s: an object is wanted",
				tf_json_kind_name((enum tf_json_kind)r->object->kind));
	return TF_OK;
}

/* A name is shown and printed: no control characters, and it does not begin or end with a blank. */
static enum tf_err
need_name(const struct reader *r, struct tf_str *out)
{
	TF_TRY(need_text(r, "name", 1, INSURE_NAME_MAX, out));
	bool bad = out->p[0] == ' ' || out->p[out->n - 1] == ' ';
	for (size_t i = 0; i < out->n; i++)
		bad = bad || (unsigned char)out->p[i] < ' ' || out->p[i] == 127;
	return bad ? tf_fault(r->f, TF_INVALID, "'%s/name' has a control character or blanks around it", r->at) : TF_OK;
}

static enum tf_err
need_phone(const struct reader *r, struct tf_str *out)
{
	TF_TRY(need_text(r, "phone", PHONE_MIN, PHONE_MAX, out));
	bool bad = out->p[0] != '+' || out->p[1] == '0';
	for (size_t i = 1; i < out->n; i++)
		bad = bad || out->p[i] < '0' || out->p[i] > '9';
	return bad ? tf_fault(r->f, TF_INVALID, "'%s/phone' is no number as E.164 writes it (+919812345678)", r->at)
		   : TF_OK;
}

static enum tf_err
read_holder(const struct reader *outer, struct insure_purchase *c)
{
	struct reader r = {NULL, "/holder", outer->field, outer->f};
	TF_TRY(need(outer, "holder", TF_JSON_OBJECT, &r.object));
	TF_TRY(only(&r, "name date_of_birth phone"));
	TF_TRY(need_name(&r, &c->name));
	TF_TRY(need_date(&r, "date_of_birth", &c->birth));
	return need_phone(&r, &c->phone);
}

static enum tf_err
read_money(const struct reader *r, struct insure_purchase *c)
{
	struct tf_str currency;
	TF_TRY(need_whole(r, "sum_insured", 1, INT64_C(1000000000000), &c->sum_insured));
	TF_TRY(need_text(r, "currency", 3, 3, &currency));
	if (!tf_str_eq(currency, TF_STR("INR")))
		return tf_fault(r->f, TF_INVALID, "'/currency' is '%.*s': INR is wanted", TF_FMT(currency));
	c->quoted = -1;
	if (tf_json_get(r->object, "quoted_premium"))
		TF_TRY(need_whole(r, "quoted_premium", 0, INT64_C(1000000000000), &c->quoted));
	return TF_OK;
}

enum tf_err
insure_in_purchase(struct tf_str body, struct tf_arena *arena, struct insure_purchase *out,
		   char out_field[static INSURE_FIELD_MAX], struct tf_fault *f)
{
	struct reader r = {NULL, "", out_field, f};
	struct insure_purchase c = {0};
	int64_t term;
	TF_TRY(parse(body, arena, &r));
	TF_TRY(only(&r, "product sum_insured currency term_years start_date quoted_premium holder"));
	TF_TRY(need_text(&r, "product", 1, CODE_MAX, &c.product));
	TF_TRY(read_money(&r, &c));
	TF_TRY(need_whole(&r, "term_years", 1, 100, &term));
	c.term = (int32_t)term;
	TF_TRY(need_date(&r, "start_date", &c.start));
	TF_TRY(read_holder(&r, &c));
	*out = c;
	return TF_OK;
}

enum tf_err
insure_in_cancel(struct tf_str body, struct tf_arena *arena, struct insure_cancel *out,
		 char out_field[static INSURE_FIELD_MAX], struct tf_fault *f)
{
	struct reader r = {NULL, "", out_field, f};
	TF_TRY(parse(body, arena, &r));
	TF_TRY(only(&r, "date"));
	return need_date(&r, "date", &out->date);
}
