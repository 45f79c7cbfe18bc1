/* State shared by the NEM12 and NEM13 halves of the MDFF parser; private to in_nem*.c. */
#pragma once
#include "in_fast.h"

#define IN_NEM_DAY_MAX 1440u /* values of a day of one-minute intervals */
#define IN_NEM_DAYS    64u   /* dates whose start is remembered */

struct in_nem {
	struct in_ctx *c;
	tf_time file_issued; /* DateTime of the 100 record */
	/* The register in force, from the 200 record. */
	bool has_register;
	struct tf_buf names; /* meter, then channel */
	size_t meter_n;
	enum meter_unit unit;
	int8_t exponent;
	uint32_t interval_s, day_count;
	struct in_scale scale;
	/* The 100 record and then the 200 record, byte for byte: what a bad record needs to be read again. */
	struct tf_buf context;
	size_t header_n;
	/* The day whose 400 records are being read. */
	bool day_open;
	struct meter_run day;
	uint32_t covered;   /* values with a quality */
	struct tf_buf kept; /* its 300 and 400 records */
	uint64_t day_line;
	bool day_unfinished;
	bool day_bad;
	enum in_rule bad_rule;
	uint64_t bad_line;
	uint32_t bad_field;
	struct tf_fault bad_text;
	char last_record[4]; /* "300": for records that must follow another */
	struct {
		uint64_t key; /* eight digits */
		tf_time start;
	} days[IN_NEM_DAYS];
	struct {
		char digits[14];
		tf_time t;
	} issued; /* the last UpdateDateTime read */
	int64_t values[IN_NEM_DAY_MAX];
	struct meter_quality qualities[IN_NEM_DAY_MAX];
};

/* The fields of a record, blanks trimmed. */
struct in_fields {
	struct tf_str field[24];
	uint32_t n;    /* how many are kept */
	uint32_t more; /* number of the first field beyond that is not empty; 0: none */
};
void in_nem_split(struct tf_str text, uint32_t max, struct in_fields *out);

enum tf_err in_nem_bad(struct in_nem *n, const struct in_line *line, uint32_t field, enum in_rule rule,
		       struct tf_fault *f, const char *fmt, ...) TF_PRINTF(6, 7);
/* YYYYMMDDhhmm[ss] in NEM standard time. */
bool in_nem_time(struct in_nem *n, struct tf_str s, tf_time *out);
/* The start of a date YYYYMMDD in NEM standard time. */
bool in_nem_day(struct in_nem *n, struct tf_str s, tf_time *out);
bool in_nem_quality(struct tf_str s, struct meter_quality *out);
bool in_nem_reason(struct tf_str s, uint16_t *out);
/* A unit, or what an empty one means for a channel; false when unknown. */
bool in_nem_unit(struct tf_str s, struct tf_str channel, enum meter_unit *out, int8_t *out_exponent);
/* The record's own time, else the file's; false when it does not parse. */
bool in_nem_issued(struct in_nem *n, struct tf_str s, tf_time *out);

/* A 250 record. */
enum tf_err in_nem13_read(struct in_nem *n, const struct in_line *line, struct tf_fault *f) TF_MUST_USE;
/* A 300 and a 400 record, and the end of a day whose quality is given by 400 records. */
enum tf_err in_nem12_day(struct in_nem *n, const struct in_line *line, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_nem12_range(struct in_nem *n, const struct in_line *line, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_nem12_close_day(struct in_nem *n, struct tf_fault *f) TF_MUST_USE;
