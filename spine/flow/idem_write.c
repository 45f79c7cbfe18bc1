/* The table of keys becomes a run: sorted, written, synced, named; see docs/formats/idem.md. Runs in a worker. */
#include <inttypes.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "idem_run.h"

#define PIECE_PAGES 64u
#define SORT_BITS   12
#define SORT_GROUPS (1u << SORT_BITS)

static bool
before(const struct idem_entry *a, const struct idem_entry *b)
{
	return a->key.high != b->key.high ? a->key.high < b->key.high : a->key.low < b->key.low;
}

/* Keys are hashes, so their first bits spread them evenly: one pass into groups, then each group by insertion. */
static enum tf_err
sorted(const struct idem_table *t, struct idem_entry **out)
{
	struct idem_entry *list = tf_malloc(t->count * sizeof *list);
	uint64_t *at = tf_calloc(SORT_GROUPS + 1, sizeof *at);
	if (!list || !at) {
		tf_free(list);
		tf_free(at);
		return TF_NO_MEMORY;
	}
	for (uint64_t i = 0; i < t->size; i++)
		if (t->places[i].used)
			at[(t->places[i].key.high >> (64 - SORT_BITS)) + 1]++;
	for (uint32_t g = 0; g < SORT_GROUPS; g++)
		at[g + 1] += at[g];
	for (uint64_t i = 0; i < t->size; i++)
		if (t->places[i].used)
			list[at[t->places[i].key.high >> (64 - SORT_BITS)]++] = t->places[i];
	tf_free(at);
	for (uint64_t i = 1; i < t->count; i++) {
		struct idem_entry e = list[i];
		uint64_t k = i;
		for (; k > 0 && before(&e, &list[k - 1]); k--)
			list[k] = list[k - 1];
		list[k] = e;
	}
	*out = list;
	return TF_OK;
}

static void
fill_page(uint8_t *page, uint32_t number, const struct idem_entry *list, uint32_t count)
{
	memset(page, 0, IDEM_PAGE_BYTES);
	memcpy(page + 8, &count, sizeof count);
	for (uint32_t i = 0; i < count; i++)
		memcpy(page + IDEM_PAGE_HEAD + (size_t)i * IDEM_ENTRY_BYTES, &list[i], IDEM_ENTRY_BYTES);
	uint64_t check = XXH3_64bits_withSeed(page + 8, IDEM_PAGE_BYTES - 8, number);
	memcpy(page, &check, sizeof check);
}

static enum tf_err
write_pages(struct idem_run *r, struct tf_file *file, const struct idem_entry *list, struct tf_fault *f)
{
	uint8_t *piece = tf_malloc((size_t)PIECE_PAGES * IDEM_PAGE_BYTES);
	if (!piece)
		return tf_fault(f, TF_NO_MEMORY, "no memory to write '%s'", r->path);
	enum tf_err e = TF_OK;
	for (uint32_t page = 0; !e && page < r->pages;) {
		uint32_t n = 0;
		for (; n < PIECE_PAGES && page + n < r->pages; n++) {
			uint64_t from = (uint64_t)(page + n) * IDEM_PAGE_ENTRIES;
			uint64_t left = r->count - from;
			uint32_t count = left < IDEM_PAGE_ENTRIES ? (uint32_t)left : IDEM_PAGE_ENTRIES;
			r->fences[page + n] = list[from].key.high;
			fill_page(piece + (size_t)n * IDEM_PAGE_BYTES, page + n, list + from, count);
		}
		e = tf_file_write(file, piece, (size_t)n * IDEM_PAGE_BYTES, IDEM_PAGE_BYTES * (uint64_t)(page + 1), f);
		if (!e)
			e = tf_file_sync(file, f); /* in pieces: the log's next sync would wait for all of it */
		page += n;
	}
	tf_free(piece);
	return e;
}

static void
list_partners(struct idem_run *r, const struct tf_map *m)
{
	for (size_t i = 0; i < m->size; i++) {
		const struct tf_map_entry *e = &m->entries[i];
		if (!e->hash)
			continue;
		struct idem_partner p = {.keys = e->value};
		memcpy(&p.hash, m->keys.p + e->key.at, sizeof p.hash);
		r->partners[r->partner_count++] = p;
	}
}

