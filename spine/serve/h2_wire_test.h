/* An HTTP/2 client for tests that says frames as it is told, good and bad ones, over TLS to a site (site_test.h). What
 * is heard is kept by stream. Header blocks are written as literals; those that come are read by nghttp2's decoder. */
#pragma once
#include <nghttp2/nghttp2.h>

#include "pki_test.h"
#include "site_test.h"

#define WIRE_STREAMS 2048
#define WIRE_DAY     86400L /* seconds */

/* Files and pairs for a server and a partner of its CA. */
extern struct wire_pki {
	char dir[64], certificate[96], key[96], ca[96], crl[96];
	struct pki_pair root, own, partner;
} wire_pki;
int wire_pki_make(void **state);
int wire_pki_drop(void **state);
/* Wants a certificate, offers HTTP/2; nothing is revoked. */
struct tf_tls *wire_tls(void);

struct wire_stream {
	int status; /* of the last head; 0: none came */
	bool ended;
	int reset; /* error code; -1: none */
	char fields[1024];
	struct tf_buf body;
	unsigned heads, datas; /* frames */
};

struct wire {
	struct client tcp;
	SSL_CTX *ctx;
	SSL *ssl;
	nghttp2_hd_inflater *inflater;
	struct tf_buf in, out;
	size_t at;
	bool keep_window; /* nothing is told of what was taken */
	bool keep_ping;   /* nor is a PING answered */
	struct wire_stream streams[WIRE_STREAMS];
	int goaway; /* error code; -1: none came */
	uint32_t goaway_last;
	unsigned goaways, pings, ping_acks, updates;
	bool closed;
};

/* Offers alpn ("h2", "http/1.1"); with may be NULL. Preface and SETTINGS are said. */
struct wire *wire_dial(struct site *s, const struct pki_pair *with, const char *alpn);
void wire_close(struct wire **w);
/* Gathers a frame; wire_send sends what was gathered. */
void wire_frame(struct wire *w, uint8_t type, uint8_t flags, uint32_t id, const void *p, size_t n);
void wire_send(struct wire *w);
/* A literal field of a header block. */
void wire_field(struct tf_buf *b, const char *name, struct tf_str value);
/* HEADERS with :method, :scheme https, :path, :authority h, and `more` ("name: value\n" lines or NULL). */
void wire_ask(struct wire *w, uint32_t id, const char *method, const char *path, const char *more, bool end);
void wire_data(struct wire *w, uint32_t id, struct tf_str bytes, bool end);
void wire_reset(struct wire *w, uint32_t id);
struct wire_stream *wire_stream(struct wire *w, uint32_t id);
/* One frame; false when the connection ended. */
bool wire_hear(struct wire *w);
/* Until the stream has ended or was reset; fails at the connection's end. */
struct wire_stream *wire_until(struct wire *w, uint32_t id);
/* To the end of the connection. */
void wire_end(struct wire *w);
/* Sends a GET and hears its status; 0 when it was reset. */
int wire_get(struct wire *w, uint32_t id, const char *path);
bool wire_body_is(struct wire *w, uint32_t id, const char *text);
/* A PING, and waits for its answer: what was sent before has been looked at. */
void wire_settle(struct wire *w);
