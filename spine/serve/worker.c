/* Workers: threads that run handlers which may wait; see server.h. */
#include "base/mem.h"
#include "server_impl.h"

/* The next exchange to work on; NULL when the server closes and none is left. With the lock held. */
static struct tf_conn *
take(struct tf_server *s)
{
	while (!s->queue && !s->closing)
		pthread_cond_wait(&s->work, &s->lock);
	struct tf_conn *c = s->queue;
	if (!c)
		return NULL;
	s->queue = c->queued;
	if (!s->queue)
		s->queue_last = NULL;
	s->queue_count--;
	return c;
}

static void
work(void *arg)
{
	struct tf_server *s = arg;
	struct tf_conn *c;
	pthread_mutex_lock(&s->lock);
	unsigned number = s->next_worker++;
	while ((c = take(s))) {
		pthread_mutex_unlock(&s->lock);
		c->x.worker = number;
		c->x.route->handle(s->o.ctx, &c->x);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

enum tf_err
tf_serve_workers(struct tf_server *s, struct tf_fault *f)
{
	s->workers = tf_calloc(s->o.workers, sizeof *s->workers);
	if (!s->workers)
		return tf_fault(f, TF_NO_MEMORY, "no memory for workers");
	for (; s->worker_count < s->o.workers; s->worker_count++)
		TF_TRY(tf_os_start(s->os, work, s, &s->workers[s->worker_count], f));
	return TF_OK;
}

void
tf_serve_workers_end(struct tf_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_broadcast(&s->work);
	pthread_cond_broadcast(&s->room);
	pthread_mutex_unlock(&s->lock);
	for (uint32_t i = 0; i < s->worker_count; i++)
		tf_worker_join(&s->workers[i]);
	tf_free(s->workers);
	s->workers = NULL;
	s->worker_count = 0;
}

bool
tf_serve_queue(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	pthread_mutex_lock(&s->lock);
	bool full = s->queue_count >= s->o.queue_max;
	if (!full) {
		c->x.in_worker = true;
		c->queued = NULL;
		if (s->queue_last)
			s->queue_last->queued = c;
		else
			s->queue = c;
		s->queue_last = c;
		s->queue_count++;
		pthread_cond_signal(&s->work);
	}
	pthread_mutex_unlock(&s->lock);
	return !full;
}

void
tf_exchange_to_worker(struct tf_exchange *x)
{
	if (tf_serve_queue(x->conn))
		return;
	struct tf_fault f = {TF_BUSY, "too many requests wait for a worker"};
	tf_reply_fault(x, &f, NULL);
}
