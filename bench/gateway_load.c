/* An open-loop load generator for the gateway, and the disk's own limit beside it.
 *
 *   gateway_load get|post HOST:PORT [NAME=VALUE...]     one JSON line
 *   gateway_load sync FILE [bytes=N] [batch=N] [seconds=N]
 *
 * Requests are due at fixed times (rate); each is sent by the next idle connection, and its latency counts from when it
 * was due, so that a server which stalls is not spared the requests it kept waiting. rate=0 is a closed loop: every
 * connection sends as soon as it has its answer. new=N opens a new connection for N % of the requests. One thread; its
 * CPU is in the output, and the server's where pid=N names it. Answers are counted by class, and checked for status and
 * length only. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/net.h"
#include "os/os.h"

#define EVENTS      256
#define REQUEST_MAX 2048
#define ANSWER_MAX  16384
#define BUCKETS     4096 /* 64 for each power of two of microseconds */
#define GRACE       (2 * TF_SEC)

struct options {
	const char *mode, *path, *label, *prefix, *date;
	char host[256];
	uint16_t port;
	uint64_t rate, seconds, warm, connections, partners, policies, fresh, pid, bytes, batch;
};

enum phase { IDLE, CONNECTING, SENDING, WAITING };

struct conn {
	int fd;
	enum phase phase;
	tf_time due;
	unsigned polled;
	size_t n, sent, got, want; /* of the request; of the answer, want: 0 until the head is whole */
	int status;
	char out[REQUEST_MAX], in[ANSWER_MAX];
};

struct load {
	struct tf_os *os;
	struct options o;
	struct tf_poll *poll;
	struct conn *conns;
	uint64_t *idle; /* a stack of those that wait for work */
	uint64_t idle_count;
	uint64_t sent, done, measured, classes[6], broken, random, opened;
	tf_dur begun, from, until;
	uint32_t histogram[BUCKETS];
	tf_dur most;
};

static int
fail(const char *what, const struct tf_fault *f)
{
	fprintf(stderr, "gateway_load: %s%s%s\n", what, f ? ": " : "", f ? f->text : "");
	return 1;
}

static uint64_t
next_random(uint64_t *x)
{
	*x += 0x9e3779b97f4a7c15u;
	uint64_t z = *x;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	return z ^ (z >> 27);
}

/* 64 steps for each doubling: within 1.6 %. */
static unsigned
bucket_of(uint64_t us)
{
	if (us < 64)
		return (unsigned)us;
	unsigned top = 63 - (unsigned)__builtin_clzll(us);
	unsigned b = (top - 5) * 64 + (unsigned)(us >> (top - 6) & 63);
	return b < BUCKETS ? b : BUCKETS - 1;
}

static uint64_t
bucket_value(unsigned b)
{
	if (b < 64)
		return b;
	unsigned top = b / 64 + 5;
	return (UINT64_C(1) << top) + ((uint64_t)(b % 64) << (top - 6));
}

static uint64_t
quantile(const struct load *l, uint64_t per_thousand)
{
	uint64_t seen = 0, want = (l->measured * per_thousand + 999) / 1000;
	for (unsigned b = 0; b < BUCKETS; b++)
		if ((seen += l->histogram[b]) >= want)
			return bucket_value(b);
	return (uint64_t)l->most;
}

/* Requests. */

static void
policy_number(uint64_t policy, char out[static 48])
{
	snprintf(out, 48, "P%010" PRIu64 "%02" PRIu64, policy, 98 - policy * 100 % 97);
}

static void
write_get(struct load *l, struct conn *c)
{
	char number[48], path[128];
	policy_number(next_random(&l->random) % l->o.policies, number);
	if (l->o.path)
		snprintf(path, sizeof path, "%s", l->o.path);
	else
		snprintf(path, sizeof path, "/insure/v1/policies/%s", number);
	c->n = (size_t)snprintf(c->out, sizeof c->out,
				"GET %s HTTP/1.1\r\nHost: %s\r\nX-Partner: p%" PRIu64
				"\r\nX-Correlation-Id: load-%" PRIu64 "\r\n\r\n",
				path, l->o.host, next_random(&l->random) % l->o.partners, l->sent);
}

