/* Walks the records of one segment through a window of its bytes, and says which byte is wrong.
 * It knows nothing of what comes before or after the segment, or of what was durable. */
#include <inttypes.h>

#include "base/mem.h"
#include "store/log_impl.h"

enum tf_err
log_segment_header_read(struct tf_file *file, const char *path, uint32_t partition, uint64_t first,
			struct log_segment_header *out, struct tf_fault *f)
{
	struct log_segment_header h;
	size_t n;
	TF_TRY(tf_file_read(file, &h, sizeof(h), 0, &n, f));
	if (n < sizeof(h))
		return tf_fault(f, TF_CORRUPT, "'%s' byte %zu: segment header ends early", path, n);
	enum tf_err e = log_segment_header_check(&h);
	if (e == TF_UNSUPPORTED)
		return tf_fault(f, e, "'%s' byte 8: segment version %" PRIu32 " is not known", path, h.version);
	if (e != TF_OK)
		return tf_fault(f, e, "'%s' byte 0: segment header does not match its checksum", path);
	if (h.partition != partition || h.first != first)
		return tf_fault(f, TF_CORRUPT, "'%s' byte 12: header is of partition %" PRIu32 ", offset %" PRIu64,
				path, h.partition, h.first);
	*out = h;
	return TF_OK;
}

static enum tf_err
window_grow(struct log_scan *s, size_t need, struct tf_fault *f)
{
	if (s->window_cap >= need)
		return TF_OK;
	uint8_t *p = tf_malloc(need);
	if (!p) {
		tf_fault(f, TF_NO_MEMORY, "cannot read '%s': out of memory for %zu bytes", s->path, need);
		return TF_NO_MEMORY;
	}
	tf_free(s->window);
	s->window = p;
	s->window_cap = need;
	s->window_n = 0;
	return TF_OK;
}

/* The bytes [at, at + need) in memory; the caller has checked the limit. */
static enum tf_err
look(struct log_scan *s, uint64_t at, size_t need, const uint8_t **out, struct tf_fault *f)
{
	if (at < s->window_at || at + need > s->window_at + s->window_n) {
		size_t want = need > s->chunk ? need : s->chunk;
		if (want > s->limit - at)
			want = (size_t)(s->limit - at);
		TF_TRY(window_grow(s, want, f));
		s->window_n = 0;
		s->window_at = at;
		TF_TRY(tf_file_read(s->file, s->window, want, at, &s->window_n, f));
		if (s->window_n < need) {
			tf_fault(f, TF_CORRUPT, "'%s' byte %" PRIu64 ": file ends early", s->path, at + s->window_n);
			return TF_CORRUPT;
		}
	}
	*out = s->window + (at - s->window_at);
	return TF_OK;
}

static enum tf_err
bad(const struct log_scan *s, struct tf_fault *f, const char *what)
{
	tf_fault(f, TF_CORRUPT, "'%s' byte %" PRIu64 ": %s", s->path, s->place.at, what);
	return TF_CORRUPT;
}

static enum tf_err
check_payload(struct log_scan *s, const struct log_record_header *h, struct tf_str *out, struct tf_fault *f)
{
	size_t padded = (size_t)LOG_ALIGN(h->length);
	const uint8_t *p;
	TF_TRY(look(s, s->place.at, LOG_RECORD_HEADER + padded, &p, f));
	struct tf_str bytes = tf_str_n(p + LOG_RECORD_HEADER, h->length);
	if (log_payload_check(bytes) != h->payload_check)
		return bad(s, f, "record does not match its checksum");
	for (size_t i = h->length; i < padded; i++)
		if (bytes.p[i] != 0)
			return bad(s, f, "record is not followed by zeros");
	*out = bytes;
	return TF_OK;
}

enum tf_err
log_scan_next(struct log_scan *s, struct log_record_header *out, struct tf_str *bytes, struct tf_fault *f)
{
	uint64_t left = s->limit > s->place.at ? s->limit - s->place.at : 0;
	if (left == 0)
		return TF_END;
	if (left < LOG_RECORD_HEADER)
		return bad(s, f, "record header ends early");
	const uint8_t *p;
	struct log_record_header h;
	TF_TRY(look(s, s->place.at, LOG_RECORD_HEADER, &p, f));
	memcpy(&h, p, sizeof(h));
	if (!log_record_header_valid(&h, s->id))
		return bad(s, f, "record header does not match its checksum");
	if (h.offset != s->place.next)
		return bad(s, f, "record has another offset than the one due");
	if (h.time < s->place.time)
		return bad(s, f, "record is older than the one before");
	if (LOG_ALIGN(h.length) > left - LOG_RECORD_HEADER)
		return bad(s, f, "record ends early");
	if (bytes)
		TF_TRY(check_payload(s, &h, bytes, f));
	s->place.at += LOG_RECORD_HEADER + LOG_ALIGN(h.length);
	s->place.next++;
	s->place.time = h.time;
	*out = h;
	return TF_OK;
}

void
log_scan_release(struct log_scan *s)
{
	tf_file_close(&s->file);
	tf_free(s->window);
	s->window = NULL;
	s->window_cap = s->window_n = 0;
}
