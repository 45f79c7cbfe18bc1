/* A named arena with a limit: many small allocations that end together.
 *
 * Made for one process, session or step (a request, an event, a batch). Memory comes in blocks that double; nothing is
 * freed one by one. A full arena is an error at the edge, never a crash: alloc returns NULL and the arena remembers
 * why. Ownership: the arena owns all it gave out, until reset or release. Thread rule: one thread at a time. */
#pragma once
#include "base/str.h"

struct tf_arena_block;

struct tf_arena {
	const char *name; /* in messages; borrowed */
	size_t max;       /* bytes, blocks' headers included */
	size_t taken;     /* bytes of all blocks */
	struct tf_arena_block *last;
	enum tf_err err; /* the first failure since init or reset */
};

/* max: bytes, 0 for no limit but memory. Takes no memory yet. */
void tf_arena_init(struct tf_arena *a, const char *name, size_t max);
/* Forgets every allocation, keeps the largest block. */
void tf_arena_reset(struct tf_arena *a);
void tf_arena_release(struct tf_arena *a);

/* size bytes, uninitialised, aligned to 16; NULL when the arena is full or memory is out. */
void *tf_arena_alloc(struct tf_arena *a, size_t size);
/* The same, zeroed; NULL also when count * size overflows. */
void *tf_arena_calloc(struct tf_arena *a, size_t count, size_t size);
/* A copy of s with a NUL behind it; p is NULL on failure. */
struct tf_str tf_arena_str(struct tf_arena *a, struct tf_str s);
/* Why an allocation failed, as a fault: TF_TOO_LARGE names the arena and its limit. TF_OK when none did. */
enum tf_err tf_arena_fault(const struct tf_arena *a, struct tf_fault *f) TF_MUST_USE;