static void
write_post(struct load *l, struct conn *c)
{
	char body[512];
	uint64_t r = next_random(&l->random);
	int n = snprintf(
		body, sizeof body,
		"{\"product\":\"TERM_LIFE\",\"sum_insured\":%" PRIu64 ",\"currency\":\"INR\",\"term_years\":%" PRIu64
		",\"start_date\":\"%s\",\"holder\":{\"name\":\"Asha Rao\",\"date_of_birth\":\"1990-04-%02" PRIu64
		"\",\"phone\":\"+9198%08" PRIu64 "\"}}",
		(10 + r % 100) * 5000000, 5 + r % 20, l->o.date, 1 + r % 28, r % 100000000);
	c->n = (size_t)snprintf(c->out, sizeof c->out,
				"POST /insure/v1/policies HTTP/1.1\r\nHost: %s\r\nX-Partner: p%" PRIu64
				"\r\nX-Correlation-Id: load-%" PRIu64 "\r\nIdempotency-Key: %s-%016" PRIx64 "-%" PRIu64
				"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				l->o.host, r % l->o.partners, l->sent, l->o.prefix, r, l->sent, n, body);
}

/* Connections. */

static void
watch(struct load *l, struct conn *c, unsigned events)
{
	if (c->polled != events && !tf_poll_mod(l->poll, c->fd, events, c, NULL))
		c->polled = events;
}

static bool
open_conn(struct load *l, struct conn *c)
{
	tf_net_close(&c->fd);
	if (tf_net_connect(l->o.host, l->o.port, &c->fd, NULL) || tf_poll_add(l->poll, c->fd, TF_POLL_OUT, c, NULL))
		return false;
	c->polled = TF_POLL_OUT;
	c->phase = CONNECTING;
	l->opened++;
	return true;
}

static void
broke(struct load *l, struct conn *c)
{
	l->broken++;
	tf_net_close(&c->fd);
	c->phase = IDLE;
	l->idle[l->idle_count++] = (uint64_t)(c - l->conns);
}

static void
push(struct load *l, struct conn *c)
{
	while (c->sent < c->n) {
		size_t n;
		enum tf_err e = tf_net_send(c->fd, c->out + c->sent, c->n - c->sent, &n, NULL);
		if (e == TF_BUSY) {
			watch(l, c, TF_POLL_OUT);
			return;
		}
		if (e) {
			broke(l, c);
			return;
		}
		c->sent += n;
	}
	c->phase = WAITING;
	watch(l, c, TF_POLL_IN);
}

static void
begin(struct load *l, struct conn *c, tf_time due)
{
	c->due = due;
	c->sent = c->got = c->want = 0;
	if (strcmp(l->o.mode, "post") == 0)
		write_post(l, c);
	else
		write_get(l, c);
	l->sent++;
	if (c->fd < 0 || (l->o.fresh && next_random(&l->random) % 100 < l->o.fresh)) {
		if (!open_conn(l, c))
			broke(l, c);
		return;
	}
	c->phase = SENDING;
	push(l, c);
}

static void
count(struct load *l, struct conn *c)
{
	tf_dur now = tf_os_ticks(l->os), took = now - c->due;
	l->done++;
	if (now < l->from || c->due > l->until)
		return;
	l->measured++;
	l->classes[c->status / 100 < 6 ? c->status / 100 : 0]++;
	l->histogram[bucket_of((uint64_t)(took > 0 ? took : 0))]++;
	if (took > l->most)
		l->most = took;
}

/* How long the whole answer is, once its head is there. */
static void
measure(struct conn *c)
{
	c->in[c->got < ANSWER_MAX ? c->got : ANSWER_MAX - 1] = 0;
	char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "\r\ncontent-length:");
	if (!end || c->got < 12)
		return;
	c->status = atoi(c->in + 9); /* this is no product code: the status is three digits */
	c->want = (size_t)(end - c->in) + 4 + (length && length < end ? (size_t)strtoul(length + 17, NULL, 10) : 0);
}

