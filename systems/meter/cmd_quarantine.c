/* tenfold meter quarantine list|show|retry: what was put aside. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "cli.h"
#include "retry.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"zone", TF_PARAM_TEXT, false, "ZONE", NULL, 0, 0, "retry: read the record's times in this zone instead"},
	{"all", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "list: settled records too; retry: every held one"},
	METER_PARAM_JSON,
	{0},
};

struct verb {
	struct meter_cli *cli;
	struct tf_args *a;
	struct meter_store *s;
	uint64_t rows, settled;
};

static const char columns[] = "SELECT q.id, d.name, q.member, q.line, q.field, q.rule, q.text, q.state, q.at, "
			      "length(q.bytes), q.field_name, q.col FROM quarantine q"
			      " JOIN delivery d ON d.number=q.delivery";

static void
json_row(struct tf_stmt *q, struct tf_buf *out)
{
	static const char *const names[] = {"id", "file", "member", "line", "field", "rule", "text", "state"};
	char at[40];
	struct tf_json_out w = tf_json_out(out);
	tf_json_begin_object(&w);
	for (int i = 0; i < 8; i++)
		if (i == 0 || i == 3 || i == 4)
			tf_json_set_i64(&w, names[i], tf_stmt_get_i64(q, i));
		else
			tf_json_set_str(&w, names[i], tf_stmt_get_str(q, i));
	tf_json_set_cstr(&w, "at", tf_time_format(tf_stmt_get_i64(q, 8), at));
	tf_json_set_i64(&w, "bytes", tf_stmt_get_i64(q, 9));
	tf_json_set_str(&w, "field_name", tf_stmt_get_str(q, 10));
	tf_json_set_i64(&w, "column", tf_stmt_get_i64(q, 11));
	tf_json_end_object(&w);
}

static void
print_row(struct verb *v, struct tf_stmt *q)
{
	if (!tf_args_flag(v->a, "json")) {
		if (!v->rows++)
			printf("%6s  %-8s %-28s %8s %-8s  %s\n", "id", "state", "file", "line", "field",
			       "rule: what is wrong");
		struct tf_str state = tf_stmt_get_str(q, 7), name = tf_stmt_get_str(q, 1),
			      member = tf_stmt_get_str(q, 2), rule = tf_stmt_get_str(q, 5),
			      text = tf_stmt_get_str(q, 6), field = tf_stmt_get_str(q, 10);
		if (!field.n)
			field = tf_stmt_get_str(q, 4);
		char file[512];
		snprintf(file, sizeof file, "%.*s%s%.*s", TF_FMT(name), member.n ? ":" : "", TF_FMT(member));
		for (char *c = file; *c; c++) /* a member's name is anyone's */
			*c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
		printf("%6" PRId64 "  %-8.*s %-28s %8" PRId64 " %-8.*s  %.*s: %.*s\n", tf_stmt_get_i64(q, 0),
		       TF_FMT(state), file, tf_stmt_get_i64(q, 3), TF_FMT(field), TF_FMT(rule), TF_FMT(text));
		return;
	}
	struct tf_buf out;
	tf_buf_init(&out, 0);
	json_row(q, &out);
	printf("%s\n%.*s", v->rows++ ? "," : "", (int)out.n, (const char *)out.p);
	tf_buf_release(&out);
}

static enum tf_err
list(struct verb *v, struct tf_fault *f)
{
	char sql[512];
	snprintf(sql, sizeof sql, "%s%s ORDER BY q.id", columns,
		 tf_args_flag(v->a, "all") ? "" : " WHERE q.state='held'");
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(v->s->catalog.db, sql, &q, f));
	bool json = tf_args_flag(v->a, "json");
	if (json)
		printf("{\"quarantine\":[");
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f)))
		print_row(v, q);
	tf_stmt_free(&q);
	if (json)
		printf("\n]}\n");
	else if (!v->rows)
		printf("nothing is held in quarantine\n");
	return e == TF_END ? TF_OK : e;
}

/* The record as it came, byte for byte. */
static enum tf_err
show(struct verb *v, int64_t id, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(v->s->catalog.db, "SELECT bytes FROM quarantine WHERE id=?", &q, f));
	tf_stmt_i64(q, 1, id);
	enum tf_err e = tf_stmt_step(q, f);
	struct tf_str bytes = e ? (struct tf_str){0} : tf_stmt_get_blob(q, 0);
	fwrite(bytes.p ? bytes.p : "", 1, bytes.n, stdout);
	tf_stmt_free(&q);
	return e == TF_END ? tf_fault(f, TF_NOT_FOUND, "no record %" PRId64 " in quarantine", id) : e;
}

