/* The list of a partition's segments: names, sizes, and the places remembered in them. Opens no segment. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "store/log_impl.h"

#define NAME_DIGITS 20
#define NAME_SUFFIX ".log"

enum tf_err
log_path(const struct tf_log *log, char out[static LOG_PATH_MAX], struct tf_fault *f, const char *fmt, ...)
{
	int n = snprintf(out, LOG_PATH_MAX, "%s/", log->dir);
	if (n > 0 && n < LOG_PATH_MAX) {
		va_list ap;
		va_start(ap, fmt);
		n += vsnprintf(out + n, LOG_PATH_MAX - (size_t)n, fmt, ap);
		va_end(ap);
	}
	if (n < 0 || n >= LOG_PATH_MAX)
		return tf_fault(f, TF_INVALID, "path of log '%.200s' is too long", log->dir);
	return TF_OK;
}

enum tf_err
log_segment_path(const struct tf_log *log, const struct log_partition *p, uint64_t first, char out[static LOG_PATH_MAX],
		 struct tf_fault *f)
{
	return log_path(log, out, f, "%" PRIu32 "/%0*" PRIu64 NAME_SUFFIX, p->number, NAME_DIGITS, first);
}

static bool
name_parse(const char *name, uint64_t *out_first)
{
	struct tf_str s = tf_str(name);
	if (s.n != NAME_DIGITS + strlen(NAME_SUFFIX) || strcmp(name + NAME_DIGITS, NAME_SUFFIX) != 0)
		return false;
	return tf_str_u64(tf_str_n(name, NAME_DIGITS), out_first);
}

enum tf_err
log_segments_reserve(struct log_partition *p, struct tf_fault *f)
{
	if (p->segment_count < p->segment_cap)
		return TF_OK;
	size_t cap = p->segment_cap ? 2 * p->segment_cap : 4;
	struct log_segment *more = tf_realloc(p->segments, cap * sizeof(*more));
	if (!more)
		return tf_fault(f, TF_NO_MEMORY, "cannot list log segments: out of memory");
	p->segments = more;
	p->segment_cap = cap;
	return TF_OK;
}

struct listing {
	struct tf_log *log;
	struct log_partition *to;
	struct tf_fault *f;
};

/* Names come in byte order, which is the order of the offsets. */
static enum tf_err
list_entry(void *ctx, const char *name, bool is_dir)
{
	struct listing *l = ctx;
	uint64_t first;
	if (is_dir || !name_parse(name, &first))
		return TF_OK;
	char path[LOG_PATH_MAX];
	struct tf_stat st;
	TF_TRY(log_segment_path(l->log, l->to, first, path, l->f));
	enum tf_err e = tf_os_stat(l->log->os, path, &st, l->f);
	if (e == TF_NOT_FOUND)
		return TF_OK; /* trimmed since */
	TF_TRY(e);
	TF_TRY(log_segments_reserve(l->to, l->f));
	l->to->segments[l->to->segment_count++] = (struct log_segment){.first = first, .bytes = st.size};
	return TF_OK;
}

/* Waypoints and header fields move over to the new list. */
static void
keep_known(struct log_partition *from, struct log_partition *to)
{
	for (size_t i = 0, k = 0; i < from->segment_count; i++) {
		struct log_segment *was = &from->segments[i];
		while (k < to->segment_count && to->segments[k].first < was->first)
			k++;
		if (k == to->segment_count || to->segments[k].first != was->first)
			continue;
		uint64_t bytes = to->segments[k].bytes;
		to->segments[k] = *was;
		to->segments[k].bytes = bytes;
		was->waypoints = NULL;
	}
}

enum tf_err
log_segments_list(struct tf_log *log, struct log_partition *p, struct tf_fault *f)
{
	char path[LOG_PATH_MAX];
	TF_TRY(log_path(log, path, f, "%" PRIu32, p->number));
	struct log_partition fresh = {.number = p->number};
	struct listing l = {log, &fresh, f};
	enum tf_err e = tf_os_list(log->os, path, list_entry, &l, f);
	if (e != TF_OK) {
		log_segments_clear(&fresh);
		return e;
	}
	keep_known(p, &fresh);
	log_segments_clear(p);
	p->segments = fresh.segments;
	p->segment_count = fresh.segment_count;
	p->segment_cap = fresh.segment_cap;
	return TF_OK;
}

struct log_segment *
log_segment_of(struct log_partition *p, uint64_t offset)
{
	size_t low = 0, high = p->segment_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (p->segments[mid].first <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &p->segments[low - 1] : NULL;
}

struct log_segment *
log_segment_last(struct log_partition *p)
{
	return p->segment_count ? &p->segments[p->segment_count - 1] : NULL;
}

void
log_segments_remove_first(struct log_partition *p)
{
	tf_free(p->segments[0].waypoints);
	p->segment_count--;
	memmove(p->segments, p->segments + 1, p->segment_count * sizeof(*p->segments));
}

void
log_segments_remove_last(struct log_partition *p)
{
	tf_free(p->segments[--p->segment_count].waypoints);
}

void
log_segments_clear(struct log_partition *p)
{
	for (size_t i = 0; i < p->segment_count; i++)
		tf_free(p->segments[i].waypoints);
	tf_free(p->segments);
	p->segments = NULL;
	p->segment_count = p->segment_cap = 0;
}
