/* tenfold meter quarantine list|show|retry: what was put aside. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli.h"
#include "load.h"

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
			      "length(q.bytes) FROM quarantine q"
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
	tf_json_end_object(&w);
}

static void
print_row(struct verb *v, struct tf_stmt *q)
{
	if (!tf_args_flag(v->a, "json")) {
		if (!v->rows++)
			printf("%6s  %-8s %-28s %8s %6s  %s\n", "id", "state", "file", "line", "field",
			       "rule: what is wrong");
		struct tf_str state = tf_stmt_get_str(q, 7), name = tf_stmt_get_str(q, 1),
			      member = tf_stmt_get_str(q, 2), rule = tf_stmt_get_str(q, 5),
			      text = tf_stmt_get_str(q, 6);
		char file[512];
		snprintf(file, sizeof file, "%.*s%s%.*s", TF_FMT(name), member.n ? ":" : "", TF_FMT(member));
		for (char *c = file; *c; c++) /* a member's name is anyone's */
			*c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
		printf("%6" PRId64 "  %-8.*s %-28s %8" PRId64 " %6" PRId64 "  %.*s: %.*s\n", tf_stmt_get_i64(q, 0),
		       TF_FMT(state), file, tf_stmt_get_i64(q, 3), tf_stmt_get_i64(q, 4), TF_FMT(rule), TF_FMT(text));
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

static enum tf_err
retry(struct verb *v, int64_t id, struct tf_fault *f)
{
	struct meter_held h;
	struct meter_load_result r = {0};
	uint64_t offset;
	TF_TRY(meter_held_find(v->s, id, &h, f));
	enum tf_err e = h.held ? meter_load_held(v->s, &h, tf_args_text(v->a, "zone"), NULL, &r, &offset, f) : TF_OK;
	meter_held_release(&h);
	if (!e)
		e = tf_flow_drain(v->s->flow, f);
	if (e)
		return e;
	bool taken = !r.quarantined && r.counts.readings;
	if (tf_args_flag(v->a, "json"))
		printf("%s\n{\"id\":%" PRId64 ",\"taken\":%s}", v->rows++ ? "," : "", id, taken ? "true" : "false");
	else
		printf("record %" PRId64 ": %s\n", id, taken ? "taken" : "still held");
	v->settled += taken;
	return taken ? meter_held_settle(v->s, id, f) : TF_OK;
}

static enum tf_err
retry_all(struct verb *v, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(
		v->s->catalog.db,
		"SELECT max(id) FROM quarantine WHERE state='held' AND delivery IN (SELECT number FROM delivery)", &q,
		f));
	enum tf_err e = tf_stmt_step(q, f);
	int64_t last = e ? 0 : tf_stmt_get_i64(q, 0);
	tf_stmt_free(&q);
	for (int64_t id = 1; (!e || e == TF_NOT_FOUND) && id <= last; id++)
		e = retry(v, id, f);
	return e == TF_NOT_FOUND ? TF_OK : e;
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
		enum tf_err e = id ? retry(v, id, f) : retry_all(v, f);
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
	if (!meter_cli_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct verb v = {.cli = ctx, .a = &a};
	bool writes = strcmp(a.positional[0], "retry") == 0;
	if (meter_cli_open(v.cli, &a, writes, &v.s, &f))
		return meter_cli_fail(&f);
	enum tf_err e = run_verb(&v, &f);
	meter_store_close(&v.s);
	if (e)
		return meter_cli_fail(&f);
	return meter_cli_finish(writes && !v.settled ? 1 : 0);
}

const struct tf_command meter_cmd_quarantine = {.name = "quarantine",
						.summary = "list, show or retry what was put aside",
						.positional = "list|show ID|retry ID",
						.positional_min = 1,
						.positional_max = 2,
						.params = params,
						.run = run};
