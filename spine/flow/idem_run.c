/* A run of keys on disk, read; see docs/formats/idem.md for its bytes. Immutable: written once by idem_write.c. */
#include <inttypes.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "idem_run.h"

static enum tf_err
corrupt(const struct idem_run *r, uint64_t at, const char *what, struct tf_fault *f)
{
	return tf_fault(f, TF_CORRUPT, "'%s' byte %" PRIu64 ": %s; remove the directory to make it again from the log",
			r->path, at, what);
}

static const uint8_t *
block_of(const uint8_t *filter, uint32_t blocks, struct idem_key key)
{
	return filter + (((key.high >> 32) * blocks) >> 32) * IDEM_BLOCK_BYTES;
}

/* Seven bits of one block of 512, from 63 bits of the key's low half. */
void
idem_filter_add(uint8_t *filter, uint32_t blocks, struct idem_key key)
{
	uint8_t *block = filter + (block_of(filter, blocks, key) - filter);
	for (int i = 0; i < 7; i++) {
		unsigned bit = (unsigned)(key.low >> (9 * i)) & 511;
		block[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

bool
idem_run_maybe(const struct idem_run *r, struct idem_key key)
{
	const uint8_t *block = block_of(r->filter, r->blocks, key);
	for (int i = 0; i < 7; i++) {
		unsigned bit = (unsigned)(key.low >> (9 * i)) & 511;
		if (!(block[bit / 8] >> bit % 8 & 1))
			return false;
	}
	return true;
}

void
idem_run_prefetch(const struct idem_run *r, struct idem_key key)
{
	__builtin_prefetch(block_of(r->filter, r->blocks, key));
}

/* The last page whose first key is not above key. */
static uint32_t
page_for(const struct idem_run *r, uint64_t high)
{
	uint32_t low = 0, up = r->pages;
	while (up - low > 1) {
		uint32_t mid = low + (up - low) / 2;
		if (r->fences[mid] <= high)
			low = mid;
		else
			up = mid;
	}
	return low;
}

/* TF_NOT_FOUND, with *out_before when the key would stand before the page's first one. */
static enum tf_err
find_in_page(const struct idem_run *r, uint32_t page, struct idem_key key, struct idem_entry *out, bool *out_before,
	     struct tf_fault *f)
{
	uint8_t bytes[IDEM_PAGE_BYTES];
	uint64_t at = IDEM_PAGE_BYTES * (uint64_t)(page + 1), check;
	TF_TRY(tf_file_read_exact(r->file, bytes, sizeof bytes, at, f));
	memcpy(&check, bytes, sizeof check);
	if (check != XXH3_64bits_withSeed(bytes + 8, sizeof bytes - 8, page))
		return corrupt(r, at, "page fails its checksum", f);
	uint32_t count;
	memcpy(&count, bytes + 8, sizeof count);
	if (!count || count > IDEM_PAGE_ENTRIES)
		return corrupt(r, at, "page has a wrong count", f);
	struct idem_entry e = {.used = 1};
	memcpy(&e, bytes + IDEM_PAGE_HEAD, IDEM_ENTRY_BYTES);
	*out_before = key.high <= e.key.high;
	for (uint32_t i = 0; i < count; i++) {
		memcpy(&e, bytes + IDEM_PAGE_HEAD + (size_t)i * IDEM_ENTRY_BYTES, IDEM_ENTRY_BYTES);
		if (e.key.high != key.high || e.key.low != key.low)
			continue;
		*out = e;
		return TF_OK;
	}
	return TF_NOT_FOUND;
}

enum tf_err
idem_run_find(const struct idem_run *r, struct idem_key key, struct idem_entry *out, struct tf_fault *f)
{
	bool before = true;
	uint32_t page = page_for(r, key.high);
	enum tf_err e = find_in_page(r, page, key, out, &before, f);
	/* Equal high halves may begin on a page before. */
	while (e == TF_NOT_FOUND && before && page > 0)
		e = find_in_page(r, --page, key, out, &before, f);
	return e;
}

static enum tf_err
read_header(struct idem_run *r, struct idem_run_header *h, struct tf_fault *f)
{
	TF_TRY(tf_file_read_exact(r->file, h, sizeof *h, 0, f));
	if (memcmp(h->magic, IDEM_RUN_MAGIC, sizeof h->magic) != 0)
		return corrupt(r, 0, "this is no run of keys", f);
	if (h->version != IDEM_RUN_VERSION)
		return tf_fault(f, TF_UNSUPPORTED, "'%s' has version %" PRIu32, r->path, h->version);
	if (h->check != XXH3_64bits(h, offsetof(struct idem_run_header, check)))
		return corrupt(r, 0, "header fails its checksum", f);
	if (!h->count != !h->pages || !h->blocks || h->entry_bytes != IDEM_ENTRY_BYTES)
		return corrupt(r, 0, "header makes no sense", f);
	r->first = h->first;
	r->next = h->next;
	r->lowest = h->lowest;
	r->count = h->count;
	r->earliest = h->earliest;
	r->latest = h->latest;
	r->pages = h->pages;
	r->blocks = h->blocks;
	r->partner_count = h->partners;
	return TF_OK;
}

static enum tf_err
read_rest(struct idem_run *r, const struct idem_run_header *h, struct tf_fault *f)
{
	uint64_t at = IDEM_PAGE_BYTES * (uint64_t)(r->pages + 1);
	size_t fences = (size_t)r->pages * 8, filter = (size_t)r->blocks * IDEM_BLOCK_BYTES;
	size_t partners = (size_t)r->partner_count * sizeof *r->partners;
	r->fences = tf_malloc(fences);
	r->filter = tf_malloc(filter);
	r->partners = tf_malloc(partners + 1);
	if (!r->fences || !r->filter || !r->partners)
		return tf_fault(f, TF_NO_MEMORY, "no memory for '%s'", r->path);
	TF_TRY(tf_file_read_exact(r->file, r->fences, fences, at, f));
	TF_TRY(tf_file_read_exact(r->file, r->filter, filter, at + fences, f));
	TF_TRY(tf_file_read_exact(r->file, r->partners, partners, at + fences + filter, f));
	r->bytes = at + fences + filter + partners;
	uint64_t check = XXH3_64bits_withSeed(r->fences, fences, 1) ^ XXH3_64bits_withSeed(r->filter, filter, 2) ^
			 XXH3_64bits_withSeed(r->partners, partners, 3);
	return check == h->rest_check ? TF_OK : corrupt(r, at, "page index, filter or partners fail their checksum", f);
}

enum tf_err
idem_run_open(struct tf_os *os, const char *path, struct idem_run **out, struct tf_fault *f)
{
	struct idem_run *r = tf_calloc(1, sizeof *r);
	if (!r)
		return tf_fault(f, TF_NO_MEMORY, "no memory for '%s'", path);
	snprintf(r->path, sizeof r->path, "%s", path);
	struct idem_run_header h;
	enum tf_err e = tf_os_open(os, path, TF_OPEN_READ, &r->file, f);
	if (!e)
		e = read_header(r, &h, f);
	if (!e)
		e = read_rest(r, &h, f);
	if (e) {
		idem_run_close(&r);
		return e;
	}
	*out = r;
	return TF_OK;
}

void
idem_run_close(struct idem_run **run)
{
	struct idem_run *r = *run;
	if (!r)
		return;
	tf_file_close(&r->file);
	tf_free(r->fences);
	tf_free(r->filter);
	tf_free(r->partners);
	tf_free(r);
	*run = NULL;
}
