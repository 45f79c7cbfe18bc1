/* The JSON writer; see json.h. */
#include "base/json.h"
#include "base/utf8.h"

struct tf_json_out
tf_json_out(struct tf_buf *buf)
{
	return (struct tf_json_out){.buf = buf};
}

static bool
in_object(const struct tf_json_out *w)
{
	return w->depth && (w->objects & 1);
}

/* Before each value: the comma, unless a name already brought it. */
static void
begin_value(struct tf_json_out *w)
{
	TF_ASSERT(w->named == in_object(w));
	TF_ASSERT(w->depth || !w->comma); /* one value at the top */
	if (w->comma && !w->named)
		tf_buf_u8(w->buf, ',');
	w->comma = true;
	w->named = false;
}

static void
begin(struct tf_json_out *w, char bracket)
{
	TF_ASSERT(w->depth < TF_JSON_DEPTH);
	begin_value(w);
	tf_buf_u8(w->buf, (uint8_t)bracket);
	w->objects = w->objects << 1 | (bracket == '{');
	w->depth++;
	w->comma = false;
}

static void
end(struct tf_json_out *w, char bracket)
{
	TF_ASSERT(w->depth > 0 && !w->named && in_object(w) == (bracket == '}'));
	tf_buf_u8(w->buf, (uint8_t)bracket);
	w->objects >>= 1;
	w->depth--;
	w->comma = true;
}

void
tf_json_begin_object(struct tf_json_out *w)
{
	begin(w, '{');
}

void
tf_json_end_object(struct tf_json_out *w)
{
	end(w, '}');
}

void
tf_json_begin_array(struct tf_json_out *w)
{
	begin(w, '[');
}

void
tf_json_end_array(struct tf_json_out *w)
{
	end(w, ']');
}

static void
put_escape(struct tf_buf *b, unsigned char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *at = c ? strchr(plain, c) : NULL;
	if (at) {
		uint8_t pair[2] = {'\\', (uint8_t)names[at - plain]};
		tf_buf_put(b, pair, 2);
	} else {
		tf_buf_printf(b, "\\u%04x", c);
	}
}

/* Nearly all. */
static void
put_plain(struct tf_buf *b, struct tf_str s)
{
	uint8_t *to = tf_buf_extend(b, s.n + 2);
	if (!to)
		return;
	*to++ = '"';
	if (s.n)
		memcpy(to, s.p, s.n);
	to[s.n] = '"';
}

static void
put_quoted(struct tf_buf *b, struct tf_str s)
{
	size_t from = 0, i = tf_str_plain(s);
	if (i == s.n) {
		put_plain(b, s);
		return;
	}
	tf_buf_u8(b, '"');
	for (; i < s.n; i += tf_str_plain(tf_str_n(s.p + i, s.n - i))) {
		unsigned char c = (unsigned char)s.p[i];
		size_t n = tf_utf8_take(tf_str_n(s.p + i, s.n - i));
		if (n && c >= 0x20 && c != '"' && c != '\\') {
			i += n;
			continue;
		}
		tf_buf_put(b, s.p + from, i - from);
		if (n)
			put_escape(b, c);
		else
			tf_buf_cstr(b, "\xef\xbf\xbd");
		from = ++i;
	}
	if (s.n > from)
		tf_buf_put(b, s.p + from, s.n - from);
	tf_buf_u8(b, '"');
}

void
tf_json_key_n(struct tf_json_out *w, struct tf_str name)
{
	TF_ASSERT(in_object(w) && !w->named);
	if (w->comma)
		tf_buf_u8(w->buf, ',');
	put_quoted(w->buf, name);
	tf_buf_u8(w->buf, ':');
	w->named = true;
}

void
tf_json_key(struct tf_json_out *w, const char *name)
{
	tf_json_key_n(w, tf_str(name));
}

void
tf_json_put_str(struct tf_json_out *w, struct tf_str s)
{
	begin_value(w);
	put_quoted(w->buf, s);
}

