/* tenfold meter report: the regulator's month, month over month, peak days. From tier 4 alone: no reading is opened. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli.h"
#include "scan.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"period", TF_PARAM_TEXT, true, "YYYY-MM", NULL, 0, 0, "the local month"},
	{"slabs", TF_PARAM_TEXT, false, "KWH,...", "100,300,500", 0, 0,
	 "monthly: upper limits of the slabs accounts fall into"},
	METER_PARAM_JSON,
	{0},
};

/* Energy taken from the grid by account and month: channels that count Wh and are no export (NEM12's B). An account's
 * category and zone are those of its network row at the month's end. ?1 the month, ?2 its last date; the month before
 * comes with it. */
#define PER_ACCOUNT                                                                                                    \
	"WITH usage AS (SELECT a.month, coalesce(n.account, c.meter) AS account,"                                      \
	" coalesce(nullif(n.category, ''), 'none') AS category, coalesce(nullif(n.zone, ''), 'none') AS zone,"         \
	" sum(a.total) AS total FROM agg_month a JOIN channel c USING (sid) LEFT JOIN network n ON n.meter=c.meter"    \
	" AND n.from_date=(SELECT max(from_date) FROM network m WHERE m.meter=c.meter AND m.from_date<=?2)"            \
	" WHERE a.month IN (?1, ?1-1) AND c.unit=0 AND c.channel NOT LIKE 'B%' GROUP BY 1, 2, 3, 4) "

struct report {
	const char *name, *sql;
	const char *columns[7];
};

static const struct report reports[] = {
	{"monthly",
	 PER_ACCOUNT
	 "SELECT category, zone, (SELECT count(*) FROM json_each(?3) s WHERE s.value*1000<total) AS slab, count(*),"
	 " sum(total) FROM usage WHERE month=?1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
	 {"category", "zone", "slab", "accounts", "energy_wh"}},
	{"change",
	 PER_ACCOUNT "SELECT category, zone, sum(iif(month=?1, total, 0)), sum(iif(month<>?1, total, 0)),"
		     " sum(iif(month=?1, total, -total)) FROM usage GROUP BY 1, 2 ORDER BY 1, 2",
	 {"category", "zone", "energy_wh", "month_before_wh", "change_wh"}},
	{"peak",
	 "SELECT strftime('%Y-%m-%d', a.day*86400, 'unixepoch'), sum(a.total), sum(a.n), max(a.peak) FROM agg_day a "
	 "JOIN channel c USING"
	 " (sid) WHERE a.day>?2-31 AND a.day<=?2 AND a.day>=?4 AND c.unit=0 AND c.channel NOT LIKE 'B%' AND ?1 IS NOT "
	 "NULL AND ?3 IS NOT"
	 " NULL GROUP BY a.day ORDER BY 2 DESC, 1 LIMIT 10",
	 {"day", "energy_wh", "readings", "largest_reading_wh"}},
};
#define REPORTS (sizeof reports / sizeof *reports)

static bool
is_text(const char *column)
{
	return strcmp(column, "category") == 0 || strcmp(column, "zone") == 0 || strcmp(column, "day") == 0;
}

static void
print_json_row(const struct report *r, struct tf_stmt *q, bool first)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	struct tf_json_out w = tf_json_out(&b);
	tf_json_begin_object(&w);
	for (int i = 0; r->columns[i]; i++)
		if (is_text(r->columns[i]))
			tf_json_set_str(&w, r->columns[i], tf_stmt_get_str(q, i));
		else
			tf_json_set_i64(&w, r->columns[i], tf_stmt_get_i64(q, i));
	tf_json_end_object(&w);
	printf("%s\n%.*s", first ? "" : ",", (int)b.n, (const char *)b.p);
	tf_buf_release(&b);
}

