/* XML as a stream, for ESPI and CIM: expat with limits, and the bytes of the record at hand. Private to in_xml,
 * in_espi, in_cim.
 *
 * Refused: a DOCTYPE (so no entities), more than IN_XML_DEPTH levels, expat's own amplification limit. Names are local
 * names (a prefix is dropped). An element's text is kept up to IN_XML_TEXT bytes and cut beyond. A record's bytes are
 * kept up to METER_LINE_MAX. */
#pragma once
#include <expat.h>

#include "in_parts.h"

#define IN_XML_DEPTH 32u
#define IN_XML_TEXT  1024u
#define IN_XML_NAME  32u

struct in_xml;
struct in_xml_calls {
	enum tf_err (*open)(void *owner, struct in_xml *x, const char *name, const char **attributes);
	/* text: of this element after its last child, blanks trimmed. */
	enum tf_err (*close)(void *owner, struct in_xml *x, const char *name, struct tf_str text);
};

struct in_xml {
	const struct in_ctx *c;
	const struct in_xml_calls *calls;
	void *owner;
	XML_Parser parser;
	struct tf_fault *f; /* during a feed */
	enum tf_err err;    /* what a call returned */
	bool over;          /* broken: the rest is kept and not read */
	bool unfinished;    /* broken by ending early */
	uint64_t broken_line, broken_column, broken_at;
	const char *refusal;
	struct tf_buf text;
	char path[IN_XML_DEPTH][IN_XML_NAME];
	uint32_t depth;
	/* Source bytes from raw_at on: those of the open record, else those no call has been made for. */
	struct tf_buf raw;
	uint64_t raw_at, seen;
	bool in_record;
	uint64_t record_at, record_line, record_column;
};

enum tf_err in_xml_init(struct in_xml *x, const struct in_ctx *c, const struct in_xml_calls *calls, void *owner,
			struct tf_fault *f) TF_MUST_USE;
void in_xml_release(struct in_xml *x);
/* Where the document is broken, the bytes from the record at hand to its end (METER_LINE_MAX) are one bad record. */
enum tf_err in_xml_feed(struct in_xml *x, struct tf_str bytes, struct tf_fault *f) TF_MUST_USE;
enum tf_err in_xml_finish(struct in_xml *x, struct tf_fault *f) TF_MUST_USE;

/* During a call: */
/* The element that just opened is a record: its bytes are kept from here on. */
void in_xml_begin_record(struct in_xml *x);
/* Its bytes so far, the tag at hand included. */
struct tf_str in_xml_record(const struct in_xml *x);
void in_xml_end_record(struct in_xml *x);
uint64_t in_xml_line(const struct in_xml *x);
/* In characters, from 1. */
uint64_t in_xml_column(const struct in_xml *x);
/* Offset in the record of the tag at hand, and of what stands behind it. */
uint64_t in_xml_offset(const struct in_xml *x);
uint64_t in_xml_offset_behind(const struct in_xml *x);
/* Bytes at the record's start that are no longer kept: in_xml_record begins behind them. */
uint64_t in_xml_lost(const struct in_xml *x);
/* Is the element up levels above the one at hand (1: its parent) of that name? */
bool in_xml_inside(const struct in_xml *x, uint32_t up, const char *name);
/* An attribute's value, or an empty string. */
struct tf_str in_xml_attribute(const char **attributes, const char *name);
