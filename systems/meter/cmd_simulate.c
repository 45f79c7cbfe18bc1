/* tenfold meter simulate: a head-end's files, made up. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "sim.h"

static const struct tf_param params[] = {
	{"meters", TF_PARAM_INT, true, "N", NULL, 1, METER_SIM_METERS_MAX, "how many"},
	{"days", TF_PARAM_INT, true, "D", NULL, 1, METER_SIM_DAYS_MAX, "how many"},
	{"start", TF_PARAM_TEXT, true, "DATE", NULL, 0, 0, "first day, YYYY-MM-DD"},
	{"interval", TF_PARAM_INT, false, "MINUTES", "15", 5, 60, "5, 10, 15, 20, 30 or 60"},
	{"zone", TF_PARAM_TEXT, false, "ZONE", "UTC", 0, 0, "IANA zone of the days"},
	{"seed", TF_PARAM_INT, false, "S", "1", 0, INT64_MAX, "same seed, same bytes"},
	{"format", TF_PARAM_TEXT, false, "NAME", "nem12", 0, 0, "nem12 csv jsonl cim"},
	{"faults", TF_PARAM_INT, false, "RATE", "0", 0, 10000, "of 10,000 channel days, how many have a fault"},
	{"plain", TF_PARAM_FLAG, false, NULL, NULL, 0, 0, "homes only: no shops, pumps, panels"},
	{"out", TF_PARAM_TEXT, true, "DIR", NULL, 0, 0, "where the files go; created"},
	METER_PARAM_JSON,
	{0},
};

static void
progress(void *ctx, uint64_t done, uint64_t total)
{
	fprintf(stderr, "\r\033[K%3d%% of the meters", (int)(done * 100 / total));
}

static void
print_text(const struct meter_sim_report *r, double seconds)
{
	printf("files     %16" PRIu64 "\nmeters    %16" PRIu64 "\nchannels  %16" PRIu64 "\nreadings  %16" PRIu64
	       "\nbytes     %16" PRIu64 "\nWh in     %16" PRId64 "\nWh out    %16" PRId64 "\nseconds   %16.3f\n",
	       r->files, r->meters, r->channels, r->readings, r->bytes, r->import_wh, r->export_wh, seconds);
	for (int i = 0; i < METER_SIM_PROFILE_COUNT; i++)
		printf("%-10s%16" PRIu64 "\n", meter_sim_profile_text((enum meter_sim_profile)i), r->profiles[i]);
	const struct meter_sim_faults *f = &r->faults;
	if (f->again)
		printf("faults: intervals missing %" PRIu64 ", substituted %" PRIu64
		       ", estimated and corrected %" PRIu64 ", lost %" PRIu64 " in %" PRIu64
		       " broken records; files again %" PRIu64 ", of corrections %" PRIu64 "\n",
		       f->missing, f->substituted, f->estimated, f->lost, f->broken, f->again, f->late);
}

static void
print_json(const struct meter_sim_report *r, double seconds)
{
	const struct meter_sim_faults *f = &r->faults;
	printf("{\"files\":%" PRIu64 ",\"meters\":%" PRIu64 ",\"channels\":%" PRIu64 ",\"readings\":%" PRIu64
	       ",\"bytes\":%" PRIu64 ",\"import_wh\":%" PRId64 ",\"export_wh\":%" PRId64
	       ",\"seconds\":%.3f,\"profiles\":{",
	       r->files, r->meters, r->channels, r->readings, r->bytes, r->import_wh, r->export_wh, seconds);
	for (int i = 0; i < METER_SIM_PROFILE_COUNT; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", meter_sim_profile_text((enum meter_sim_profile)i),
		       r->profiles[i]);
	printf("},\"faults\":{\"missing\":%" PRIu64 ",\"substituted\":%" PRIu64 ",\"estimated\":%" PRIu64
	       ",\"broken\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"again\":%" PRIu64 ",\"late\":%" PRIu64 "},\"file\":[",
	       f->missing, f->substituted, f->estimated, f->broken, f->lost, f->again, f->late);
	for (uint64_t i = 0; i < r->files; i++)
		printf("%s{\"name\":\"%s\",\"bytes\":%" PRIu64 "}", i ? "," : "", r->file[i].name, r->file[i].bytes);
	printf("]}\n");
}

static enum tf_err
simulate(struct meter_cli *cli, const struct tf_args *a, struct meter_sim_report *out, struct tf_fault *f)
{
	struct meter_sim_options o = {
		.meters = (uint64_t)tf_args_int(a, "meters"),
		.days = (uint32_t)tf_args_int(a, "days"),
		.interval_minutes = (uint32_t)tf_args_int(a, "interval"),
		.seed = (uint64_t)tf_args_int(a, "seed"),
		.faults = (uint32_t)tf_args_int(a, "faults"),
		.plain = tf_args_flag(a, "plain"),
		.progress = isatty(2) ? progress : NULL,
	};
	struct tf_str start = tf_args_text(a, "start");
	if (tf_date_parse(start, &o.start_date) != TF_OK)
		return tf_fault(f, TF_USAGE, "no date '%.*s': --start takes YYYY-MM-DD", TF_FMT(start));
	TF_TRY(meter_sim_format_parse(tf_args_text(a, "format"), &o.format, f));
	struct tf_zone *zone = NULL;
	TF_TRY(tf_os_zone(cli->os, tf_args_text(a, "zone"), &zone, f));
	o.zone = zone;
	enum tf_err e = meter_sim_write(cli->os, &o, tf_args_cstr(a, "out"), out, f);
	tf_zone_free(&zone);
	if (o.progress)
		fprintf(stderr, "\r\033[K");
	return e;
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct meter_cli *cli = ctx;
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct meter_sim_report r = {0};
	struct tf_fault f = {0};
	tf_time began = tf_os_ticks(cli->os);
	if (simulate(cli, &a, &r, &f) != TF_OK)
		return tf_program_fail(&f);
	double seconds = (double)(tf_os_ticks(cli->os) - began) / 1e6;
	if (tf_args_flag(&a, "json"))
		print_json(&r, seconds);
	else
		print_text(&r, seconds);
	meter_sim_report_release(&r);
	return tf_program_finish(0);
}

const struct tf_command meter_cmd_simulate = {
	.name = "simulate",
	.summary = "write a head-end's files for any number of meters",
	.params = params,
	.run = run,
};
