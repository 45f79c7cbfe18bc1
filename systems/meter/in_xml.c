/* Streams of XML; see in_xml.h. */
#include "in_xml.h"
#include "base/mem.h"

#define PIECE ((size_t)64 << 10)

static const char *
local_name(const char *name)
{
	const char *colon = strrchr(name, ':');
	return colon ? colon + 1 : name;
}

static uint64_t
position(const struct in_xml *x)
{
	XML_Index at = XML_GetCurrentByteIndex(x->parser);
	return at < 0 ? 0 : (uint64_t)at;
}

static uint64_t
position_behind(const struct in_xml *x)
{
	return position(x) + (uint64_t)XML_GetCurrentByteCount(x->parser);
}

static void
stop(struct in_xml *x, enum tf_err e, const char *refusal)
{
	x->err = e;
	x->refusal = refusal;
	XML_StopParser(x->parser, XML_FALSE);
}

static void
on_open(void *ctx, const char *name, const char **attributes)
{
	struct in_xml *x = ctx;
	x->seen = position(x);
	if (x->text.err) {
		stop(x, x->text.err, NULL);
		return;
	}
	tf_buf_reset(&x->text);
	if (x->depth == IN_XML_DEPTH) {
		stop(x, TF_OK, "elements nest too deep");
		return;
	}
	const char *local = local_name(name);
	char *kept = x->path[x->depth++];
	strncpy(kept, local, IN_XML_NAME - 1);
	kept[IN_XML_NAME - 1] = 0;
	enum tf_err e = x->calls->open(x->owner, x, kept, attributes);
	if (e != TF_OK)
		stop(x, e, NULL);
}

static void
on_close(void *ctx, const char *name)
{
	struct in_xml *x = ctx;
	x->seen = position(x);
	enum tf_err e = x->text.err;
	if (e == TF_OK)
		e = x->calls->close(x->owner, x, x->path[x->depth - 1], tf_str_trim(tf_buf_view(&x->text)));
	x->depth--;
	tf_buf_reset(&x->text);
	if (e != TF_OK)
		stop(x, e, NULL);
}

static void
on_text(void *ctx, const char *p, int n)
{
	struct in_xml *x = ctx;
	size_t room = IN_XML_TEXT - x->text.n, take = (size_t)n < room ? (size_t)n : room;
	tf_buf_put(&x->text, p, take);
}

static void
on_comment(void *ctx, const char *text)
{
	struct in_xml *x = ctx;
	x->seen = position(x);
}

static void
on_doctype(void *ctx, const char *name, const char *system_id, const char *public_id, int internal)
{
	stop(ctx, TF_OK, "a DOCTYPE is not taken");
}

enum tf_err
in_xml_init(struct in_xml *x, const struct in_ctx *c, const struct in_xml_calls *calls, void *owner, struct tf_fault *f)
{
	static const XML_Memory_Handling_Suite memory = {tf_malloc, tf_realloc, tf_free};
	*x = (struct in_xml){.c = c, .calls = calls, .owner = owner};
	x->parser = XML_ParserCreate_MM(NULL, &memory, NULL);
	if (!x->parser)
		return tf_fault(f, TF_NO_MEMORY, "cannot start an XML parser");
	XML_SetUserData(x->parser, x);
	XML_SetElementHandler(x->parser, on_open, on_close);
	XML_SetCharacterDataHandler(x->parser, on_text);
	XML_SetCommentHandler(x->parser, on_comment);
	XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
	return TF_OK;
}

void
in_xml_release(struct in_xml *x)
{
	if (x->parser)
		XML_ParserFree(x->parser);
	tf_buf_release(&x->text);
	tf_buf_release(&x->raw);
}

/* Drops source bytes that are no longer needed, once they are the larger part. */
static void
trim_raw(struct in_xml *x)
{
	uint64_t from = x->in_record ? x->record_at : x->seen;
	size_t drop = from > x->raw_at ? (size_t)(from - x->raw_at) : 0;
	if (x->raw.n - drop > (size_t)METER_LINE_MAX + PIECE)
		drop = x->raw.n - METER_LINE_MAX; /* a record too long to be kept loses its start */
	if (drop > x->raw.n)
		drop = x->raw.n;
	if (!drop || drop * 2 < x->raw.n)
		return;
	memmove(x->raw.p, x->raw.p + drop, x->raw.n - drop);
	x->raw.n -= drop;
	x->raw_at += drop;
}

