/* The reader as a table of requests, good and hostile (http_rows_test.h). A body may have 16 bytes. */
#include "http_rows_test.h"

#include "base/mem.h"

static void
good_requests_are_read(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(GET(""), "GET / a {Host:a} ''\n"),
		ROW("GET /a/b?c=d&e HTTP/1.1\r\nhOsT: a.b:80\r\n\r\n", "GET /a/b?c=d&e a.b:80 {hOsT:a.b:80} ''\n"),
		ROW("GET /? HTTP/1.1\r\nHost: a\r\n\r\n", "GET / a {Host:a} ''\n"),
		ROW("GET /%41%2f%e2%82%ac HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%41%2f%e2%82%ac a {Host:a} ''\n"),
		ROW("BREW /-._~!$&'()*+,;=:@/?/? HTTP/1.1\r\nHost: a\r\n\r\n",
		    "BREW /-._~!$&'()*+,;=:@/?/? a {Host:a} ''\n"),
		ROW("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * a {Host:a} ''\n"),
		ROW("GET / HTTP/1.9\r\nHost: a\r\n\r\n", "GET / a {Host:a} ''\n"),
		ROW("\r\n" GET(""), "GET / a {Host:a} ''\n"),
		ROW(GET("A:\r\nB: \t x y\t \r\nC:\x80\xff\r\n"), "GET / a {Host:a|A:|B:x y|C:\x80\xff} ''\n"),
		ROW(GET("!#$%&'*+-.^_`|~09azAZ: 1\r\n"), "GET / a {Host:a|!#$%&'*+-.^_`|~09azAZ:1} ''\n"),
		ROW(GET("Connection: keep-alive\r\n"), "GET / a {Host:a|Connection:keep-alive} ''\n"),
		ROW(GET("Connection: x, CLOSE\r\n"), "GET / a {Host:a|Connection:x, CLOSE} close ''\n"),
		ROW(GET("Connection: closed\r\n"), "GET / a {Host:a|Connection:closed} ''\n"),
		ROW(POST("Content-Length: 3\r\n") "abc", "POST / a {Host:a|Content-Length:3} length=3 'abc'\n"),
		ROW(POST("Content-Length: 0\r\n"), "POST / a {Host:a|Content-Length:0} length=0 ''\n"),
		ROW(POST("Content-Length: 0016\r\n") "0123456789abcdef",
		    "POST / a {Host:a|Content-Length:0016} length=16 '0123456789abcdef'\n"),
		ROW(POST("Content-Length: 2\r\nExpect: 100-Continue\r\n") "\0\n",
		    "POST / a {Host:a|Content-Length:2|Expect:100-Continue} length=2 continue '"),
		ROW(CHUNKED "3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n", IN_CHUNKS "'abc0123456789'\n"),
		ROW(POST("Transfer-Encoding:  ChUnKeD \r\n") "0\r\n\r\n",
		    "POST / a {Host:a|Transfer-Encoding:ChUnKeD} chunked ''\n"),
	};
	check(rows, COUNT(rows));
}

static void
requests_may_follow_each_other_at_once(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(GET("") GET("Connection: close\r\n"),
		    "GET / a {Host:a} ''\nGET / a {Host:a|Connection:close} close ''\n"),
		ROW(POST("Content-Length: 4\r\n") "GET " GET(""),
		    "POST / a {Host:a|Content-Length:4} length=4 'GET '\nGET / a {Host:a} ''\n"),
		ROW(CHUNKED "1\r\nx\r\n0\r\n\r\n\r\n" GET("Expect: 100-continue\r\n") GET(""),
		    IN_CHUNKS "'x'\nGET / a {Host:a|Expect:100-continue} continue ''\nGET / a {Host:a} ''\n"),
		ROW(GET("A: b\r\n") GET("A : b\r\n") GET(""),
		    "GET / a {Host:a|A:b} ''\n! 400 a blank before a header's colon"),
		ROW(CHUNKED "0\r\nX: 1\r\n\r\n" CHUNKED "0\r\n\r\n", IN_CHUNKS "''\n" IN_CHUNKS "''\n"),
	};
	check(rows, COUNT(rows));
}

