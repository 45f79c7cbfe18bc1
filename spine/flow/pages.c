/* Slots in pages and their snapshot; see pages.h. Not a store to look things up in: everything is in memory.
 *
 * DIR/pages: page i lies at (2 i + side) * 64 KiB.
 * DIR/manifest, little-endian:
 *   0   8  "TFPAGES1"
 *   8   4  bytes of a slot
 *   12  4  pages, n
 *   16  8  slots that are used
 *   24  8  offset after the last event they hold
 *   32  n * 8  checksum (XXH3-64, seeded with the page's number) of each page
 *   .   n  side of each page, 0 or 1
 *   .   8  checksum of everything before */
#include "flow/pages.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/buf.h"
#include "base/mem.h"

#define MAGIC        "TFPAGES1"
#define HEAD_BYTES   32
#define PATH_BYTES   1024
#define PIECE_PAGES  16 /* synced together: the log's next sync would wait for all of them */
#define MANIFEST_MAX ((size_t)1 << 30)

struct tf_pages {
	struct tf_os *os;
	char dir[PATH_BYTES];
	struct tf_file *file;
	uint32_t slot_bytes, per_page, page_max;
	uint64_t slots_max, count;
	uint8_t **page;  /* page_max pointers */
	uint8_t *marked; /* 1: changed since the last stage */
	uint32_t marked_count;

	/* The last snapshot. */
	uint64_t *check;
	uint8_t *side;
	uint32_t saved_pages;
	_Atomic uint64_t next;

	/* What was staged. A page is copied as it was then by whoever comes first: the saver, or who changes it. */
	uint32_t *staged;
	uint32_t staged_pages;
	uint64_t staged_count, staged_next;
	pthread_mutex_t lock;
	_Atomic uint8_t *due; /* 1: staged and not copied yet; set by stage, cleared under the lock */
	uint8_t **before;     /* copies that the saver has not written */
};

static uint64_t
checksum(const uint8_t *page, uint32_t number)
{
	return XXH3_64bits_withSeed(page, TF_PAGE_BYTES, number);
}

static uint32_t
pages_of(const struct tf_pages *p, uint64_t slots)
{
	return (uint32_t)((slots + p->per_page - 1) / p->per_page);
}

static enum tf_err
path_of(const struct tf_pages *p, const char *name, char out[static PATH_BYTES], struct tf_fault *f)
{
	if ((size_t)snprintf(out, PATH_BYTES, "%s/%s", p->dir, name) >= PATH_BYTES)
		return tf_fault(f, TF_INVALID, "path too long: '%s/%s'", p->dir, name);
	return TF_OK;
}

static enum tf_err
no_memory(struct tf_fault *f)
{
	return tf_fault(f, TF_NO_MEMORY, "no memory for pages");
}

static enum tf_err
page_new(struct tf_pages *p, uint32_t number, struct tf_fault *f)
{
	p->page[number] = tf_calloc(1, TF_PAGE_BYTES);
	return p->page[number] ? TF_OK : no_memory(f);
}

