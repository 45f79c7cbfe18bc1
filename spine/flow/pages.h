/* State as a pool of equal slots in memory, with a snapshot on disk that costs what has changed since the last one.
 *
 * Slots lie in pages of 64 KiB, numbered from 0 in the order they were added; none is ever taken away. Touching a slot
 * marks its page. A snapshot is taken in two steps: tf_pages_stage notes the marked pages (in the caller's thread, when
 * the state holds exactly the events below an offset), tf_pages_save writes them as they were then (in a worker, while
 * the state goes on: a page that is touched before it was written is copied first, so nobody waits for all of them).
 * Each page has two places in the file and takes them in turn; which one stands is written in a manifest that is
 * replaced as a whole, together with the offset. So a crash leaves the last snapshot, whole. Bytes:
 * docs/formats/pages.md. Memory: slots_max / slots per page * 27 bytes, the pages that are used, and copies of those
 * touched from a stage until they are saved. On disk twice the pages. One writer per directory; its owner's log holds
 * the lock. Thread rule: one thread, but for tf_pages_save, which may run beside all but another stage or save. */
#pragma once
#include "os/os.h"

#define TF_PAGE_BYTES 65536u

struct tf_pages;

struct tf_pages_options {
	uint32_t slot_bytes; /* 1 to TF_PAGE_BYTES; fixed when the snapshot is first written, else TF_CONFLICT */
	uint64_t slots_max;
};

/* Reads the last snapshot, when there is one; TF_CORRUPT names file and byte. Creates the directory.
 * dir NULL: only in memory, never staged. */
enum tf_err tf_pages_open(struct tf_os *os, const char *dir, const struct tf_pages_options *o, struct tf_pages **out,
			  struct tf_fault *f) TF_MUST_USE;
void tf_pages_close(struct tf_pages **pages);

uint64_t tf_pages_count(const struct tf_pages *p);
/* The offset that was staged with the last saved snapshot; 0 when there is none. */
uint64_t tf_pages_next(const struct tf_pages *p);
/* Pages marked since the last stage. */
uint32_t tf_pages_marked(const struct tf_pages *p);
/* The slot i < count, to read. Valid until close. */
const void *tf_pages_at(const struct tf_pages *p, uint64_t i);
/* The same, to write before the next stage: its page is marked. After a stage touch it again. */
void *tf_pages_touch(struct tf_pages *p, uint64_t i);
/* Makes sure that the next tf_pages_add finds room. TF_OVERLOAD past slots_max. */
enum tf_err tf_pages_reserve(struct tf_pages *p, struct tf_fault *f) TF_MUST_USE;
/* One more slot, zeroed and marked. Needs a reserved place: asserted. */
void *tf_pages_add(struct tf_pages *p);

/* What is marked will be saved as it is now; next is the offset after the last event that the slots hold. */
enum tf_err tf_pages_stage(struct tf_pages *p, uint64_t next, struct tf_fault *f) TF_MUST_USE;
/* Writes what was staged and makes it the snapshot. TF_NO_MEMORY also when a touch had none to keep a page by. After a
 * failure the process must end. */
enum tf_err tf_pages_save(struct tf_pages *p, struct tf_fault *f) TF_MUST_USE;
