/* A fetcher for oauth.h over libcurl, found at first use (libcurl.so.4). Only http and https; certificates are checked;
 * redirects are not followed. Blocks: for the thread of tf_oauth_start. Thread rule: any thread. */
#pragma once
#include "serve/oauth.h"

struct tf_oauth_curl {
	const char *ca;         /* PEM file of the authorities to trust; NULL: the system's */
	const char *cert, *key; /* PEM files, to show a certificate; NULL: none */
	tf_dur timeout;         /* 0: 10 s, connecting included */
};

/* A tf_oauth_fetch; ctx is a struct tf_oauth_curl, NULL for all defaults. TF_UNSUPPORTED without libcurl, TF_DENIED for
 * an answer of 4xx, TF_IO or TF_TIMEOUT otherwise. */
enum tf_err tf_oauth_curl_fetch(void *ctx, const struct tf_oauth_request *r, struct tf_buf *body, struct tf_fault *f);