/* RFC 9112, 6.3 and 11.2: what lets a request be smuggled behind another. */
static void
a_length_that_two_readers_could_take_differently_is_refused(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(POST("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n",
		    "! 400 Content-Length with Transfer-Encoding"),
		ROW(POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") "0\r\n\r\n",
		    "! 400 Content-Length with Transfer-Encoding"),
		ROW(POST("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n") "0\r\n\r\n",
		    "! 400 Content-Length with Transfer-Encoding"),
		ROW(POST("Content-Length: 3\r\nContent-Length: 4\r\n") "abcd", "! 400 repeated Content-Length"),
		ROW(POST("Content-Length: 3\r\ncontent-length: 3\r\n") "abc", "! 400 repeated Content-Length"),
		ROW(POST("Content-Length: 0\r\nContent-Length: 0\r\n"), "! 400 repeated Content-Length"),
		ROW(POST("Content-Length: 3, 3\r\n") "abc", "! 400 bad Content-Length"),
		ROW(POST("Content-Length: 3,4\r\n") "abc", "! 400 bad Content-Length"),
		ROW(POST("Content-Length:\r\n"), "! 400 bad Content-Length"),
		ROW(POST("Content-Length: +3\r\n") "abc", "! 400 bad Content-Length"),
		ROW(POST("Content-Length: -3\r\n") "abc", "! 400 bad Content-Length"),
		ROW(POST("Content-Length: -0\r\n"), "! 400 bad Content-Length"),
		ROW(POST("Content-Length: 0x3\r\n") "abc", "! 400 bad Content-Length"),
		ROW(POST("Content-Length: a\r\n") "0123456789", "! 400 bad Content-Length"),
		ROW(POST("Content-Length: 3.0\r\n") "abc", "! 400 bad Content-Length"),
		ROW(POST("Content-Length: 3 3\r\n") "abc", "! 400 bad Content-Length"),
		ROW(POST("Content-Length: \"3\"\r\n") "abc", "! 400 bad Content-Length"),
		ROW(POST("Content-Length: 18446744073709551615\r\n"), "! 400 bad Content-Length"),
		ROW(POST("Content-Length: 18446744073709551616\r\n"), "! 400 bad Content-Length"),
		ROW(POST("Content-Length: 18446744073709551619\r\n") "abc", "! 400 bad Content-Length"),
		ROW(POST("Content-Length: 99999999999999999999999999\r\n"), "! 400 bad Content-Length"),
		ROW(POST("Content_Length: 3\r\n") GET(""),
		    "POST / a {Host:a|Content_Length:3} ''\nGET / a {Host:a} ''\n"),
	};
	check(rows, COUNT(rows));
}

static void
a_transfer_coding_that_is_not_chunked_alone_is_refused(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(POST("Transfer-Encoding: gzip, chunked\r\n"), "! 501 only the chunked transfer coding is offered"),
		ROW(POST("Transfer-Encoding: gzip,chunked\r\n"), "! 501 only the chunked transfer coding is offered"),
		ROW(POST("Transfer-Encoding: chunked, chunked\r\n"),
		    "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding: chunked, gzip\r\n"),
		    "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding: gzip\r\n"), "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding: identity\r\n"), "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding: xchunked\r\n"), "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding: chunkedx\r\n"), "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding: chunked;q=1\r\n"), "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding: \"chunked\"\r\n"), "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding: chunked,\r\n"), "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding:\r\n"), "! 400 chunked is not the last transfer coding, once"),
		ROW(POST("Transfer-Encoding: \x0b"
			 "chunked\r\n"),
		    "! 400 a header's value has a control character"),
		ROW(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
		    "! 400 repeated Transfer-Encoding"),
		ROW(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
		    "! 400 repeated Transfer-Encoding"),
		ROW(POST("Transfer-Encoding : chunked\r\n"), "! 400 a blank before a header's colon"),
	};
	check(rows, COUNT(rows));
}

