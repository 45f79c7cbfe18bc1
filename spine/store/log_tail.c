/* Where a segment that was being written ends: torn tail or damage?
 *
 * What is known: every record below `durable` was once synced (a mark, a consumer's position or a later record says
 * so), so anything wrong there is damage and is reported. What comes after it may have reached the disk in any order,
 * sector by sector. The first record there that fails is a torn tail when nothing valid follows it, and also when what
 * follows lies behind sectors that were lost: a sector not written is still zeros, from its start or up to its end.
 * Where no sector can have been lost (a flipped bit, a wrong length in the middle) it is damage. */
#include <inttypes.h>

#include "base/mem.h"
#include "store/log_impl.h"

#define SECTOR ((uint64_t)512)
#define WINDOW ((size_t)64 << 10)

/* What lies at and after a record that fails. */
struct beyond {
	uint64_t durable; /* as the headers there tell */
	uint64_t next_at; /* first valid header after it; 0 when none */
};

static enum tf_err
look_beyond(struct log_scan *s, struct beyond *out, struct tf_fault *f)
{
	struct beyond found = {0};
	uint8_t *window = tf_malloc(WINDOW);
	if (!window)
		return tf_fault(f, TF_NO_MEMORY, "cannot recover '%s': out of memory", s->path);
	enum tf_err e = TF_OK;
	uint64_t at = s->place.at;
	for (size_t n = WINDOW; e == TF_OK && n == WINDOW;) {
		e = tf_file_read(s->file, window, WINDOW, at, &n, f);
		size_t i = 0;
		for (; e == TF_OK && i + LOG_RECORD_HEADER <= n; i += 8) {
			struct log_record_header h;
			memcpy(&h, window + i, sizeof(h));
			if (!log_record_header_valid(&h, s->id))
				continue;
			if (log_record_durable(&h) > found.durable)
				found.durable = log_record_durable(&h);
			if (!found.next_at && at + i > s->place.at)
				found.next_at = at + i;
		}
		at += i;
	}
	tf_free(window);
	if (e == TF_OK)
		*out = found;
	return e;
}

/* Can [from, to) have lost a sector or a part of one? */
static enum tf_err
lost_sector(struct tf_file *file, uint64_t from, uint64_t to, bool *out, struct tf_fault *f)
{
	for (uint64_t at = from; at < to;) {
		uint8_t bytes[SECTOR];
		size_t n = (size_t)(SECTOR - at % SECTOR), got;
		bool whole = at + n <= to;
		TF_TRY(tf_file_read(file, bytes, n, at, &got, f));
		if (got < n || bytes[0] == 0 || (whole && bytes[n - 1] == 0)) {
			*out = true;
			return TF_OK;
		}
		at += n;
	}
	*out = false;
	return TF_OK;
}

/* TF_OK: a torn tail starts at the scan's place. why is what the scan found wrong there. */
static enum tf_err
judge(struct log_scan *s, struct log_tail *t, const struct tf_fault *why, struct tf_fault *f)
{
	struct beyond b = {0};
	bool torn = s->place.next >= t->durable;
	if (torn) {
		TF_TRY(look_beyond(s, &b, f));
		torn = s->place.next >= b.durable;
	}
	if (torn && b.next_at)
		TF_TRY(lost_sector(s->file, s->place.at, b.next_at, &torn, f));
	if (torn)
		return TF_OK;
	return tf_fault(f, TF_CORRUPT, "%s", why->text);
}

static enum tf_err
scan_to_end(struct log_scan *s, struct log_tail *t, struct tf_fault *f)
{
	struct log_record_header h;
	struct tf_str bytes;
	struct tf_fault why = {0};
	enum tf_err e;
	while ((e = log_scan_next(s, &h, &bytes, &why)) == TF_OK)
		if (log_record_durable(&h) > t->durable)
			t->durable = log_record_durable(&h);
	if (e == TF_CORRUPT)
		TF_TRY(judge(s, t, &why, f));
	else if (e != TF_END)
		return tf_fault(f, e, "%s", why.text);
	if (s->place.next < t->durable)
		return tf_fault(f, TF_CORRUPT,
				"'%s' byte %" PRIu64 ": ends before offset %" PRIu64 ", but %" PRIu64 " were synced",
				s->path, s->place.at, s->place.next, t->durable);
	return TF_OK;
}

/* The mark saves scanning what it vouches for. */
static enum tf_err
start_at_mark(struct log_scan *s, const struct log_mark *m, struct tf_fault *f)
{
	if (m->id != s->id)
		return tf_fault(f, TF_CORRUPT, "'%s' byte 32: not the segment that was synced", s->path);
	if (m->bytes > s->limit)
		return tf_fault(f, TF_CORRUPT, "'%s' byte %" PRIu64 ": file ends, but %" PRIu64 " bytes were synced",
				s->path, s->limit, m->bytes);
	s->place = (struct log_place){m->bytes, m->next, m->time};
	return TF_OK;
}

enum tf_err
log_tail_find(struct log_partition *p, struct tf_file *file, const char *path, struct log_tail *t, struct tf_fault *f)
{
	struct log_segment *last = log_segment_last(p);
	struct log_segment_header h;
	TF_TRY(log_segment_header_read(file, path, p->number, last->first, &h, f));
	last->id = h.id;
	last->time = h.time;
	last->known = true;
	struct log_scan s = {.file = file, .id = h.id, .chunk = LOG_BUFFER};
	s.place = (struct log_place){LOG_SEGMENT_HEADER, last->first, h.time};
	memcpy(s.path, path, strlen(path) + 1);
	TF_TRY(tf_file_size(file, &s.limit, f));
	if (t->mark && t->mark->segment == last->first)
		TF_TRY(start_at_mark(&s, t->mark, f));
	enum tf_err e = scan_to_end(&s, t, f);
	t->end = s.place;
	t->file_bytes = s.limit;
	s.file = NULL; /* the caller's */
	log_scan_release(&s);
	return e;
}

enum tf_err
log_tail_unfinished(struct tf_file *file, bool *out, struct tf_fault *f)
{
	uint64_t size;
	TF_TRY(tf_file_size(file, &size, f));
	bool zeros = true;
	for (uint64_t at = 0; zeros && size > LOG_SEGMENT_HEADER && at < size; at += SECTOR) {
		uint8_t bytes[SECTOR];
		size_t n;
		TF_TRY(tf_file_read(file, bytes, sizeof(bytes), at, &n, f));
		for (size_t i = 0; i < n; i++)
			zeros = zeros && bytes[i] == 0;
	}
	*out = zeros;
	return TF_OK;
}
