/* An open-loop load generator for the gateway, and the disk's own limit beside it.
 *
 *   gateway_load get|post HOST:PORT [NAME=VALUE...]     one JSON line
 *   gateway_load hold HOST:PORT [NAME=VALUE...]         opens connections, one request each, keeps them: the server's
 * memory gateway_load sync FILE [bytes=N] [batch=N] [seconds=N]
 *
 * Requests are due at fixed times (rate); each is sent by the next idle connection, and its latency counts from when it
 * was due, so that a server which stalls is not spared the requests it kept waiting. rate=0 is a closed loop: every
 * connection sends as soon as it has its answer. new=N opens a new connection for N % of the requests.
 *
 * With identities=DIR and ca=FILE it speaks TLS: each new connection is another client of the directory, with its
 * certificate and its token. As a partner's client does, it resumes the session it had; full=N makes N % of the new
 * connections forget theirs. All clients are introduced, by a connection and a request each, and all connections are
 * open, before anything is measured. Answers are counted by class, and checked for status and length only. One thread;
 * its CPU is in the output, and the server's where pid=N names it. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway_load.h"

#define GRACE       (2 * TF_SEC)
#define STALLED     (60 * TF_SEC) /* for introducing and holding */
#define AT_ONCE     64            /* connections being opened by these */
#define SETTLE      TF_SEC        /* what is held must stay open this long */
#define MILLI       (TF_SEC / 1000)
#define WORTH_A_NAP 40
#define NAP         100 /* an answer may be counted this much later: it spares the core the server needs */

int
load_fail(const char *what, const struct tf_fault *f)
{
	fprintf(stderr, "gateway_load: %s%s%s\n", what, f ? ": " : "", f ? f->text : "");
	return 1;
}

uint64_t
load_random(uint64_t *x)
{
	*x += 0x9e3779b97f4a7c15u;
	uint64_t z = *x;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	return z ^ (z >> 27);
}

static struct conn *
next_idle(struct load *l)
{
	return &l->conns[l->idle[--l->idle_count]];
}

/* A connection that is not open yet comes to the top of the idle ones; false: all of those are open. */
static bool
unopened_next(struct load *l)
{
	for (uint64_t i = l->idle_count; i-- > 0;)
		if (l->conns[l->idle[i]].fd < 0) {
			uint64_t top = l->idle[l->idle_count - 1];
			l->idle[l->idle_count - 1] = l->idle[i];
			l->idle[i] = top;
			return true;
		}
	return false;
}

/* Every client has been seen once and holds a session; then every connection is open. */
static int
introduce(struct load *l)
{
	struct tf_fault f = {0};
	int n;
	tf_dur until = tf_os_ticks(l->os) + STALLED;
	uint64_t all = l->idle_count;
	l->until = until;
	while (l->introduced < l->ids.count || l->idle_count < all || unopened_next(l)) {
		while (l->idle_count && all - l->idle_count < AT_ONCE &&
		       (unopened_next(l) || l->introduced < l->ids.count))
			conn_begin(l, next_idle(l), tf_os_ticks(l->os), true);
		if (tf_os_ticks(l->os) > until)
			return load_fail("the server does not answer", NULL);
		if (conn_turn(l, true, &n, &f))
			return load_fail("cannot poll", &f);
	}
	if (l->t.broken || l->t.classes[2] != l->t.done)
		fprintf(stderr, "gateway_load: of %zu clients %" PRIu64 " were answered 200, %" PRIu64 " broke\n",
			l->ids.count, l->t.classes[2], l->t.broken);
	l->t = (struct tally){0};
	return 0;
}

/* Sends what is due, as far as connections are idle. Returns how long until the next is. */
static tf_dur
send_due(struct load *l)
{
	tf_dur now = tf_os_ticks(l->os);
	while (l->idle_count && now <= l->until) {
		tf_dur due = now;
		if (l->o.rate) {
			due = l->begun + (tf_dur)(l->t.sent * 1000000 / l->o.rate);
			if (due > now)
				return due - now;
		}
		conn_begin(l, next_idle(l), due, load_random(&l->random) % 100 < l->o.fresh);
	}
	return l->idle_count ? 0 : MILLI;
}

static int
run(struct load *l)
{
	struct tf_fault f = {0};
	l->begun = tf_os_ticks(l->os);
	l->from = l->begun + (tf_dur)l->o.warm * TF_SEC;
	l->until = l->from + (tf_dur)l->o.seconds * TF_SEC;
	while (tf_os_ticks(l->os) < l->until + GRACE) {
		int n;
		tf_dur wait = send_due(l);
		if (tf_os_ticks(l->os) > l->until && l->idle_count == l->o.connections)
			break;
		if (conn_turn(l, wait >= MILLI, &n, &f))
			return load_fail("cannot poll", &f);
		if (n == 0 && wait > WORTH_A_NAP && wait < MILLI)
			usleep(wait < NAP ? (unsigned)wait : NAP);
	}
	return 0;
}

static int
measure(struct load *l)
{
	if (l->ids.count && introduce(l))
		return 1;
	uint64_t own = own_cpu_us(), server = process_cpu_us(l->o.pid);
	tf_dur begun = tf_os_ticks(l->os);
	if (run(l))
		return 1;
	print_load(l, own_cpu_us() - own, process_cpu_us(l->o.pid) - server, tf_os_ticks(l->os) - begun);
	return 0;
}

