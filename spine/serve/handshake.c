/* TLS handshakes beside the loop: the keys of one cost as much as some ten requests, and nobody else shall wait for it;
 * see server.h.
 *
 * The loop polls a connection in its handshake, and hands it over when something came. Until it is back it is its
 * handshaker's: not polled, and if it is closed meanwhile its socket stays open, its memory there. Of one whose client
 * is gone no handshake begins; one that has begun is told of all the same, for it may be refused.
 *
 * The loop hands over faster than handshakes are made. While many are not back none is accepted (hands_are_full in
 * room.c), else those whose handshake is due would give way to others, and none be finished. */
#include <unistd.h>

#include "base/mem.h"
#include "server_impl.h"

#define HANDSHAKERS_MAX 8 /* unless more are asked for */

static void
put_last(struct tf_handshakes *list, struct tf_conn *c)
{
	c->handshake->next = NULL;
	*(list->last ? &list->last->handshake->next : &list->first) = c;
	list->last = c;
}

static struct tf_conn *
take_first(struct tf_handshakes *list)
{
	struct tf_conn *c = list->first;
	list->first = c->handshake->next;
	if (!list->first)
		list->last = NULL;
	return c;
}

/* Of a client that says nothing there is no TLS yet. */
static enum tf_err
step(struct tf_conn *c)
{
	struct tf_fault *why = &c->handshake->why;
	if (!c->tls)
		TF_TRY(tf_tls_conn_new(c->server->o.tls, c->fd, &c->tls, why));
	return tf_tls_handshake(c->tls, &c->tls_wants, why);
}

static void
work(void *arg)
{
	struct tf_server *s = arg;
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->hands_begun.first && !s->hands_new.first && !s->closing)
			pthread_cond_wait(&s->hands, &s->lock);
		if (s->closing)
			break;
		struct tf_conn *c = take_first(s->hands_begun.first ? &s->hands_begun : &s->hands_new);
		bool due = c->tls || !c->handshake->gone;
		pthread_mutex_unlock(&s->lock);
		if (due)
			c->handshake->result = step(c);
		pthread_mutex_lock(&s->lock);
		if (!s->hands_shaken.first)
			tf_waker_wake(s->waker);
		put_last(&s->hands_shaken, c);
	}
	pthread_mutex_unlock(&s->lock);
}

/* Half of the cores that the loop leaves. Of two there is none to spare: a thread more only takes turns with the
 * others, and makes each wait longer. */
static uint32_t
how_many(int wanted)
{
	if (wanted)
		return wanted < 0 ? 0 : (uint32_t)wanted;
	long n = (sysconf(_SC_NPROCESSORS_ONLN) - 1) / 2;
	return n < 0 ? 0 : n > HANDSHAKERS_MAX ? HANDSHAKERS_MAX : (uint32_t)n;
}

enum tf_err
tf_handshakers(struct tf_server *s, struct tf_fault *f)
{
	uint32_t wanted = s->o.tls ? how_many(s->o.handshakers) : 0;
	if (!wanted)
		return TF_OK;
	s->handshakers = tf_calloc(wanted, sizeof(struct tf_worker *));
	if (!s->handshakers)
		return tf_fault(f, TF_NO_MEMORY, "no memory for handshakes");
	for (; s->handshaker_count < wanted; s->handshaker_count++)
		TF_TRY(tf_os_start(s->os, work, s, &s->handshakers[s->handshaker_count], f));
	return TF_OK;
}

static void
take_back(struct tf_conn *c)
{
	c->in_handshaker = false;
	c->server->hands_out--;
	if (c->dead)
		tf_net_close(&c->fd);
}

void
tf_handshakers_end(struct tf_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_broadcast(&s->hands);
	pthread_mutex_unlock(&s->lock);
	for (uint32_t i = 0; i < s->handshaker_count; i++)
		tf_worker_join(&s->handshakers[i]);
	tf_free(s->handshakers);
	s->handshakers = NULL;
	s->handshaker_count = 0;
	while (s->hands_new.first)
		take_back(take_first(&s->hands_new));
	while (s->hands_begun.first)
		take_back(take_first(&s->hands_begun));
	while (s->hands_shaken.first)
		take_back(take_first(&s->hands_shaken));
}

void
tf_handshake_step(struct tf_conn *c)
{
	struct tf_server *s = c->server;
	TF_ASSERT(!c->in_handshaker);
	if (!s->handshaker_count) {
		c->handshake->result = step(c);
		tf_conn_shaken(c);
		return;
	}
	c->in_handshaker = true;
	s->hands_out++;
	pthread_mutex_lock(&s->lock);
	put_last(c->tls ? &s->hands_begun : &s->hands_new, c);
	pthread_cond_signal(&s->hands);
	pthread_mutex_unlock(&s->lock);
}

void
tf_handshakes_back(struct tf_server *s)
{
	pthread_mutex_lock(&s->lock);
	struct tf_handshakes back = s->hands_shaken;
	s->hands_shaken = (struct tf_handshakes){0};
	pthread_mutex_unlock(&s->lock);
	while (back.first) {
		struct tf_conn *c = take_first(&back);
		take_back(c);
		if (!c->dead || c->tls)
			tf_conn_shaken(c);
	}
}