static void
print_retried(struct verb *v, const struct meter_retried *g)
{
	if (tf_args_flag(v->a, "json"))
		printf("%s\n{\"id\":%" PRId64 ",\"taken\":%s}", v->rows++ ? "," : "", g->held.id,
		       g->taken ? "true" : "false");
	else
		printf("record %" PRId64 ": %s\n", g->held.id,
		       g->taken       ? "taken"
		       : g->held.held ? "still held"
				      : "taken before");
	v->settled += g->taken;
}

/* Those at hand: read, published together, settled together. *out_last: the last that was tried. */
static enum tf_err
retry_these(struct verb *v, struct meter_retry *r, int64_t *out_last, struct tf_fault *f)
{
	TF_TRY(meter_retry_read(r, v->s, tf_args_text(v->a, "zone"), f));
	TF_TRY(tf_flow_drain(v->s->flow, f));
	TF_TRY(meter_retry_settle(r, v->s, f));
	for (uint32_t i = 0; i < r->count && (r->list[i].tried || !r->list[i].held.held); i++) {
		print_retried(v, &r->list[i]);
		*out_last = r->list[i].held.id;
	}
	return TF_OK;
}

static enum tf_err
count_held(struct verb *v, uint64_t *out, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(v->s->catalog.db, "SELECT count(*) FROM quarantine WHERE state='held'", &q, f));
	enum tf_err e = tf_stmt_step(q, f);
	*out = e ? 0 : (uint64_t)tf_stmt_get_i64(q, 0);
	tf_stmt_free(&q);
	return e;
}

static enum tf_err
retry_all(struct verb *v, struct meter_retry *r, struct tf_fault *f)
{
	bool bar = isatty(2) && !isatty(1); /* else the lines tell */
	uint64_t held = 0, done = 0;
	int64_t last = 0;
	if (bar)
		TF_TRY(count_held(v, &held, f));
	enum tf_err e = meter_retry_find(r, v->s, 0, f);
	while (!e && r->count) {
		e = retry_these(v, r, &last, f);
		done += r->count;
		if (bar)
			fprintf(stderr, "\r\033[K%3d%% of %" PRIu64 " records", (int)(done * 100 / (held + !held)),
				held);
		if (!e)
			e = meter_retry_find(r, v->s, last, f);
	}
	if (bar)
		fprintf(stderr, "\r\033[K");
	return e;
}

static enum tf_err
retry(struct verb *v, int64_t id, struct tf_fault *f)
{
	struct meter_retry r;
	int64_t last;
	TF_TRY(meter_retry_init(&r, id ? 1 : METER_RETRY_RECORDS, f));
	enum tf_err e = id ? meter_retry_find_one(&r, v->s, id, f) : retry_all(v, &r, f);
	if (!e && id)
		e = retry_these(v, &r, &last, f);
	meter_retry_release(&r);
	return e;
}

static enum tf_err
run_verb(struct verb *v, struct tf_fault *f)
{
	struct tf_str what = tf_str(v->a->positional[0]);
	bool all = tf_args_flag(v->a, "all");
	int64_t id = 0;
	if (tf_str_eq(what, TF_STR("list")))
		return list(v, f);
	if (v->a->positional_count > 1 && !tf_str_i64(tf_str(v->a->positional[1]), &id))
		return tf_fault(f, TF_USAGE, "'%.60s' is no record's id", v->a->positional[1]);
	if (tf_str_eq(what, TF_STR("show")) && id)
		return show(v, id, f);
	if (tf_str_eq(what, TF_STR("retry")) && (id || all)) {
		bool json = tf_args_flag(v->a, "json");
		if (json)
			printf("{\"retried\":[");
		enum tf_err e = retry(v, id, f);
		if (json)
			printf("\n]}\n");
		return e;
	}
	return tf_fault(f, TF_USAGE, "quarantine list, show ID, retry ID or retry --all");
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct verb v = {.cli = ctx, .a = &a};
	bool writes = strcmp(a.positional[0], "retry") == 0;
	if (meter_cli_open(v.cli, &a, writes, &v.s, &f))
		return tf_program_fail(&f);
	enum tf_err e = run_verb(&v, &f);
	meter_store_close(&v.s);
	if (e)
		return tf_program_fail(&f);
	return tf_program_finish(writes && !v.settled ? 1 : 0);
}

const struct tf_command meter_cmd_quarantine = {.name = "quarantine",
						.summary = "list, show or retry what was put aside",
						.positional = "list|show ID|retry ID",
						.positional_min = 1,
						.positional_max = 2,
						.params = params,
						.run = run};
