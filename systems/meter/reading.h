/* What a reading is, and the run: how readings travel from a parser to the ingest core.
 *
 * A reading is an integer in its unit's smallest step over a UTC interval [start, start + interval), of a channel
 * (meter id and channel name such as E1), with a quality and the time its source issued it. A run is many readings of
 * one channel, one behind the other, with one interval length: what one NEM12 300 record or one column of a wide CSV
 * gives. */
#pragma once
#include "base/time.h"

/* X(name, text): the smallest steps, and the names they are shown by. Energy in Wh, reactive in varh, apparent in VAh,
 * demand in W (var, VA); others keep milli-steps. */
#define METER_UNITS(X)                                                                                                 \
	X(WH, "Wh")                                                                                                    \
	X(VARH, "varh")                                                                                                \
	X(VAH, "VAh")                                                                                                  \
	X(W, "W")                                                                                                      \
	X(VAR, "var")                                                                                                  \
	X(VA, "VA")                                                                                                    \
	X(MV, "mV")                                                                                                    \
	X(MA, "mA")                                                                                                    \
	X(LITRE, "L")                                                                                                  \
	X(PF, "pf/1000")                                                                                               \
	X(COUNT, "count/1000")

enum meter_unit {
#define X(name, text) METER_##name,
	METER_UNITS(X)
#undef X
		METER_UNIT_COUNT
};

/* Quality: what kind of value (the letter), the method by which it was made (0 = none said) and the reason (0 = none
 * said). Text form: letter, method as two digits where not 0, and "/reason" where not 0: "A", "S14", "F51/79". */
struct meter_quality {
	char kind; /* A actual, E estimated, S substituted, F final substituted, N null (no value), P provisional, R
		      raw, X suspect */
	uint8_t method;
	uint16_t reason;
};

/* A value that is not there: a gap, not a reading. */
#define METER_ABSENT INT64_MIN
/* Largest magnitude of a value. */
#define METER_VALUE_MAX      ((int64_t)1 << 53)
#define METER_RUN_MAX        4096 /* readings in a run */
#define METER_INTERVAL_MIN_S 1
#define METER_INTERVAL_MAX_S (400 * 86400)
#define METER_METER_MAX      64 /* bytes in a meter id: printable, no comma, quote or control */
#define METER_CHANNEL_MAX    32 /* bytes in a channel name */

struct meter_run {
	struct tf_str meter;
	struct tf_str channel; /* "E1": NEM12 suffix convention; E import, B export, Q/K reactive, V voltage ... */
	enum meter_unit unit;
	uint32_t interval_s;
	tf_time start;         /* of the first reading; whole seconds */
	uint32_t count;        /* 1 .. METER_RUN_MAX */
	const int64_t *values; /* count of them; METER_ABSENT where there is none */
	/* One quality for all (quality_count 1), or count of them (quality_count == count). */
	const struct meter_quality *quality;
	uint32_t quality_count;
	tf_time issued; /* when the source says it made these values; 0: it does not say */
};
