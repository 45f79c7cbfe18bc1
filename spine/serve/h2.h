/* Inside serve: HTTP/2 on a connection that agreed on it (ALPN), through nghttp2.
 *
 * The connection keeps its socket, its TLS and its place among the server's; `h2` is nghttp2's session on it. Each
 * stream is a struct tf_conn of its own without a socket, `under` which lies the connection: exchange, route, worker
 * and reply work on it as over HTTP/1.1. Its fd is TF_H2_FD while the client can be answered, -1 after.
 *
 *   bytes ─▶ tf_h2_feed ─▶ nghttp2 ─▶ fields, data ─▶ the stream's tf_conn_event ─▶ handler
 *   bytes ◀─ tf_h2_pull ◀─ nghttp2 ◀─ head, data   ◀─ tf_h2_flush, after the round's `after`
 *
 * The session is given an answer in tf_h2_flush only, so that what it holds may be sent at any time.
 *
 * Bounds: TF_H2_*, the server's streams_max, and the limits of time and size that hold for HTTP/1.1. Streams whose
 * client reset them count until their handlers have ended. Past a flood's bound the connection ends with
 * ENHANCE_YOUR_CALM. Thread rule: the loop's thread. */
#pragma once
#include <limits.h>
#include <nghttp2/nghttp2.h>

#include "server_impl.h"

#define TF_H2_FD            INT_MAX
#define TF_H2_STREAMS       100u               /* of a connection at a time; past it REFUSED_STREAM */
#define TF_H2_STREAM_WINDOW (256 << 10)        /* bytes of a body on their way */
#define TF_H2_WINDOW        (1 << 20)          /* of all bodies of a connection */
#define TF_H2_UNSENT        ((size_t)64 << 10) /* frames taken from the session and not sent yet */
#define TF_H2_ACKS          100u               /* answers to PING and SETTINGS that the client does not take */
#define TF_H2_HEADERS       ((size_t)64 << 10) /* a header list past it is not read to its end; 431 comes before */
#define TF_H2_RESETS        200u               /* streams that a client broke, at once and then */
#define TF_H2_RESETS_RATE   20u                /* a second */
#define TF_H2_CONTROLS      1000u              /* PING, SETTINGS, PRIORITY and empty DATA frames, at once and then */
#define TF_H2_CONTROLS_RATE 100u               /* a second */

/* What a client may do so often and no more. */
struct tf_h2_calm {
	uint64_t left;
	tf_dur at;
};

struct tf_h2 {
	nghttp2_session *session;
	struct tf_conn *conn;
	struct tf_h2 *due_next;
	bool due;
	struct tf_http_fields fields; /* of the header block that is being read */
	bool trailers;                /* it is one behind a body */
	tf_dur waits_since;           /* for a header block's end, or the client's first frame; 0: for none */
	struct tf_h2_calm resets, controls;
	uint32_t stream_count;
	int32_t newest; /* number of a stream that the client began */
	struct {
		int32_t from, to;
	} skipped[4]; /* numbers that it left out, as far as they are remembered */
	unsigned skips;
	tf_dur drain_since; /* 0: not yet */
	bool goaway;        /* no stream begins any more */
	bool calmed;        /* the client went past a flood's bound: what it sends is not read */
	bool failed;        /* the session cannot go on */
};

/* h2.c */
/* The handshake is over. False: there was no memory, and the connection is closed. */
bool tf_h2_open(struct tf_conn *c);
void tf_h2_free(struct tf_h2 **h2);
/* Bytes from the connection. */
void tf_h2_feed(struct tf_conn *c, struct tf_str bytes);
/* Takes frames to send, when those before are sent. False: there are none. */
bool tf_h2_pull(struct tf_conn *c);
/* Is nothing more to be read or sent? */
bool tf_h2_over(struct tf_conn *c);
/* The connection ended: so do its streams. True: handlers still hold some. */
bool tf_h2_closed(struct tf_conn *c);
void tf_h2_sweep(struct tf_conn *c, tf_dur now);
/* Tells the client to begin no more streams; what was begun is finished. */
void tf_h2_drain(struct tf_conn *c);
/* There are frames to send at the end of the round. */
void tf_h2_due(struct tf_conn *c);
/* Sends them. True: some answers wait for the next round. */
bool tf_h2_send_all(struct tf_server *s);
/* Ends a connection whose client does too much of something: what a callback is to return. */
int tf_h2_calm_down(struct tf_h2 *h2, const char *why);
/* Takes one of what is left; false when nothing is. */
bool tf_h2_spend(struct tf_h2 *h2, struct tf_h2_calm *calm, uint32_t burst, uint32_t rate);

/* h2_stream.c: between the session and its streams. */
void tf_h2_stream_callbacks(nghttp2_session_callbacks *cb);
/* The fields of a header block are whole: a request, or what stands behind a body. */
void tf_h2_headers(struct tf_h2 *h2, const nghttp2_frame *frame);
/* The client has sent all of the stream. */
void tf_h2_ended(struct tf_h2 *h2, int32_t id);
/* A frame with END_STREAM was given out. */
void tf_h2_answered(struct tf_h2 *h2, int32_t id);
/* Was all of its answer given out, before its request had ended? */
bool tf_h2_lingers(struct tf_h2 *h2, int32_t id);
/* `100 Continue`. */
void tf_h2_continue(struct tf_conn *c);
/* Gives the session what the stream's handler wrote. Only after `after`. */
void tf_h2_flush(struct tf_conn *c);
/* Takes the stream out of its session, where it still is in it. */
void tf_h2_reset(struct tf_conn *c);
/* The stream's connection was told dead. */
void tf_h2_buried(struct tf_conn *c);
