/* TCP sockets on the kernel; see net.h. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/errno_map.h"
#include "os/net.h"

enum tf_err
tf_net_parse(struct tf_str text, char out_host[static 256], uint16_t *out_port, struct tf_fault *f)
{
	struct tf_str host = text, port;
	uint64_t number;
	while (host.n && host.p[host.n - 1] != ':')
		host.n--;
	port = tf_str_n(text.p + host.n, text.n - host.n);
	if (!host.n || !tf_str_u64(port, &number) || number > 65535)
		return tf_fault(f, TF_INVALID, "bad address '%.*s': expected host:port", TF_FMT(text));
	host.n--;
	bool brackets = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (brackets)
		host = tf_str_n(host.p + 1, host.n - 2);
	if (host.n > 255 || memchr(host.p, 0, host.n) || (!brackets && host.n && memchr(host.p, ':', host.n)))
		return tf_fault(f, TF_INVALID, "bad address '%.*s': expected host:port or [v6]:port", TF_FMT(text));
	memcpy(out_host, host.p, host.n);
	out_host[host.n] = 0;
	*out_port = (uint16_t)number;
	return TF_OK;
}

/* The caller frees *out with freeaddrinfo. */
static enum tf_err
resolve(const char *host, uint16_t port, int flags, struct addrinfo **out, struct tf_fault *f)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	char service[8];
	snprintf(service, sizeof(service), "%u", port);
	int r = getaddrinfo(*host ? host : NULL, service, &hints, out);
	if (r == EAI_MEMORY)
		return tf_fault(f, TF_NO_MEMORY, "cannot resolve '%s': out of memory", host);
	if (r != 0)
		return tf_fault(f, TF_NOT_FOUND, "cannot resolve '%s': %s", host, gai_strerror(r));
	return TF_OK;
}

static int
new_socket(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol), on = 1;
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* Closes fd, keeping errno; -1. */
static int
give_up(int fd)
{
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static int
listen_on(const struct addrinfo *a, int backlog)
{
	int fd = new_socket(a), on = 1;
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* bind beside connections in TIME_WAIT */
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, backlog) < 0)
		return give_up(fd);
	return fd;
}

enum tf_err
tf_net_listen(const char *host, uint16_t port, int backlog, int *out_fd, struct tf_fault *f)
{
	struct addrinfo *list;
	TF_TRY(resolve(host, port, AI_PASSIVE, &list, f));
	int fd = -1;
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = listen_on(a, backlog);
	int why = errno;
	freeaddrinfo(list);
	if (fd < 0)
		return tf_os_errno(f, why, "cannot listen on '%s:%u'", host, port);
	*out_fd = fd;
	return TF_OK;
}

static uint16_t
port_of(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)a)->sin_port);
	return a->ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)a)->sin6_port) : 0;
}

uint16_t
tf_net_port(int fd)
{
	struct sockaddr_storage a = {0};
	socklen_t n = sizeof(a);
	return getsockname(fd, (struct sockaddr *)&a, &n) == 0 ? port_of(&a) : 0;
}

enum tf_err
tf_net_accept(int listener, int *out_fd, struct tf_peer *out_peer, struct tf_fault *f)
{
	struct sockaddr_storage a = {0};
	socklen_t n;
	int fd, on = 1;
	do {
		n = sizeof(a);
		fd = accept4(listener, (struct sockaddr *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
	if (fd < 0 && (errno == ENOBUFS || errno == ENOMEM))
		errno = ENFILE;
	if (fd < 0)
		return tf_os_errno(f, errno, "cannot accept a connection");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*out_peer = (struct tf_peer){.port = port_of(&a)};
	getnameinfo((struct sockaddr *)&a, n, out_peer->host, sizeof(out_peer->host), NULL, 0, NI_NUMERICHOST);
	*out_fd = fd;
	return TF_OK;
}

static int
connect_to(const struct addrinfo *a)
{
	int fd = new_socket(a);
	if (fd < 0)
		return -1;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS && errno != EINTR)
		return give_up(fd);
	return fd;
}

enum tf_err
tf_net_connect(const char *host, uint16_t port, int *out_fd, struct tf_fault *f)
{
	struct addrinfo *list;
	TF_TRY(resolve(host, port, 0, &list, f));
	int fd = -1;
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = connect_to(a);
	int why = errno;
	freeaddrinfo(list);
	if (fd < 0)
		return tf_os_errno(f, why, "cannot connect to '%s:%u'", host, port);
	*out_fd = fd;
	return TF_OK;
}

enum tf_err
tf_net_connected(int fd, struct tf_fault *f)
{
	int why = 0;
	struct sockaddr_storage a;
	socklen_t n = sizeof(why), len = sizeof(a);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) < 0)
		why = errno;
	if (!why && getpeername(fd, (struct sockaddr *)&a, &len) < 0)
		why = errno == ENOTCONN ? EAGAIN : errno;
	return why ? tf_os_errno(f, why, "cannot connect") : TF_OK;
}

enum tf_err
tf_net_recv(int fd, void *p, size_t n, size_t *out_n, struct tf_fault *f)
{
	ssize_t got;
	do
		got = recv(fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return tf_os_errno(f, errno, "cannot receive");
	if (got == 0)
		return TF_END;
	*out_n = (size_t)got;
	return TF_OK;
}

enum tf_err
tf_net_send(int fd, const void *p, size_t n, size_t *out_n, struct tf_fault *f)
{
	ssize_t put;
	do
		put = send(fd, p, n, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	if (put < 0)
		return tf_os_errno(f, errno, "cannot send");
	*out_n = (size_t)put;
	return TF_OK;
}

void
tf_net_shutdown(int fd)
{
	shutdown(fd, SHUT_WR);
}

void
tf_net_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
