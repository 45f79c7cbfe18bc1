/* JSON bodies; see in_purchase.h.
 *
 *   {"product": "TERM_LIFE", "sum_insured": 500000000, "currency": "INR", "term_years": 20, "start_date": "2026-12-01",
 *    "quoted_premium": 860000, "holder": {"name": "Asha Rao", "date_of_birth": "1990-04-01", "phone": "+919812345678"}}
 * Amounts are paise; quoted_premium may be absent. */
#include "in_purchase.h"

#include <stdio.h>

/* What a body is read with: the object being read, its pointer, and where a finding goes. */
struct reader {
	const struct tf_json *object;
	const char *at; /* "" or "/holder" */
	char *field;
	struct tf_fault *f;
};

/* The member's pointer, for a finding. */
static const char *
field(const struct reader *r, const char *name)
{
	snprintf(r->field, INSURE_FIELD_MAX, "%s/%s", r->at, name);
	return r->field;
}

static enum tf_err
member(const struct reader *r, const char *name, enum tf_json_kind kind, const struct tf_json **out)
{
	*out = tf_json_is(r->object, TF_JSON_OBJECT) ? tf_json_get(r->object, name) : NULL;
	if (*out && tf_json_is(*out, kind))
		return TF_OK;
	return tf_fault(r->f, TF_INVALID, "'%s' is not there, or no %s", field(r, name), tf_json_kind_name(kind));
}

static enum tf_err
text(const struct reader *r, const char *name, struct tf_str *out)
{
	const struct tf_json *v;
	TF_TRY(member(r, name, TF_JSON_STRING, &v));
	*out = v->text;
	return TF_OK;
}

static enum tf_err
whole(const struct reader *r, const char *name, int64_t *out)
{
	const struct tf_json *v;
	TF_TRY(member(r, name, TF_JSON_NUMBER, &v));
	return tf_json_i64(v, out) ? TF_OK : tf_fault(r->f, TF_INVALID, "'%s' is no whole number", field(r, name));
}

static enum tf_err
day(const struct reader *r, const char *name, int32_t *out)
{
	struct tf_str s;
	int y = 0, m, d;
	TF_TRY(text(r, name, &s));
	if (!tf_date_parse(s, out))
		tf_date_to_civil(*out, &y, &m, &d);
	if (y < 1900 || y > 2199)
		return tf_fault(r->f, TF_INVALID, "'%s' is '%.*s': a date YYYY-MM-DD from 1900 to 2199 is wanted",
				field(r, name), TF_FMT(s));
	return TF_OK;
}

/* A name is shown and printed: no control characters, and it does not begin or end with a blank. */
static enum tf_err
read_name(const struct reader *r, struct tf_str *out)
{
	TF_TRY(text(r, "name", out));
	if (!out->n || out->n > INSURE_NAME_MAX)
		return tf_fault(r->f, TF_INVALID, "'%s' has %zu bytes: 1 to %d are wanted", field(r, "name"), out->n,
				INSURE_NAME_MAX);
	bool bad = out->p[0] == ' ' || out->p[out->n - 1] == ' ';
	for (size_t i = 0; i < out->n; i++)
		bad = bad || (unsigned char)out->p[i] < ' ' || out->p[i] == 127;
	return bad ? tf_fault(r->f, TF_INVALID, "'%s' has a control character or blanks around it", field(r, "name"))
		   : TF_OK;
}

static enum tf_err
read_holder(const struct reader *outer, struct insure_purchase *c)
{
	struct reader r = {NULL, "/holder", outer->field, outer->f};
	TF_TRY(member(outer, "holder", TF_JSON_OBJECT, &r.object));
	TF_TRY(read_name(&r, &c->name));
	TF_TRY(day(&r, "date_of_birth", &c->birth));
	TF_TRY(text(&r, "phone", &c->phone));
	return c->phone.n <= INSURE_PHONE_MAX ? TF_OK
					      : tf_fault(r.f, TF_INVALID, "'%s' is too long", field(&r, "phone"));
}

enum tf_err
insure_in_purchase(const struct tf_json *body, struct insure_purchase *out, char out_field[static INSURE_FIELD_MAX],
		   struct tf_fault *f)
{
	struct reader r = {body, "", out_field, f};
	struct insure_purchase c = {.quoted = -1};
	int64_t term;
	TF_TRY(text(&r, "product", &c.product));
	TF_TRY(whole(&r, "sum_insured", &c.sum_insured));
	TF_TRY(whole(&r, "term_years", &term));
	c.term = term < 0 || term > INT32_MAX ? INT32_MAX : (int32_t)term; /* no product has that */
	TF_TRY(day(&r, "start_date", &c.start));
	if (tf_json_get(body, "quoted_premium"))
		TF_TRY(whole(&r, "quoted_premium", &c.quoted));
	TF_TRY(read_holder(&r, &c));
	*out = c;
	return TF_OK;
}

enum tf_err
insure_in_cancel(const struct tf_json *body, struct insure_cancel *out, char out_field[static INSURE_FIELD_MAX],
		 struct tf_fault *f)
{
	struct reader r = {body, "", out_field, f};
	return day(&r, "date", &out->date);
}