void
tf_json_put_decimal(struct tf_json_out *w, int64_t value, int scale)
{
	char text[32];
	begin_value(w);
	tf_buf_cstr(w->buf, tf_decimal_format(value, scale, text));
}

void
tf_json_put_i64(struct tf_json_out *w, int64_t v)
{
	tf_json_put_decimal(w, v, 0);
}

void
tf_json_put_u64(struct tf_json_out *w, uint64_t v)
{
	begin_value(w);
	tf_buf_digits(w->buf, v);
}

/* Of RFC 8259, not only what tf_decimal_parse takes ("+1" and "1." are no JSON). */
static bool
is_number(struct tf_str s)
{
	size_t i = 0, from;
	i += s.n && s.p[0] == '-';
	from = i;
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	if (i == from || (s.p[from] == '0' && i - from > 1))
		return false;
	if (i < s.n && s.p[i] == '.')
		for (from = ++i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9';)
			i++;
	bool ok = i > from;
	if (i < s.n && (s.p[i] | 0x20) == 'e') {
		i++;
		i += i < s.n && (s.p[i] == '+' || s.p[i] == '-');
		for (from = i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9';)
			i++;
		ok = ok && i > from;
	}
	return ok && i == s.n;
}

void
tf_json_put_lexeme(struct tf_json_out *w, struct tf_str number)
{
	TF_ASSERT(is_number(number));
	begin_value(w);
	tf_buf_str(w->buf, number);
}

void
tf_json_put_bool(struct tf_json_out *w, bool v)
{
	begin_value(w);
	tf_buf_cstr(w->buf, v ? "true" : "false");
}

void
tf_json_put_null(struct tf_json_out *w)
{
	begin_value(w);
	tf_buf_cstr(w->buf, "null");
}

static void
put_nested(struct tf_json_out *w, const struct tf_json *v)
{
	char open = v->kind == TF_JSON_OBJECT ? '{' : '[';
	begin(w, open);
	for (const struct tf_json *child = v->first; child; child = child->next) {
		if (open == '{')
			tf_json_key_n(w, child->key);
		tf_json_put_node(w, child);
	}
	end(w, open == '{' ? '}' : ']');
}

void
tf_json_put_node(struct tf_json_out *w, const struct tf_json *v)
{
	switch ((enum tf_json_kind)v->kind) {
	case TF_JSON_NULL:
		return tf_json_put_null(w);
	case TF_JSON_BOOL:
		return tf_json_put_bool(w, v->truth);
	case TF_JSON_NUMBER:
		return tf_json_put_lexeme(w, v->text);
	case TF_JSON_STRING:
		return tf_json_put_str(w, v->text);
	case TF_JSON_ARRAY:
	case TF_JSON_OBJECT:
		return put_nested(w, v);
	}
}

void
tf_json_finish(struct tf_json_out *w)
{
	TF_ASSERT(w->depth == 0 && w->comma);
	tf_buf_u8(w->buf, '\n');
	w->comma = false;
}

void
tf_json_set_str(struct tf_json_out *w, const char *name, struct tf_str s)
{
	tf_json_key(w, name);
	tf_json_put_str(w, s);
}

void
tf_json_set_cstr(struct tf_json_out *w, const char *name, const char *s)
{
	tf_json_set_str(w, name, tf_str(s));
}

void
tf_json_set_i64(struct tf_json_out *w, const char *name, int64_t v)
{
	tf_json_key(w, name);
	tf_json_put_i64(w, v);
}

void
tf_json_set_u64(struct tf_json_out *w, const char *name, uint64_t v)
{
	tf_json_key(w, name);
	tf_json_put_u64(w, v);
}

void
tf_json_set_decimal(struct tf_json_out *w, const char *name, int64_t value, int scale)
{
	tf_json_key(w, name);
	tf_json_put_decimal(w, value, scale);
}

void
tf_json_set_bool(struct tf_json_out *w, const char *name, bool v)
{
	tf_json_key(w, name);
	tf_json_put_bool(w, v);
}
