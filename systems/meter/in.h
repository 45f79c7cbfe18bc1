/* Parsers: outside bytes into runs of readings. One entry for all formats; recognised by content, plain, .gz or .zip.
 *
 * A parser is a push machine: it is fed chunks of any size and keeps at most METER_LINE_MAX bytes plus a fixed state,
 * whatever the file's size. What it can read it gives to sink->run; each record it cannot read it gives to sink->bad,
 * byte for byte, with where and why, and goes on with the next record. Pure but for the memory it allocates: the sink
 * does what is to be done. Only a sink's error, memory, or a source that cannot be read at all stops it. */
#pragma once
#include "reading.h"

#define METER_LINE_MAX    (16u << 20) /* longest line or XML record kept, bytes */
#define METER_COLUMNS_MAX 100000u     /* columns of a wide CSV */

struct meter_in_options {
	const struct tf_zone
		*zone; /* for times without offset, and for NEM12's standard time; NULL: UTC, and +10:00 for NEM12/13 */
	enum meter_unit unit;  /* where the file does not say: METER_WH */
	int8_t unit_exponent;  /* power of ten of the file's values in that unit, e.g. 3 for kWh; 0 default */
	uint32_t interval_s;   /* where the file does not say; 0: from the data (two rows in order) */
	struct tf_str format;  /* "" recognise; else nem12 nem13 csv jsonl espi cim */
	struct tf_str channel; /* for formats without one; "" means "E1" */
	struct tf_str meter;   /* for a two-column CSV (start,value) without one; "" means the file's base name */
	struct tf_str name;    /* the file's name, for messages and that default */
};

/* A record that breaks a rule. */
struct meter_bad {
	uint64_t line;        /* from 1, in the member it stands in */
	uint32_t field;       /* from 1; 0: the whole record, or name says it */
	struct tf_str name;   /* the field where it has a name: a JSON member, an XML element; else empty */
	uint64_t column;      /* from 1: where an XML record begins in its line; else 0 */
	struct tf_str member; /* file name inside a zip; empty otherwise */
	struct tf_str rule;   /* stable short name: "nem12-interval-count", "local-time-missing" */
	struct tf_str text;   /* what is wrong, one sentence, quoting the value */
	struct tf_str bytes;  /* the record, byte for byte, line end included */
	/* What must stand before bytes so that they can be read again alone: NEM12's 100 and 200 records, a CSV's
	 * header.
	 */
	struct tf_str context;
	/* What else they need: the options given, with the meter that a source naming none is of. */
	struct meter_in_options as;
};

struct meter_sink {
	void *ctx;
	/* Strings and arrays are valid during the call only. */
	enum tf_err (*run)(void *ctx, const struct meter_run *run, struct tf_fault *f);
	enum tf_err (*bad)(void *ctx, const struct meter_bad *bad, struct tf_fault *f);
};

struct meter_in;
enum tf_err meter_in_new(const struct meter_in_options *o, const struct meter_sink *sink, struct meter_in **out,
			 struct tf_fault *f) TF_MUST_USE;
/* Next bytes of the source. */
enum tf_err meter_in_feed(struct meter_in *in, struct tf_str bytes, struct tf_fault *f) TF_MUST_USE;
/* End of the source: an unfinished record is bad (rule "truncated"). */
enum tf_err meter_in_finish(struct meter_in *in, struct tf_fault *f) TF_MUST_USE;
/* Values of CSVs so far that were rounded to whole Wh (or another unit's step): a file of kWh that does not say so. */
uint64_t meter_in_rounded(const struct meter_in *in);
/* The interval in seconds that the source's rows showed where nothing said it; 0: none, or not the same everywhere. */
uint32_t meter_in_step(const struct meter_in *in);
/* What it was recognised as: "nem12", "csv-wide", "csv-long", ...; "" while unknown. */
struct tf_str meter_in_format(const struct meter_in *in);
void meter_in_free(struct meter_in **in);
