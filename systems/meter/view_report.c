/* Reports from the aggregates; see view_report.h. */
#include "view_report.h"

#include <inttypes.h>

/* Energy taken from the grid by account and month: channels that count Wh and are no export (NEM12's B). An account's
 * category and zone are those of its network row at the month's end. ?1 the month, ?2 its last date; the month before
 * comes with it. */
#define PER_ACCOUNT                                                                                                    \
	"WITH usage AS (SELECT a.month, coalesce(n.account, c.meter) AS account,"                                      \
	" coalesce(nullif(n.category, ''), 'none') AS category, coalesce(nullif(n.zone, ''), 'none') AS zone,"         \
	" sum(a.total) AS total FROM agg_month a JOIN channel c USING (sid) LEFT JOIN network n ON n.meter=c.meter"    \
	" AND n.from_date=(SELECT max(from_date) FROM network m WHERE m.meter=c.meter AND m.from_date<=?2)"            \
	" WHERE a.month IN (?1, ?1-1) AND c.unit=0 AND c.channel NOT LIKE 'B%' GROUP BY 1, 2, 3, 4) "

static const struct meter_report reports[] = {
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

bool
meter_report_is_text(const char *column)
{
	return strcmp(column, "category") == 0 || strcmp(column, "zone") == 0 || strcmp(column, "day") == 0;
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
			return tf_fault(f, TF_INVALID, "'%.*s' is no kWh above the one before", TF_FMT(part));
		tf_buf_printf(out, "%s%" PRIu64, before ? "," : "", kwh);
		before = kwh;
	}
	tf_buf_u8(out, ']');
	return out->err ? tf_fault(f, out->err, "no memory for slabs") : TF_OK;
}

const struct meter_report *
meter_report_find(struct tf_str name)
{
	for (size_t i = 0; i < REPORTS; i++)
		if (tf_str_eq(tf_str(reports[i].name), name))
			return &reports[i];
	return NULL;
}

static enum tf_err
run(struct meter_store *s, const struct meter_report *r, int32_t month, struct tf_str slabs, meter_report_each *each,
    void *ctx, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(s->catalog.db, r->sql, &q, f));
	tf_stmt_i64(q, 1, month);
	tf_stmt_i64(q, 2, tf_month_first_date(month + 1) - 1);
	if (strcmp(r->name, "change") != 0)
		tf_stmt_str(q, 3, slabs);
	if (strcmp(r->name, "peak") == 0)
		tf_stmt_i64(q, 4, tf_month_first_date(month));
	bool any = false;
	enum tf_err e;
	for (; !(e = tf_stmt_step(q, f)); any = true)
		if ((e = each(ctx, r, q, f)))
			break;
	tf_stmt_free(&q);
	return e != TF_END || any ? (e == TF_END ? TF_OK : e)
				  : tf_fault(f, TF_NOT_FOUND, "nothing is known of that month");
}

enum tf_err
meter_report_run(struct meter_store *s, const struct meter_report *r, int32_t month, struct tf_str slabs,
		 meter_report_each *each, void *ctx, struct tf_fault *f)
{
	struct tf_buf array;
	tf_buf_init(&array, 0);
	enum tf_err e = slab_array(slabs, &array, f);
	if (!e)
		e = run(s, r, month, tf_buf_view(&array), each, ctx, f);
	tf_buf_release(&array);
	return e;
}

void
meter_report_json(const struct meter_report *r, struct tf_stmt *q, struct tf_json_out *w)
{
	tf_json_begin_object(w);
	for (int i = 0; r->columns[i]; i++)
		if (meter_report_is_text(r->columns[i]))
			tf_json_set_str(w, r->columns[i], tf_stmt_get_str(q, i));
		else
			tf_json_set_i64(w, r->columns[i], tf_stmt_get_i64(q, i));
	tf_json_end_object(w);
}
