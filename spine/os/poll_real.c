/* The poller on epoll and the waker on eventfd; see net.h. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/errno_map.h"
#include "os/net.h"

#define BATCH_MAX 256

struct tf_poll {
	int fd;
};

struct tf_waker {
	int fd;
};

enum tf_err
tf_poll_new(struct tf_poll **out, struct tf_fault *f)
{
	struct tf_poll *poll = tf_malloc(sizeof(*poll));
	if (!poll)
		return tf_fault(f, TF_NO_MEMORY, "cannot make a poller: out of memory");
	poll->fd = epoll_create1(EPOLL_CLOEXEC);
	if (poll->fd < 0) {
		enum tf_err e = tf_os_errno(f, errno, "cannot make a poller");
		tf_free(poll);
		return e;
	}
	*out = poll;
	return TF_OK;
}

void
tf_poll_free(struct tf_poll **poll)
{
	if (!*poll)
		return;
	close((*poll)->fd);
	tf_free(*poll);
	*poll = NULL;
}

static enum tf_err
control(struct tf_poll *poll, int op, int fd, unsigned events, void *data, struct tf_fault *f)
{
	struct epoll_event e = {.data.ptr = data};
	e.events |= events & TF_POLL_IN ? EPOLLIN : 0;
	e.events |= events & TF_POLL_OUT ? EPOLLOUT : 0;
	return epoll_ctl(poll->fd, op, fd, &e) < 0 ? tf_os_errno(f, errno, "cannot poll descriptor %d", fd) : TF_OK;
}

enum tf_err
tf_poll_add(struct tf_poll *poll, int fd, unsigned events, void *data, struct tf_fault *f)
{
	return control(poll, EPOLL_CTL_ADD, fd, events, data, f);
}

enum tf_err
tf_poll_mod(struct tf_poll *poll, int fd, unsigned events, void *data, struct tf_fault *f)
{
	return control(poll, EPOLL_CTL_MOD, fd, events, data, f);
}

void
tf_poll_del(struct tf_poll *poll, int fd)
{
	epoll_ctl(poll->fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Milliseconds for epoll_wait: up, so that a timer is never polled for in a busy loop. */
static int
millis(tf_dur timeout)
{
	if (timeout < 0)
		return -1;
	return timeout > TF_DAY ? (int)(TF_DAY / 1000) : (int)((timeout + 999) / 1000);
}

enum tf_err
tf_poll_wait(struct tf_poll *poll, struct tf_poll_event *out, int max, tf_dur timeout, int *out_n, struct tf_fault *f)
{
	struct epoll_event got[BATCH_MAX];
	TF_ASSERT(max >= 1 && max <= BATCH_MAX);
	int n = epoll_wait(poll->fd, got, max, millis(timeout));
	if (n < 0 && errno != EINTR)
		return tf_os_errno(f, errno, "cannot poll");
	for (int i = 0; i < n; i++) {
		out[i] = (struct tf_poll_event){.data = got[i].data.ptr};
		out[i].events |= got[i].events & EPOLLIN ? TF_POLL_IN : 0;
		out[i].events |= got[i].events & EPOLLOUT ? TF_POLL_OUT : 0;
		out[i].events |= got[i].events & (EPOLLERR | EPOLLHUP) ? TF_POLL_CLOSED : 0;
	}
	*out_n = n < 0 ? 0 : n;
	return TF_OK;
}

enum tf_err
tf_waker_new(struct tf_waker **out, struct tf_fault *f)
{
	struct tf_waker *w = tf_malloc(sizeof(*w));
	if (!w)
		return tf_fault(f, TF_NO_MEMORY, "cannot make a waker: out of memory");
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->fd < 0) {
		enum tf_err e = tf_os_errno(f, errno, "cannot make a waker");
		tf_free(w);
		return e;
	}
	*out = w;
	return TF_OK;
}

void
tf_waker_free(struct tf_waker **w)
{
	if (!*w)
		return;
	close((*w)->fd);
	tf_free(*w);
	*w = NULL;
}

int
tf_waker_fd(const struct tf_waker *w)
{
	return w->fd;
}

void
tf_waker_wake(struct tf_waker *w)
{
	int was = errno;
	uint64_t one = 1;
	/* Fails only with EAGAIN, when 2^64 - 2 wakes wait: it is readable then. */
	(void)!write(w->fd, &one, sizeof(one));
	errno = was;
}

void
tf_waker_clear(struct tf_waker *w)
{
	uint64_t count;
	(void)!read(w->fd, &count, sizeof(count));
}
