/* TCP sockets that never wait, a poller, and a waker to end a poll from elsewhere. The kernel's only (Linux: epoll,
 * eventfd); there is no simulated network.
 *
 * A socket is its file descriptor, close-on-exec and non-blocking, without Nagle's delay; -1 is none. What would have
 * to wait answers TF_BUSY: poll and call again. SIGPIPE is never raised. Thread rule: a poller belongs to one thread. A
 * waker may be woken from any thread and from a signal handler. */
#pragma once
#include "base/time.h"

struct tf_peer {
	char host[48]; /* numeric */
	uint16_t port;
};

/* "host:port", "[v6]:port" or ":port" (all interfaces, host ""). TF_INVALID names the text. */
enum tf_err tf_net_parse(struct tf_str text, char out_host[static 256], uint16_t *out_port,
			 struct tf_fault *f) TF_MUST_USE;
/* Port 0 takes any free one. TF_BUSY when the address is in use. A host name is resolved, which may block. */
enum tf_err tf_net_listen(const char *host, uint16_t port, int backlog, int *out_fd, struct tf_fault *f) TF_MUST_USE;
/* The port a socket is bound to; 0 when it is not. */
uint16_t tf_net_port(int fd);
/* One waiting connection; TF_BUSY when none is. TF_OVERLOAD when descriptors or memory are out: the listener stays
 * readable, so stop polling it until a connection was closed. */
enum tf_err tf_net_accept(int listener, int *out_fd, struct tf_peer *out_peer, struct tf_fault *f) TF_MUST_USE;
/* Begins to connect: once writable, tf_net_connected tells how it went. A host name is resolved, which may block. */
enum tf_err tf_net_connect(const char *host, uint16_t port, int *out_fd, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_net_connected(int fd, struct tf_fault *f) TF_MUST_USE;
/* 1 to n bytes; TF_END when the other side has sent its last; TF_IO when the connection broke. n > 0. */
enum tf_err tf_net_recv(int fd, void *p, size_t n, size_t *out_n, struct tf_fault *f) TF_MUST_USE;
/* Sends 1 to n bytes; the rest is for the next call. n > 0. */
enum tf_err tf_net_send(int fd, const void *p, size_t n, size_t *out_n, struct tf_fault *f) TF_MUST_USE;
/* Nothing more will be sent; receiving goes on. */
void tf_net_shutdown(int fd);
/* *fd becomes -1. Accepts -1. */
void tf_net_close(int *fd);

struct tf_poll;

enum tf_poll_events {
	TF_POLL_IN = 1,     /* there is something to receive or accept, or the end */
	TF_POLL_OUT = 2,    /* sending is possible */
	TF_POLL_CLOSED = 4, /* both directions ended or an error is pending; always reported, need not be asked for */
};

struct tf_poll_event {
	void *data;      /* as given to add or mod */
	unsigned events; /* of enum tf_poll_events */
};

enum tf_err tf_poll_new(struct tf_poll **out, struct tf_fault *f) TF_MUST_USE;
/* Accepts NULL. The sockets stay open. */
void tf_poll_free(struct tf_poll **poll);
/* Level-triggered. events may be 0: only TF_POLL_CLOSED is reported then. */
enum tf_err tf_poll_add(struct tf_poll *poll, int fd, unsigned events, void *data, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_poll_mod(struct tf_poll *poll, int fd, unsigned events, void *data, struct tf_fault *f) TF_MUST_USE;
/* Closing the socket does it too. Events already handed out by tf_poll_wait are not taken back: free what data points
 * at after the whole batch was looked at. */
void tf_poll_del(struct tf_poll *poll, int fd);
/* Up to max (1 to 256) events, waiting at most timeout (rounded up to ms; negative: for ever). *out_n is 0 when the
 * time ran out or a signal came. */
enum tf_err tf_poll_wait(struct tf_poll *poll, struct tf_poll_event *out, int max, tf_dur timeout, int *out_n,
			 struct tf_fault *f) TF_MUST_USE;

struct tf_waker;

enum tf_err tf_waker_new(struct tf_waker **out, struct tf_fault *f) TF_MUST_USE;
/* Accepts NULL. */
void tf_waker_free(struct tf_waker **w);
/* To add to a poller with TF_POLL_IN: readable from the first wake until cleared. */
int tf_waker_fd(const struct tf_waker *w);
/* From any thread or signal handler; many wakes before a clear count as one. Keeps errno. */
void tf_waker_wake(struct tf_waker *w);
/* Call before looking at what woke, so that a wake in between is not missed. */
void tf_waker_clear(struct tf_waker *w);
