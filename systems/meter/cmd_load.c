/* tenfold meter load: files in. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "load.h"

static const struct tf_param params[] = {
	METER_PARAM_DATA,
	{"zone", TF_PARAM_TEXT, false, "ZONE", NULL, 0, 0,
	 "IANA zone of times without offset, and of local days (UTC)"},
	{"format", TF_PARAM_TEXT, false, "NAME", NULL, 0, 0,
	 "instead of recognising it: nem12 nem13 csv jsonl espi cim"},
	{"unit", TF_PARAM_TEXT, false, "UNIT", NULL, 0, 0,
	 "where files do not say: Wh kWh MWh varh kvarh VAh kVAh W kW (Wh)"},
	{"interval", TF_PARAM_INT, false, "MINUTES", NULL, 1, 1440, "where files do not say (from the data)"},
	{"channel", TF_PARAM_TEXT, false, "NAME", NULL, 0, 0, "where files do not say (E1)"},
	{"meter", TF_PARAM_TEXT, false, "ID", NULL, 0, 0, "where files do not say (the file's name)"},
	METER_PARAM_JSON,
	{0},
};

static enum tf_err
parse_unit(struct tf_str text, struct meter_in_options *in, struct tf_fault *f)
{
	static const struct {
		const char *name;
		enum meter_unit unit;
		int8_t exponent;
	} units[] = {{"Wh", METER_WH, 0},      {"kWh", METER_WH, 3},  {"MWh", METER_WH, 6},   {"varh", METER_VARH, 0},
		     {"kvarh", METER_VARH, 3}, {"VAh", METER_VAH, 0}, {"kVAh", METER_VAH, 3}, {"W", METER_W, 0},
		     {"kW", METER_W, 3},       {"L", METER_LITRE, 0}};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (tf_str_eq_nocase(text, tf_str(units[i].name))) {
			in->unit = units[i].unit;
			in->unit_exponent = units[i].exponent;
			return TF_OK;
		}
	return tf_fault(f, TF_USAGE, "unknown unit '%.*s'", TF_FMT(text));
}

struct progress {
	int file, files;
	int percent;
};

static void
progress(void *ctx, const char *name, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;
	int percent = total ? (int)(done * 100 / total) : 100;
	if (percent == p->percent)
		return;
	p->percent = percent;
	fprintf(stderr, "\r\033[Kfile %d of %d: %3d%% of %.60s", p->file, p->files, percent, name);
}

static int
load_files(struct meter_store *s, const struct tf_args *a, const struct meter_load_options *o,
	   struct meter_load_result *r)
{
	struct progress *p = o->progress_ctx;
	int code = 0;
	for (int i = 0; i < a->positional_count; i++) {
		struct tf_fault f = {0};
		*p = (struct progress){i + 1, a->positional_count, -1};
		enum tf_err e = meter_load_file(s, a->positional[i], o, r, &f);
		if (o->progress)
			fprintf(stderr, "\r\033[K");
		if (!e)
			continue;
		int exit = tf_program_fail(&f);
		if (exit > 2)
			return exit; /* the store is broken, not the file */
		code = exit;
	}
	return code;
}

static void
print(const struct tf_args *a, const struct meter_load_result *r, double seconds)
{
	const char *form = tf_args_flag(a, "json")
				   ? "{\"files\":%" PRIu64 ",\"readings\":%" PRIu64 ",\"accepted\":%" PRIu64
				     ",\"duplicate\":%" PRIu64 ",\"superseded\":%" PRIu64 ",\"quarantined\":%" PRIu64
				     ",\"seconds\":%.3f}\n"
				   : "files        %12" PRIu64 "\nreadings     %12" PRIu64 "\naccepted     %12" PRIu64
				     "\nduplicate    %12" PRIu64 "\nsuperseded   %12" PRIu64 "\nquarantined  %12" PRIu64
				     "\nseconds      %12.3f\n";
	printf(form, r->files, r->counts.readings, r->counts.accepted, r->counts.duplicate, r->counts.superseded,
	       r->quarantined, seconds);
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct meter_cli *cli = ctx;
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct progress p;
	struct meter_load_options o = {
		.zone = tf_args_text(&a, "zone"), .progress_ctx = &p, .progress = isatty(2) ? progress : NULL};
	o.in.interval_s = (uint32_t)tf_args_int(&a, "interval") * 60;
	o.in.format = tf_args_text(&a, "format");
	o.in.channel = tf_args_text(&a, "channel");
	o.in.meter = tf_args_text(&a, "meter");
	struct tf_zone *zone = NULL;
	if ((tf_args_given(&a, "unit") && parse_unit(tf_args_text(&a, "unit"), &o.in, &f)) ||
	    (o.zone.n && tf_os_zone(cli->os, o.zone, &zone, &f)))
		return tf_program_fail(&f);
	o.in.zone = zone;
	struct meter_store *s;
	struct meter_load_result r = {0};
	tf_dur begun = tf_os_ticks(cli->os);
	if (meter_cli_open(cli, &a, true, &s, &f)) {
		tf_zone_free(&zone);
		return tf_program_fail(&f);
	}
	code = load_files(s, &a, &o, &r);
	meter_store_close(&s);
	tf_zone_free(&zone);
	if (code > 2)
		return code;
	if (r.rounded)
		fprintf(stderr,
			"tenfold meter: %" PRIu64
			" values have more decimals than a whole Wh has and were rounded; files "
			"in kWh that do not say so want --unit kWh\n",
			r.rounded);
	print(&a, &r, (double)(tf_os_ticks(cli->os) - begun) / 1e6);
	return tf_program_finish(code ? code : r.quarantined ? 1 : 0);
}

const struct tf_command meter_cmd_load = {.name = "load",
					  .summary = "take interval files in",
					  .positional = "FILE...",
					  .positional_min = 1,
					  .params = params,
					  .run = run};
