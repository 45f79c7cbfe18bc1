/* The simulator's files, behind sim_write.c: what is run, a worker's job, its output, and one function table a format.
 */
#pragma once
#include "sim_model.h"

enum {
	SIM_SLOTS_MAX = 300, /* of a 25-hour day of 5 minutes */
	SIM_STAMP_N = 25,    /* "2026-03-29T00:00:00+01:00" */
	SIM_OUT_SIZE = 1 << 20,
	SIM_SHIFT_BEFORE = 2,
	SIM_ROOM_MAX = 1 << 16, /* what one call of sim_out_room may ask for */
};

/* A correction is issued so long after what it corrects. */
#define SIM_LATE (7 * TF_DAY)

/* In place of a value: never delivered; delivered as what is no number. */
#define SIM_ABSENT (-1)
#define SIM_BROKEN (-2)

/* A file being written. Errors stick and are asked for at the end. */
struct sim_out {
	struct tf_os *os;
	struct tf_file *file;
	char *path, *tmp;
	char *p;
	size_t n;
	uint64_t written;
	enum tf_err err;
	struct tf_fault fault;
};

enum tf_err sim_out_init(struct sim_out *out, struct tf_os *os, struct tf_fault *f) TF_MUST_USE;
void sim_out_release(struct sim_out *out);
enum tf_err sim_out_open(struct sim_out *out, const char *dir, const char *name, struct tf_fault *f) TF_MUST_USE;
/* Room for n bytes; the caller says with sim_out_to where it ended. */
char *sim_out_room(struct sim_out *out, size_t n);
static inline void
sim_out_to(struct sim_out *out, const char *end)
{
	out->n = (size_t)(end - out->p);
}
static inline char *
sim_put_digits(char *p, uint32_t v)
{
	char digits[10];
	int n = 0;
	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		*p++ = digits[--n];
	return p;
}
/* "1234", without a NUL; needs 10 bytes. */
static inline char *
sim_put_number(char *p, uint32_t v)
{
	if (v >= 1000) {
		p = sim_put_digits(p, v / 1000);
		v %= 1000;
		*p++ = (char)('0' + v / 100);
		*p++ = (char)('0' + v / 10 % 10);
	} else {
		if (v >= 100)
			*p++ = (char)('0' + v / 100);
		if (v >= 10)
			*p++ = (char)('0' + v / 10 % 10);
	}
	*p++ = (char)('0' + v % 10);
	return p;
}
void sim_out_printf(struct sim_out *out, const char *fmt, ...) TF_PRINTF(2, 3);
/* Gives the file its name. */
enum tf_err sim_out_close(struct sim_out *out, uint64_t *out_bytes, struct tf_fault *f) TF_MUST_USE;

/* Faults of one channel's day; the same for the same meter, channel, date and rate. */
enum sim_plan_kind { SIM_PLAN_NONE, SIM_PLAN_MISSING, SIM_PLAN_ESTIMATED, SIM_PLAN_SUBSTITUTED, SIM_PLAN_BROKEN };
struct sim_plan {
	enum sim_plan_kind kind;
	uint32_t from, to; /* intervals */
};
struct sim_plan sim_plan_of(const struct meter_sim_meter *m, uint32_t channel, int32_t date, uint32_t rate,
			    uint32_t count);
/* Values as they are delivered; of a broken record as they are true. */
void sim_plan_apply(const struct sim_plan *p, int32_t *values, uint32_t count);

/* A day to be delivered: local, or (NEM12) standard. */
struct sim_span {
	int32_t date;
	int64_t first; /* interval number since 1970-01-01 in standard time */
	uint32_t count;
	tf_time start, issued;
	/* Start of each interval and of the one after the last, with offset. */
	char stamp[SIM_SLOTS_MAX + 1][SIM_STAMP_N + 1];
};

struct sim_run {
	struct tf_os *os;
	const struct meter_sim_options *o;
	const struct sim_format *format;
	const char *dir;
	uint32_t interval_s, day_slots;
	int32_t offset_s; /* standard time's */
	bool south;
	int16_t *shift; /* minutes the wall clock is ahead, by date from SIM_SHIFT_BEFORE before the first */
	uint64_t group_meters;
};

/* One group of meters and its files. */
struct sim_job {
	const struct sim_run *run;
	uint64_t group, first, count;
	struct meter_sim_meter *meter;
	uint32_t *channel_at; /* of each meter, its first row below; count + 1 */
	int32_t *held;        /* the standard day made last, by row */
	int32_t *held_date;   /* by meter */
	int32_t *rows;        /* SIM_SLOTS_MAX a row: the group's day */
	struct sim_span span;
	struct sim_out out;
	struct meter_sim_report report;
	char (*thousand)[4]; /* "000," to "999," */
	bool again;          /* the file is written once more: not counted */
	bool late;           /* there is something to correct */
	enum tf_err err;
	struct tf_fault fault;
};

struct sim_format {
	const char *name, *suffix;
	uint64_t group_meters;  /* at most */
	uint32_t reading_bytes; /* about; of a format whose file holds all days. 0: a file holds one local day */
	/* A file's text: of all days, or of j->span. */
	enum tf_err (*write)(struct sim_job *j, struct tf_fault *f);
	/* A file of corrections: begin and end may be NULL; correct writes a channel's day of j->span as it is true. */
	enum tf_err (*begin_late)(struct sim_job *j, struct tf_fault *f);
	void (*correct)(struct sim_job *j, uint64_t meter, uint32_t channel);
	void (*end_late)(struct sim_job *j);
};
extern const struct sim_format sim_format_nem12, sim_format_csv, sim_format_jsonl, sim_format_cim;

/* The span of day number day (0 .. days - 1) into j->span. */
enum tf_err sim_span_set(struct sim_job *j, uint32_t day, struct tf_fault *f) TF_MUST_USE;
/* One meter's true values of the span; returns its rows (channels of them, SIM_SLOTS_MAX apart). */
int32_t *sim_span_rows(struct sim_job *j, uint64_t meter);
/* Counts what a reader will hold of one channel's day. */
void sim_count(struct sim_job *j, uint32_t channel, const struct sim_plan *p, const int32_t *truth,
	       const int32_t *given);
/* "S000000001" of a group's meter; needs 16 bytes. */
void sim_meter_name(const struct sim_job *j, uint64_t meter, char out[static 16]);
static inline const char *
sim_channel_name(uint32_t channel)
{
	return channel ? "B1" : "E1";
}
