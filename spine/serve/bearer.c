/* The life of a bearer token; see bearer.h. */
#include "serve/bearer.h"

#include "base/mem.h"
#include "serve/retry.h"

void
tf_bearer_init(struct tf_bearer *b, tf_dur wait_first, tf_dur wait_max)
{
	*b = (struct tf_bearer){.wait_first = wait_first ? wait_first : TF_SEC,
				.wait_max = wait_max ? wait_max : 30 * TF_SEC};
}

static void
forget(struct tf_bearer *b)
{
	if (b->text)
		explicit_bzero(b->text, strlen(b->text));
	tf_free(b->text);
	b->text = NULL;
}

void
tf_bearer_release(struct tf_bearer *b)
{
	forget(b);
}

enum tf_bearer_step
tf_bearer_ask(struct tf_bearer *b, tf_dur now, bool *out_fetch)
{
	if (b->text && now >= b->end)
		forget(b);
	bool want = !b->text || now >= b->refresh_at;
	*out_fetch = want && !b->fetching && now >= b->not_before;
	b->fetching |= *out_fetch;
	if (b->text)
		return TF_BEARER_USE;
	return b->fetching ? TF_BEARER_WAIT : TF_BEARER_FAILED;
}

static bool
is_b64token(struct tf_str s)
{
	size_t i = 0;
	while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
			   (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] && strchr("-._~+/", s.p[i]))))
		i++;
	size_t chars = i;
	while (i < s.n && s.p[i] == '=')
		i++;
	return chars && i == s.n;
}

enum tf_err
tf_bearer_got(struct tf_bearer *b, struct tf_str text, tf_dur asked, tf_dur life, tf_dur ahead, struct tf_fault *f)
{
	if (text.n > TF_BEARER_BYTES)
		return tf_fault(f, TF_TOO_LARGE, "the token has more than %d bytes", TF_BEARER_BYTES);
	if (!is_b64token(text))
		return tf_fault(f, TF_INVALID, "the token has a character that no token has");
	if (life <= 0)
		return tf_fault(f, TF_INVALID, "the token has expired already");
	char *copy = tf_strndup(text.p, text.n);
	if (!copy)
		return tf_fault(f, TF_NO_MEMORY, "no memory for a token");
	forget(b);
	b->text = copy;
	b->number++;
	b->end = asked + life;
	b->refresh_at = b->end - (ahead < life / 2 ? ahead : life / 2);
	b->fetching = false;
	b->failures = 0;
	b->not_before = 0;
	return TF_OK;
}

void
tf_bearer_failed(struct tf_bearer *b, tf_dur now, uint32_t random, const struct tf_fault *why)
{
	b->fetching = false;
	b->fault = *why;
	b->failures += b->failures < UINT32_MAX;
	b->not_before = now + tf_retry_wait(b->wait_first, b->wait_max, b->failures, random);
}

void
tf_bearer_refused(struct tf_bearer *b, uint64_t number, tf_dur now, uint32_t random)
{
	if (number != b->number || !b->text)
		return;
	forget(b);
	b->refusals += b->refusals < UINT32_MAX;
	if (b->refusals == 1)
		return;
	tf_fault(&b->fault, TF_DENIED, "the service refused the last %u tokens", b->refusals);
	b->not_before = now + tf_retry_wait(b->wait_first, b->wait_max, b->refusals - 1, random);
}

void
tf_bearer_taken(struct tf_bearer *b, uint64_t number)
{
	if (number == b->number)
		b->refusals = 0;
}
