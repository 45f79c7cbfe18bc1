/* tenfold meter simulate: meters in groups, a group's files one after the other, two groups side by side. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim_files.h"

enum { WORKERS = 2, FILE_BYTES = 32 << 20 };

static const struct sim_format *const formats[METER_SIM_FORMAT_COUNT] = {
	[METER_SIM_NEM12] = &sim_format_nem12,
	[METER_SIM_CSV] = &sim_format_csv,
	[METER_SIM_JSONL] = &sim_format_jsonl,
	[METER_SIM_CIM] = &sim_format_cim,
};

enum tf_err
meter_sim_format_parse(struct tf_str s, enum meter_sim_format *out, struct tf_fault *f)
{
	for (int i = 0; i < METER_SIM_FORMAT_COUNT; i++)
		if (tf_str_eq(s, tf_str(formats[i]->name))) {
			*out = (enum meter_sim_format)i;
			return TF_OK;
		}
	return tf_fault(f, TF_USAGE, "unknown format '%.*s': there are nem12, csv, jsonl and cim", TF_FMT(s));
}

void
meter_sim_report_release(struct meter_sim_report *r)
{
	tf_free(r->file);
	*r = (struct meter_sim_report){0};
}

static enum tf_err
add_file(struct meter_sim_report *r, const struct meter_sim_file *file, struct tf_fault *f)
{
	if (r->files == r->file_cap) {
		size_t cap = r->file_cap ? r->file_cap * 2 : 64;
		struct meter_sim_file *p = tf_realloc(r->file, cap * sizeof(*p));
		if (!p)
			return tf_fault(f, TF_NO_MEMORY, "cannot list the files");
		r->file = p;
		r->file_cap = cap;
	}
	r->file[r->files++] = *file;
	r->bytes += file->bytes;
	return TF_OK;
}

/* What a group found, added to the whole; the group's is empty then but keeps its memory. */
static enum tf_err
add_report(struct meter_sim_report *to, struct meter_sim_report *r, struct tf_fault *f)
{
	for (uint64_t i = 0; i < r->files; i++)
		TF_TRY(add_file(to, &r->file[i], f));
	to->meters += r->meters;
	to->channels += r->channels;
	to->readings += r->readings;
	to->import_wh += r->import_wh;
	to->export_wh += r->export_wh;
	for (int i = 0; i < METER_SIM_PROFILE_COUNT; i++)
		to->profiles[i] += r->profiles[i];
	to->faults.missing += r->faults.missing;
	to->faults.substituted += r->faults.substituted;
	to->faults.estimated += r->faults.estimated;
	to->faults.broken += r->faults.broken;
	to->faults.lost += r->faults.lost;
	to->faults.again += r->faults.again;
	to->faults.late += r->faults.late;
	*r = (struct meter_sim_report){.file = r->file, .file_cap = r->file_cap};
	return TF_OK;
}

static void
make_meters(struct sim_job *j)
{
	const struct sim_run *run = j->run;
	uint32_t row = 0;
	j->first = j->group * run->group_meters;
	j->count = run->o->meters - j->first < run->group_meters ? run->o->meters - j->first : run->group_meters;
	for (uint64_t i = 0; i < j->count; i++) {
		struct meter_sim_meter *m = &j->meter[i];
		if (run->o->plain)
			meter_sim_meter_init_as(m, run->o->seed, j->first + i, METER_SIM_HOME);
		else
			meter_sim_meter_init(m, run->o->seed, j->first + i);
		m->south = run->south;
		j->channel_at[i] = row;
		j->held_date[i] = INT32_MIN;
		row += m->channels;
		j->report.profiles[m->profile]++;
	}
	j->channel_at[j->count] = row;
	j->report.meters += j->count;
	j->report.channels += row;
}