static void
pull(struct load *l, struct conn *c)
{
	size_t n;
	enum tf_err e = tf_net_recv(c->fd, c->in + c->got, sizeof c->in - 1 - c->got, &n, NULL);
	if (e == TF_BUSY)
		return;
	if (e) {
		broke(l, c);
		return;
	}
	c->got += n;
	if (!c->want)
		measure(c);
	if (!c->want || c->got < c->want)
		return;
	count(l, c);
	c->phase = IDLE;
	l->idle[l->idle_count++] = (uint64_t)(c - l->conns);
}

static void
on_event(struct load *l, const struct tf_poll_event *e)
{
	struct conn *c = e->data;
	if (c->fd < 0)
		return;
	if (c->phase == CONNECTING && e->events & (TF_POLL_OUT | TF_POLL_CLOSED)) {
		if (tf_net_connected(c->fd, NULL)) {
			broke(l, c);
			return;
		}
		c->phase = SENDING;
	}
	if (c->phase == SENDING)
		push(l, c);
	else if (c->phase == WAITING)
		pull(l, c);
	else if (c->phase == IDLE)
		tf_net_close(&c->fd); /* closed by the server; opened again when needed */
}

/* Sends what is due, as far as connections are idle. */
static tf_dur
send_due(struct load *l)
{
	tf_dur now = tf_os_ticks(l->os);
	while (l->idle_count && now <= l->until) {
		tf_dur due = now;
		if (l->o.rate) {
			due = l->begun + (tf_dur)(l->sent * 1000000 / l->o.rate);
			if (due > now)
				return due - now;
		}
		begin(l, &l->conns[l->idle[--l->idle_count]], due);
	}
	return l->idle_count ? 0 : TF_SEC / 1000;
}

static int
run(struct load *l)
{
	struct tf_fault f = {0};
	struct tf_poll_event events[EVENTS];
	l->begun = tf_os_ticks(l->os);
	l->from = l->begun + (tf_dur)l->o.warm * TF_SEC;
	l->until = l->from + (tf_dur)l->o.seconds * TF_SEC;
	while (tf_os_ticks(l->os) < l->until + GRACE) {
		int n;
		tf_dur wait = send_due(l);
		if (tf_os_ticks(l->os) > l->until && l->idle_count == l->o.connections)
			break;
		if (tf_poll_wait(l->poll, events, EVENTS, wait < TF_SEC / 1000 ? 0 : TF_SEC / 1000, &n, &f))
			return fail("cannot poll", &f);
		for (int i = 0; i < n; i++)
			on_event(l, &events[i]);
		if (n == 0 && wait > 40 && wait < TF_SEC / 1000)
			usleep(20);
	}
	return 0;
}

/* Figures. */

