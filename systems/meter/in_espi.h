/* State of the Green Button ESPI parser, shared by its two halves: in_espi.c reads the elements of an entry,
 * in_espi_feed.c links entries and gives their readings to the sink. */
#pragma once
#include "in_xml.h"

#define IN_ESPI_LINKS    32u                /* related links kept of an entry */
#define IN_ESPI_ENTRIES  4096u              /* MeterReading and ReadingType entries kept of a feed */
#define IN_ESPI_READINGS (1u << 20)         /* readings of one entry */
#define IN_ESPI_WAIT_MAX ((size_t)64 << 20) /* bytes of entries that wait for their ReadingType */

/* A string in the entry's text buffer. */
struct in_espi_str {
	uint32_t at, n;
};

struct in_espi_reading {
	int64_t start_s, value;
	int64_t duration_s;
	uint64_t line, column, at, n; /* its element in the record's bytes */
	struct meter_quality quality;
	bool follows; /* it has no start of its own: it follows the reading before */
};

enum in_espi_content { IN_ESPI_OTHER, IN_ESPI_METER_READING, IN_ESPI_READING_TYPE, IN_ESPI_BLOCK };

struct in_espi_entry {
	enum in_espi_content content;
	struct tf_buf text; /* its hrefs */
	struct in_espi_str self, up, related[IN_ESPI_LINKS];
	uint32_t related_count;
	tf_time updated;
	struct in_kind kind;
	bool has_uom;
	/* A block's: */
	struct in_espi_reading *readings;
	uint32_t count, cap;
	uint64_t line, column;
	/* While it waits: its bytes. */
	struct tf_buf bytes;
	uint64_t lost; /* bytes of the record that stand before bytes */
	/* A MeterReading's: the last read of a register that counts up. */
	bool has_last;
	int64_t last_value, last_s;
};

struct in_espi {
	struct in_ctx *c;
	struct in_xml xml;
	struct in_gather gather;
	struct in_espi_entry entry; /* the one being read */
	bool in_entry;
	tf_time feed_updated;
	/* The reading being read. */
	struct in_espi_reading reading;
	bool has_value, has_start, has_duration, bad_value, bad_time;
	char bad_text[64];
	const char *bad_name;        /* the element that is wrong */
	int64_t block_start_s;       /* where the block's first reading begins, when it says no time */
	bool has_block_start, timed; /* timed: a reading to follow stands before in the block */
	struct in_espi_entry *kept;  /* MeterReading and ReadingType entries */
	uint32_t kept_count, kept_cap;
	struct in_espi_entry *waiting; /* blocks whose type has not come */
	uint32_t waiting_count, waiting_cap;
	size_t waiting_bytes;
};

static inline struct tf_str
in_espi_text(const struct in_espi_entry *e, struct in_espi_str s)
{
	return s.n ? tf_str_n((const char *)e->text.p + s.at, s.n) : tf_str_n("", 0);
}

void in_espi_entry_release(struct in_espi_entry *e);
/* The entry is complete: kept, given to the sink, or set to wait. Leaves s->entry empty. */
enum tf_err in_espi_end_entry(struct in_espi *s, struct tf_fault *f) TF_MUST_USE;
/* The feed is over: what still waits and finds no type is bad. */
enum tf_err in_espi_end_feed(struct in_espi *s, struct tf_fault *f) TF_MUST_USE;