static enum tf_err
write_named(struct sim_job *j, const char *middle, const char *behind,
	    enum tf_err (*write)(struct sim_job *, struct tf_fault *), struct tf_fault *f)
{
	struct meter_sim_file file = {.bytes = 0};
	const struct sim_format *format = j->run->format;
	snprintf(file.name, sizeof(file.name), "%s-%s%05" PRIu64 "%s%s", format->name, middle, j->group + 1, behind,
		 format->suffix);
	TF_TRY(sim_out_open(&j->out, j->run->dir, file.name, f));
	TF_TRY(write(j, f));
	TF_TRY(sim_out_close(&j->out, &file.bytes, f));
	return add_file(&j->report, &file, f);
}

/* A group's file; where deliveries have faults the first of all comes twice. */
static enum tf_err
write_delivery(struct sim_job *j, const char *middle, bool first, struct tf_fault *f)
{
	TF_TRY(write_named(j, middle, "", j->run->format->write, f));
	if (!first || !j->run->o->faults)
		return TF_OK;
	j->again = true;
	j->report.faults.again++;
	enum tf_err e = write_named(j, middle, "-again", j->run->format->write, f);
	j->again = false;
	return e;
}

static enum tf_err
write_late(struct sim_job *j, struct tf_fault *f)
{
	const struct sim_run *run = j->run;
	const struct sim_format *format = run->format;
	if (format->begin_late)
		TF_TRY(format->begin_late(j, f));
	for (uint32_t day = 0; day < run->o->days; day++) {
		TF_TRY(sim_span_set(j, day, f));
		for (uint64_t i = 0; i < j->count; i++)
			for (uint32_t channel = 0; channel < j->meter[i].channels; channel++) {
				struct sim_plan plan =
					sim_plan_of(&j->meter[i], channel, j->span.date, run->o->faults, j->span.count);
				if (plan.kind == SIM_PLAN_ESTIMATED)
					format->correct(j, i, channel);
			}
	}
	if (format->end_late)
		format->end_late(j);
	return TF_OK;
}

static enum tf_err
write_group(struct sim_job *j, struct tf_fault *f)
{
	const struct sim_run *run = j->run;
	make_meters(j);
	j->late = false;
	if (run->format->reading_bytes) {
		TF_TRY(write_delivery(j, "", j->group == 0, f));
	} else {
		for (uint32_t day = 0; day < run->o->days; day++) {
			char date[16], middle[20];
			TF_TRY(sim_span_set(j, day, f));
			if (!j->span.count)
				continue; /* a date the zone skipped */
			snprintf(middle, sizeof(middle), "%s-", tf_date_format(j->span.date, date));
			TF_TRY(write_delivery(j, middle, j->group == 0 && day == 0, f));
		}
	}
	if (!j->late)
		return TF_OK;
	j->report.faults.late++;
	return write_named(j, "late-", "", write_late, f);
}

static void
run_group(void *arg)
{
	struct sim_job *j = arg;
	j->err = write_group(j, &j->fault);
}

static void
job_release(struct sim_job *j)
{
	sim_out_release(&j->out);
	tf_free(j->meter);
	tf_free(j->channel_at);
	tf_free(j->held);
	tf_free(j->held_date);
	tf_free(j->rows);
	tf_free(j->thousand);
	meter_sim_report_release(&j->report);
}

static enum tf_err
job_init(struct sim_job *j, const struct sim_run *run, struct tf_fault *f)
{
	size_t meters = run->group_meters, channels = meters * 2;
	*j = (struct sim_job){.run = run};
	j->meter = tf_calloc(meters, sizeof(*j->meter));
	j->channel_at = tf_calloc(meters + 1, sizeof(*j->channel_at));
	j->held = tf_calloc(channels * run->day_slots, sizeof(*j->held));
	j->held_date = tf_calloc(meters, sizeof(*j->held_date));
	j->rows = tf_calloc(channels * SIM_SLOTS_MAX, sizeof(*j->rows));
	j->thousand = tf_calloc(1000, sizeof(*j->thousand));
	if (!j->meter || !j->channel_at || !j->held || !j->held_date || !j->rows || !j->thousand)
		return tf_fault(f, TF_NO_MEMORY, "cannot hold %zu meters", meters);
	for (uint32_t i = 0; i < 1000; i++) {
		char *p = j->thousand[i];
		p[0] = (char)('0' + i / 100);
		p[1] = (char)('0' + i / 10 % 10);
		p[2] = (char)('0' + i % 10);
		p[3] = ',';
	}
	return sim_out_init(&j->out, run->os, f);
}

