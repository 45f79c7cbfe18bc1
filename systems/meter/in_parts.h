/* What the parsers share; not for use outside systems/meter/in*.
 *
 * Shape: in.c unpacks (in_unpack) and hands each member's bytes to a content (in_content), which recognises the format
 * and drives one parser. A parser takes lines or bytes and gives runs and bad records to the sink through a context.
 * Thread rule: one thread per meter_in. Ownership: a parser keeps no bytes it is given beyond the call, but copies. */
#pragma once
#include "base/buf.h"
#include "in.h"

enum in_rule {
#define X(name, text, meaning) IN_##name,
#include "in_rules.def"
#undef X
	IN_RULE_COUNT
};

/* "nem12-interval-count" */
const char *in_rule_text(enum in_rule rule);

/* One source being read. */
struct in_ctx {
	struct meter_in_options o; /* its strings outlive the parser */
	struct meter_sink sink;
	struct tf_str member; /* inside a zip */
	struct tf_str base;   /* base name of the file or member, without .gz .csv ...: the default meter */
	uint64_t rounded;     /* values of a CSV that are finer than a step of Wh */
	uint32_t step_s;      /* the interval that rows showed; 0: none yet */
	bool steps_differ;
};

/* Rows showed this interval; 0: none. */
void in_step(struct in_ctx *c, uint32_t interval_s);

/* A message quotes what a file says: no control character of it may reach a terminal. */
void in_printable(char *text);

/* Where a record stands. */
struct in_place {
	uint64_t line;
	uint32_t field;
	struct tf_str name; /* of the field, instead of its number; no control character */
	uint64_t column;
	bool unfinished; /* the source ended inside it: the rule becomes "truncated" */
	struct tf_str bytes, context;
	uint32_t interval_s; /* what the source says elsewhere; 0: the options' */
};

/* Gives a bad record to the sink; returns the sink's error. */
enum tf_err in_bad(const struct in_ctx *c, const struct in_place *at, enum in_rule rule, struct tf_fault *f,
		   const char *fmt, ...) TF_PRINTF(5, 6);

struct in_line {
	struct tf_str text;  /* without its end */
	struct tf_str bytes; /* with it */
	uint64_t number;     /* from 1 */
	bool whole;          /* it had a line end */
};
typedef enum tf_err in_line_fn(void *parser, const struct in_line *line, struct tf_fault *f);

/* Splits chunks into lines (LF or CRLF); no copy where a line lies inside one chunk. A UTF-8 byte order mark before the
 * first line is dropped. */
struct in_lines {
	struct tf_buf part; /* the line begun */
	uint64_t number;    /* lines given so far */
	uint64_t dropped;   /* bytes of the line begun beyond METER_LINE_MAX */
};
void in_lines_init(struct in_lines *l);
void in_lines_release(struct in_lines *l);
enum tf_err in_lines_feed(struct in_lines *l, struct tf_str bytes, const struct in_ctx *c, in_line_fn *each,
			  void *parser, struct tf_fault *f) TF_MUST_USE;
/* The last line, where it had no end. cut: the source is known to be incomplete, so that line is bad. */
enum tf_err in_lines_finish(struct in_lines *l, bool cut, const struct in_ctx *c, in_line_fn *each, void *parser,
			    struct tf_fault *f) TF_MUST_USE;

/* One format. Either line or feed is set. finish comes once, after the last byte; cut: the source ended early. */
struct in_format {
	const char *name;
	enum tf_err (*open)(struct in_ctx *c, void **out, struct tf_fault *f);
	in_line_fn *line;
	enum tf_err (*feed)(void *parser, struct tf_str bytes, struct tf_fault *f);
	enum tf_err (*finish)(void *parser, bool cut, struct tf_fault *f);
	void (*free)(void *parser);
	/* Finer name once known ("csv-wide"); NULL: name. */
	const char *(*detail)(const void *parser);
};
extern const struct in_format in_nem12, in_csv, in_jsonl, in_espi, in_cim;

