/* HTTP/1.1 messages as RFC 9112 says and no looser: bytes in, requests out; responses, bytes out. Pure: no I/O, no
 * clock; the same bytes give the same events however they are cut into pieces.
 *
 * What is refused, and with which status, is the table in http_test.c. In short: 400 for anything that two readers of
 * the same bytes could understand differently (Content-Length with Transfer-Encoding, repeated lengths, bare LF,
 * obs-fold, space before a colon, bad chunk sizes, invalid characters, missing, repeated or mismatched Host), 413, 414
 * and 431 over limits, 417, 501 and 505 for what is not offered. After a refusal the connection must be closed: where
 * the next request begins is not known. HTTP/1.0 is not offered (505). Limits: TF_HTTP_* below and body_max. */
#pragma once
#include "base/buf.h"
#include "base/time.h"

#define TF_HTTP_HEADERS_MAX  64
#define TF_HTTP_HEAD_BYTES   16384 /* request line and header section */
#define TF_HTTP_TARGET_BYTES 8192
#define TF_HTTP_LINE_BYTES   1024 /* a chunk's size line, a trailer line */
#define TF_HTTP_TRAILERS_MAX 32
#define TF_HTTP_BODY_NONE    UINT64_MAX

struct tf_http_header {
	struct tf_str name, value; /* value without white space around it */
};

/* Strings point into the reader and are valid until tf_http_in_next or release. */
struct tf_http_request {
	struct tf_str method, target;
	struct tf_str path, query; /* of the target, percent-encoded as they came; query without '?' */
	struct tf_str host;
	struct tf_http_header headers[TF_HTTP_HEADERS_MAX];
	size_t header_count;
	uint64_t length; /* Content-Length; TF_HTTP_BODY_NONE without one */
	bool chunked;    /* or, over HTTP/2, a body without Content-Length */
	bool expects_continue, close;
};

enum tf_http_event {
	TF_HTTP_MORE,    /* everything was consumed: feed more */
	TF_HTTP_HEAD,    /* the head is whole; body_max may be set now */
	TF_HTTP_BODY,    /* piece holds bytes of the body, valid until the fed bytes are gone */
	TF_HTTP_DONE,    /* the request is whole; tf_http_in_next before more is fed */
	TF_HTTP_REFUSED, /* answer status and why, then close */
};

struct tf_http_in {
	int state;
	struct tf_buf head;
	char line[TF_HTTP_LINE_BYTES];
	size_t line_n;
	uint64_t left, body; /* of the chunk or body still to come; bytes of the body so far */
	unsigned trailers;
	bool blank; /* one empty line before the request was skipped */

	struct tf_http_request request;
	uint64_t body_max; /* 413 past this */
	struct tf_str piece;
	int status; /* of a refusal */
	const char *why;
};

/* Takes no memory before the first byte. */
void tf_http_in_init(struct tf_http_in *in, uint64_t body_max);
void tf_http_in_release(struct tf_http_in *in);
/* Ready for the next request on the connection. keep_memory: the buffer too. */
void tf_http_in_next(struct tf_http_in *in, uint64_t body_max, bool keep_memory);
/* Takes what it needs off *bytes. Call again while it answers HEAD or BODY (with *bytes empty too). A refusal stays. */
enum tf_http_event tf_http_in_feed(struct tf_http_in *in, struct tf_str *bytes);
/* A request over HTTP/2: its fields as they come, then what they say together, then pieces of its body. Grammar, limits
 * and refusals are those of a head that came as lines; the names and rules of RFC 9113, 8.2 and 8.3 come in addition.
 * Release leaves it ready for the next. */
struct tf_http_fields {
	struct tf_buf method, target, authority, scheme, lines;
	size_t bytes, count; /* of all that were added: past a limit the caller may give up */
	bool host;
	int status; /* of the first refusal; 0: none */
	const char *why;
};
void tf_http_fields_init(struct tf_http_fields *f);
void tf_http_fields_release(struct tf_http_fields *f);
/* name with ':' in front: a pseudo-header field. What is wrong with it is told by tf_http_in_fields. */
void tf_http_fields_add(struct tf_http_fields *f, struct tf_str name, struct tf_str value);
/* All fields were added. ends: no body follows. TF_HTTP_HEAD or _REFUSED; in must be new. */
enum tf_http_event tf_http_in_fields(struct tf_http_in *in, struct tf_http_fields *f, bool ends);
/* Bytes of the body: TF_HTTP_BODY, _REFUSED; without bytes, once body_max is set, _REFUSED or _MORE. */
enum tf_http_event tf_http_in_data(struct tf_http_in *in, struct tf_str bytes);
/* The body has ended: TF_HTTP_DONE or _REFUSED. */
enum tf_http_event tf_http_in_end(struct tf_http_in *in);
/* Did any byte of a request come? */
bool tf_http_in_begun(const struct tf_http_in *in);
/* The value of a header by name (case folded), empty p when absent; the first when repeated. */
struct tf_str tf_http_header(const struct tf_http_request *r, const char *name);
/* Is the header there more than once? */
bool tf_http_repeated(const struct tf_http_request *r, const char *name);

/* Percent-decoding: %HH becomes its byte, everything else stays ('+' too). TF_INVALID for a bad or zero %HH. */
enum tf_err tf_http_decode(struct tf_str s, struct tf_buf *out) TF_MUST_USE;

/* What the writer below writes for. HTTP/2 takes the head as lines too, ":status: 200" the first: h2.c makes fields of
 * them. It has no chunks: a stream's end is told by its frames. */
enum tf_http_version { TF_HTTP_1_1, TF_HTTP_2 };

/* "OK", "Not Found"; "Status" for one that has no name here. */
const char *tf_http_reason(int status);
/* Status line, Date, Connection: close where asked, framing: length, or TF_HTTP_BODY_NONE for chunked (204 and 304 get
 * neither). Headers of the caller follow, then tf_http_put_end. */
void tf_http_put_head(struct tf_buf *b, enum tf_http_version v, int status, uint64_t length, bool close, tf_time now);
/* One header. A value with a control character is a bug: asserted. */
void tf_http_put_header(struct tf_buf *b, const char *name, struct tf_str value);
void tf_http_put_end(struct tf_buf *b);
/* A chunk; nothing for empty bytes. */
void tf_http_put_chunk(struct tf_buf *b, enum tf_http_version v, struct tf_str bytes);
/* The last chunk. */
void tf_http_put_last(struct tf_buf *b, enum tf_http_version v);