/* Groups first .. first + n - 1 side by side; what they found is added in their order. */
static enum tf_err
run_wave(struct sim_job *jobs, uint64_t first, uint32_t n, struct meter_sim_report *report, struct tf_fault *f)
{
	struct tf_worker *worker[WORKERS] = {0};
	enum tf_err e = TF_OK;
	for (uint32_t i = 0; i < n; i++)
		jobs[i].group = first + i;
	for (uint32_t i = 1; i < n && e == TF_OK; i++)
		e = tf_os_start(jobs[i].run->os, run_group, &jobs[i], &worker[i], f);
	if (e == TF_OK)
		run_group(&jobs[0]);
	for (uint32_t i = 1; i < n; i++)
		tf_worker_join(&worker[i]);
	for (uint32_t i = 0; i < n && e == TF_OK; i++) {
		e = jobs[i].err;
		if (e != TF_OK && f)
			*f = jobs[i].fault;
		if (e == TF_OK)
			e = add_report(report, &jobs[i].report, f);
	}
	return e;
}

static enum tf_err
run_groups(const struct sim_run *run, struct meter_sim_report *report, struct tf_fault *f)
{
	const struct meter_sim_options *o = run->o;
	uint64_t groups = (o->meters + run->group_meters - 1) / run->group_meters;
	struct sim_job jobs[WORKERS] = {0};
	enum tf_err e = TF_OK;
	for (uint32_t i = 0; i < WORKERS && i < groups && e == TF_OK; i++)
		e = job_init(&jobs[i], run, f);
	for (uint64_t g = 0; g < groups && e == TF_OK; g += WORKERS) {
		e = run_wave(jobs, g, groups - g < WORKERS ? (uint32_t)(groups - g) : WORKERS, report, f);
		if (o->progress && e == TF_OK)
			o->progress(o->progress_ctx, report->meters * o->days, o->meters * o->days);
	}
	for (uint32_t i = 0; i < WORKERS; i++)
		job_release(&jobs[i]);
	return e;
}

static enum tf_err
check(const struct meter_sim_options *o, struct tf_fault *f)
{
	static const uint32_t intervals[] = {5, 10, 15, 20, 30, 60};
	bool fits = false;
	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++)
		fits |= o->interval_minutes == intervals[i];
	if (o->format == METER_SIM_NEM12 && fits)
		fits = o->interval_minutes == 5 || o->interval_minutes == 15 || o->interval_minutes == 30;
	if (!fits)
		return tf_fault(f, TF_INVALID, "no interval of %u minutes: there are %s", o->interval_minutes,
				o->format == METER_SIM_NEM12 ? "5, 15 and 30 in NEM12" : "5, 10, 15, 20, 30 and 60");
	if (!o->meters || o->meters > METER_SIM_METERS_MAX)
		return tf_fault(f, TF_INVALID, "no %" PRIu64 " meters: 1 to %u", o->meters, METER_SIM_METERS_MAX);
	if (!o->days || o->days > METER_SIM_DAYS_MAX)
		return tf_fault(f, TF_INVALID, "no %u days: 1 to %u", o->days, METER_SIM_DAYS_MAX);
	if (o->faults > 10000)
		return tf_fault(f, TF_INVALID, "no %u faults of 10000", o->faults);
	int64_t last = ((int64_t)o->start_date + o->days + 2) * TF_DAY;
	if ((int64_t)o->start_date * TF_DAY < TF_TIME_FIRST + 3 * TF_DAY || last > TF_TIME_LAST)
		return tf_fault(f, TF_INVALID, "the days lie outside the years 1900 to 2199");
	return TF_OK;
}

