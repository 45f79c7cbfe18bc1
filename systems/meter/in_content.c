/* Recognition by content, and the way from one member's bytes to its parser.
 *
 * The first line decides (or the first HEAD_MAX bytes): "100," is NEM12 or NEM13, '{' is JSON lines, '<' is XML by the
 * name of its root element, anything else with a separator is CSV. An option may name the format instead. */
#include <stdio.h>

#include "base/mem.h"
#include "in_parts.h"

#define HEAD_MAX ((size_t)64 << 10)

void
in_content_init(struct in_content *t, struct in_ctx *c)
{
	*t = (struct in_content){.c = c};
	tf_buf_init(&t->head, 0);
	in_lines_init(&t->lines);
}

static void
close_parser(struct in_content *t)
{
	if (t->parser)
		t->format->free(t->parser);
	t->parser = NULL;
	t->format = NULL;
	t->skip = false;
	tf_buf_reset(&t->head);
	in_lines_release(&t->lines);
	in_lines_init(&t->lines);
}

void
in_content_release(struct in_content *t)
{
	close_parser(t);
	tf_buf_release(&t->head);
	in_lines_release(&t->lines);
}

static struct tf_str
after(struct tf_str s, const char *mark)
{
	const char *at = memmem(s.p, s.n, mark, strlen(mark));
	if (!at)
		return tf_str_n(s.p + s.n, 0);
	at += strlen(mark);
	return tf_str_n(at, (size_t)(s.p + s.n - at));
}

/* The root element's name without prefix; empty while it is not to be seen. */
static struct tf_str
root_name(struct tf_str s)
{
	for (;;) {
		s = tf_str_trim(s);
		if (tf_str_starts(s, TF_STR("<!--")))
			s = after(s, "-->");
		else if (tf_str_starts(s, TF_STR("<?")))
			s = after(s, "?>");
		else
			break;
	}
	size_t from = 1, n = 1;
	for (; n < s.n && !strchr(" \t\r\n/>", s.p[n]); n++)
		if (s.p[n] == ':')
			from = n + 1;
	return n < s.n && s.p[0] == '<' ? tf_str_n(s.p + from, n - from) : tf_str_n(s.p, 0);
}

static const struct in_format *
xml_format(struct tf_str head)
{
	static const char *const espi[] = {"feed", "entry", "IntervalBlock"};
	static const char *const cim[] = {"MeterReadings", "EventMessage", "ResponseMessage", "RequestMessage",
					  "Envelope"};
	struct tf_str root = root_name(head);
	for (size_t i = 0; i < sizeof(espi) / sizeof(espi[0]); i++)
		if (tf_str_eq(root, tf_str(espi[i])))
			return &in_espi;
	for (size_t i = 0; i < sizeof(cim) / sizeof(cim[0]); i++)
		if (tf_str_eq(root, tf_str(cim[i])))
			return &in_cim;
	return NULL;
}

static const struct in_format *
named_format(struct tf_str name)
{
	static const struct {
		const char *name;
		const struct in_format *format;
	} formats[] = {{"nem12", &in_nem12}, {"nem13", &in_nem12}, {"csv", &in_csv},
		       {"jsonl", &in_jsonl}, {"espi", &in_espi},   {"cim", &in_cim}};
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (tf_str_eq(name, tf_str(formats[i].name)))
			return formats[i].format;
	return NULL;
}

static enum tf_err
unknown(struct tf_str head, const char *what, struct tf_fault *f)
{
	char quote[48];
	size_t n = head.n < sizeof(quote) - 1 ? head.n : sizeof(quote) - 1;
	for (size_t i = 0; i < n; i++)
		quote[i] = head.p[i] >= ' ' && head.p[i] < 0x7f ? head.p[i] : '.';
	quote[n] = 0;
	return tf_fault(f, TF_UNSUPPORTED, "unknown format%s: it starts '%s'", what, quote);
}