static void
a_line_ends_in_crlf_and_nothing_else(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW("GET / HTTP/1.1\nHost: a\r\n\r\n", "! 400 a line ends in a bare line feed"),
		ROW("GET / HTTP/1.1\r\nHost: a\n\r\n", "! 400 a line ends in a bare line feed"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\n\n", "! 400 a line ends in a bare line feed"),
		ROW("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 a line ends in a bare line feed"),
		ROW("\r\n\r\n" GET(""), "! 400 empty lines before the request"),
		ROW("GET / HTTP/1.1\rHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW(GET("A: b\rC: d\r\n"), "! 400 a header's value has a control character"),
		ROW(GET("A: b\r\r\n"), "! 400 a header's value has a control character"),
		ROW(GET("A: b\r\n\r\r\n"), "! 400 a header's name is malformed"),
		ROW(CHUNKED "3\nabc\r\n0\r\n\r\n", IN_CHUNKS "'! 400 a line ends in a bare line feed"),
		ROW(CHUNKED "3\r\nabc\r\n0\n\r\n", IN_CHUNKS "'abc! 400 a line ends in a bare line feed"),
		ROW(CHUNKED "0\r\n\n", IN_CHUNKS "'! 400 a line ends in a bare line feed"),
		ROW(CHUNKED "0\r\nA: b\n\r\n", IN_CHUNKS "'! 400 a line ends in a bare line feed"),
		ROW(CHUNKED "0\r\nA: b\rC: d\r\n\r\n", IN_CHUNKS "'! 400 a header's value has a control character"),
	};
	check(rows, COUNT(rows));
}

static void
a_malformed_header_is_refused(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(GET("A: b\r\n c\r\n"), "! 400 a header line begins with a blank (obs-fold)"),
		ROW(GET("A: b\r\n\tc\r\n"), "! 400 a header line begins with a blank (obs-fold)"),
		ROW("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "! 400 a header line begins with a blank (obs-fold)"),
		ROW(GET("A : b\r\n"), "! 400 a blank before a header's colon"),
		ROW(GET("A\t: b\r\n"), "! 400 a blank before a header's colon"),
		ROW(GET("A b: c\r\n"), "! 400 a blank before a header's colon"),
		ROW(GET("A\r\n"), "! 400 a header's name is malformed"),
		ROW(GET(": b\r\n"), "! 400 a header's name is malformed"),
		ROW(GET("A(b): c\r\n"), "! 400 a header's name is malformed"),
		ROW(GET("A\x80: c\r\n"), "! 400 a header's name is malformed"),
		ROW(GET("A\0: c\r\n"), "! 400 a header's name is malformed"),
		ROW(GET("A: b\0c\r\n"), "! 400 a header's value has a control character"),
		ROW(GET("A: b\x01\r\n"), "! 400 a header's value has a control character"),
		ROW(GET("A: b\x7f\r\n"), "! 400 a header's value has a control character"),
	};
	check(rows, COUNT(rows));
}

static void
a_malformed_request_line_is_refused(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET /\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET / b HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET / http/1.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET / HTTP/1,1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET / HTTP/11\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET / HTTP/1.10\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET / HTTP/x.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("GET / HTTPS/1.1\r\nHost: a\r\n\r\n", "! 400 the request line is malformed"),
		ROW("\x16\x03\x01\x02\n", "! 400 these bytes are no HTTP"), /* TLS */
	};
	check(rows, COUNT(rows));
}

static void
another_version_is_refused(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW("GET / HTTP/1.0\r\n\r\n", "! 505 only HTTP/1.1 is spoken here"),
		ROW("GET / HTTP/0.9\r\nHost: a\r\n\r\n", "! 505 only HTTP/1.1 is spoken here"),
		ROW("GET / HTTP/2.1\r\nHost: a\r\n\r\n", "! 505 only HTTP/1.1 is spoken here"),
		ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "! 505 only HTTP/1.1 is spoken here"),
	};
	check(rows, COUNT(rows));
}

#define CHARACTER "! 400 the target has a character that must be percent-encoded"

static void
a_target_has_only_the_characters_of_a_uri(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW("GET a HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target is not a path"),
		ROW("GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target is not a path"),
		ROW("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 target '*' is for OPTIONS only"),
		ROW("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target is not a path"),
		ROW("GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target is not a path"),
		ROW("GET /# HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /\" HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /<> HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /\\ HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /[ HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /?a=| HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /% HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /%4g HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
		ROW("GET /%%41 HTTP/1.1\r\nHost: a\r\n\r\n", CHARACTER),
	};
	check(rows, COUNT(rows));
}

