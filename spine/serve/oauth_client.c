/* One request to the issuer by the outbound client; see oauth_client.h. */
#include "serve/oauth_client.h"

enum tf_err
tf_oauth_client_fetch(void *ctx, const struct tf_oauth_request *r, struct tf_buf *body, struct tf_fault *f)
{
	struct tf_client_answer answer;
	struct tf_client_request q = {.method = r->form.p ? "POST" : "GET",
				      .url = r->url,
				      .type = r->form.p ? "application/x-www-form-urlencoded" : NULL,
				      .body = r->form,
				      .repeatable = true,
				      .user = r->user && r->password ? r->user : NULL,
				      .password = r->user ? r->password : NULL,
				      .headers = {{"Accept", "application/json"}},
				      .answer_max = TF_OAUTH_ANSWER_BYTES};
	size_t before = body->n;
	enum tf_err e = tf_client_call(ctx, &q, body, &answer, f);
	if (!e && answer.status != 200)
		e = tf_fault(f, TF_IO, "the answer was %d", answer.status);
	if (e)
		body->n = before;
	return e ? tf_fault_wrap(f, e, "'%s'", r->url) : TF_OK;
}

enum tf_err
tf_oauth_client_new(struct tf_os *os, struct tf_client_options o, struct tf_client **out, struct tf_fault *f)
{
	o.timeout = o.deadline = 10 * TF_SEC;
	o.tries = 1;
	o.breaker.open_max = 2 * TF_SEC;
	return tf_client_new(os, &o, out, f);
}
