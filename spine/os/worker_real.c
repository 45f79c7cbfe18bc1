/* Workers as threads; see worker_real.h. */
#include "os/worker_real.h"

#include <pthread.h>
#include <signal.h>

#include "base/mem.h"

struct real_worker {
	struct tf_worker base;
	void (*fn)(void *);
	void *arg;
	pthread_t thread;
	bool done;
	bool ends; /* the thread does too */
	pthread_cond_t ended;
};

/* Where a thread that stays waits. */
struct seat {
	struct seat *next;
	struct real_worker *work; /* NULL: none yet */
	pthread_cond_t given;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct seat seats[OS_WORKERS_STAY];
static unsigned staying;
static struct seat *parked;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
set_seats(void)
{
	parked = NULL;
	staying = 0;
	for (int i = 0; i < OS_WORKERS_STAY; i++) {
		seats[i] = (struct seat){0};
		TF_ASSERT(pthread_cond_init(&seats[i].given, NULL) == 0);
	}
}

static void
before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void
after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

/* No other thread came along. */
static void
in_child(void)
{
	set_seats();
	pthread_mutex_unlock(&lock);
}

static void
set_up(void)
{
	set_seats();
	TF_ASSERT(pthread_atfork(before_fork, after_fork, in_child) == 0);
}

/* Of a thread that stays, its seat; NULL: it ends with its work. With the lock held. */
static struct seat *
take_seat(void)
{
	if (staying == OS_WORKERS_STAY || pthread_detach(pthread_self()))
		return NULL;
	return &seats[staying++];
}

/* Its work is done; returns another's, or NULL: the thread is to end. */
static struct real_worker *
next_work(struct real_worker *done, struct seat **seat)
{
	struct real_worker *next = NULL;
	pthread_mutex_lock(&lock);
	if (!*seat)
		*seat = take_seat();
	struct seat *own = *seat;
	if (own) {
		own->next = parked;
		parked = own;
	} else {
		done->thread = pthread_self();
		done->ends = true;
	}
	done->done = true;
	pthread_cond_signal(&done->ended);
	while (own && !own->work)
		pthread_cond_wait(&own->given, &lock);
	if (own) {
		next = own->work;
		own->work = NULL;
	}
	pthread_mutex_unlock(&lock);
	return next;
}

static void *
thread_main(void *worker)
{
	struct real_worker *w = worker;
	struct seat *seat = NULL;
	do
		w->fn(w->arg);
	while ((w = next_work(w, &seat)));
	return NULL;
}

/* To a thread that waits; false: none does. */
static bool
give(struct real_worker *w)
{
	pthread_mutex_lock(&lock);
	struct seat *s = parked;
	if (s) {
		parked = s->next;
		s->work = w;
		pthread_cond_signal(&s->given);
	}
	pthread_mutex_unlock(&lock);
	return s;
}

static bool
new_thread(struct real_worker *w)
{
	pthread_t thread;
	sigset_t all, was;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	bool ok = pthread_create(&thread, NULL, thread_main, w) == 0;
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return ok;
}

static void
release(struct real_worker *w)
{
	pthread_cond_destroy(&w->ended);
	tf_free(w);
}

enum tf_err
os_start_real(struct tf_os *os, void (*fn)(void *), void *arg, struct tf_worker **out, struct tf_fault *f)
{
	TF_ASSERT(pthread_once(&once, set_up) == 0);
	struct real_worker *w = tf_malloc(sizeof *w);
	if (!w)
		return tf_fault(f, TF_NO_MEMORY, "cannot start a worker: out of memory");
	*w = (struct real_worker){.base.os = os, .fn = fn, .arg = arg};
	TF_ASSERT(pthread_cond_init(&w->ended, NULL) == 0);
	if (!give(w) && !new_thread(w)) {
		release(w);
		return tf_fault(f, TF_OVERLOAD, "cannot start a worker: no thread left");
	}
	*out = &w->base;
	return TF_OK;
}

void
os_join_real(struct tf_worker *worker)
{
	struct real_worker *w = (struct real_worker *)worker;
	pthread_mutex_lock(&lock);
	while (!w->done)
		pthread_cond_wait(&w->ended, &lock);
	bool ends = w->ends;
	pthread_t thread = w->thread;
	pthread_mutex_unlock(&lock);
	TF_ASSERT(!ends || pthread_join(thread, NULL) == 0);
	release(w);
}
