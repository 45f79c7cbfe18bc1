/* A fetcher for oauth.h over the outbound client. Blocks: for the thread of tf_oauth_start. Thread rule: any thread. */
#pragma once
#include "serve/client.h"
#include "serve/oauth.h"

/* A tf_oauth_fetch; ctx is a struct tf_client. TF_DENIED for an answer of 4xx, TF_IO, TF_TIMEOUT or TF_BUSY otherwise,
 * TF_UNSUPPORTED without libcurl. */
enum tf_err tf_oauth_client_fetch(void *ctx, const struct tf_oauth_request *r, struct tf_buf *body, struct tf_fault *f);
/* A client for it: who is asked is told by o (ca, cert, key); one try, because oauth.h tries again by itself, 10 s for
 * it, and an issuer that does not answer is left alone for no longer than 2 s. */
enum tf_err tf_oauth_client_new(struct tf_os *os, struct tf_client_options o, struct tf_client **out,
				struct tf_fault *f) TF_MUST_USE;