static struct tf_str
raw_from(const struct in_xml *x, uint64_t from, uint64_t to)
{
	uint64_t end = x->raw_at + x->raw.n;
	from = from < x->raw_at ? x->raw_at : from;
	to = to > end ? end : to;
	return to > from ? tf_str_n(x->raw.p + (from - x->raw_at), (size_t)(to - from)) : tf_str_n("", 0);
}

/* The document is broken: the bytes from the open record on are kept until its end, to be given back as one. */
static enum tf_err
broken(struct in_xml *x, struct tf_fault *f)
{
	enum XML_Error code = XML_GetErrorCode(x->parser);
	if (code == XML_ERROR_NO_MEMORY)
		return tf_fault(f, TF_NO_MEMORY, "cannot read XML");
	x->over = true;
	x->broken_line = in_xml_line(x);
	x->broken_column = (uint64_t)XML_GetCurrentColumnNumber(x->parser) + 1;
	x->broken_at = x->in_record ? x->record_at : x->seen;
	x->refusal = x->refusal ? x->refusal : XML_ErrorString(code);
	x->unfinished = code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN ||
			code == XML_ERROR_PARTIAL_CHAR || code == XML_ERROR_UNCLOSED_CDATA_SECTION;
	return TF_OK;
}

static enum tf_err
parse(struct in_xml *x, struct tf_str bytes, bool last, struct tf_fault *f)
{
	x->f = f;
	enum XML_Status status = XML_Parse(x->parser, bytes.p, (int)bytes.n, last);
	x->f = NULL;
	if (x->err != TF_OK)
		return x->err;
	return status == XML_STATUS_ERROR ? broken(x, f) : TF_OK;
}

enum tf_err
in_xml_feed(struct in_xml *x, struct tf_str bytes, struct tf_fault *f)
{
	while (bytes.n) {
		struct tf_str piece = tf_str_n(bytes.p, bytes.n < PIECE ? bytes.n : PIECE);
		bytes.p += piece.n;
		bytes.n -= piece.n;
		if (x->over && x->raw.n >= METER_LINE_MAX)
			return TF_OK;
		if (!x->over)
			trim_raw(x);
		tf_buf_str(&x->raw, piece);
		if (x->raw.err)
			return tf_fault(f, x->raw.err, "cannot keep an XML record");
		if (!x->over)
			TF_TRY(parse(x, piece, false, f));
	}
	return TF_OK;
}

enum tf_err
in_xml_finish(struct in_xml *x, struct tf_fault *f)
{
	if (!x->over)
		TF_TRY(parse(x, tf_str_n("", 0), true, f));
	if (!x->over)
		return TF_OK;
	struct in_place at = {
		.line = x->broken_line,
		.column = x->broken_column,
		.unfinished = x->unfinished,
		.bytes = raw_from(x, x->broken_at, UINT64_MAX),
	};
	if (at.bytes.n > METER_LINE_MAX)
		at.bytes.n = METER_LINE_MAX;
	return in_bad(x->c, &at, IN_XML, f, "%s at column %llu; the rest of the document is not read", x->refusal,
		      (unsigned long long)x->broken_column);
}

void
in_xml_begin_record(struct in_xml *x)
{
	x->in_record = true;
	x->record_at = position(x);
	x->record_line = in_xml_line(x);
	x->record_column = in_xml_column(x);
}

struct tf_str
in_xml_record(const struct in_xml *x)
{
	return raw_from(x, x->record_at, position_behind(x));
}

void
in_xml_end_record(struct in_xml *x)
{
	x->in_record = false;
	x->seen = position_behind(x);
}

uint64_t
in_xml_line(const struct in_xml *x)
{
	return (uint64_t)XML_GetCurrentLineNumber(x->parser);
}

uint64_t
in_xml_column(const struct in_xml *x)
{
	return (uint64_t)XML_GetCurrentColumnNumber(x->parser) + 1;
}

uint64_t
in_xml_offset(const struct in_xml *x)
{
	return position(x) - x->record_at;
}

uint64_t
in_xml_offset_behind(const struct in_xml *x)
{
	return position_behind(x) - x->record_at;
}

uint64_t
in_xml_lost(const struct in_xml *x)
{
	return x->raw_at > x->record_at ? x->raw_at - x->record_at : 0;
}

bool
in_xml_inside(const struct in_xml *x, uint32_t up, const char *name)
{
	return x->depth > up && !strcmp(x->path[x->depth - 1 - up], name);
}

struct tf_str
in_xml_attribute(const char **attributes, const char *name)
{
	for (size_t i = 0; attributes[i]; i += 2)
		if (!strcmp(local_name(attributes[i]), name))
			return tf_str(attributes[i + 1]);
	return tf_str_n("", 0);
}
