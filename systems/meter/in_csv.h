/* What the wide and the long CSV parser share; private to in_csv*.c. */
#pragma once
#include "in_fast.h"

/* What a column of a long CSV holds. */
enum in_csv_role {
	IN_CSV_OTHER,
	IN_CSV_METER,
	IN_CSV_CHANNEL,
	IN_CSV_START,
	IN_CSV_END,
	IN_CSV_VALUE,
	IN_CSV_UNIT,
	IN_CSV_QUALITY,
	IN_CSV_ISSUED,
	IN_CSV_INTERVAL,
	IN_CSV_ROLES,
};

/* A header cell: "Energy (kWh, 30 min)" has the name "energy" and says a unit and an interval. */
struct in_csv_head {
	struct tf_str label; /* as written, without the brackets behind it */
	char name[32];       /* lower case, blanks and dashes as '_', a unit at its end taken off; "" when too long */
	bool has_unit, utc;
	enum meter_unit unit;
	int8_t exponent;
	uint32_t interval_s;   /* 0: not said */
	struct tf_str unknown; /* the bracket's first word that says nothing known */
};

struct in_csv {
	struct in_ctx *c;
	char sep, dot;
	const struct tf_zone *zone; /* for times without offset; NULL: UTC */
	struct tf_buf header;       /* the header line, byte for byte */
	struct tf_buf unquoted;     /* bytes of quoted cells of the row at hand */
	struct tf_str *cells;
	uint32_t cell_count, cell_cap;
	struct in_csv_wide *wide;
	struct in_csv_long *rows;
};

/* The most frequent of the separators outside quotes; 0 when none is there. */
char in_csv_separator(struct tf_str text);
/* Splits a row into csv->cells (RFC 4180 quotes, blanks around cells dropped). *out_bad_field: the cell whose quotes
 * are wrong, 0 when none is. TF_TOO_LARGE over METER_COLUMNS_MAX cells. */
enum tf_err in_csv_split(struct in_csv *csv, struct tf_str text, uint32_t *out_bad_field,
			 struct tf_fault *f) TF_MUST_USE;
void in_csv_head(struct tf_str cell, struct in_csv_head *out);
enum in_csv_role in_csv_role(const struct in_csv_head *head);
/* "", NaN, null, NA: no value. */
bool in_csv_absent(struct tf_str cell);

/* Kept with the header it stood under, unless that is longer than IN_CSV_CONTEXT and many times the row: so what is put
 * aside stays within a multiple of the source. */
#define IN_CSV_CONTEXT       ((size_t)4 << 10)
#define IN_CSV_CONTEXT_RATIO 16u
enum tf_err in_csv_bad(const struct in_csv *csv, const struct in_line *line, uint32_t field, enum in_rule rule,
		       struct tf_fault *f, const char *fmt, ...) TF_PRINTF(6, 7);
/* Reads a row's time; sets *out_bad where it gave the row to the sink as bad. */
enum tf_err in_csv_time(const struct in_csv *csv, const struct in_line *line, uint32_t field, struct tf_str cell,
			tf_time last, tf_time *out, bool *out_bad, struct tf_fault *f) TF_MUST_USE;

/* Wide: csv->cells holds the header. */
enum tf_err in_csv_wide_open(struct in_csv *csv, const struct in_line *header, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_csv_wide_row(struct in_csv *csv, const struct in_line *line, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_csv_wide_finish(struct in_csv *csv, struct tf_fault *f) TF_MUST_USE;
void in_csv_wide_free(struct in_csv *csv);

/* Long: csv->cells holds the header. TF_NOT_FOUND (no fault) where it has no time or no value column. */
enum tf_err in_csv_long_open(struct in_csv *csv, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_csv_long_row(struct in_csv *csv, const struct in_line *line, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_csv_long_finish(struct in_csv *csv, struct tf_fault *f) TF_MUST_USE;
void in_csv_long_free(struct in_csv *csv);

/* The interval that a series of n starts shows: its most frequent positive step (the shorter of two as frequent);
 * 0 when it shows none. Looks at the first 64 only. */
uint32_t in_csv_step(const tf_time *starts, size_t n);