static void
a_request_names_one_host(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW("GET / HTTP/1.1\r\n\r\n", "! 400 no Host"),
		ROW("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", "! 400 no Host"),
		ROW(GET("Host: a\r\n"), "! 400 repeated Host"),
		ROW(GET("host: b\r\n"), "! 400 repeated Host"),
		ROW("GET / HTTP/1.1\r\nHost:\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET / a: {Host:a:} ''\n"),
		ROW("GET / HTTP/1.1\r\nHost: a:65535\r\n\r\n", "GET / a:65535 {Host:a:65535} ''\n"),
		ROW("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: a:000080\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / [::1]:80 {Host:[::1]:80} ''\n"),
		ROW("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: []\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", "! 400 bad Host"),
		ROW("GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", "! 400 bad Host"),
		ROW("GET http://a/ HTTP/1.1\r\n\r\n", "! 400 no Host"),
		ROW("GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n", "GET /b?c a {Host:a} ''\n"),
		ROW("GET HTTP://A:80/ HTTP/1.1\r\nHost: a:80\r\n\r\n", "GET / a:80 {Host:a:80} ''\n"),
		ROW("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target's authority is not the Host"),
		ROW("GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target's authority is not the Host"),
		ROW("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target's authority is not the Host"),
		ROW("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target's authority or path is missing"),
		ROW("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target's authority or path is missing"),
		ROW("GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target's authority or path is missing"),
		ROW("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", "! 400 the target is not a path"),
	};
	check(rows, COUNT(rows));
}

static void
only_100_continue_can_be_expected(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(POST("Expect: 200-ok\r\n"), "! 417 only 100-continue can be expected"),
		ROW(POST("Expect:\r\n"), "! 417 only 100-continue can be expected"),
		ROW(POST("Expect: 100-continue, x\r\n"), "! 417 only 100-continue can be expected"),
	};
	check(rows, COUNT(rows));
}

#define SIZE   IN_CHUNKS "'! 400 bad chunk size"
#define LONGER IN_CHUNKS "'abc! 400 a chunk is longer than its size says"

static void
a_chunk_is_what_its_size_says(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(CHUNKED "\r\n", SIZE),
		ROW(CHUNKED "+3\r\nabc\r\n0\r\n\r\n", SIZE),
		ROW(CHUNKED "-3\r\nabc\r\n0\r\n\r\n", SIZE),
		ROW(CHUNKED "-0\r\n\r\n", SIZE),
		ROW(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", SIZE),
		ROW(CHUNKED "3h\r\nabc\r\n0\r\n\r\n", SIZE),
		ROW(CHUNKED "g\r\n", SIZE),
		ROW(CHUNKED " 3\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3 \r\nabc\r\n", SIZE),
		ROW(CHUNKED "3 3\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3,3\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3\0\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3\r\r\nabc\r\n", SIZE),
		ROW(CHUNKED "10000000000000003\r\nabc\r\n", SIZE),
		ROW(CHUNKED "ffffffffffffffff\r\nabc\r\n", SIZE),
		ROW(CHUNKED "0000000000000000\r\n\r\n", SIZE),
		ROW(CHUNKED "fffffffffffffff\r\nabc\r\n", IN_CHUNKS "'! 413 the body is too large"),
		ROW(CHUNKED "3\r\nabcd\r\n0\r\n\r\n", LONGER),
		ROW(CHUNKED "3\r\nabc0\r\n\r\n", LONGER),
		ROW(CHUNKED "3\r\nabc\n0\r\n\r\n", LONGER),
		ROW(CHUNKED "3\r\nabc\rx0\r\n\r\n", LONGER),
		ROW(CHUNKED "4\r\nabc\r\n0\r\n\r\n", IN_CHUNKS "'abc\r! 400 a chunk is longer than its size says"),
		ROW(CHUNKED "3\r\nabc\r\n\r\n", IN_CHUNKS "'abc! 400 bad chunk size"),
	};
	check(rows, COUNT(rows));
}

