/* URLs as the client takes them, and forms. */
#include "client_impl.h"

#include <ctype.h>
#include <stdio.h>

/* RFC 3986 section 3: "https://" host [":" port] path ["?" query] ["#" fragment]. */
static enum tf_err
read_port(struct tf_str authority, struct client_url *out, struct tf_fault *f)
{
	uint64_t port;
	size_t colon = authority.n;
	while (colon && authority.p[colon - 1] != ':' && authority.p[colon - 1] != ']')
		colon--;
	out->host = authority;
	out->port = out->tls ? 443 : 80;
	if (!colon || authority.p[colon - 1] == ']')
		return TF_OK;
	out->host.n = colon - 1;
	struct tf_str text = tf_str_n(authority.p + colon, authority.n - colon);
	if (text.n && (!tf_str_u64(text, &port) || !port || port > UINT16_MAX))
		return tf_fault(f, TF_INVALID, "'%.*s' is no port", TF_FMT(text));
	if (text.n)
		out->port = (uint16_t)port;
	return TF_OK;
}

/* What libcurl would take for a host too: no character that two readers could understand differently. */
static bool
is_host(struct tf_str s)
{
	bool v6 = s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']';
	for (size_t i = v6; i < s.n - v6; i++)
		if (v6 ? !isxdigit((unsigned char)s.p[i]) && s.p[i] != ':' && s.p[i] != '.'
		       : !isalnum((unsigned char)s.p[i]) && !strchr("-._", s.p[i]))
			return false;
	return s.n > 0 && s.n <= TF_CLIENT_HOST_MAX;
}

enum tf_err
client_url_read(struct tf_str url, struct client_url *out, struct tf_fault *f)
{
	if (url.n > TF_CLIENT_URL_MAX)
		return tf_fault(f, TF_INVALID, "a URL of more than %d bytes", TF_CLIENT_URL_MAX);
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] >= 127)
			return tf_fault(f, TF_INVALID, "the URL has a character that is not visible ASCII");
	out->tls = tf_str_starts(url, TF_STR("https://"));
	if (!out->tls && !tf_str_starts(url, TF_STR("http://")))
		return tf_fault(f, TF_INVALID, "'%.*s' is no http or https URL", TF_FMT(url));
	size_t from = out->tls ? 8 : 7, to = from;
	while (to < url.n && !memchr("/?#", url.p[to], 3))
		to++;
	if (memchr(url.p + from, '@', to - from))
		return tf_fault(f, TF_INVALID, "a user in a URL is not taken");
	TF_TRY(read_port(tf_str_n(url.p + from, to - from), out, f));
	if (!is_host(out->host))
		return tf_fault(f, TF_INVALID, "'%.*s' names no host", TF_FMT(url));
	out->path = out->query = to;
	while (out->query < url.n && url.p[out->query] != '?' && url.p[out->query] != '#')
		out->query++;
	return TF_OK;
}

enum tf_err
tf_client_check(struct tf_str url, struct tf_fault *f)
{
	struct client_url u;
	return client_url_read(url, &u, f);
}

size_t
client_origin(const struct client_url *u, char out[static TF_BREAKER_NAME_MAX])
{
	int n = snprintf(out, TF_BREAKER_NAME_MAX, "%s://%.*s:%u", u->tls ? "https" : "http", (int)u->host.n, u->host.p,
			 u->port);
	for (int i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)out[i]);
	return (size_t)n;
}

void
client_form_put(struct tf_buf *b, struct tf_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (isalnum(c) || (c && strchr("-._~", c)))
			tf_buf_u8(b, c);
		else
			tf_buf_printf(b, "%%%02X", c);
	}
}