static uint64_t
get64(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static uint32_t
get32(const char *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static enum tf_err
parse_manifest(struct tf_pages *p, struct tf_str m, struct tf_fault *f)
{
	bool whole = m.n >= HEAD_BYTES + 8 && memcmp(m.p, MAGIC, 8) == 0;
	uint32_t n = whole ? get32(m.p + 12) : 0;
	whole = whole && m.n == HEAD_BYTES + (uint64_t)n * 9 + 8 && get64(m.p + m.n - 8) == XXH3_64bits(m.p, m.n - 8);
	if (!whole)
		return tf_fault(f, TF_CORRUPT, "'%s/manifest' of %zu bytes is no manifest", p->dir, m.n);
	if (get32(m.p + 8) != p->slot_bytes)
		return tf_fault(f, TF_CONFLICT, "'%s' has slots of %" PRIu32 " bytes, not %" PRIu32, p->dir,
				get32(m.p + 8), p->slot_bytes);
	uint64_t count = get64(m.p + 16);
	if (count > p->slots_max)
		return tf_fault(f, TF_OVERLOAD, "'%s' has %" PRIu64 " slots, more than %" PRIu64, p->dir, count,
				p->slots_max);
	if (pages_of(p, count) != n)
		return tf_fault(f, TF_CORRUPT, "'%s/manifest': %" PRIu32 " pages for %" PRIu64 " slots", p->dir, n,
				count);
	p->count = count;
	p->saved_pages = n;
	p->next = get64(m.p + 24);
	if (n) {
		memcpy(p->check, m.p + HEAD_BYTES, (size_t)n * 8);
		memcpy(p->side, m.p + HEAD_BYTES + (size_t)n * 8, n);
	}
	return TF_OK;
}

static uint64_t
place(uint32_t page, uint8_t side)
{
	return (2 * (uint64_t)page + side) * TF_PAGE_BYTES;
}

static enum tf_err
read_pages(struct tf_pages *p, struct tf_fault *f)
{
	for (uint32_t i = 0; i < p->saved_pages; i++) {
		if (p->side[i] > 1)
			return tf_fault(f, TF_CORRUPT, "'%s/manifest': page %" PRIu32 " has no such side", p->dir, i);
		TF_TRY(page_new(p, i, f));
		uint64_t at = place(i, p->side[i]);
		TF_TRY(tf_file_read_exact(p->file, p->page[i], TF_PAGE_BYTES, at, f));
		if (checksum(p->page[i], i) != p->check[i])
			return tf_fault(f, TF_CORRUPT, "'%s/pages' byte %" PRIu64 ": page fails its checksum", p->dir,
					at);
	}
	return TF_OK;
}

static enum tf_err
load(struct tf_pages *p, struct tf_fault *f)
{
	char path[PATH_BYTES], *text;
	size_t n;
	TF_TRY(path_of(p, "manifest", path, f));
	enum tf_err e = tf_os_read_file(p->os, path, MANIFEST_MAX, &text, &n, f);
	if (e == TF_NOT_FOUND)
		return TF_OK;
	TF_TRY(e);
	e = parse_manifest(p, tf_str_n(text, n), f);
	tf_free(text);
	return e ? e : read_pages(p, f);
}

static enum tf_err
open_files(struct tf_pages *p, struct tf_fault *f)
{
	char path[PATH_BYTES];
	TF_TRY(tf_os_mkdirs_sync(p->os, p->dir, f));
	TF_TRY(path_of(p, "pages", path, f));
	TF_TRY(tf_os_open(p->os, path, TF_OPEN_CREATE, &p->file, f));
	TF_TRY(tf_os_sync_dir(p->os, p->dir, f));
	return load(p, f);
}

enum tf_err
tf_pages_open(struct tf_os *os, const char *dir, const struct tf_pages_options *o, struct tf_pages **out,
	      struct tf_fault *f)
{
	TF_ASSERT(o->slot_bytes && o->slot_bytes <= TF_PAGE_BYTES);
	struct tf_pages *p = tf_calloc(1, sizeof *p);
	if (!p)
		return no_memory(f);
	p->os = os;
	p->slot_bytes = o->slot_bytes;
	p->per_page = TF_PAGE_BYTES / o->slot_bytes;
	p->slots_max = o->slots_max;
	p->page_max = pages_of(p, o->slots_max);
	p->page = tf_calloc(p->page_max + 1, sizeof *p->page);
	p->marked = tf_calloc(p->page_max + 1, 1);
	p->check = tf_calloc(p->page_max + 1, sizeof *p->check);
	p->side = tf_calloc(p->page_max + 1, 1);
	p->due = tf_calloc(p->page_max + 1, 1);
	p->before = tf_calloc(p->page_max + 1, sizeof *p->before);
	pthread_mutex_init(&p->lock, NULL);
	enum tf_err e = p->page && p->marked && p->check && p->side && p->due && p->before ? TF_OK : no_memory(f);
	if (!e && dir && (size_t)snprintf(p->dir, sizeof p->dir, "%s", dir) >= sizeof p->dir)
		e = tf_fault(f, TF_INVALID, "path too long: '%s'", dir);
	if (!e && dir)
		e = open_files(p, f);
	if (e) {
		tf_pages_close(&p);
		return e;
	}
	*out = p;
	return TF_OK;
}

static void
drop_staged(struct tf_pages *p)
{
	for (uint32_t n = 0; n < p->staged_pages; n++) {
		uint32_t i = p->staged[n];
		p->due[i] = 0;
		tf_free(p->before[i]);
		p->before[i] = NULL;
	}
	tf_free(p->staged);
	p->staged = NULL;
	p->staged_pages = 0;
}

void
tf_pages_close(struct tf_pages **pages)
{
	struct tf_pages *p = *pages;
	if (!p)
		return;
	drop_staged(p);
	for (uint32_t i = 0; p->page && i < p->page_max; i++)
		tf_free(p->page[i]);
	tf_free(p->page);
	tf_free(p->marked);
	tf_free(p->check);
	tf_free(p->side);
	tf_free((void *)p->due);
	tf_free(p->before);
	pthread_mutex_destroy(&p->lock);
	tf_file_close(&p->file);
	tf_free(p);
	*pages = NULL;
}

uint64_t
tf_pages_count(const struct tf_pages *p)
{
	return p->count;
}

uint64_t
tf_pages_next(const struct tf_pages *p)
{
	return p->next;
}

uint32_t
tf_pages_marked(const struct tf_pages *p)
{
	return p->marked_count;
}

static uint8_t *
slot(const struct tf_pages *p, uint64_t i)
{
	return p->page[i / p->per_page] + i % p->per_page * p->slot_bytes;
}

const void *
tf_pages_at(const struct tf_pages *p, uint64_t i)
{
	TF_ASSERT(i < p->count);
	return slot(p, i);
}

/* No memory: the page stays without a copy, and the save fails. */
static void
copy_due(struct tf_pages *p, uint64_t page)
{
	pthread_mutex_lock(&p->lock);
	if (p->due[page]) {
		p->before[page] = tf_malloc(TF_PAGE_BYTES);
		if (p->before[page])
			memcpy(p->before[page], p->page[page], TF_PAGE_BYTES);
		p->due[page] = 0;
	}
	pthread_mutex_unlock(&p->lock);
}

void *
tf_pages_touch(struct tf_pages *p, uint64_t i)
{
	TF_ASSERT(i < p->count);
	uint64_t page = i / p->per_page;
	if (p->due[page])
		copy_due(p, page);
	p->marked_count += !p->marked[page];
	p->marked[page] = 1;
	return slot(p, i);
}

enum tf_err
tf_pages_reserve(struct tf_pages *p, struct tf_fault *f)
{
	if (p->count == p->slots_max)
		return tf_fault(f, TF_OVERLOAD, "all %" PRIu64 " slots are taken", p->slots_max);
	uint32_t page = (uint32_t)(p->count / p->per_page);
	return p->page[page] ? TF_OK : page_new(p, page, f);
}

void *
tf_pages_add(struct tf_pages *p)
{
	TF_ASSERT(p->count < p->slots_max && p->page[p->count / p->per_page]);
	p->count++;
	return tf_pages_touch(p, p->count - 1);
}

enum tf_err
tf_pages_stage(struct tf_pages *p, uint64_t next, struct tf_fault *f)
{
	TF_ASSERT(p->file);
	drop_staged(p);
	p->staged = tf_malloc((p->marked_count + 1) * sizeof *p->staged);
	if (!p->staged)
		return no_memory(f);
	for (uint32_t i = 0, pages = pages_of(p, p->count); i < pages; i++) {
		if (!p->marked[i])
			continue;
		p->staged[p->staged_pages++] = i;
		p->due[i] = 1;
		p->marked[i] = 0;
	}
	p->marked_count = 0;
	p->staged_count = p->count;
	p->staged_next = next;
	return TF_OK;
}

/* The page as it was then: a copy that is kept, or one in buffer. NULL: there was no memory to keep it. */
static const uint8_t *
as_staged(struct tf_pages *p, uint32_t i, uint8_t *buffer)
{
	pthread_mutex_lock(&p->lock);
	const uint8_t *bytes = p->before[i];
	if (p->due[i]) {
		bytes = memcpy(buffer, p->page[i], TF_PAGE_BYTES);
		p->due[i] = 0; /* last: a touch looks without the lock */
	}
	pthread_mutex_unlock(&p->lock);
	return bytes;
}

/* It goes to the side that the manifest on disk does not name. */
static enum tf_err
write_page(struct tf_pages *p, uint32_t i, const uint8_t *bytes, struct tf_fault *f)
{
	if (!bytes)
		return no_memory(f);
	if (i < p->saved_pages)
		p->side[i] = !p->side[i];
	p->check[i] = checksum(bytes, i);
	return tf_file_write(p->file, bytes, TF_PAGE_BYTES, place(i, p->side[i]), f);
}

static enum tf_err
write_pages(struct tf_pages *p, struct tf_fault *f)
{
	uint8_t *buffer = tf_malloc(TF_PAGE_BYTES);
	enum tf_err e = buffer ? TF_OK : no_memory(f);
	for (uint32_t n = 0; n < p->staged_pages && !e; n++) {
		uint32_t i = p->staged[n];
		e = write_page(p, i, as_staged(p, i, buffer), f);
		tf_free(p->before[i]);
		p->before[i] = NULL;
		bool sync = n % PIECE_PAGES == PIECE_PAGES - 1 || n == p->staged_pages - 1;
		if (!e && sync)
			e = tf_file_sync(p->file, f);
	}
	tf_free(buffer);
	return e;
}

static enum tf_err
write_manifest(struct tf_pages *p, uint32_t pages, struct tf_fault *f)
{
	char path[PATH_BYTES];
	TF_TRY(path_of(p, "manifest", path, f));
	struct tf_buf b;
	tf_buf_init(&b, 0);
	tf_buf_put(&b, MAGIC, 8);
	tf_buf_u32(&b, p->slot_bytes);
	tf_buf_u32(&b, pages);
	tf_buf_u64(&b, p->staged_count);
	tf_buf_u64(&b, p->staged_next);
	tf_buf_put(&b, p->check, (size_t)pages * 8);
	tf_buf_put(&b, p->side, pages);
	tf_buf_u64(&b, XXH3_64bits(b.p, b.n));
	enum tf_err e = b.err ? no_memory(f) : tf_os_write_file(p->os, path, tf_buf_view(&b), f);
	tf_buf_release(&b);
	return e;
}

enum tf_err
tf_pages_save(struct tf_pages *p, struct tf_fault *f)
{
	uint32_t pages = pages_of(p, p->staged_count);
	TF_TRY(write_pages(p, f));
	TF_TRY(write_manifest(p, pages, f));
	p->saved_pages = pages;
	p->next = p->staged_next;
	drop_staged(p);
	return TF_OK;
}