static void
chunk_extensions_are_checked_and_skipped(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(CHUNKED "3;a\r\nabc\r\n0\r\n\r\n", IN_CHUNKS "'abc'\n"),
		ROW(CHUNKED "3;a=b;c=\"d;\\\"\te\"\r\nabc\r\n0;x\r\n\r\n", IN_CHUNKS "'abc'\n"),
		ROW(CHUNKED "3 ; a = b\t; c\r\nabc\r\n0\r\n\r\n", IN_CHUNKS "'abc'\n"),
		ROW(CHUNKED "3;\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3;a=\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3;=b\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3;a=b c\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3;a=\"b\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3;a=\"b\\\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3;a=\"\x01\"\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3;a=\"\\\0\"\r\nabc\r\n", SIZE),
		ROW(CHUNKED "3;a\rb\r\nabc\r\n", SIZE),
	};
	check(rows, COUNT(rows));
}

/* RFC 9110, 6.5: a trailer changes nothing. */
static void
trailers_are_checked_and_dropped(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(CHUNKED "0\r\nA: b\r\nC:\r\n\r\n", IN_CHUNKS "''\n"),
		ROW(CHUNKED "0\r\nContent-Length: 5\r\n\r\n" GET(""), IN_CHUNKS "''\nGET / a {Host:a} ''\n"),
		ROW(CHUNKED "0\r\nHost: b\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" GET(""),
		    IN_CHUNKS "''\nGET / a {Host:a} ''\n"),
		ROW(CHUNKED "0\r\nA\r\n\r\n", IN_CHUNKS "'! 400 a header's name is malformed"),
		ROW(CHUNKED "0\r\nA : b\r\n\r\n", IN_CHUNKS "'! 400 a blank before a header's colon"),
		ROW(CHUNKED "0\r\nA: b\r\n c\r\n\r\n", IN_CHUNKS "'! 400 a header line begins with a blank (obs-fold)"),
		ROW(CHUNKED "0\r\nA: \0\r\n\r\n", IN_CHUNKS "'! 400 a header's value has a control character"),
		ROW(CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n", IN_CHUNKS "'! 400 a blank before a header's colon"),
	};
	check(rows, COUNT(rows));
}

static void
a_body_past_its_limit_is_refused(void **state)
{
	(void)state;
	const struct row rows[] = {
		ROW(POST("Content-Length: 17\r\n") "01234567890123456",
		    "POST / a {Host:a|Content-Length:17} length=17 '! 413 the body is too large"),
		ROW(POST("Content-Length: 18446744073709551614\r\n"),
		    "POST / a {Host:a|Content-Length:18446744073709551614} length=18446744073709551614 '! 413 the "
		    "body is too large"),
		ROW(CHUNKED "10\r\n0123456789abcdef\r\n0\r\n\r\n", IN_CHUNKS "'0123456789abcdef'\n"),
		ROW(CHUNKED "11\r\n0123456789abcdefg\r\n0\r\n\r\n", IN_CHUNKS "'! 413 the body is too large"),
		ROW(CHUNKED "f\r\n0123456789abcde\r\n2\r\n", IN_CHUNKS "'0123456789abcde! 413 the body is too large"),
	};
	check(rows, COUNT(rows));
}

static void
put_times(struct tf_buf *b, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		tf_buf_cstr(b, text);
}

/* begin, then `fill` so often that begin, fill and end together have `bytes` bytes, then end and rest. */
static void
sized(const char *begin, const char *fill, const char *end, size_t bytes, const char *rest, const char *want)
{
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_cstr(&b, begin);
	put_times(&b, fill, (bytes - strlen(begin) - strlen(end)) / strlen(fill));
	tf_buf_cstr(&b, end);
	assert_int_equal(b.n, bytes);
	tf_buf_cstr(&b, rest);
	struct tf_buf got = read_cut(tf_buf_view(&b), b.n, b.n);
	if (!strncmp(want, "...", 3)) {
		size_t n = strlen(want) - 3;
		assert_true(got.n > n && !strcmp((char *)got.p + got.n - 1 - n, want + 3));
	} else {
		assert_string_equal((char *)got.p, want);
	}
	understood_however_cut(tf_buf_view(&b), (char *)got.p);
	tf_buf_release(&got);
	tf_buf_release(&b);
}

