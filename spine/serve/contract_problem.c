/* Findings as an RFC 9457 problem, and the headers that announce an end; see contract.h. */
#include "serve/contract.h"

#include <stdio.h>

static const char *
title_of(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 415:
		return "Unsupported Media Type";
	case 422:
		return "Unprocessable Content";
	default:
		return "Error";
	}
}

static const char *
word_of(enum tf_finding_where where)
{
	static const char *const words[] = {"path", "query", "header", "cookie", "body", "status"};
	return words[where];
}

/* "query parameter 'limit': is abc: ..." */
static void
put_detail(const struct tf_finding *x, struct tf_buf *b)
{
	if (x->where == TF_IN_BODY)
		tf_buf_printf(b, "body%s%.*s: %.*s", x->pointer.n ? " " : "", TF_FMT(x->pointer), TF_FMT(x->text));
	else
		tf_buf_printf(b, "%s %s'%.*s'%.*s: %.*s", word_of(x->where),
			      x->where == TF_IN_HEADER ? "" : "parameter ", TF_FMT(x->field), TF_FMT(x->pointer),
			      TF_FMT(x->text));
}

static void
put_error(struct tf_json_out *w, const struct tf_finding *x)
{
	tf_json_begin_object(w);
	if (x->where == TF_IN_BODY) {
		struct tf_buf pointer;
		tf_buf_init(&pointer, 0);
		tf_buf_u8(&pointer, '#');
		tf_buf_str(&pointer, x->pointer);
		tf_json_set_str(w, "pointer", tf_buf_view(&pointer));
		tf_buf_release(&pointer);
	} else {
		tf_json_set_cstr(w, "in", word_of(x->where));
		tf_json_set_str(w, "parameter", x->field);
		if (x->pointer.n)
			tf_json_set_str(w, "pointer", x->pointer);
	}
	tf_json_set_cstr(w, "code", x->code);
	tf_json_set_str(w, "detail", x->text);
	tf_json_end_object(w);
}

void
tf_contract_problem(const struct tf_contract_findings *found, struct tf_str instance, struct tf_str correlation,
		    struct tf_buf *out)
{
	TF_ASSERT(found->count > 0);
	const struct tf_finding *first = &found->of[0];
	struct tf_json_out w = tf_json_out(out);
	struct tf_buf text;
	tf_buf_init(&text, 0);
	tf_json_begin_object(&w);
	if (found->problem_type)
		tf_buf_printf(&text, "%s%s", found->problem_type, first->code);
	else
		tf_buf_cstr(&text, "about:blank");
	tf_json_set_str(&w, "type", tf_buf_view(&text));
	tf_json_set_cstr(&w, "title", title_of(found->status));
	tf_json_set_i64(&w, "status", found->status);
	tf_buf_reset(&text);
	put_detail(first, &text);
	tf_json_set_str(&w, "detail", tf_buf_view(&text));
	if (instance.n)
		tf_json_set_str(&w, "instance", instance);
	tf_json_set_cstr(&w, "code", first->code);
	tf_json_set_str(&w, "field", first->field);
	if (correlation.n)
		tf_json_set_str(&w, "correlation_id", correlation);
	tf_json_key(&w, "errors");
	tf_json_begin_array(&w);
	for (uint32_t i = 0; i < found->count; i++)
		put_error(&w, &found->of[i]);
	tf_json_end_array(&w);
	tf_json_end_object(&w);
	tf_json_finish(&w);
	tf_buf_release(&text);
}

bool
tf_operation_deprecation(const struct tf_operation *op, char out[static TF_OPERATION_DATE_MAX])
{
	if (!op->deprecated_at)
		return false;
	snprintf(out, TF_OPERATION_DATE_MAX, "@%lld", (long long)(op->deprecated_at / TF_SEC));
	return true;
}

bool
tf_operation_sunset(const struct tf_operation *op, char out[static TF_OPERATION_DATE_MAX])
{
	static const char days[][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tf_civil c;
	int32_t date;
	if (!op->sunset)
		return false;
	tf_civil_from_seconds(op->sunset / TF_SEC, &c);
	if (tf_date_from_civil(c.year, c.month, c.day, &date))
		return false;
	snprintf(out, TF_OPERATION_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tf_date_weekday(date)], c.day,
		 months[c.month - 1], c.year, c.hour, c.minute, c.second);
	return true;
}
