/* tenfold meter tier: what lies where, after moving what is due. */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "out_tier.h"
#include "report.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"now", TF_PARAM_TEXT, false, "TIME", NULL, 0, 0, "decide as of this time (the clock)"},
	{"warm-days", TF_PARAM_INT, false, "N", "7", 0, 3650, "local days that stay hot"},
	{"cold-months", TF_PARAM_INT, false, "N", "13", 1, 1200, "months that stay warm"},
	{"return-days", TF_PARAM_INT, false, "N", "5", 1, 7,
	 "days of the last 7 on which a cold month was read, to come back"},
	{"counters", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "on stderr: how often each cold month was read in 7 days"},
	{"dry-run", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "move nothing, only tell what lies where"},
	METER_PARAM_JSON,
	{0},
};

struct row {
	const char *name;
	const struct meter_tier_size *z;
};

static void
print_time(tf_time t, bool there)
{
	char text[40];
	if (there)
		printf("\"%s\"", tf_time_format(t, text));
	else
		printf("null");
}

static void
print_json(const struct row *rows, int count, const struct meter_tier_report *moved, const struct meter_sizes *z)
{
	printf("{\"tiers\":[");
	for (int i = 0; i < count; i++) {
		const struct meter_tier_size *t = rows[i].z;
		printf("%s{\"tier\":\"%s\",\"readings\":%" PRIu64 ",\"bytes\":%" PRIu64
		       ",\"bytes_per_reading\":%.4f,\"oldest\":",
		       i ? "," : "", rows[i].name, t->readings, t->bytes,
		       t->readings ? (double)t->bytes / (double)t->readings : 0.0);
		print_time(t->oldest, t->readings > 0);
		printf(",\"newest\":");
		print_time(t->newest, t->readings > 0);
		printf(",\"blocks\":%" PRIu64 "}", t->blocks);
	}
	printf("],\"moved\":[");
	int n = 0;
	for (uint32_t i = 0; i < moved->moved_count; i++) {
		const struct meter_tier_moved *m = &moved->moved[i];
		if (m->blocks)
			printf("%s{\"from\":\"%s\",\"to\":\"%s\",\"blocks\":%" PRIu64 ",\"readings\":%" PRIu64
			       ",\"bytes_before\":%" PRIu64 ",\"bytes_after\":%" PRIu64 "}",
			       n++ ? "," : "", meter_tier_names[m->from], meter_tier_names[m->to], m->blocks,
			       m->readings, m->bytes_before, m->bytes_after);
	}
	printf("],\"log_bytes\":%" PRIu64 ",\"log_bytes_trimmed\":%" PRIu64 ",\"disk_bytes\":%" PRIu64 "}\n",
	       z->log_bytes, moved->log_bytes_trimmed, z->disk_bytes);
}

static void
print_table(const struct row *rows, int count, const struct meter_tier_report *moved, const struct meter_sizes *z)
{
	printf("%-10s %14s %14s %8s  %-20s  %-20s\n", "tier", "readings", "bytes", "B/read.", "oldest", "newest");
	for (int i = 0; i < count; i++) {
		const struct meter_tier_size *t = rows[i].z;
		char oldest[40] = "-", newest[40] = "-";
		if (t->readings) {
			tf_time_format(t->oldest, oldest);
			tf_time_format(t->newest, newest);
		}
		printf("%-10s %14" PRIu64 " %14" PRIu64 " %8.3f  %-20s  %-20s\n", rows[i].name, t->readings, t->bytes,
		       t->readings ? (double)t->bytes / (double)t->readings : 0.0, oldest, newest);
	}
	printf("%-10s %14s %14" PRIu64 "\n%-10s %14s %14" PRIu64 "\n", "log", "", z->log_bytes, "all", "",
	       z->disk_bytes);
	for (uint32_t i = 0; i < moved->moved_count; i++)
		if (moved->moved[i].blocks)
			printf("moved %s to %s: %" PRIu64 " readings, %" PRIu64 " to %" PRIu64 " bytes\n",
			       meter_tier_names[moved->moved[i].from], meter_tier_names[moved->moved[i].to],
			       moved->moved[i].readings, moved->moved[i].bytes_before, moved->moved[i].bytes_after);
}

/* What the rule of the way back counts: on how many days, and how often, a bucket's cold month was read. */
static enum tf_err
print_counters(struct meter_store *s, struct tf_fault *f)
{
	struct tf_stmt *q;
	TF_TRY(tf_sql_prepare(
		s->catalog.db,
		"SELECT bucket, month, count(*), sum(opened), max(day) FROM access GROUP BY 1, 2 ORDER BY 1, 2", &q,
		f));
	enum tf_err e;
	while (!(e = tf_stmt_step(q, f))) {
		char month[16], day[16];
		fprintf(stderr, "bucket %" PRId64 ", %s: read on %" PRId64 " days, %" PRId64 " times, last on %s\n",
			tf_stmt_get_i64(q, 0), tf_month_format((int32_t)tf_stmt_get_i64(q, 1), month),
			tf_stmt_get_i64(q, 2), tf_stmt_get_i64(q, 3),
			tf_date_format((int32_t)tf_stmt_get_i64(q, 4), day));
	}
	tf_stmt_free(&q);
	return e == TF_END ? TF_OK : e;
}

static enum tf_err
tier(struct meter_cli *cli, const struct tf_args *a, struct meter_tier_report *moved, struct meter_sizes *z,
     struct tf_fault *f)
{
	struct meter_tier_rule rule = {(int32_t)tf_args_int(a, "warm-days"), (int32_t)tf_args_int(a, "cold-months"),
				       (int32_t)tf_args_int(a, "return-days")};
	tf_time now;
	bool dry = tf_args_flag(a, "dry-run");
	TF_TRY(meter_cli_time(cli, a, "now", "UTC", tf_os_now(cli->os), &now, f));
	struct meter_store *s;
	TF_TRY(dry ? meter_cli_open_log(cli, a, &s, f) : meter_cli_open(cli, a, true, &s, f));
	enum tf_err e = tf_args_flag(a, "counters") ? print_counters(s, f) : TF_OK;
	if (!e && !dry)
		e = meter_tier_move(s, &rule, now, moved, f);
	if (!e)
		e = meter_sizes(s, z, f);
	meter_store_close(&s);
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
	struct meter_tier_report moved = {0};
	struct meter_sizes z;
	if (tier(ctx, &a, &moved, &z, &f))
		return tf_program_fail(&f);
	struct row rows[METER_TIER_COUNT + 1] = {{"aggregate", &z.aggregate}};
	for (int i = 0; i < METER_TIER_COUNT; i++)
		rows[i] = (struct row){meter_tier_names[i], &z.tier[i]};
	rows[METER_TIER_COUNT] = (struct row){"aggregate", &z.aggregate};
	(tf_args_flag(&a, "json") ? print_json : print_table)(rows, METER_TIER_COUNT + 1, &moved, &z);
	return tf_program_finish(0);
}

const struct tf_command meter_cmd_tier = {
	.name = "tier", .summary = "move what is due; what lies where", .params = params, .run = run};