static void
what_is_longer_than_its_limit_is_refused(void **state)
{
	(void)state;
	const size_t head = TF_HTTP_HEAD_BYTES, target = TF_HTTP_TARGET_BYTES, line = TF_HTTP_LINE_BYTES;
	const char *host = "Host: a\r\n\r\n", *too_long = "! 431 the header section is too long";
	sized("GET / HTTP/1.1\r\nHost: a\r\nA: ", "b", "\r\n\r\n", head, "", "...} ''\n");
	sized("GET / HTTP/1.1\r\nHost: a\r\nA: ", "b", "\r\n\r\n", head + 1, "", too_long);
	sized("GET / HTTP/1.1\r\nHost: a\r\nA: ", "b", "", 2 * head, "", too_long);
	sized("GET /", "a", " HTTP/1.1\r\n", 4 + target + 11, host, "... a {Host:a} ''\n");
	sized("GET /", "a", " HTTP/1.1\r\n", 4 + target + 1 + 11, host, "! 414 the target is too long");
	sized("GET /", "a", "", head + 1, "", "! 414 the request line is too long");
	sized("GET /", "a", " HTTP/1.1\r\n", head + 1, host, "! 414 the request line is too long");
	sized("GET / HTTP/1.1\r\nHost: ", "a", "\r\n", 22 + 255 + 2, "\r\n", "...} ''\n");
	sized("GET / HTTP/1.1\r\nHost: ", "a", "\r\n", 22 + 256 + 2, "\r\n", "! 400 bad Host");
	size_t heads = sizeof(CHUNKED) - 1;
	sized(CHUNKED "1;a=", "b", "\r\n", heads + line, "x\r\n0\r\n\r\n", IN_CHUNKS "'x'\n");
	sized(CHUNKED "1;a=", "b", "\r\n", heads + line + 1, "x\r\n0\r\n\r\n",
	      IN_CHUNKS "'! 400 a chunk's size line is too long");
	sized(CHUNKED "0\r\nA: ", "b", "\r\n", heads + 3 + line, "\r\n", IN_CHUNKS "''\n");
	sized(CHUNKED "0\r\nA: ", "b", "\r\n", heads + 3 + line + 1, "\r\n", IN_CHUNKS "'! 431 a trailer is too long");
}

static void
more_lines_than_their_limit_are_refused(void **state)
{
	(void)state;
	const char *begin = "GET / HTTP/1.1\r\nHost: a\r\n";
	size_t n = strlen(begin), heads = sizeof(CHUNKED "0\r\n") - 1;
	sized(begin, "A:1\r\n", "\r\n", n + (TF_HTTP_HEADERS_MAX - 1) * 5 + 2, "", "...|A:1} ''\n");
	sized(begin, "A:1\r\n", "\r\n", n + TF_HTTP_HEADERS_MAX * 5 + 2, "", "! 431 too many headers");
	sized(CHUNKED "0\r\n", "A:1\r\n", "\r\n", heads + TF_HTTP_TRAILERS_MAX * 5 + 2, "", IN_CHUNKS "''\n");
	sized(CHUNKED "0\r\n", "A:1\r\n", "\r\n", heads + (TF_HTTP_TRAILERS_MAX + 1) * 5 + 2, "",
	      IN_CHUNKS "'! 431 too many trailers");
}

static void
a_request_cut_short_is_not_whole(void **state)
{
	(void)state;
	struct tf_str bytes = TF_STR(CHUNKED "3\r\nabc\r\n0\r\nA: b\r\n\r\n");
	for (size_t n = 0; n < bytes.n; n++) {
		struct tf_buf got = read_cut(tf_str_n(bytes.p, n), n, n);
		assert_null(strstr((char *)got.p, "'\n"));
		assert_null(strchr((char *)got.p, '!'));
		tf_buf_release(&got);
	}
}

/* The request before left its headers' places behind; its bytes are gone. */
static void
a_refused_head_shows_only_the_headers_that_were_read(void **state)
{
	(void)state;
	struct tf_http_in in;
	struct tf_str first = TF_STR(GET("A: b\r\nC: d\r\n")), second = TF_STR(GET("A : b\r\n"));
	tf_http_in_init(&in, 0);
	assert_int_equal(tf_http_in_feed(&in, &first), TF_HTTP_HEAD);
	assert_int_equal(tf_http_in_feed(&in, &first), TF_HTTP_DONE);
	tf_http_in_next(&in, 0, false);
	assert_int_equal(tf_http_in_feed(&in, &second), TF_HTTP_REFUSED);
	assert_int_equal(in.request.header_count, 1);
	assert_null(tf_http_header(&in.request, "traceparent").p);
	assert_false(tf_http_repeated(&in.request, "A"));
	tf_http_in_release(&in);
}

