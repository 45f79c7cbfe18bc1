/* Log lines; see log.h. */
#include "watch/log.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/json.h"

#define LINE_MAX_BYTES  ((size_t)16 << 10)
#define VALUE_MAX_BYTES ((size_t)2 << 10)

static const char *const levels[] = {"debug", "info", "warn", "error"};

void
tf_watch_init(struct tf_watch *w, struct tf_os *os, const char *service, enum tf_log_level least, tf_watch_sink *sink,
	      void *ctx)
{
	*w = (struct tf_watch){.os = os, .service = service, .least = least, .sink = sink, .ctx = ctx};
	TF_ASSERT(pthread_mutex_init(&w->lock, NULL) == 0);
}

void
tf_watch_release(struct tf_watch *w)
{
	pthread_mutex_destroy(&w->lock);
}

static void
put_trace(struct tf_json_out *out, const struct tf_trace *t)
{
	char text[TF_TRACEPARENT_BYTES];
	tf_trace_format(t, text);
	tf_json_key(out, "trace");
	tf_json_put_str(out, tf_str_n(text + 3, 32));
	tf_json_key(out, "span");
	tf_json_put_str(out, tf_str_n(text + 36, 16));
	tf_json_set_str(out, "correlation", tf_trace_correlation(t));
}

static void
put_field(struct tf_json_out *out, const struct tf_kv *kv)
{
	char key[80];
	switch (kv->type) {
	case TF_KV_STR:
		tf_json_set_str(out, kv->key,
				tf_str_n(kv->str.p, kv->str.n < VALUE_MAX_BYTES ? kv->str.n : VALUE_MAX_BYTES));
		if (kv->str.n > VALUE_MAX_BYTES) {
			snprintf(key, sizeof key, "%.60s_bytes", kv->key);
			tf_json_set_u64(out, key, kv->str.n);
		}
		break;
	case TF_KV_I64:
		tf_json_set_i64(out, kv->key, kv->i64);
		break;
	case TF_KV_U64:
		tf_json_set_u64(out, kv->key, (uint64_t)kv->i64);
		break;
	case TF_KV_BOOL:
		tf_json_set_bool(out, kv->key, kv->i64);
		break;
	}
}

static void
put_line(struct tf_buf *line, const struct tf_watch *w, enum tf_log_level level, const char *event,
	 const struct tf_trace *trace, const struct tf_kv *fields, size_t count)
{
	char time[40];
	struct tf_json_out out = tf_json_out(line);
	tf_json_begin_object(&out);
	tf_json_set_cstr(&out, "time", tf_time_format(tf_os_now(w->os), time));
	tf_json_set_cstr(&out, "level", levels[level]);
	tf_json_set_cstr(&out, "service", w->service);
	tf_json_set_cstr(&out, "event", event);
	if (trace)
		put_trace(&out, trace);
	for (size_t i = 0; i < count; i++)
		put_field(&out, &fields[i]);
	tf_json_end_object(&out);
	tf_json_finish(&out);
}

void
tf_watch_log(struct tf_watch *w, enum tf_log_level level, const char *event, const struct tf_trace *trace,
	     const struct tf_kv *fields, size_t count)
{
	struct tf_buf line;
	if (level < w->least)
		return;
	tf_buf_init(&line, 0);
	tf_watch_put(w, &line, level, event, trace, fields, count);
	tf_watch_pass(w, &line);
	tf_buf_release(&line);
}

void
tf_watch_put(struct tf_watch *w, struct tf_buf *lines, enum tf_log_level level, const char *event,
	     const struct tf_trace *trace, const struct tf_kv *fields, size_t count)
{
	size_t before = lines->n;
	if (level < w->least)
		return;
	put_line(lines, w, level, event, trace, fields, count);
	if (!lines->err && lines->n - before <= LINE_MAX_BYTES)
		return;
	atomic_fetch_add_explicit(&w->dropped, 1, memory_order_relaxed);
	lines->n = before;
	lines->err = TF_OK;
}

void
tf_watch_pass(struct tf_watch *w, struct tf_buf *lines)
{
	if (!lines->n)
		return;
	pthread_mutex_lock(&w->lock);
	w->sink(w->ctx, tf_buf_view(lines));
	pthread_mutex_unlock(&w->lock);
	tf_buf_reset(lines);
}

void
tf_watch_fault(struct tf_watch *w, const char *event, const struct tf_trace *trace, const struct tf_fault *f)
{
	TF_LOG(w, TF_LOG_ERROR, event, trace, TF_KV("error", tf_err_name(f->code)), TF_KV("text", f->text));
}

enum tf_err
tf_log_level_parse(struct tf_str word, enum tf_log_level *out)
{
	for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
		if (tf_str_eq(word, tf_str(levels[i]))) {
			*out = (enum tf_log_level)i;
			return TF_OK;
		}
	return TF_INVALID;
}
