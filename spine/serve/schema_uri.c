/* URI references as RFC 3986 says, as far as schemas need them; see schema_impl.h. */
#include "serve/schema_impl.h"

struct parts {
	struct tf_str scheme, authority, path, query, fragment; /* p NULL: not there; without their marks */
};

static size_t
scheme_length(struct tf_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], letter = (char)(c | 0x20);
		if (c == ':')
			return i;
		bool alpha = letter >= 'a' && letter <= 'z';
		if (!alpha && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
			return 0;
	}
	return 0;
}

bool
schema_uri_absolute(struct tf_str uri)
{
	return scheme_length(uri) > 0;
}

struct tf_str
schema_uri_fragment(struct tf_str *uri)
{
	const char *hash = uri->n ? memchr(uri->p, '#', uri->n) : NULL;
	if (!hash)
		return (struct tf_str){NULL, 0};
	struct tf_str f = tf_str_n(hash + 1, uri->n - (size_t)(hash + 1 - uri->p));
	uri->n = (size_t)(hash - uri->p);
	return f;
}

static struct parts
split(struct tf_str s)
{
	struct parts p = {.fragment = schema_uri_fragment(&s)};
	size_t n = scheme_length(s);
	if (n) {
		p.scheme = tf_str_n(s.p, n);
		s = tf_str_n(s.p + n + 1, s.n - n - 1);
	}
	const char *mark = s.n ? memchr(s.p, '?', s.n) : NULL;
	if (mark) {
		p.query = tf_str_n(mark + 1, s.n - (size_t)(mark + 1 - s.p));
		s.n = (size_t)(mark - s.p);
	}
	if (tf_str_starts(s, TF_STR("//"))) {
		const char *slash = s.n > 2 ? memchr(s.p + 2, '/', s.n - 2) : NULL;
		size_t end = slash ? (size_t)(slash - s.p) : s.n;
		p.authority = tf_str_n(s.p + 2, end - 2);
		s = tf_str_n(s.p + end, s.n - end);
	}
	p.path = s;
	return p;
}

/* Appends a path without its dot segments (5.2.4), to out which holds n bytes. */
static size_t
put_path(char *out, struct tf_str path)
{
	size_t n = 0, i = 0;
	while (i < path.n) {
		size_t end = i + (path.p[i] == '/');
		while (end < path.n && path.p[end] != '/')
			end++;
		struct tf_str piece = tf_str_n(path.p + i, end - i);
		bool last = end == path.n;
		bool up = tf_str_eq(piece, TF_STR("/..")), here = tf_str_eq(piece, TF_STR("/."));
		if (up)
			while (n && out[--n] != '/')
				;
		if ((up || here) && last)
			out[n++] = '/';
		bool bare = i == 0 && (tf_str_eq(piece, TF_STR(".")) || tf_str_eq(piece, TF_STR("..")));
		if (!up && !here && !bare) {
			memmove(out + n, piece.p, piece.n);
			n += piece.n;
		}
		i = end;
	}
	return n;
}

static struct tf_str
merge(struct tf_arena *a, const struct parts *base, struct tf_str path)
{
	size_t keep = base->path.n;
	while (keep && base->path.p[keep - 1] != '/')
		keep--;
	bool root = base->authority.p && !base->path.n;
	char *p = tf_arena_alloc(a, keep + path.n + 1);
	if (!p)
		return (struct tf_str){NULL, 0};
	if (root)
		p[0] = '/';
	else if (keep)
		memcpy(p, base->path.p, keep);
	size_t n = root ? 1 : keep;
	if (path.n)
		memcpy(p + n, path.p, path.n);
	return tf_str_n(p, n + path.n);
}

static void
put(char **to, const char *before, struct tf_str s, const char *after)
{
	if (!s.p)
		return;
	for (; *before; before++)
		*(*to)++ = *before;
	if (s.n)
		memcpy(*to, s.p, s.n);
	*to += s.n;
	for (; *after; after++)
		*(*to)++ = *after;
}

struct tf_str
schema_uri_resolve(struct tf_arena *a, struct tf_str base, struct tf_str ref)
{
	struct parts b = split(base), r = split(ref);
	if (!r.scheme.p) {
		r.scheme = b.scheme;
		if (!r.authority.p) {
			r.authority = b.authority;
			if (!r.path.n) {
				r.path = b.path;
				r.query = r.query.p ? r.query : b.query;
			} else if (r.path.p[0] != '/') {
				r.path = merge(a, &b, r.path);
				if (!r.path.p)
					return r.path;
			}
		}
	}
	size_t most = r.scheme.n + r.authority.n + r.path.n + r.query.n + r.fragment.n + 8;
	char *p = tf_arena_alloc(a, most), *to = p;
	if (!p)
		return (struct tf_str){NULL, 0};
	put(&to, "", r.scheme, ":");
	put(&to, "//", r.authority, "");
	to += put_path(to, r.path);
	put(&to, "?", r.query, "");
	put(&to, "#", r.fragment, "");
	return tf_str_n(p, (size_t)(to - p));
}

static int
hex(char c)
{
	char letter = (char)(c | 0x20);
	if (c >= '0' && c <= '9')
		return c - '0';
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

struct tf_str
schema_uri_decode(struct tf_arena *a, struct tf_str s)
{
	char *p = tf_arena_alloc(a, s.n + 1), *to = p;
	if (!p)
		return (struct tf_str){NULL, 0};
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
			*to++ = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
			i += 2;
		} else {
			*to++ = s.p[i];
		}
	}
	return tf_str_n(p, (size_t)(to - p));
}
