/* tenfold meter sql: DuckDB over all tiers and the aggregates. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli.h"
#include "view_lake.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	METER_PARAM_JSON,
	{0},
};

static void
put_csv(struct tf_buf *out, struct tf_str s)
{
	bool plain = true;
	for (size_t i = 0; i < s.n; i++)
		plain &= s.p[i] != ',' && s.p[i] != '"' && s.p[i] != '\n' && s.p[i] != '\r';
	if (plain) {
		tf_buf_str(out, s);
		return;
	}
	tf_buf_u8(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			tf_buf_u8(out, '"');
		tf_buf_u8(out, (uint8_t)s.p[i]);
	}
	tf_buf_u8(out, '"');
}

static void
put_json_cell(struct tf_json_out *w, struct tf_rows *r, size_t i)
{
	tf_json_key(w, tf_rows_name(r, i));
	struct tf_str text = tf_rows_text(r, i);
	if (tf_rows_is_null(r, i)) {
		tf_json_put_null(w);
		return;
	}
	switch (tf_rows_type(r, i)) {
	case TF_LAKE_BIGINT:
	case TF_LAKE_INTEGER:
	case TF_LAKE_HUGEINT:
		tf_json_put_lexeme(w, text);
		break;
	case TF_LAKE_BOOLEAN:
		tf_json_put_bool(w, text.p[0] == 't');
		break;
	default:
		tf_json_put_str(w, text);
	}
}

static void
put_row(struct tf_buf *out, struct tf_rows *r, bool json)
{
	size_t n = tf_rows_columns(r);
	struct tf_json_out w = tf_json_out(out);
	if (json)
		tf_json_begin_object(&w);
	for (size_t i = 0; i < n; i++) {
		if (json) {
			put_json_cell(&w, r, i);
			continue;
		}
		if (i)
			tf_buf_u8(out, ',');
		put_csv(out, tf_rows_text(r, i));
	}
	if (json)
		tf_json_end_object(&w);
	else
		tf_buf_u8(out, '\n');
}

/* *out_printed: some of it is on stdout. After an error nothing more is. */
static enum tf_err
print_rows(struct tf_rows *r, bool json, bool *out_printed, struct tf_fault *f)
{
	struct tf_buf out;
	tf_buf_init(&out, 0);
	uint64_t rows = 0;
	for (size_t i = 0; !json && i < tf_rows_columns(r); i++) {
		if (i)
			tf_buf_u8(&out, ',');
		put_csv(&out, tf_str(tf_rows_name(r, i)));
	}
	tf_buf_cstr(&out, json ? "{\"rows\":[" : "\n");
	enum tf_err e;
	while (!(e = tf_rows_next(r, f)) && !out.err) {
		if (json)
			tf_buf_cstr(&out, rows ? ",\n" : "\n");
		put_row(&out, r, json);
		rows++;
		if (out.n >= 1u << 20) {
			fwrite(out.p, 1, out.n, stdout);
			*out_printed = true;
			tf_buf_reset(&out);
		}
	}
	if (json)
		tf_buf_cstr(&out, "\n]}\n");
	if (e == TF_END || !e)
		e = out.err ? tf_fault(f, out.err, "no memory for a result") : TF_OK;
	if (!e)
		fwrite(out.p, 1, out.n, stdout);
	tf_buf_release(&out);
	return e;
}

struct question {
	struct meter_store *s;
	const struct tf_args *a;
};

static enum tf_err
answer(void *ctx, bool *out_printed, struct tf_fault *f)
{
	struct question *q = ctx;
	struct tf_lake *lake = NULL;
	struct tf_rows *rows = NULL;
	enum tf_err e = meter_lake_for_user(q->s, &lake, f);
	if (!e)
		e = tf_lake_select(lake, tf_str(q->a->positional[0]), &rows, f);
	if (!e)
		e = print_rows(rows, tf_args_flag(q->a, "json"), out_printed, f);
	tf_rows_close(&rows);
	tf_lake_close(&lake);
	return e;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct meter_store *s;
	if (meter_cli_open(ctx, &a, false, &s, &f))
		return tf_program_fail(&f);
	struct question q = {s, &a};
	enum tf_err e = meter_cli_read(s, answer, &q, &f);
	meter_store_close(&s);
	return e ? tf_program_fail(&f) : tf_program_finish(0);
}

const struct tf_command meter_cmd_sql = {.name = "sql",
					 .summary = "SELECT over readings, usage_day, usage_month, usage_node, network",
					 .positional = "SELECT...",
					 .positional_min = 1,
					 .params = params,
					 .run = run};
