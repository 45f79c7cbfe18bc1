/* The writer: its framing, and what it refuses to write. */
#include "http_rows_test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW  ((tf_time)784111777 * TF_SEC) /* the example of RFC 9110, 5.6.7 */
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static void
wrote(struct tf_buf *b, const char *want)
{
	assert_int_equal(b->err, TF_OK);
	tf_buf_u8(b, 0);
	assert_string_equal((char *)b->p, want);
	tf_buf_release(b);
}

static void
a_head_says_how_the_body_ends(void **state)
{
	(void)state;
	const struct {
		int status;
		uint64_t length;
		bool close;
		const char *want;
	} rows[] = {
		{200, 5, false, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 5\r\n\r\n"},
		{200, 0, true, "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\nContent-Length: 0\r\n\r\n"},
		{200, TF_HTTP_BODY_NONE, false, "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n"},
		{404, 18446744073709551614u, false,
		 "HTTP/1.1 404 Not Found\r\n" DATE "Content-Length: 18446744073709551614\r\n\r\n"},
		{204, 0, false, "HTTP/1.1 204 No Content\r\n" DATE "\r\n"},
		{204, TF_HTTP_BODY_NONE, false, "HTTP/1.1 204 No Content\r\n" DATE "\r\n"},
		{304, 5, false, "HTTP/1.1 304 Not Modified\r\n" DATE "\r\n"},
		{299, 1, false, "HTTP/1.1 299 Status\r\n" DATE "Content-Length: 1\r\n\r\n"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tf_buf b;
		tf_buf_init(&b, 0);
		tf_http_put_head(&b, TF_HTTP_1_1, rows[i].status, rows[i].length, rows[i].close, NOW);
		tf_http_put_end(&b);
		wrote(&b, rows[i].want);
	}
}

static void
every_status_of_an_error_has_a_reason(void **state)
{
	(void)state;
	for (int e = 0; e <= TF_BUG; e++)
		assert_string_not_equal(tf_http_reason(tf_err_http((enum tf_err)e)), "Status");
	const int refusals[] = {400, 404, 405, 408, 413, 414, 417, 429, 431, 501, 503, 505};
	for (size_t i = 0; i < COUNT(refusals); i++)
		assert_string_not_equal(tf_http_reason(refusals[i]), "Status");
}

static void
chunks_are_written_as_the_reader_reads_them(void **state)
{
	(void)state;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_cstr(&b, CHUNKED);
	tf_http_put_chunk(&b, TF_HTTP_1_1, TF_STR("abc"));
	tf_http_put_chunk(&b, TF_HTTP_1_1, TF_STR(""));
	tf_http_put_chunk(&b, TF_HTTP_1_1, TF_STR("0123456789"));
	tf_http_put_last(&b, TF_HTTP_1_1);
	understood_however_cut(tf_buf_view(&b), IN_CHUNKS "'abc0123456789'\n");
	wrote(&b, CHUNKED "3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n");
}

/* Does writing the header end in a bug report? In a process of its own. */
static bool
is_a_bug(struct tf_str value)
{
	pid_t child = fork();
	if (child == 0) {
		struct tf_buf b;
		tf_buf_init(&b, 0);
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		tf_http_put_header(&b, "A", value);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void
a_header_can_not_be_split(void **state)
{
	(void)state;
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_http_put_header(&b, "A", TF_STR("b \xc3\xa9"));
	tf_http_put_header(&b, "C", TF_STR(""));
	wrote(&b, "A: b \xc3\xa9\r\nC: \r\n");
	assert_false(is_a_bug(TF_STR("b")));
	assert_true(is_a_bug(TF_STR("b\r\nC: d")));
	assert_true(is_a_bug(TF_STR("b\n")));
	assert_true(is_a_bug(TF_STR("\r")));
	assert_true(is_a_bug(TF_STR("a\0b")));
	assert_true(is_a_bug(TF_STR("\x7f")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_says_how_the_body_ends),
		cmocka_unit_test(every_status_of_an_error_has_a_reason),
		cmocka_unit_test(chunks_are_written_as_the_reader_reads_them),
		cmocka_unit_test(a_header_can_not_be_split),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
