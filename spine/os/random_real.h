/* Random bytes for ids and keys, from the kernel's generator. Private to spine/os.
 *
 * Few bytes come from a block that each thread draws ahead, because a server wants some for every request and a system
 * call for each costs more than the request's parsing. What was given is erased from the block, so that memory read
 * later tells nothing of it; a forked child does not give what its parent will. Thread rule: any thread, no signal
 * handler. */
#pragma once
#include <stddef.h>

/* p may be NULL where n is 0. Does not fail; waits only before the kernel's generator is seeded, at boot. */
void os_random_real(void *p, size_t n);
