/* Frames of HTTP/2, said and heard; see h2_wire_test.h. */
#include "h2_wire_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct wire_pki wire_pki;

int
wire_pki_make(void **state)
{
	struct wire_pki *p = &wire_pki;
	(void)state;
	snprintf(p->dir, sizeof p->dir, "/tmp/server-h2-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->certificate, sizeof p->certificate, "%.60s/server.pem", p->dir);
	snprintf(p->key, sizeof p->key, "%.60s/server.key", p->dir);
	snprintf(p->ca, sizeof p->ca, "%.60s/ca.pem", p->dir);
	snprintf(p->crl, sizeof p->crl, "%.60s/ca.crl", p->dir);
	p->root = pki_make("root", PKI_CA, NULL, -WIRE_DAY, WIRE_DAY);
	p->own = pki_make("server", PKI_SERVER, &p->root, -WIRE_DAY, WIRE_DAY);
	p->partner = pki_make("partner", PKI_CLIENT, &p->root, -WIRE_DAY, WIRE_DAY);
	pki_write(p->certificate, &p->own.x, 1, NULL);
	pki_write(p->key, NULL, 0, p->own.key);
	pki_write(p->ca, &p->root.x, 1, NULL);
	return 0;
}

int
wire_pki_drop(void **state)
{
	(void)state;
	char command[128];
	pki_free(&wire_pki.root);
	pki_free(&wire_pki.own);
	pki_free(&wire_pki.partner);
	snprintf(command, sizeof command, "rm -r '%s'", wire_pki.dir);
	return system(command);
}

struct tf_tls *
wire_tls(void)
{
	struct tf_tls *tls;
	struct tf_tls_options o = {.certificate = wire_pki.certificate,
				   .key = wire_pki.key,
				   .clients = TF_TLS_CLIENTS_MUST,
				   .client_ca = wire_pki.ca,
				   .crl = wire_pki.crl,
				   .http2 = true};
	pki_write_crl(wire_pki.crl, &wire_pki.root, NULL, 0, WIRE_DAY);
	OK(tf_tls_new(tf_os_real(), &o, &tls, NULL));
	return tls;
}

struct wire_stream *
wire_stream(struct wire *w, uint32_t id)
{
	assert_true(id % 2 && id / 2 < WIRE_STREAMS);
	return &w->streams[id / 2];
}

void
wire_frame(struct wire *w, uint8_t type, uint8_t flags, uint32_t id, const void *p, size_t n)
{
	uint8_t head[9] = {(uint8_t)(n >> 16),  (uint8_t)(n >> 8),   (uint8_t)n,         type,       flags,
			   (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
	tf_buf_put(&w->out, head, sizeof head);
	tf_buf_put(&w->out, p, n);
}

void
wire_send(struct wire *w)
{
	size_t sent = 0;
	while (sent < w->out.n) {
		int n = SSL_write(w->ssl, w->out.p + sent, (int)(w->out.n - sent));
		if (n <= 0)
			break; /* the server has closed: the reader will see it */
		sent += (size_t)n;
	}
	tf_buf_reset(&w->out);
}

struct wire *
wire_dial(struct site *s, const struct pki_pair *with, const char *alpn)
{
	struct wire *w = tf_calloc(1, sizeof *w);
	unsigned char offer[32];
	assert_non_null(w);
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes as it likes */
	w->goaway = -1;
	for (size_t i = 0; i < WIRE_STREAMS; i++)
		w->streams[i].reset = -1;
	w->tcp = site_dial(s);
	w->ctx = SSL_CTX_new(TLS_client_method());
	if (with) {
		assert_int_equal(SSL_CTX_use_certificate(w->ctx, with->x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(w->ctx, with->key), 1);
	}
	SSL_CTX_load_verify_locations(w->ctx, wire_pki.ca, NULL);
	SSL_CTX_set_verify(w->ctx, SSL_VERIFY_PEER, NULL);
	offer[0] = (unsigned char)strlen(alpn);
	memcpy(offer + 1, alpn, offer[0]);
	SSL_CTX_set_alpn_protos(w->ctx, offer, offer[0] + 1u);
	w->ssl = SSL_new(w->ctx);
	SSL_set_fd(w->ssl, w->tcp.fd);
	tf_buf_init(&w->in, 0);
	tf_buf_init(&w->out, 0);
	assert_true(tf_buf_room(&w->in, 1 << 20) && tf_buf_room(&w->out, 1 << 16)); /* one test fails allocations */
	assert_int_equal(nghttp2_hd_inflate_new(&w->inflater), 0);
	w->closed = SSL_connect(w->ssl) != 1;
	tf_buf_cstr(&w->out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	wire_frame(w, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	return w;
}

void
wire_close(struct wire **at)
{
	struct wire *w = *at;
	for (size_t i = 0; i < WIRE_STREAMS; i++)
		tf_buf_release(&w->streams[i].body);
	if (!w->closed)
		SSL_shutdown(w->ssl);
	SSL_free(w->ssl);
	SSL_CTX_free(w->ctx);
	nghttp2_hd_inflate_del(w->inflater);
	tf_buf_release(&w->in);
	tf_buf_release(&w->out);
	client_close(&w->tcp);
	tf_free(w);
	*at = NULL;
}

/* An integer of HPACK with a prefix of 7 bits. */
static void
put_length(struct tf_buf *b, size_t n)
{
	if (n < 127) {
		tf_buf_u8(b, (uint8_t)n);
		return;
	}
	tf_buf_u8(b, 127);
	tf_buf_varint(b, n - 127);
}

void
wire_field(struct tf_buf *b, const char *name, struct tf_str value)
{
	tf_buf_u8(b, 0);
	put_length(b, strlen(name));
	tf_buf_cstr(b, name);
	put_length(b, value.n);
	tf_buf_str(b, value);
}

void
wire_ask(struct wire *w, uint32_t id, const char *method, const char *path, const char *more, bool end)
{
	struct tf_buf b;
	struct tf_str rest = tf_str(more), line;
	tf_buf_init(&b, 0);
	wire_field(&b, ":method", tf_str(method));
	wire_field(&b, ":scheme", TF_STR("https"));
	wire_field(&b, ":path", tf_str(path));
	wire_field(&b, ":authority", TF_STR("h"));
	while (rest.n && tf_str_cut(&rest, '\n', &line)) {
		char name[128];
		const char *colon = memmem(line.p, line.n, ": ", 2);
		assert_non_null(colon);
		snprintf(name, sizeof name, "%.*s", (int)(colon - line.p), line.p);
		wire_field(&b, name, tf_str_n(colon + 2, line.n - 2 - (size_t)(colon - line.p)));
	}
	wire_frame(w, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0), id, b.p, b.n);
	tf_buf_release(&b);
}

void
wire_data(struct wire *w, uint32_t id, struct tf_str bytes, bool end)
{
	do {
		struct tf_str part = tf_str_n(bytes.p, bytes.n < 16384 ? bytes.n : 16384);
		bytes = tf_str_n(bytes.p + part.n, bytes.n - part.n);
		wire_frame(w, NGHTTP2_DATA, end && !bytes.n ? NGHTTP2_FLAG_END_STREAM : 0, id, part.p, part.n);
	} while (bytes.n);
}

void
wire_reset(struct wire *w, uint32_t id)
{
	wire_frame(w, NGHTTP2_RST_STREAM, 0, id, "\0\0\0\x08", 4);
}

static uint32_t
big_endian(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
hear_head(struct wire *w, struct wire_stream *s, const uint8_t *p, size_t n)
{
	s->heads++;
	s->fields[0] = 0;
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(w->inflater, &nv, &flags, p, n, 1);
		assert_true(used >= 0);
		p += used;
		n -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			size_t at = strlen(s->fields);
			snprintf(s->fields + at, sizeof s->fields - at, "%.*s: %.*s\n", (int)nv.namelen,
				 (char *)nv.name, (int)nv.valuelen, (char *)nv.value);
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL || (!n && !(flags & NGHTTP2_HD_INFLATE_EMIT)))
			break;
	}
	nghttp2_hd_inflate_end_headers(w->inflater);
	assert_int_equal(sscanf(s->fields, ":status: %d", &s->status), 1);
}

static void
give_window(struct wire *w, uint32_t id, size_t n)
{
	uint8_t more[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
	if (w->keep_window || !n)
		return;
	wire_frame(w, NGHTTP2_WINDOW_UPDATE, 0, 0, more, 4);
	wire_frame(w, NGHTTP2_WINDOW_UPDATE, 0, id, more, 4);
	wire_send(w);
}

static void
hear_connection(struct wire *w, uint8_t type, uint8_t flags, const uint8_t *p, size_t n)
{
	bool ack = flags & NGHTTP2_FLAG_ACK;
	if (type == NGHTTP2_GOAWAY) {
		w->goaways++;
		w->goaway_last = big_endian(p) & 0x7fffffff;
		w->goaway = (int)big_endian(p + 4);
	} else if (type == NGHTTP2_PING && ack) {
		w->ping_acks++;
	} else if (type == NGHTTP2_PING) {
		w->pings++;
		if (!w->keep_ping)
			wire_frame(w, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, p, n);
	} else if (type == NGHTTP2_SETTINGS && !ack) {
		wire_frame(w, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
	} else if (type == NGHTTP2_WINDOW_UPDATE) {
		w->updates++;
	}
	wire_send(w);
}

static void
hear_frame(struct wire *w, uint8_t type, uint8_t flags, uint32_t id, const uint8_t *p, size_t n)
{
	if (!id) {
		hear_connection(w, type, flags, p, n);
		return;
	}
	struct wire_stream *s = wire_stream(w, id);
	if (type == NGHTTP2_RST_STREAM)
		s->reset = (int)big_endian(p);
	if (type == NGHTTP2_WINDOW_UPDATE)
		w->updates++;
	if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA)
		return;
	assert_false(s->ended);
	s->ended = flags & NGHTTP2_FLAG_END_STREAM;
	if (type == NGHTTP2_HEADERS) {
		assert_true(flags & NGHTTP2_FLAG_END_HEADERS);
		hear_head(w, s, p, n);
		return;
	}
	s->datas++;
	tf_buf_put(&s->body, p, n);
	give_window(w, id, n);
}

/* At least n bytes in front of the reader. */
static bool
have(struct wire *w, size_t n)
{
	while (!w->closed && w->in.n - w->at < n) {
		uint8_t *room = tf_buf_room(&w->in, 65536);
		assert_non_null(room);
		int got = SSL_read(w->ssl, room, 65536);
		w->in.n += got > 0 ? (size_t)got : 0;
		w->closed = got <= 0;
	}
	return w->in.n - w->at >= n;
}

bool
wire_hear(struct wire *w)
{
	wire_send(w);
	if (w->at == w->in.n) {
		tf_buf_reset(&w->in);
		w->at = 0;
	}
	if (!have(w, 9))
		return false;
	const uint8_t *p = w->in.p + w->at;
	size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
	if (!have(w, 9 + n))
		return false;
	p = w->in.p + w->at;
	w->at += 9 + n;
	hear_frame(w, p[3], p[4], big_endian(p + 5) & 0x7fffffff, p + 9, n);
	return true;
}

struct wire_stream *
wire_until(struct wire *w, uint32_t id)
{
	struct wire_stream *s = wire_stream(w, id);
	while (!s->ended && s->reset < 0)
		assert_true(wire_hear(w));
	return s;
}

void
wire_end(struct wire *w)
{
	while (wire_hear(w))
		;
}

int
wire_get(struct wire *w, uint32_t id, const char *path)
{
	wire_ask(w, id, "GET", path, NULL, true);
	return wire_until(w, id)->status;
}

bool
wire_body_is(struct wire *w, uint32_t id, const char *text)
{
	return tf_str_eq(tf_buf_view(&wire_stream(w, id)->body), tf_str(text));
}

void
wire_settle(struct wire *w)
{
	unsigned before = w->ping_acks;
	wire_frame(w, NGHTTP2_PING, 0, 0, "settled?", 8);
	while (w->ping_acks == before)
		assert_true(wire_hear(w));
}
