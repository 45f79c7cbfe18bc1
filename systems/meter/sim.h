/* Simulated meters: load of the kind real meters have, and the files a head-end would deliver.
 *
 * Any day of any meter is a pure function of (seed, meter, date): it is made without those before it, in integers
 * alone, so the same on every machine. A reading is the difference of two states of a register that counts whole Wh, so
 * that two intervals of 15 minutes give exactly their 30 minutes. Days here are standard-time days of 86,400 s; the
 * writer cuts local days out of them, 23 and 25 hours included. Profiles and their shares: METER_SIM_PROFILES. How
 * close a simulated home is to a measured one: docs/simulator.md. Thread rule: a meter is constant once made; the
 * generator has no other state. */
#pragma once
#include "os/os.h"

/* X(name, text, share of 1000, what) */
#define METER_SIM_PROFILES(X)                                                                                          \
	X(HOME, "household", 850, "a home: E1")                                                                        \
	X(SHOP, "shop", 70, "opening hours, cooling, light: E1")                                                       \
	X(PUMP, "pump", 20, "a motor that runs for hours, else nothing: E1")                                           \
	X(SOLAR, "solar", 60, "a home with panels on its roof: E1 in, B1 out")

enum meter_sim_profile {
#define X(name, text, share, what) METER_SIM_##name,
	METER_SIM_PROFILES(X)
#undef X
		METER_SIM_PROFILE_COUNT
};

#define METER_SIM_PARAMS 40

struct meter_sim_meter {
	uint64_t key, weather; /* of its random numbers, and of those all meters share */
	enum meter_sim_profile profile;
	uint32_t channels;           /* 1: E1; 2: E1 and B1 */
	bool south;                  /* midsummer in January; false as made */
	int32_t p[METER_SIM_PARAMS]; /* the profile's values */
};

/* Meter number index of a seed; its profile follows the shares. */
void meter_sim_meter_init(struct meter_sim_meter *m, uint64_t seed, uint64_t index);
/* The same with a given profile. */
void meter_sim_meter_init_as(struct meter_sim_meter *m, uint64_t seed, uint64_t index, enum meter_sim_profile profile);
const char *meter_sim_profile_text(enum meter_sim_profile p);

/* A day's readings in Wh. date: days since 1970-01-01. shift_minutes: how far the wall clock people live by is ahead of
 * standard time on that day, 0 or usually 60. slots: 24, 48, 72, 96, 144 or 288. out_export may be NULL; a meter of one
 * channel gets zeros there. */
void meter_sim_day(const struct meter_sim_meter *m, int32_t date, int32_t shift_minutes, uint32_t slots,
		   int64_t *out_import, int64_t *out_export);

#define METER_SIM_FORMATS(X)                                                                                           \
	X(NEM12, "nem12", "AEMO MDFF: standard time all the year, a file for so many meters")                          \
	X(CSV, "csv", "wide: a row an interval, a column a meter; a file for each local day")                          \
	X(JSONL, "jsonl", "a line for each channel and local day")                                                     \
	X(CIM, "cim", "IEC 61968-9 MeterReadings, a file for each local day")

enum meter_sim_format {
#define X(name, text, what) METER_SIM_##name,
	METER_SIM_FORMATS(X)
#undef X
		METER_SIM_FORMAT_COUNT
};

/* "nem12" -> METER_SIM_NEM12; TF_USAGE names the ones there are. */
enum tf_err meter_sim_format_parse(struct tf_str s, enum meter_sim_format *out, struct tf_fault *f) TF_MUST_USE;

#define METER_SIM_METERS_MAX 999999999u
#define METER_SIM_DAYS_MAX   36600u

struct meter_sim_options {
	uint64_t meters;
	uint32_t days;
	int32_t start_date;
	uint32_t interval_minutes;  /* 5, 10, 15, 20, 30 or 60; NEM12: 5, 15, 30 */
	const struct tf_zone *zone; /* NULL: UTC */
	uint64_t seed;
	enum meter_sim_format format;
	/* Of 10,000 channel days, how many have a fault. With any, the first file also comes twice (name-again), and
	 * what was estimated is corrected by a later file (-late-). */
	uint32_t faults;
	bool plain;                                                 /* homes only, no profiles mixed in */
	void (*progress)(void *ctx, uint64_t done, uint64_t total); /* meters x days; may be NULL */
	void *progress_ctx;
};

/* What was put in, so that what comes out can be compared. Counts are of intervals but for broken, again and late. */
struct meter_sim_faults {
	uint64_t missing;     /* delivered as null, or not at all */
	uint64_t substituted; /* with quality S14 where the format has qualities: the value stays */
	uint64_t estimated;   /* with quality E52, superseded by the late file */
	uint64_t broken;      /* records that cannot be read */
	uint64_t lost;        /* intervals in them */
	uint64_t again;       /* files delivered twice, byte for byte */
	uint64_t late;        /* files with corrections */
};

struct meter_sim_file {
	char name[48]; /* in the directory */
	uint64_t bytes;
};

struct meter_sim_report {
	uint64_t files, meters, channels, readings, bytes; /* readings: distinct intervals a reader ends up with */
	uint64_t profiles[METER_SIM_PROFILE_COUNT];
	int64_t import_wh, export_wh; /* of those readings, corrections applied */
	struct meter_sim_faults faults;
	struct meter_sim_file *file; /* files of them, in the order they were written */
	size_t file_cap;
};
void meter_sim_report_release(struct meter_sim_report *r);

/* Writes what a head-end would deliver into out_dir, which is created. Each file has a temporary name (.tmp) until it
 * is whole. Meters are S000000001 and so on. Two workers, some 10 MiB each, whatever the size. TF_INVALID for options
 * out of range, and for an interval that does not divide the zone's days. On failure files already whole stay. Nothing
 * is synced: the same call writes the same bytes again. */
enum tf_err meter_sim_write(struct tf_os *os, const struct meter_sim_options *o, const char *out_dir,
			    struct meter_sim_report *out, struct tf_fault *f) TF_MUST_USE;
