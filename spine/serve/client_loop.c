/* The client's worker: looks at its calls, begins tries, hears how they ended, sleeps in libcurl until something moves.
 */
#include "client_impl.h"

#include "base/mem.h"

_Thread_local const struct tf_client *client_working_for;

/* ---- one call ---- */

static bool
has_room(const struct tf_client *c, const struct client_call *call)
{
	uint32_t same = 0;
	if (c->running_count == c->o.connections_max)
		return false;
	for (uint32_t i = 0; i < c->running_count; i++) {
		const struct client_call *other = c->running[i];
		same += other->origin_n == call->origin_n && memcmp(other->origin, call->origin, call->origin_n) == 0;
	}
	return same < c->o.origin_max;
}

static void
forget_running(struct tf_client *c, const struct client_call *call)
{
	uint32_t i = 0;
	while (c->running[i] != call)
		i++;
	c->running[i] = c->running[--c->running_count];
}

static bool
over(struct client_call *call, enum tf_err e)
{
	call->over = true;
	call->err = e;
	return true;
}

/* The breaker's word. */
static enum tf_err
ask_breaker(struct client_call *call, tf_dur now)
{
	tf_dur until = now;
	struct tf_client *c = call->client;
	struct tf_str origin = tf_str_n(call->origin, call->origin_n);
	uint32_t failures;
	if (tf_breaker_ask(c->breaker, origin, now, &call->pass, &until) == TF_OK)
		return TF_OK;
	tf_breaker_state(c->breaker, origin, &failures);
	call->answer.retry_after = until > now               ? until - now
				   : c->o.breaker.open_first ? c->o.breaker.open_first
							     : TF_SEC;
	if (until > now)
		return tf_fault(&call->fault, TF_BUSY, "'%s' failed %u times in a row: it is asked again in %lld ms",
				call->origin, failures, (long long)((until - now + 999) / 1000));
	return tf_fault(&call->fault, TF_BUSY, "'%s' failed %u times in a row: whether it works again is being tried",
			call->origin, failures);
}

static void
begin(struct client_call *call, tf_dur now)
{
	struct tf_client *c = call->client;
	const char *token;
	enum tf_err e = client_token(call, now, &token);
	if (e == TF_END)
		return; /* it waits for one */
	e = e ? e : ask_breaker(call, now);
	if (!e && (e = client_try_begin(call, token, now)))
		tf_breaker_drop(c->breaker, tf_str_n(call->origin, call->origin_n), call->pass);
	if (e) {
		over(call, e);
		return;
	}
	c->running[c->running_count++] = call;
}

/* What is due of a call. */
static void
step(struct client_call *call, tf_dur now)
{
	struct tf_client *c = call->client;
	if (call->over || call->h)
		return;
	if (call->answer.tries && atomic_load(&c->draining)) {
		over(call, call->err);
	} else if (now >= call->deadline) {
		if (call->answer.tries)
			tf_fault_wrap(&call->fault, TF_TIMEOUT, "no time for another try");
		else
			tf_fault(&call->fault, TF_TIMEOUT, "its time was over before it was its turn");
		over(call, call->fault.code = TF_TIMEOUT);
	} else if (now >= call->due && has_room(c, call)) {
		begin(call, now);
	}
}

/* ---- how a try ended ---- */

/* Plans another try; false: there is none. */
static bool
plan(struct client_call *call, const struct tf_retry_end *end, tf_dur now)
{
	struct tf_client *c = call->client;
	const struct tf_client_options *o = &c->o;
	uint32_t random;
	tf_os_random(c->os, &random, sizeof random);
	if (client_token_judge(call, now, random)) {
		call->due = now;
		return true;
	}
	if (!call->err || call->answer.tries >= o->tries || atomic_load(&c->draining) ||
	    !tf_retry_again(end, call->repeatable, o->final_500))
		return false;
	tf_dur wait = tf_retry_wait(o->wait_first, o->wait_max, call->answer.tries, random);
	wait = wait < call->answer.retry_after ? call->answer.retry_after : wait;
	call->due = now + wait;
	return wait <= o->wait_max && call->due < call->deadline;
}

static void
hear(struct tf_client *c)
{
	int left;
	for (CURLMsg *m; (m = tf_curl()->multi_info_read(c->multi, &left));) {
		struct client_call *call;
		struct tf_retry_end end;
		if (m->msg != CURLMSG_DONE || tf_curl()->easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call))
			continue;
		client_try_end(call, m->data.result, &end);
		forget_running(c, call);
		if (!plan(call, &end, tf_os_ticks(c->os)))
			over(call, call->err);
		c->again = true;
	}
}

/* ---- all of them ---- */

static void
take_inbox(struct tf_client *c)
{
	pthread_mutex_lock(&c->lock);
	*c->calls_end = c->inbox;
	if (c->inbox)
		c->calls_end = c->inbox_end;
	c->inbox = NULL;
	c->inbox_end = &c->inbox;
	pthread_mutex_unlock(&c->lock);
}

void
client_loop_put(struct tf_client *c, struct client_call *call)
{
	pthread_mutex_lock(&c->lock);
	*c->inbox_end = call;
	c->inbox_end = &call->next;
	c->count++;
	c->bytes += call->r.body.n;
	pthread_mutex_unlock(&c->lock);
	c->again = true;
}

/* Steps each call, ends those that are over. Returns when to look again at the latest. */
static tf_dur
look(struct tf_client *c, tf_dur now)
{
	tf_dur next = now + TF_MINUTE;
	struct client_call **p = &c->calls, *call;
	while ((call = *p)) {
		step(call, now);
		if (call->over) {
			*p = call->next;
			client_call_finish(call, call->err);
			continue;
		}
		tf_dur at = call->due > now && call->due < call->deadline ? call->due : call->deadline;
		if (!call->h && at < next)
			next = at;
		p = &call->next;
	}
	c->calls_end = p;
	return next;
}

static void
end_all(struct tf_client *c)
{
	take_inbox(c);
	for (struct client_call *call; (call = c->calls);) {
		c->calls = call->next;
		if (call->h)
			client_try_abandon(call);
		tf_fault(&call->fault, TF_END, "given up: stopping");
		client_call_finish(call, TF_END);
	}
	c->calls_end = &c->calls;
	c->running_count = 0;
}

void
client_work(void *arg)
{
	struct tf_client *c = arg;
	int running;
	client_working_for = c;
	while (!atomic_load(&c->stopping)) {
		c->again = false;
		take_inbox(c);
		tf_dur now = tf_os_ticks(c->os), next = look(c, now);
		tf_curl()->multi_perform(c->multi, &running);
		hear(c);
		if (!c->again)
			tf_curl()->multi_poll(c->multi, NULL, 0, (int)((next - now) / 1000 + 1), NULL);
	}
	end_all(c);
	client_working_for = NULL; /* the thread may be another's next */
}
