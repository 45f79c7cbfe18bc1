/* Heap memory, so that a test can make the n-th allocation fail.
 *
 * Every heap allocation of Tenfold goes through here. All return NULL when memory is out (or a test says so).
 * Thread rule: safe from any thread; the fault counter is process-wide and meant for single-threaded tests. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void *tf_malloc(size_t n);
void *tf_calloc(size_t count, size_t size);
/* As realloc: p stays valid on failure. */
void *tf_realloc(void *p, size_t n);
/* Accepts NULL. */
void tf_free(void *p);
/* Copy of n bytes plus a NUL; NULL when memory is out. */
char *tf_strndup(const char *p, size_t n);

/* Test switch: the n-th allocation from now (1 = the next) fails once; 0 turns it off. Returns how many
 * allocations were made since the last call. */
uint64_t tf_mem_fail_at(uint64_t n);
