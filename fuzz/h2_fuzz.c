/* An HTTP/2 session with streams, handlers and answers: whatever frames a client sends, however they are cut, each
 * exchange ends once and nothing is left. The first byte chooses the cut, the others follow the client's preface. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "serve/h2.h"

#define HELD_MAX 512

static struct tf_server *server;
static struct tf_exchange *held[HELD_MAX];
static size_t held_count;

static void
answer(void *ctx, struct tf_exchange *x)
{
	const struct tf_http_request *q = tf_exchange_request(x);
	(void)ctx;
	TF_ASSERT(q->method.n && q->path.n && q->host.n && !q->close);
	TF_ASSERT(q->length == TF_HTTP_BODY_NONE || q->length == tf_exchange_body(x).n);
	for (size_t i = 0; i < q->header_count; i++)
		TF_ASSERT(!memchr(q->headers[i].value.p, '\n', q->headers[i].value.n));
	tf_reply(x, 200, "text/plain", tf_exchange_body(x));
}

static void
keep(void *ctx, struct tf_exchange *x)
{
	(void)ctx;
	if (held_count < HELD_MAX)
		held[held_count++] = x;
	else
		tf_reply(x, 503, NULL, (struct tf_str){0});
}

static void
stream(void *ctx, struct tf_exchange *x)
{
	static char bytes[40000];
	(void)ctx;
	tf_reply_begin(x, 200, "text/plain");
	(void)!tf_reply_write(x, tf_str_n(bytes, sizeof bytes));
	(void)!tf_reply_write(x, TF_STR("end"));
	if (tf_exchange_request(x)->header_count % 2)
		tf_reply_end(x);
	else
		tf_reply_abort(x);
}

static const struct tf_route routes[] = {{"GET", "/", answer},  {"POST", "/", answer, .body_max = 1000},
					 {"GET", "/k", keep},   {"POST", "/k", keep, .body_max = 100000},
					 {"GET", "/s", stream}, {0}};

static void
release_held(void)
{
	size_t n = held_count;
	held_count = 0;
	for (size_t i = 0; i < n; i++)
		tf_reply(held[i], 200, NULL, TF_STR("held"));
}

/* The end of a round, as tf_server_run has it; what the client would hear is thrown away. */
static void
end_round(int client)
{
	static char heard[65536];
	struct tf_conn *next = server->touched;
	server->touched = NULL;
	while (next) {
		struct tf_conn *c = next;
		next = c->touched;
		c->is_touched = false;
		tf_conn_flush(c);
	}
	(void)tf_h2_send_all(server);
	tf_conn_reap(server);
	while (recv(client, heard, sizeof heard, MSG_DONTWAIT) > 0)
		;
}

static void
sink(void *ctx, struct tf_str line)
{
	(void)ctx;
	(void)line;
}

static void
begin(void)
{
	struct tf_server_options o = {
		.host = "127.0.0.1", .routes = routes, .workers = 1, .quiet = true, .bodies_max = 200000};
	static struct tf_watch watch;
	if (server)
		return;
	tf_watch_init(&watch, tf_os_real(), "fuzz", TF_LOG_ERROR, sink, NULL);
	o.watch = &watch;
	TF_ASSERT(!tf_server_new(tf_os_real(), &o, &server, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	/* and empty SETTINGS, whose last byte is the string's end */
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	int ends[2];
	struct tf_peer peer = {"127.0.0.1", 1};
	if (!n)
		return 0;
	begin();
	TF_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	tf_conn_new(server, ends[0], &peer);
	struct tf_conn *c = server->conns;
	TF_ASSERT(tf_h2_open(c));
	tf_h2_feed(c, tf_str_n(preface, sizeof preface));
	size_t step = *p < 255 ? (size_t)*p * 16 + 1 : n;
	for (size_t at = 1; at < n && server->conns && c->fd >= 0; at += step) {
		size_t part = n - at < step ? n - at : step;
		char *piece = tf_strndup((const char *)p + at, part);
		TF_ASSERT(piece);
		tf_h2_feed(c, tf_str_n(piece, part));
		tf_free(piece);
		if (at / step % 4 == 3)
			release_held();
		tf_conn_push(c);
		end_round(ends[1]);
	}
	if (server->conns)
		tf_conn_closed(c);
	end_round(ends[1]);
	release_held();
	end_round(ends[1]);
	end_round(ends[1]);
	TF_ASSERT(!server->conns && !server->streams && !server->bodies && !server->conn_count);
	close(ends[1]);
	return 0;
}