/* Connections that had their answer and are idle now; the server's memory before and with them. */
static int
hold(struct load *l)
{
	struct tf_fault f = {0};
	int n;
	uint64_t before = process_resident(l->o.pid), open = 0;
	tf_dur begun = tf_os_ticks(l->os), settled = 0;
	l->hold = true;
	l->until = begun + STALLED;
	while (!settled || tf_os_ticks(l->os) < settled) {
		uint64_t waiting = l->t.sent - l->t.done - l->t.broken;
		for (; l->idle_count && waiting < AT_ONCE; waiting++)
			conn_begin(l, next_idle(l), tf_os_ticks(l->os), true);
		if (!waiting && !settled)
			settled = tf_os_ticks(l->os) + SETTLE;
		if (tf_os_ticks(l->os) > l->until)
			return load_fail("the server does not answer", NULL);
		if (conn_turn(l, true, &n, &f))
			return load_fail("cannot poll", &f);
	}
	for (uint64_t i = 0; i < l->o.connections; i++)
		open += l->conns[i].fd >= 0;
	uint64_t with = process_resident(l->o.pid);
	printf("{\"bench\":\"%s\",\"idle\":%" PRIu64 ",\"answered_ok\":%" PRIu64 ",\"resumed\":%" PRIu64
	       ",\"broken\":%" PRIu64 ",\"seconds\":%.1f,\"resident_before\":%" PRIu64 ",\"resident_bytes\":%" PRIu64
	       ",\"bytes_per_connection\":%" PRIu64 "}\n",
	       l->o.label, open, l->t.classes[2], l->t.resumed, l->t.broken, (double)(settled - SETTLE - begun) / 1e6,
	       before, with, open && with > before ? (with - before) / open : 0);
	return open == l->o.connections ? 0 : load_fail("not all connections were kept", NULL);
}

static int
load(struct load *l)
{
	struct tf_fault f = {0};
	l->conns = tf_calloc(l->o.connections, sizeof *l->conns);
	l->idle = tf_calloc(l->o.connections, sizeof *l->idle);
	if (!l->conns || !l->idle || tf_poll_new(&l->poll, &f))
		return load_fail("cannot start", &f);
	for (uint64_t i = 0; i < l->o.connections; i++) {
		l->conns[i].fd = -1;
		l->idle[l->idle_count++] = i;
	}
	tf_os_random(l->os, &l->random, sizeof l->random);
	int code = strcmp(l->o.mode, "hold") == 0 ? hold(l) : measure(l);
	for (uint64_t i = 0; i < l->o.connections; i++)
		conn_close(&l->conns[i]);
	tf_poll_free(&l->poll);
	tf_free(l->conns);
	tf_free(l->idle);
	return code;
}

/* Options. */

static bool
set_number(struct options *o, struct tf_str name, struct tf_str value)
{
	static const struct {
		const char *name;
		size_t at;
	} rows[] = {{"rate", offsetof(struct options, rate)},
		    {"seconds", offsetof(struct options, seconds)},
		    {"warm", offsetof(struct options, warm)},
		    {"connections", offsetof(struct options, connections)},
		    {"partners", offsetof(struct options, partners)},
		    {"policies", offsetof(struct options, policies)},
		    {"new", offsetof(struct options, fresh)},
		    {"full", offsetof(struct options, full)},
		    {"tls", offsetof(struct options, tls)},
		    {"pid", offsetof(struct options, pid)},
		    {"bytes", offsetof(struct options, bytes)},
		    {"batch", offsetof(struct options, batch)}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (tf_str_eq(name, tf_str(rows[i].name)))
			return tf_str_u64(value, (uint64_t *)(void *)((char *)o + rows[i].at));
	return false;
}

static bool
set_option(struct options *o, char *text)
{
	const struct {
		const char *name;
		const char **at;
	} rows[] = {{"path", &o->path},     {"label", &o->label},           {"date", &o->date},
		    {"prefix", &o->prefix}, {"identities", &o->identities}, {"ca", &o->ca}};
	char *eq = strchr(text, '=');
	if (!eq)
		return false;
	struct tf_str name = tf_str_n(text, (size_t)(eq - text));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (tf_str_eq(name, tf_str(rows[i].name))) {
			*rows[i].at = eq + 1;
			return true;
		}
	return set_number(o, name, tf_str(eq + 1));
}

int
main(int argc, char **argv)
{
	struct load l = {.os = tf_os_real()};
	struct tf_fault f = {0};
	l.o = (struct options){.rate = 1000, .seconds = 5, .warm = 1, .connections = 64, .partners = 1000};
	l.o.policies = 1;
	l.o.bytes = 700;
	l.o.batch = 1;
	l.o.label = l.o.prefix = "load";
	l.o.date = "2026-12-01";
	if (argc < 3)
		return load_fail(
			"usage: gateway_load get|post|hold HOST:PORT [NAME=VALUE...] | sync FILE [NAME=VALUE...]",
			NULL);
	l.o.mode = argv[1];
	for (int i = 3; i < argc; i++)
		if (!set_option(&l.o, argv[i]))
			return load_fail(argv[i], NULL);
	prctl(PR_SET_TIMERSLACK, 1000UL);
	signal(SIGPIPE, SIG_IGN); /* TLS is written without MSG_NOSIGNAL */
	if (strcmp(argv[1], "sync") == 0)
		return sync_limit(l.os, &l.o, argv[2]);
	if (tf_net_parse(tf_str(argv[2]), l.o.host, &l.o.port, &f))
		return load_fail("bad address", &f);
	if (l.o.identities && identities_load(&l.ids, &l.o))
		return 1;
	int code = load(&l);
	identities_release(&l.ids);
	return code;
}