static enum tf_err
write_rest(struct idem_run *r, struct tf_file *file, struct tf_fault *f)
{
	uint64_t at = IDEM_PAGE_BYTES * (uint64_t)(r->pages + 1);
	size_t fences = (size_t)r->pages * 8, filter = (size_t)r->blocks * IDEM_BLOCK_BYTES;
	size_t partners = (size_t)r->partner_count * sizeof *r->partners;
	struct idem_run_header h = {
		.magic = IDEM_RUN_MAGIC,
		.version = IDEM_RUN_VERSION,
		.entry_bytes = IDEM_ENTRY_BYTES,
		.first = r->first,
		.next = r->next,
		.lowest = r->lowest,
		.count = r->count,
		.earliest = r->earliest,
		.latest = r->latest,
		.pages = r->pages,
		.blocks = r->blocks,
		.partners = r->partner_count,
		.rest_check = XXH3_64bits_withSeed(r->fences, fences, 1) ^ XXH3_64bits_withSeed(r->filter, filter, 2) ^
			      XXH3_64bits_withSeed(r->partners, partners, 3),
	};
	h.check = XXH3_64bits(&h, offsetof(struct idem_run_header, check));
	uint8_t page[IDEM_PAGE_BYTES] = {0};
	memcpy(page, &h, sizeof h);
	r->bytes = at + fences + filter + partners;
	TF_TRY(tf_file_write(file, page, sizeof page, 0, f));
	TF_TRY(tf_file_write(file, r->fences, fences, at, f));
	TF_TRY(tf_file_write(file, r->filter, filter, at + fences, f));
	return partners ? tf_file_write(file, r->partners, partners, at + fences + filter, f) : TF_OK;
}

/* Under a temporary name, synced, renamed. */
static enum tf_err
write_file(struct tf_os *os, struct idem_run *r, const struct idem_entry *list, struct tf_fault *f)
{
	char tmp[IDEM_PATH_BYTES + 8];
	snprintf(tmp, sizeof tmp, "%s.tmp", r->path);
	struct tf_file *file;
	TF_TRY(tf_os_open(os, tmp, TF_OPEN_CREATE | TF_OPEN_TRUNCATE, &file, f));
	enum tf_err e = write_pages(r, file, list, f);
	if (!e)
		e = write_rest(r, file, f);
	if (!e)
		e = tf_file_sync(file, f);
	tf_file_close(&file);
	if (!e)
		e = tf_os_rename(os, tmp, r->path, f);
	if (!e)
		e = tf_os_sync_parent(os, r->path, f);
	return e ? e : tf_os_open(os, r->path, TF_OPEN_READ, &r->file, f);
}

static enum tf_err
run_new(const struct idem_table *t, struct idem_run **out)
{
	struct idem_run *r = tf_calloc(1, sizeof *r);
	if (!r)
		return TF_NO_MEMORY;
	*out = r;
	r->first = t->first;
	r->next = t->next;
	r->lowest = t->lowest;
	r->count = t->count;
	r->earliest = t->earliest;
	r->latest = t->latest;
	r->pages = (uint32_t)((t->count + IDEM_PAGE_ENTRIES - 1) / IDEM_PAGE_ENTRIES);
	r->blocks = (uint32_t)(t->count / IDEM_BLOCK_KEYS) + 1;
	r->fences = tf_malloc((size_t)r->pages * 8);
	r->filter = tf_calloc(r->blocks, IDEM_BLOCK_BYTES);
	r->partners = tf_calloc(t->partners.count + 1, sizeof *r->partners);
	return r->fences && r->filter && r->partners ? TF_OK : TF_NO_MEMORY;
}

enum tf_err
idem_run_write(struct tf_os *os, const char *dir, const struct idem_table *t, struct idem_run **out, struct tf_fault *f)
{
	struct idem_run *r = NULL;
	struct idem_entry *list = NULL;
	enum tf_err e = run_new(t, &r);
	if (!e)
		e = sorted(t, &list);
	if (e) {
		tf_fault(f, e, "no memory to write a run of keys");
	} else {
		snprintf(r->path, sizeof r->path, "%s/%020" PRIu64 ".run", dir, t->first);
		for (uint64_t i = 0; i < t->count; i++)
			idem_filter_add(r->filter, r->blocks, list[i].key);
		list_partners(r, &t->partners);
		e = write_file(os, r, list, f);
	}
	tf_free(list);
	if (e)
		idem_run_close(&r);
	else
		*out = r;
	return e;
}
