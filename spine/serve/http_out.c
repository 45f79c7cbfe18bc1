/* Writing responses; see http.h. */
#include "serve/http.h"

const char *
tf_http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {{200, "OK"},
		       {201, "Created"},
		       {202, "Accepted"},
		       {204, "No Content"},
		       {304, "Not Modified"},
		       {400, "Bad Request"},
		       {401, "Unauthorized"},
		       {403, "Forbidden"},
		       {404, "Not Found"},
		       {405, "Method Not Allowed"},
		       {406, "Not Acceptable"},
		       {408, "Request Timeout"},
		       {409, "Conflict"},
		       {413, "Content Too Large"},
		       {414, "URI Too Long"},
		       {415, "Unsupported Media Type"},
		       {417, "Expectation Failed"},
		       {422, "Unprocessable Content"},
		       {429, "Too Many Requests"},
		       {431, "Request Header Fields Too Large"},
		       {500, "Internal Server Error"},
		       {501, "Not Implemented"},
		       {503, "Service Unavailable"},
		       {504, "Gateway Timeout"},
		       {505, "HTTP Version Not Supported"},
		       {507, "Insufficient Storage"}};
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Status";
}

static void
two_digits(char *at, int n)
{
	at[0] = (char)('0' + n / 10 % 10);
	at[1] = (char)('0' + n % 10);
}

/* IMF-fixdate of RFC 9110, 5.6.7. By hand: it is in every answer, and printf took longer than the rest of the head. */
static void
put_date(struct tf_buf *b, tf_time now)
{
	static const char days[7][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tf_civil c;
	tf_civil_from_seconds(now / TF_SEC, &c);
	char line[] = "Date: Mon, 00 Jan 0000 00:00:00 GMT\r\n";
	memcpy(line + 6, days[tf_date_weekday((int32_t)(now / TF_DAY))], 3);
	two_digits(line + 11, c.day);
	memcpy(line + 14, months[c.month - 1], 3);
	two_digits(line + 18, c.year / 100);
	two_digits(line + 20, c.year);
	two_digits(line + 23, c.hour);
	two_digits(line + 26, c.minute);
	two_digits(line + 29, c.second);
	tf_buf_put(b, line, sizeof line - 1);
}

void
tf_http_put_head(struct tf_buf *b, enum tf_http_version v, int status, uint64_t length, bool close, tf_time now)
{
	tf_buf_cstr(b, v == TF_HTTP_2 ? ":status: " : "HTTP/1.1 ");
	tf_buf_digits(b, (unsigned)status);
	if (v == TF_HTTP_1_1) {
		tf_buf_u8(b, ' ');
		tf_buf_cstr(b, tf_http_reason(status));
	}
	tf_http_put_end(b);
	put_date(b, now);
	if (close && v == TF_HTTP_1_1)
		tf_buf_cstr(b, "Connection: close\r\n");
	if (status == 204 || status == 304)
		return;
	if (length == TF_HTTP_BODY_NONE) {
		tf_buf_cstr(b, v == TF_HTTP_1_1 ? "Transfer-Encoding: chunked\r\n" : "");
		return;
	}
	tf_buf_cstr(b, "Content-Length: ");
	tf_buf_digits(b, length);
	tf_http_put_end(b);
}

void
tf_http_put_header(struct tf_buf *b, const char *name, struct tf_str value)
{
	for (size_t i = tf_str_plain(value); i < value.n; i++)
		TF_ASSERT((unsigned char)value.p[i] >= ' ' && value.p[i] != 127);
	size_t n = strlen(name);
	uint8_t *to = tf_buf_extend(b, n + 2 + value.n + 2);
	if (!to)
		return;
	memcpy(to, name, n);
	memcpy(to + n, ": ", 2);
	if (value.n)
		memcpy(to + n + 2, value.p, value.n);
	memcpy(to + n + 2 + value.n, "\r\n", 2);
}

void
tf_http_put_end(struct tf_buf *b)
{
	tf_buf_cstr(b, "\r\n");
}

void
tf_http_put_chunk(struct tf_buf *b, enum tf_http_version v, struct tf_str bytes)
{
	if (!bytes.n)
		return;
	if (v == TF_HTTP_1_1)
		tf_buf_printf(b, "%zx\r\n", bytes.n);
	tf_buf_str(b, bytes);
	if (v == TF_HTTP_1_1)
		tf_buf_cstr(b, "\r\n");
}

void
tf_http_put_last(struct tf_buf *b, enum tf_http_version v)
{
	if (v == TF_HTTP_1_1)
		tf_buf_cstr(b, "0\r\n\r\n");
}