/* One member's bytes: recognises the format, then drives its parser. */
struct in_content {
	struct in_ctx *c;
	struct tf_buf head;
	const struct in_format *format;
	void *parser;
	struct in_lines lines;
	bool skip;
	char name[16]; /* of the last format recognised */
};
void in_content_init(struct in_content *t, struct in_ctx *c);
void in_content_release(struct in_content *t);
/* TF_UNSUPPORTED where the bytes are in no known format. */
enum tf_err in_content_feed(struct in_content *t, struct tf_str bytes, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_content_finish(struct in_content *t, bool cut, struct tf_fault *f) TF_MUST_USE;

/* gzip (several members) and zip (stored and deflated members), unpacked as they come. Limits: what comes out is at
 * most IN_UNPACK_RATIO times what went in once past IN_UNPACK_FREE, and IN_UNPACK_MAX in all. */
#define IN_UNPACK_RATIO 500u
#define IN_UNPACK_FREE  ((uint64_t)64 << 20)
#define IN_UNPACK_MAX   ((uint64_t)1 << 40)
struct in_unpack;
struct in_unpack_to {
	void *ctx;
	/* A zip member starts. Not called for gzip. */
	enum tf_err (*begin)(void *ctx, struct tf_str name, struct tf_fault *f);
	enum tf_err (*data)(void *ctx, struct tf_str bytes, struct tf_fault *f);
	/* cut: the member is damaged or incomplete. */
	enum tf_err (*end)(void *ctx, bool cut, struct tf_fault *f);
	/* Something cannot be unpacked; what can be is still given. */
	enum tf_err (*bad)(void *ctx, struct tf_str member, const char *text, struct tf_fault *f);
};
enum tf_err in_unpack_new(bool zip, const struct in_unpack_to *to, struct in_unpack **out,
			  struct tf_fault *f) TF_MUST_USE;
enum tf_err in_unpack_feed(struct in_unpack *u, struct tf_str bytes, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_unpack_finish(struct in_unpack *u, struct tf_fault *f) TF_MUST_USE;
void in_unpack_free(struct in_unpack **u);

/* A decimal number to steps: value x 10^exponent, rounded half to even. Blanks around are ignored, an exponent (1e-3)
 * is read; dot is '.' or ',' (then both are taken). */
enum in_number { IN_NUMBER_OK, IN_NUMBER_EMPTY, IN_NUMBER_BAD, IN_NUMBER_RANGE };
enum in_number in_decimal(struct tf_str s, char dot, int exponent, int64_t *out) TF_MUST_USE;

/* in_decimal for a CSV's cell; counts in c->rounded. */
enum in_number in_cell(struct in_ctx *c, struct tf_str s, char dot, int exponent, int64_t *out) TF_MUST_USE;

/* "kWh" -> METER_WH and 3, any letter case; false when unknown. */
bool in_unit(struct tf_str s, enum meter_unit *out_unit, int8_t *out_exponent);
/* "A", "S14", "F51/79", with method and reason where said; false when it is none. */
bool in_quality(struct tf_str s, struct meter_quality *out);
/* What a meter id or a channel name may be. */
bool in_name_ok(struct tf_str s, size_t max);
/* "15min", "15 min", "PT30M", "1h", "900s", "900" (seconds) -> seconds; false when it is none. */
bool in_interval(struct tf_str s, uint32_t *out_s);

/* The instant of a timestamp: ISO 8601 with or without offset, or Unix seconds (10 digits) or milliseconds (13).
 * Without offset it is local to the zone; of an hour that comes twice, the first instant after *last is meant, where
 * there is one. TF_NOT_FOUND: skipped by a clock change. TF_INVALID: not a time. */
enum tf_err in_when(struct tf_str s, const struct tf_zone *zone, tf_time last, tf_time *out) TF_MUST_USE;
#define IN_NO_TIME INT64_MIN

/* Puts single readings that follow each other together to runs, as they come. */
struct in_gather {
	const struct in_ctx *c;
	struct tf_buf names;
	struct meter_run run; /* the one begun; its arrays are below */
	int64_t *values;
	struct meter_quality *qualities;
	bool mixed; /* its qualities differ */
};
enum tf_err in_gather_init(struct in_gather *g, const struct in_ctx *c, struct tf_fault *f) TF_MUST_USE;
void in_gather_release(struct in_gather *g);
/* Whose the next readings are. */
enum tf_err in_gather_channel(struct in_gather *g, struct tf_str meter, struct tf_str channel, enum meter_unit unit,
			      tf_time issued, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_gather_add(struct in_gather *g, tf_time start, uint32_t interval_s, int64_t value,
			  struct meter_quality quality, struct tf_fault *f) TF_MUST_USE;
/* Gives the run begun to the sink. */
enum tf_err in_gather_flush(struct in_gather *g, struct tf_fault *f) TF_MUST_USE;

/* What ESPI's and CIM's reading types share: the codes of IEC 61968-9 annex C. */
struct in_kind {
	int64_t flow;         /* 1 forward (delivered), 19 reverse (received), 4 net, 20 total */
	int64_t commodity;    /* 1, 2 electricity, 7 gas, 9 water; 0 not said */
	int64_t uom;          /* 72 Wh, 71 VAh, 73 varh, 38 W ... */
	int64_t multiplier;   /* power of ten */
	int64_t accumulation; /* 4 delta; 1 bulk, 3 cumulative, 9 summation: a register's reads */
	int64_t phase, tou;
	uint32_t interval_s; /* 0: not said */
};
/* Unit and exponent, and the channel's name: a letter by unit and direction, a digit by phase, "T" and the time-of-use
 * register, "D" where the interval is a day or longer. False for a unit that is not taken. */
bool in_kind_channel(const struct in_kind *k, enum meter_unit *out_unit, int8_t *out_exponent,
		     char out_channel[static METER_CHANNEL_MAX]);
/* Do the values count up, so that a reading is the difference of two? */
bool in_kind_counts_up(const struct in_kind *k);
/* value x 10^exponent, half to even; false over METER_VALUE_MAX. */
bool in_scale_value(int64_t value, int exponent, int64_t *out);