/* What the head is; *out stays NULL while more bytes are needed. */
static enum tf_err
recognise(struct tf_str head, bool all, const struct in_format **out, struct tf_fault *f)
{
	bool full = all || head.n >= HEAD_MAX;
	if (head.n > HEAD_MAX)
		head.n = HEAD_MAX;
	struct tf_str text = head;
	if (tf_str_starts(text, TF_STR("\xff\xfe")) || tf_str_starts(text, TF_STR("\xfe\xff")))
		return unknown(head, " (UTF-16; UTF-8 is read)", f);
	if (tf_str_starts(text, TF_STR("\xef\xbb\xbf")))
		text.p += 3, text.n -= 3;
	while (text.n && strchr(" \t\r\n", text.p[0]) && text.p[0])
		text.p++, text.n--;
	if (text.n && text.p[0] == '<') {
		*out = xml_format(text);
		return *out || !full ? TF_OK : unknown(head, " of XML", f);
	}
	const char *end = text.n ? memchr(text.p, '\n', text.n) : NULL;
	if (!end && !full)
		return TF_OK;
	if (end)
		text.n = (size_t)(end - text.p);
	if (!text.n || memchr(text.p, 0, text.n))
		return text.n ? unknown(head, "", f) : tf_fault(f, TF_UNSUPPORTED, "the file is empty");
	if (text.p[0] == '{')
		*out = &in_jsonl;
	else
		*out = tf_str_starts(text, TF_STR("100,")) ? &in_nem12 : &in_csv;
	return TF_OK;
}

/* Is the first line that is not blank there as a whole, or as much of it as is kept? */
static bool
has_first_line(struct tf_str head)
{
	size_t from = 0;
	while (from < head.n && strchr(" \t\r\n", head.p[from]) && head.p[from])
		from++;
	return head.n >= HEAD_MAX || (from < head.n && memchr(head.p + from, '\n', head.n - from));
}

static enum tf_err
pass(struct in_content *t, struct tf_str bytes, struct tf_fault *f)
{
	enum tf_err e;
	if (t->format->line)
		e = in_lines_feed(&t->lines, bytes, t->c, t->format->line, t->parser, f);
	else
		e = t->format->feed(t->parser, bytes, f);
	if (t->format->detail)
		snprintf(t->name, sizeof(t->name), "%s", t->format->detail(t->parser));
	return e;
}

static enum tf_err
start(struct in_content *t, bool all, struct tf_fault *f)
{
	struct tf_str head = tf_buf_view(&t->head);
	const struct in_format *format = named_format(t->c->o.format);
	if (format && !all && !has_first_line(head))
		return TF_OK; /* as recognise: a named format that does not fit is told by the same bytes */
	if (!format)
		TF_TRY(recognise(head, all, &format, f));
	if (!format)
		return TF_OK;
	TF_TRY(format->open(t->c, &t->parser, f));
	t->format = format;
	const char *name = format->name;
	if (format == &in_nem12 && head.n >= 16 && memmem(head.p, 16, "NEM13", 5))
		name = "nem13";
	snprintf(t->name, sizeof(t->name), "%s", name);
	enum tf_err e = pass(t, head, f);
	if (t->head.n > HEAD_MAX)
		t->head.n = HEAD_MAX;
	return e;
}

/* Inside a zip an unknown member is one bad record, its first line, and the next member is read. The head is kept for
 * it while the parser runs, since one may find late that it cannot read the member at all. */
static enum tf_err
skip_unknown(struct in_content *t, struct tf_fault *f)
{
	struct tf_fault why = {0};
	if (f)
		why = *f;
	struct tf_str head = tf_buf_view(&t->head), line = head;
	uint64_t number = 0;
	do {
		if (tf_str_cut(&head, '\n', &line) && head.p)
			line.n++; /* its end too */
		number++;
	} while (head.p && !tf_str_trim(line).n);
	if (line.n > HEAD_MAX)
		line.n = HEAD_MAX;
	struct in_place at = {.line = number, .bytes = line};
	t->skip = true;
	return in_bad(t->c, &at, IN_UNRECOGNISED, f, "%s", why.text);
}

enum tf_err
in_content_feed(struct in_content *t, struct tf_str bytes, struct tf_fault *f)
{
	enum tf_err e;
	if (t->skip)
		return TF_OK;
	if (t->parser) {
		e = pass(t, bytes, f);
	} else {
		tf_buf_str(&t->head, bytes);
		if (t->head.err)
			return tf_fault(f, t->head.err, "cannot keep the first bytes");
		e = start(t, false, f);
	}
	return e == TF_UNSUPPORTED && t->c->member.n ? skip_unknown(t, f) : e;
}

enum tf_err
in_content_finish(struct in_content *t, bool cut, struct tf_fault *f)
{
	enum tf_err e = TF_OK;
	if (!t->parser && !t->skip)
		e = start(t, true, f);
	if (e == TF_OK && t->parser && t->format->line) {
		e = in_lines_finish(&t->lines, cut, t->c, t->format->line, t->parser, f);
		if (t->format->detail)
			snprintf(t->name, sizeof(t->name), "%s", t->format->detail(t->parser));
	}
	if (e == TF_OK && t->parser)
		e = t->format->finish(t->parser, cut, f);
	if (e == TF_UNSUPPORTED && t->c->member.n)
		e = skip_unknown(t, f);
	close_parser(t);
	return e;
}
