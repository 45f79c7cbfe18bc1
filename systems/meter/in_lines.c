/* Lines out of chunks; see in_parts.h. A line is given with its end (byte for byte) and without. */
#include "in_parts.h"

void
in_lines_init(struct in_lines *l)
{
	*l = (struct in_lines){0};
	tf_buf_init(&l->part, METER_LINE_MAX);
}

void
in_lines_release(struct in_lines *l)
{
	tf_buf_release(&l->part);
}

static enum tf_err
too_long(const struct in_ctx *c, const struct in_line *line, uint64_t dropped, struct tf_fault *f)
{
	struct in_place at = {.line = line->number, .bytes = tf_str_n(line->bytes.p, METER_LINE_MAX)};
	return in_bad(c, &at, IN_LINE_TOO_LONG, f, "the line has %llu bytes, %u are taken",
		      (unsigned long long)(METER_LINE_MAX + dropped), METER_LINE_MAX);
}

/* Gives one line (its end included where it has one) to the parser. */
static enum tf_err
give(struct in_lines *l, struct tf_str bytes, uint64_t dropped, const struct in_ctx *c, in_line_fn *each, void *parser,
     struct tf_fault *f)
{
	struct in_line line = {.text = bytes, .bytes = bytes, .number = ++l->number};
	if (bytes.n > METER_LINE_MAX)
		dropped += bytes.n - METER_LINE_MAX;
	if (dropped)
		return too_long(c, &line, dropped, f);
	if (line.number == 1 && tf_str_starts(bytes, TF_STR("\xef\xbb\xbf")))
		line.text.p += 3, line.text.n -= 3;
	if (line.text.n && line.text.p[line.text.n - 1] == '\n')
		line.text.n--, line.whole = true;
	if (line.text.n && line.text.p[line.text.n - 1] == '\r')
		line.text.n--;
	if (line.number == 1 && memchr(line.text.p, '\r', line.text.n))
		return tf_fault(f, TF_UNSUPPORTED, "lines that end in CR alone are not read: make it LF or CRLF");
	return each(parser, &line, f);
}

static enum tf_err
keep(struct in_lines *l, struct tf_str bytes, struct tf_fault *f)
{
	size_t room = METER_LINE_MAX - l->part.n;
	if (bytes.n > room) {
		l->dropped += bytes.n - room;
		bytes.n = room;
	}
	tf_buf_str(&l->part, bytes);
	return l->part.err ? tf_fault(f, l->part.err, "cannot keep a line") : TF_OK;
}

enum tf_err
in_lines_feed(struct in_lines *l, struct tf_str bytes, const struct in_ctx *c, in_line_fn *each, void *parser,
	      struct tf_fault *f)
{
	while (bytes.n) {
		const char *at = memchr(bytes.p, '\n', bytes.n);
		if (!at)
			return keep(l, bytes, f);
		struct tf_str line = {bytes.p, (size_t)(at - bytes.p) + 1};
		bytes.p += line.n;
		bytes.n -= line.n;
		if (!l->part.n) {
			TF_TRY(give(l, line, 0, c, each, parser, f));
			continue;
		}
		TF_TRY(keep(l, line, f));
		uint64_t dropped = l->dropped;
		struct tf_str whole = tf_buf_view(&l->part);
		l->part.n = 0;
		l->dropped = 0;
		TF_TRY(give(l, whole, dropped, c, each, parser, f));
	}
	return TF_OK;
}

enum tf_err
in_lines_finish(struct in_lines *l, bool cut, const struct in_ctx *c, in_line_fn *each, void *parser,
		struct tf_fault *f)
{
	if (!l->part.n)
		return TF_OK;
	struct tf_str whole = tf_buf_view(&l->part);
	l->part.n = 0;
	if (!cut)
		return give(l, whole, l->dropped, c, each, parser, f);
	struct in_place at = {.line = ++l->number, .bytes = whole};
	return in_bad(c, &at, IN_TRUNCATED, f, "the source ends inside this line");
}