static void
print_table_row(const struct report *r, struct tf_stmt *q, bool first)
{
	for (int i = 0; first && r->columns[i]; i++)
		printf(is_text(r->columns[i]) ? "%-12s " : "%18s ", r->columns[i]);
	if (first)
		printf("\n");
	for (int i = 0; r->columns[i]; i++) {
		struct tf_str text = tf_stmt_get_str(q, i);
		if (is_text(r->columns[i]))
			printf("%-12.*s ", TF_FMT(text));
		else
			printf("%18.*s ", TF_FMT(text));
	}
	printf("\n");
}

static enum tf_err
print(struct meter_store *s, const struct report *r, int32_t month, struct tf_str slabs, bool json, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, r->sql, &q, f));
	tf_stmt_i64(q, 1, month);
	tf_stmt_i64(q, 2, tf_month_first_date(month + 1) - 1);
	if (strcmp(r->name, "change") != 0)
		tf_stmt_str(q, 3, slabs);
	if (strcmp(r->name, "peak") == 0)
		tf_stmt_i64(q, 4, tf_month_first_date(month));
	uint64_t rows = 0;
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f)))
		(json ? print_json_row : print_table_row)(r, q, rows++ == 0);
	tf_stmt_free(&q);
	if (e == TF_END)
		return rows ? TF_OK : tf_fault(f, TF_NOT_FOUND, "nothing is known of that month");
	return e;
}

/* "100,300" as the JSON array that the query takes. */
static enum tf_err
slab_array(struct tf_str text, struct tf_buf *out, struct tf_fault *f)
{
	struct tf_str part;
	uint64_t kwh, before = 0;
	tf_buf_u8(out, '[');
	while (tf_str_cut(&text, ',', &part)) {
		if (!tf_str_u64(tf_str_trim(part), &kwh) || kwh <= before || kwh > 1000000000)
			return tf_fault(f, TF_USAGE, "--slabs: '%.*s' is no kWh above the one before", TF_FMT(part));
		tf_buf_printf(out, "%s%" PRIu64, before ? "," : "", kwh);
		before = kwh;
	}
	tf_buf_u8(out, ']');
	return out->err ? tf_fault(f, out->err, "no memory for slabs") : TF_OK;
}

static const struct report *
find(const char *name)
{
	for (size_t i = 0; i < REPORTS; i++)
		if (strcmp(reports[i].name, name) == 0)
			return &reports[i];
	return NULL;
}

static enum tf_err
report(struct meter_cli *cli, const struct tf_args *a, struct tf_fault *f)
{
	const struct report *r = find(a->positional[0]);
	int32_t month;
	if (!r)
		return tf_fault(f, TF_USAGE, "'%.60s' is no report: monthly, change or peak", a->positional[0]);
	if (tf_month_parse(tf_args_text(a, "period"), &month))
		return tf_fault(f, TF_USAGE, "--period '%.*s' is not YYYY-MM", TF_FMT(tf_args_text(a, "period")));
	struct tf_buf slabs;
	tf_buf_init(&slabs, 0);
	struct meter_store *s = NULL;
	bool json = tf_args_flag(a, "json");
	enum tf_err e = slab_array(tf_args_text(a, "slabs"), &slabs, f);
	if (!e)
		e = meter_cli_open(cli, a, false, &s, f);
	if (!e && json)
		printf("{\"report\":\"%s\",\"rows\":[", r->name);
	if (!e)
		e = print(s, r, month, tf_buf_view(&slabs), json, f);
	if (s && json)
		printf("\n]}\n");
	meter_store_close(&s);
	tf_buf_release(&slabs);
	return e;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct tf_args a;
	int code;
	if (!meter_cli_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	return report(ctx, &a, &f) ? meter_cli_fail(&f) : meter_cli_finish(0);
}

const struct tf_command meter_cmd_report = {.name = "report",
					    .summary = "the regulator's month, month over month, peak days",
					    .positional = "monthly|change|peak",
					    .positional_min = 1,
					    .params = params,
					    .run = run};
