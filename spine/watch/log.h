/* Log lines: one event, one JSON object, one line, handed to a sink.
 *
 *   TF_LOG(w, TF_LOG_INFO, "file.loaded", &trace, TF_KV("file", name), TF_KV("readings", count));
 *
 *   {"time":"2026-11-24T03:16:00Z","level":"info","service":"meter","event":"file.loaded",
 *    "trace":"4bf9...","span":"00f0...","correlation":"order-7","file":"a.csv","readings":96}
 *
 * Only programs log; libraries return faults. A line is at most 16 KiB: a text value over 2 KiB is cut, with its length
 * beside it, and a line that still doesn't fit is counted as dropped, like one for which memory was out. Text that
 * isn't UTF-8 is repaired. Thread rule: from any thread; the sink is called by one at a time and must write the line at
 * once. */
#pragma once
#include <pthread.h>

#include "watch/trace.h"

enum tf_log_level { TF_LOG_DEBUG, TF_LOG_INFO, TF_LOG_WARN, TF_LOG_ERROR };

/* One line, or what tf_watch_put kept: several. Each ends with '\n'. */
typedef void tf_watch_sink(void *ctx, struct tf_str line);

struct tf_watch {
	struct tf_os *os;
	const char *service;
	enum tf_log_level least;
	tf_watch_sink *sink;
	void *ctx;
	pthread_mutex_t lock;
	_Atomic uint64_t dropped; /* lines */
};

enum tf_kv_type { TF_KV_STR, TF_KV_I64, TF_KV_U64, TF_KV_BOOL };

struct tf_kv {
	const char *key;
	enum tf_kv_type type;
	struct tf_str str;
	int64_t i64; /* also TF_KV_U64's bits */
};

static inline struct tf_kv
tf_kv_str(const char *key, struct tf_str v)
{
	return (struct tf_kv){.key = key, .type = TF_KV_STR, .str = v};
}

static inline struct tf_kv
tf_kv_cstr(const char *key, const char *v)
{
	return tf_kv_str(key, tf_str(v));
}

static inline struct tf_kv
tf_kv_i64(const char *key, int64_t v)
{
	return (struct tf_kv){.key = key, .type = TF_KV_I64, .i64 = v};
}

static inline struct tf_kv
tf_kv_u64(const char *key, uint64_t v)
{
	return (struct tf_kv){.key = key, .type = TF_KV_U64, .i64 = (int64_t)v};
}

static inline struct tf_kv
tf_kv_bool(const char *key, bool v)
{
	return (struct tf_kv){.key = key, .type = TF_KV_BOOL, .i64 = v};
}

/* A field of any of these types. */
#define TF_KV(key, v)                                                                                                  \
	_Generic((v),                                                                                                  \
		struct tf_str: tf_kv_str,                                                                              \
		char *: tf_kv_cstr,                                                                                    \
		const char *: tf_kv_cstr,                                                                              \
		bool: tf_kv_bool,                                                                                      \
		unsigned long: tf_kv_u64,                                                                              \
		unsigned long long: tf_kv_u64,                                                                         \
		default: tf_kv_i64)(key, v)

#define TF_LOG(w, level, event, trace, ...)                                                                            \
	tf_watch_log(w, level, event, trace, (const struct tf_kv[]){{0}, ##__VA_ARGS__} + 1,                           \
		     sizeof((const struct tf_kv[]){{0}, ##__VA_ARGS__}) / sizeof(struct tf_kv) - 1)
#define TF_LOG_PUT(w, lines, level, event, trace, ...)                                                                 \
	tf_watch_put(w, lines, level, event, trace, (const struct tf_kv[]){{0}, ##__VA_ARGS__} + 1,                    \
		     sizeof((const struct tf_kv[]){{0}, ##__VA_ARGS__}) / sizeof(struct tf_kv) - 1)

/* service, sink and ctx must outlive it. Release when no thread logs any more. */
void tf_watch_init(struct tf_watch *w, struct tf_os *os, const char *service, enum tf_log_level least,
		   tf_watch_sink *sink, void *ctx);
void tf_watch_release(struct tf_watch *w);
/* Does nothing below w->least. trace may be NULL. Event names: object.happened, lower case. */
void tf_watch_log(struct tf_watch *w, enum tf_log_level level, const char *event, const struct tf_trace *trace,
		  const struct tf_kv *fields, size_t count);
/* The same for lines of which there are many: behind those in *lines, for tf_watch_pass to hand to the sink in one
 * call. */
void tf_watch_put(struct tf_watch *w, struct tf_buf *lines, enum tf_log_level level, const char *event,
		  const struct tf_trace *trace, const struct tf_kv *fields, size_t count);
/* Empties *lines. */
void tf_watch_pass(struct tf_watch *w, struct tf_buf *lines);
/* A failure, once, by whoever handles it: level error, event, with the fault's code and text. */
void tf_watch_fault(struct tf_watch *w, const char *event, const struct tf_trace *trace, const struct tf_fault *f);
/* "info" and so on; TF_INVALID for other words. */
enum tf_err tf_log_level_parse(struct tf_str word, enum tf_log_level *out) TF_MUST_USE;
