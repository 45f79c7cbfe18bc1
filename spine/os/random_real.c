/* Random bytes, drawn from the kernel in blocks; see random_real.h. */
#include "os/random_real.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"

#define BLOCK  4096
#define DIRECT 256 /* so many and more by themselves */

static _Thread_local struct {
	size_t left; /* at the end of bytes */
	uint8_t bytes[BLOCK];
} drawn;

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* In a forked child, in its only thread: what is left here its parent will give too. */
static void
forget(void)
{
	explicit_bzero(drawn.bytes, sizeof drawn.bytes);
	drawn.left = 0;
}

static void
mind_forks(void)
{
	TF_ASSERT(pthread_atfork(NULL, NULL, forget) == 0);
}

static void
from_kernel(uint8_t *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = getrandom(p + done, n - done, 0);
		TF_ASSERT(got > 0 || errno == EINTR);
		done += got > 0 ? (size_t)got : 0;
	}
}

void
os_random_real(void *p, size_t n)
{
	if (n >= DIRECT) {
		from_kernel(p, n);
		return;
	}
	if (n > drawn.left) {
		TF_ASSERT(pthread_once(&once, mind_forks) == 0);
		from_kernel(drawn.bytes, BLOCK);
		drawn.left = BLOCK;
	}
	uint8_t *from = drawn.bytes + BLOCK - drawn.left;
	memcpy(p, from, n);
	explicit_bzero(from, n);
	drawn.left -= n;
}