static uint64_t
own_cpu_us(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Of a process and what it has waited for; nginx serves from children, so pid is the worker's. */
static uint64_t
cpu_us(uint64_t pid)
{
	char path[64], text[1024];
	unsigned long user = 0, system = 0;
	snprintf(path, sizeof path, "/proc/%" PRIu64 "/stat", pid);
	FILE *file = pid ? fopen(path, "r") : NULL;
	if (!file)
		return 0;
	size_t n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = 0;
	char *p = strrchr(text, ')');
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return 0;
	return (uint64_t)(user + system) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void
print(const struct load *l, uint64_t own, uint64_t server, tf_dur took)
{
	double seconds = (double)l->o.seconds;
	printf("{\"bench\":\"%s\",\"connections\":%" PRIu64 ",\"offered_per_s\":%" PRIu64 ",\"answered_per_s\":%.0f,"
	       "\"p50_us\":%" PRIu64 ",\"p90_us\":%" PRIu64 ",\"p99_us\":%" PRIu64 ",\"p999_us\":%" PRIu64
	       ",\"max_us\":%" PRId64 ",\"ok\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"failed\":%" PRIu64
	       ",\"broken\":%" PRIu64 ",\"opened\":%" PRIu64
	       ",\"generator_cpu_percent\":%.0f,\"server_cpu_us_per_request\":%.1f}\n",
	       l->o.label, l->o.connections, l->o.rate, (double)l->measured / seconds, quantile(l, 500),
	       quantile(l, 900), quantile(l, 990), quantile(l, 999), l->most, l->classes[2] + l->classes[3],
	       l->classes[4], l->classes[5] + l->classes[0] + l->classes[1], l->broken, l->opened,
	       100.0 * (double)own / (double)took, l->done ? (double)server / (double)l->done : 0.0);
}

static int
load(struct load *l)
{
	struct tf_fault f = {0};
	l->conns = tf_calloc(l->o.connections, sizeof *l->conns);
	l->idle = tf_calloc(l->o.connections, sizeof *l->idle);
	if (!l->conns || !l->idle || tf_poll_new(&l->poll, &f))
		return fail("cannot start", &f);
	for (uint64_t i = 0; i < l->o.connections; i++) {
		l->conns[i].fd = -1;
		l->idle[l->idle_count++] = i;
	}
	tf_os_random(l->os, &l->random, sizeof l->random);
	uint64_t own = own_cpu_us(), server = cpu_us(l->o.pid);
	tf_dur begun = tf_os_ticks(l->os);
	int code = run(l);
	if (!code)
		print(l, own_cpu_us() - own, cpu_us(l->o.pid) - server, tf_os_ticks(l->os) - begun);
	for (uint64_t i = 0; i < l->o.connections; i++)
		tf_net_close(&l->conns[i].fd);
	tf_poll_free(&l->poll);
	tf_free(l->conns);
	tf_free(l->idle);
	return code;
}

/* What the disk does by itself: append batch records, fdatasync, again. */
static int
sync_limit(struct tf_os *os, const struct options *o, const char *path)
{
	struct tf_fault f = {0};
	struct tf_file *file;
	size_t n = o->bytes * o->batch;
	char *bytes = tf_calloc(1, n);
	if (!bytes || tf_os_open(os, path, TF_OPEN_CREATE | TF_OPEN_TRUNCATE, &file, &f))
		return fail("cannot open", &f);
	uint64_t syncs = 0;
	tf_dur begun = tf_os_ticks(os), until = begun + (tf_dur)o->seconds * TF_SEC;
	for (; tf_os_ticks(os) < until; syncs++)
		if (tf_file_write(file, bytes, n, syncs * n, &f) || tf_file_sync(file, &f))
			return fail("cannot write", &f);
	double seconds = (double)(tf_os_ticks(os) - begun) / 1e6;
	printf("{\"bench\":\"append and fdatasync\",\"record_bytes\":%" PRIu64 ",\"batch\":%" PRIu64
	       ",\"syncs_per_s\":%.0f,\"records_per_s\":%.0f}\n",
	       o->bytes, o->batch, (double)syncs / seconds, (double)(syncs * o->batch) / seconds);
	tf_file_close(&file);
	tf_free(bytes);
	return 0;
}

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
	char *eq = strchr(text, '=');
	if (!eq)
		return false;
	struct tf_str name = tf_str_n(text, (size_t)(eq - text));
	if (tf_str_eq(name, TF_STR("path")))
		o->path = eq + 1;
	else if (tf_str_eq(name, TF_STR("label")))
		o->label = eq + 1;
	else if (tf_str_eq(name, TF_STR("date")))
		o->date = eq + 1;
	else if (tf_str_eq(name, TF_STR("prefix")))
		o->prefix = eq + 1;
	else
		return set_number(o, name, tf_str(eq + 1));
	return true;
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
		return fail("usage: gateway_load get|post HOST:PORT [NAME=VALUE...] | sync FILE [NAME=VALUE...]", NULL);
	l.o.mode = argv[1];
	for (int i = 3; i < argc; i++)
		if (!set_option(&l.o, argv[i]))
			return fail(argv[i], NULL);
	prctl(PR_SET_TIMERSLACK, 1000UL);
	if (strcmp(argv[1], "sync") == 0)
		return sync_limit(l.os, &l.o, argv[2]);
	if (tf_net_parse(tf_str(argv[2]), l.o.host, &l.o.port, &f))
		return fail("bad address", &f);
	return load(&l);
}