static void
headers_are_found_by_name(void **state)
{
	(void)state;
	struct tf_http_in in;
	struct tf_str bytes = TF_STR(GET("Accept: x\r\nACCEPT: y\r\nEmpty:\r\n"));
	tf_http_in_init(&in, 0);
	assert_false(tf_http_in_begun(&in));
	assert_int_equal(tf_http_in_feed(&in, &bytes), TF_HTTP_HEAD);
	assert_true(tf_http_in_begun(&in));
	assert_true(tf_str_eq(tf_http_header(&in.request, "accept"), TF_STR("x")));
	assert_true(tf_http_repeated(&in.request, "accept"));
	assert_false(tf_http_repeated(&in.request, "host"));
	assert_false(tf_http_repeated(&in.request, "none"));
	assert_non_null(tf_http_header(&in.request, "empty").p);
	assert_null(tf_http_header(&in.request, "none").p);
	tf_http_in_release(&in);
}

static void
a_head_without_memory_is_refused_for_now(void **state)
{
	(void)state;
	struct tf_http_in in;
	struct tf_str bytes = TF_STR(GET(""));
	tf_http_in_init(&in, 0);
	tf_mem_fail_at(1);
	enum tf_http_event e = tf_http_in_feed(&in, &bytes);
	tf_mem_fail_at(0);
	assert_int_equal(e, TF_HTTP_REFUSED);
	assert_int_equal(in.status, 503);
	tf_http_in_release(&in);
}

static void
percent_encoding_is_undone(void **state)
{
	(void)state;
	const struct {
		const char *text, *want; /* NULL: refused */
	} rows[] = {
		{"", ""},        {"a+b", "a+b"}, {"%41%2F%2f", "A//"},  {"%25%32", "%2"}, {"%e2%82%AC", "\xe2\x82\xac"},
		{"a%00b", NULL}, {"%", NULL},    {"%4", NULL},          {"%4g", NULL},    {"%g4", NULL},
		{"%%41", NULL},  {"%-1", NULL},  {"%01%ff", "\x01\xff"}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tf_buf b;
		tf_buf_init(&b, 0);
		enum tf_err e = tf_http_decode(tf_str(rows[i].text), &b);
		assert_int_equal(e, rows[i].want ? TF_OK : TF_INVALID);
		if (rows[i].want)
			assert_true(tf_str_eq(tf_buf_view(&b), tf_str(rows[i].want)));
		tf_buf_release(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_requests_are_read),
		cmocka_unit_test(requests_may_follow_each_other_at_once),
		cmocka_unit_test(a_length_that_two_readers_could_take_differently_is_refused),
		cmocka_unit_test(a_transfer_coding_that_is_not_chunked_alone_is_refused),
		cmocka_unit_test(a_line_ends_in_crlf_and_nothing_else),
		cmocka_unit_test(a_malformed_header_is_refused),
		cmocka_unit_test(a_malformed_request_line_is_refused),
		cmocka_unit_test(another_version_is_refused),
		cmocka_unit_test(a_target_has_only_the_characters_of_a_uri),
		cmocka_unit_test(a_request_names_one_host),
		cmocka_unit_test(only_100_continue_can_be_expected),
		cmocka_unit_test(a_chunk_is_what_its_size_says),
		cmocka_unit_test(chunk_extensions_are_checked_and_skipped),
		cmocka_unit_test(trailers_are_checked_and_dropped),
		cmocka_unit_test(a_body_past_its_limit_is_refused),
		cmocka_unit_test(what_is_longer_than_its_limit_is_refused),
		cmocka_unit_test(more_lines_than_their_limit_are_refused),
		cmocka_unit_test(a_request_cut_short_is_not_whole),
		cmocka_unit_test(a_refused_head_shows_only_the_headers_that_were_read),
		cmocka_unit_test(headers_are_found_by_name),
		cmocka_unit_test(a_head_without_memory_is_refused_for_now),
		cmocka_unit_test(percent_encoding_is_undone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
