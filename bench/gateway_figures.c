/* Figures of the load generator: latencies, CPU, memory, the disk; see gateway_load.h. */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway_load.h"

/* 64 steps for each doubling: within 1.6 %. */
static unsigned
bucket_of(uint64_t us)
{
	if (us < 64)
		return (unsigned)us;
	unsigned top = 63 - (unsigned)__builtin_clzll(us);
	unsigned b = (top - 5) * 64 + (unsigned)(us >> (top - 6) & 63);
	return b < LOAD_BUCKETS ? b : LOAD_BUCKETS - 1;
}

static uint64_t
bucket_value(unsigned b)
{
	if (b < 64)
		return b;
	unsigned top = b / 64 + 5;
	return (UINT64_C(1) << top) + ((uint64_t)(b % 64) << (top - 6));
}

void
tally_latency(struct tally *t, tf_dur took)
{
	t->histogram[bucket_of((uint64_t)(took > 0 ? took : 0))]++;
	if (took > t->most)
		t->most = took;
}

static uint64_t
quantile(const struct tally *t, uint64_t per_thousand)
{
	uint64_t seen = 0, want = (t->measured * per_thousand + 999) / 1000;
	for (unsigned b = 0; b < LOAD_BUCKETS; b++)
		if ((seen += t->histogram[b]) >= want)
			return bucket_value(b);
	return (uint64_t)t->most;
}

uint64_t
own_cpu_us(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Empty where there is no such process. */
static void
read_proc(uint64_t pid, const char *name, char out[static 1024])
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%" PRIu64 "/%s", pid, name);
	FILE *file = pid ? fopen(path, "r") : NULL;
	size_t n = file ? fread(out, 1, 1023, file) : 0;
	out[n] = 0;
	if (file)
		fclose(file);
}

uint64_t
process_cpu_us(uint64_t pid)
{
	char text[1024];
	unsigned long user = 0, system = 0;
	read_proc(pid, "stat", text);
	char *p = strrchr(text, ')');
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return 0;
	return (uint64_t)(user + system) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t
process_resident(uint64_t pid)
{
	char text[1024];
	unsigned long pages = 0;
	read_proc(pid, "statm", text);
	return sscanf(text, "%*u %lu", &pages) == 1 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void
print_load(const struct load *l, uint64_t own_us, uint64_t server_us, tf_dur took)
{
	const struct tally *t = &l->t;
	double seconds = (double)l->o.seconds, done = t->done ? (double)t->done : 1;
	printf("{\"bench\":\"%s\",\"connections\":%" PRIu64 ",\"offered_per_s\":%" PRIu64 ",\"answered_per_s\":%.0f,"
	       "\"p50_us\":%" PRIu64 ",\"p90_us\":%" PRIu64 ",\"p99_us\":%" PRIu64 ",\"p999_us\":%" PRIu64
	       ",\"max_us\":%" PRId64 ",\"ok\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"failed\":%" PRIu64
	       ",\"broken\":%" PRIu64 ",\"clients\":%zu,\"opened\":%" PRIu64 ",\"resumed\":%" PRIu64
	       ",\"generator_cpu_percent\":%.0f,\"generator_cpu_us_per_request\":%.1f,\"server_cpu_percent\":%.0f,"
	       "\"server_cpu_us_per_request\":%.1f}\n",
	       l->o.label, l->o.connections, l->o.rate, (double)t->measured / seconds, quantile(t, 500),
	       quantile(t, 900), quantile(t, 990), quantile(t, 999), t->most, t->classes[2] + t->classes[3],
	       t->classes[4], t->classes[5] + t->classes[0] + t->classes[1], t->broken, l->ids.count, t->opened,
	       t->resumed, 100.0 * (double)own_us / (double)took, (double)own_us / done,
	       100.0 * (double)server_us / (double)took, (double)server_us / done);
}

int
sync_limit(struct tf_os *os, const struct options *o, const char *path)
{
	struct tf_fault f = {0};
	struct tf_file *file;
	size_t n = o->bytes * o->batch;
	char *bytes = tf_calloc(1, n);
	if (!bytes || tf_os_open(os, path, TF_OPEN_CREATE | TF_OPEN_TRUNCATE, &file, &f))
		return load_fail("cannot open", &f);
	uint64_t syncs = 0;
	tf_dur begun = tf_os_ticks(os), until = begun + (tf_dur)o->seconds * TF_SEC;
	for (; tf_os_ticks(os) < until; syncs++)
		if (tf_file_write(file, bytes, n, syncs * n, &f) || tf_file_sync(file, &f))
			return load_fail("cannot write", &f);
	double seconds = (double)(tf_os_ticks(os) - begun) / 1e6;
	printf("{\"bench\":\"append and fdatasync\",\"record_bytes\":%" PRIu64 ",\"batch\":%" PRIu64
	       ",\"syncs_per_s\":%.0f,\"records_per_s\":%.0f}\n",
	       o->bytes, o->batch, (double)syncs / seconds, (double)(syncs * o->batch) / seconds);
	tf_file_close(&file);
	tf_free(bytes);
	return 0;
}
