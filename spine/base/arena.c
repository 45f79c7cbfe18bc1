/* Arenas; see arena.h. Blocks are a list, the newest (and largest) first. */
#include "base/arena.h"

#include "base/mem.h"

#define ALIGN       16
#define BLOCK_FIRST 4096
#define BLOCK_LAST  ((size_t)1 << 20) /* doubling ends here, so that little is unused */

struct tf_arena_block {
	struct tf_arena_block *before;
	size_t size, used; /* of the bytes that follow this header */
	size_t pad;
};

_Static_assert(sizeof(struct tf_arena_block) % ALIGN == 0, "what follows the header is aligned");

void
tf_arena_init(struct tf_arena *a, const char *name, size_t max)
{
	*a = (struct tf_arena){.name = name, .max = max ? max : SIZE_MAX};
}

static void
free_before(struct tf_arena *a, struct tf_arena_block *b)
{
	while (b) {
		struct tf_arena_block *before = b->before;
		a->taken -= sizeof *b + b->size;
		tf_free(b);
		b = before;
	}
}

void
tf_arena_reset(struct tf_arena *a)
{
	a->err = TF_OK;
	if (!a->last)
		return;
	free_before(a, a->last->before);
	a->last->before = NULL;
	a->last->used = 0;
}

void
tf_arena_release(struct tf_arena *a)
{
	free_before(a, a->last);
	a->last = NULL;
	a->err = TF_OK;
}

static void *
refuse(struct tf_arena *a, enum tf_err why)
{
	if (!a->err)
		a->err = why;
	return NULL;
}

/* A block with room for size bytes: twice the last one, as far as the limit allows. */
static struct tf_arena_block *
add_block(struct tf_arena *a, size_t size)
{
	size_t left = a->max - a->taken, head = sizeof(struct tf_arena_block);
	if (left < head || left - head < size)
		return refuse(a, TF_TOO_LARGE);
	size_t want = a->last ? a->last->size * 2 : BLOCK_FIRST - head;
	want = want > BLOCK_LAST ? BLOCK_LAST : want;
	if (a->last && want < a->last->size)
		want = a->last->size; /* the newest stays the largest */
	want = want < size ? size : want;
	want = want > left - head ? left - head : want;
	struct tf_arena_block *b = tf_malloc(head + want);
	if (!b)
		return refuse(a, TF_NO_MEMORY);
	*b = (struct tf_arena_block){.before = a->last, .size = want};
	a->last = b;
	a->taken += head + want;
	return b;
}

void *
tf_arena_alloc(struct tf_arena *a, size_t size)
{
	if (size > SIZE_MAX / 2)
		return refuse(a, TF_TOO_LARGE);
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	struct tf_arena_block *b = a->last;
	if (!b || b->size - b->used < size)
		b = add_block(a, size);
	if (!b)
		return NULL;
	void *p = (char *)(b + 1) + b->used;
	b->used += size;
	return p;
}

void *
tf_arena_calloc(struct tf_arena *a, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		return refuse(a, TF_TOO_LARGE);
	void *p = tf_arena_alloc(a, bytes);
	if (p)
		memset(p, 0, bytes);
	return p;
}

struct tf_str
tf_arena_str(struct tf_arena *a, struct tf_str s)
{
	char *p = s.n < SIZE_MAX ? tf_arena_alloc(a, s.n + 1) : NULL;
	if (!p)
		return (struct tf_str){NULL, 0};
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return tf_str_n(p, s.n);
}

enum tf_err
tf_arena_fault(const struct tf_arena *a, struct tf_fault *f)
{
	if (a->err == TF_TOO_LARGE)
		return tf_fault(f, a->err, "too large: arena '%s' is full at %zu bytes", a->name, a->max);
	if (a->err)
		return tf_fault(f, a->err, "%s: arena '%s'", tf_err_text(a->err), a->name);
	return TF_OK;
}