/* Is it summer in January? By the clock: zones without daylight saving count as northern. */
static bool
in_the_south(const struct tf_zone *zone, int32_t date)
{
	int year, month, day;
	int32_t january, july;
	bool in_january, in_july;
	tf_date_to_civil(date, &year, &month, &day);
	if (tf_date_from_civil(year, 1, 15, &january) != TF_OK || tf_date_from_civil(year, 7, 15, &july) != TF_OK)
		return false;
	int32_t a = tf_zone_offset(zone, january * TF_DAY, &in_january),
		b = tf_zone_offset(zone, july * TF_DAY, &in_july);
	return a > b;
}

/* The clocks of the run: standard time, which must be one all along, and how far the wall clock is ahead by date. */
static enum tf_err
set_clocks(struct sim_run *run, struct tf_fault *f)
{
	const struct meter_sim_options *o = run->o;
	uint32_t n = o->days + SIM_SHIFT_BEFORE + 3;
	int32_t first = o->start_date - SIM_SHIFT_BEFORE;
	run->offset_s = tf_zone_standard_offset(o->zone, (tf_time)o->start_date * TF_DAY);
	run->south = in_the_south(o->zone, o->start_date);
	run->shift = tf_calloc(n, sizeof(*run->shift));
	if (!run->shift)
		return tf_fault(f, TF_NO_MEMORY, "cannot hold the clocks of %u days", o->days);
	for (uint32_t i = 0; i < n; i++) {
		tf_time noon = (first + (int32_t)i) * TF_DAY + TF_DAY / 2 - run->offset_s * TF_SEC;
		bool asked = i >= SIM_SHIFT_BEFORE && i < SIM_SHIFT_BEFORE + o->days;
		if (asked && tf_zone_standard_offset(o->zone, noon) != run->offset_s) {
			char text[16];
			return tf_fault(f, TF_INVALID,
					"cannot simulate past %s: zone '%s' has another standard time then",
					tf_date_format(first + (int32_t)i, text), tf_zone_name(o->zone));
		}
		run->shift[i] = (int16_t)((tf_zone_offset(o->zone, noon, NULL) - run->offset_s) / 60);
	}
	return TF_OK;
}

static enum tf_err
write_all(struct sim_run *run, struct meter_sim_report *report, struct tf_fault *f)
{
	const struct meter_sim_options *o = run->o;
	run->format = formats[o->format];
	run->interval_s = o->interval_minutes * 60;
	run->day_slots = SIM_DAY_S / run->interval_s;
	run->group_meters = run->format->group_meters;
	if (run->format->reading_bytes) {
		uint64_t fits = FILE_BYTES / ((uint64_t)o->days * run->day_slots * run->format->reading_bytes);
		run->group_meters = fits < 1 ? 1 : fits < run->group_meters ? fits : run->group_meters;
	}
	if (run->group_meters > o->meters)
		run->group_meters = o->meters;
	TF_TRY(set_clocks(run, f));
	TF_TRY(tf_os_mkdirs(run->os, run->dir, f));
	return run_groups(run, report, f);
}

enum tf_err
meter_sim_write(struct tf_os *os, const struct meter_sim_options *options, const char *out_dir,
		struct meter_sim_report *out, struct tf_fault *f)
{
	struct meter_sim_options o = *options;
	struct tf_zone *utc = NULL;
	TF_ASSERT(o.format < METER_SIM_FORMAT_COUNT);
	TF_TRY(check(&o, f));
	if (!o.zone) {
		TF_TRY(tf_zone_fixed(TF_STR("UTC"), 0, &utc, f));
		o.zone = utc;
	}
	struct sim_run run = {.os = os, .o = &o, .dir = out_dir};
	struct meter_sim_report report = {0};
	enum tf_err e = write_all(&run, &report, f);
	tf_free(run.shift);
	tf_zone_free(&utc);
	if (e != TF_OK)
		meter_sim_report_release(&report);
	else
		*out = report;
	return e;
}
