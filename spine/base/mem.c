/* Heap memory with a test switch; see mem.h. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t made, fail_at;

static int
refuse(void)
{
	uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
	if (!at)
		return 0;
	return atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) + 1 == at;
}

void *
tf_malloc(size_t n)
{
	return refuse() ? NULL : malloc(n ? n : 1);
}

void *
tf_calloc(size_t count, size_t size)
{
	return refuse() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *
tf_realloc(void *p, size_t n)
{
	return refuse() ? NULL : realloc(p, n ? n : 1);
}

void
tf_free(void *p)
{
	free(p);
}

char *
tf_strndup(const char *p, size_t n)
{
	char *s = tf_malloc(n + 1);
	if (s) {
		if (n)
			memcpy(s, p, n);
		s[n] = 0;
	}
	return s;
}

uint64_t
tf_mem_fail_at(uint64_t n)
{
	uint64_t was = atomic_exchange(&made, 0);
	atomic_store(&fail_at, n);
	return was;
}
