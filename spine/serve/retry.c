/* The rules of trying again; see retry.h. */
#include "serve/retry.h"

bool
tf_retry_again(const struct tf_retry_end *e, bool repeatable, bool final_500)
{
	if (e->hopeless || (e->sent && !repeatable))
		return false;
	if (!e->status)
		return true;
	if (e->status >= 500)
		return !final_500 || (e->status >= 502 && e->status <= 504);
	return e->status == 408 || e->status == 429;
}

bool
tf_retry_idempotent(struct tf_str method)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (tf_str_eq(method, tf_str(methods[i])))
			return true;
	return false;
}

tf_dur
tf_retry_wait(tf_dur first, tf_dur max, unsigned failed, uint32_t random)
{
	tf_dur wait = first < max ? first : max;
	for (unsigned i = 1; i < failed && wait < max; i++)
		wait = wait < max / 2 ? 2 * wait : max;
	return wait - (tf_dur)(random % 512) * (wait / 1024);
}
