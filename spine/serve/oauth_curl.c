/* One request to the issuer by libcurl; see oauth_curl.h. */
#include "serve/oauth_curl.h"

#include "serve/curl_load.h"

static size_t
take(char *p, size_t size, size_t n, void *ctx)
{
	struct tf_buf *body = ctx;
	tf_buf_put(body, p, size * n);
	return body->err ? 0 : size * n;
}

static void
configure(CURL *h, const struct tf_oauth_curl *o, const struct tf_oauth_request *r, struct tf_buf *body)
{
	tf_dur timeout = o && o->timeout ? o->timeout : 10 * TF_SEC;
	tf_curl()->easy_setopt(h, CURLOPT_URL, r->url);
	tf_curl()->easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	tf_curl()->easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	tf_curl()->easy_setopt(h, CURLOPT_USERAGENT, "tenfold");
	tf_curl()->easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(timeout / 1000));
	tf_curl()->easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	tf_curl()->easy_setopt(h, CURLOPT_WRITEDATA, body);
	if (o && o->ca)
		tf_curl()->easy_setopt(h, CURLOPT_CAINFO, o->ca);
	if (o && o->cert)
		tf_curl()->easy_setopt(h, CURLOPT_SSLCERT, o->cert);
	if (o && o->key)
		tf_curl()->easy_setopt(h, CURLOPT_SSLKEY, o->key);
	if (r->form.p) {
		tf_curl()->easy_setopt(h, CURLOPT_POST, 1L);
		tf_curl()->easy_setopt(h, CURLOPT_POSTFIELDS, r->form.p);
		tf_curl()->easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->form.n);
	}
}

/* RFC 6749 section 2.3.1: both are form-encoded before they are joined. libcurl copies them. */
static bool
set_user(CURL *h, const struct tf_oauth_request *r)
{
	char *user = tf_curl()->easy_escape(h, r->user, 0), *password = tf_curl()->easy_escape(h, r->password, 0);
	bool ok = user && password && tf_curl()->easy_setopt(h, CURLOPT_USERNAME, user) == CURLE_OK &&
		  tf_curl()->easy_setopt(h, CURLOPT_PASSWORD, password) == CURLE_OK &&
		  tf_curl()->easy_setopt(h, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK;
	tf_curl()->free(user);
	tf_curl()->free(password);
	return ok;
}

static enum tf_err
judge(CURL *h, CURLcode result, const struct tf_oauth_request *r, struct tf_fault *f)
{
	long status = 0;
	if (result == CURLE_OPERATION_TIMEDOUT)
		return tf_fault(f, TF_TIMEOUT, "'%s': no answer in time", r->url);
	if (result != CURLE_OK)
		return tf_fault(f, TF_IO, "'%s': %s", r->url, tf_curl()->easy_strerror(result));
	tf_curl()->easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		return TF_OK;
	return tf_fault(f, status >= 400 && status < 500 ? TF_DENIED : TF_IO, "'%s' answered %ld", r->url, status);
}

enum tf_err
tf_oauth_curl_fetch(void *ctx, const struct tf_oauth_request *r, struct tf_buf *body, struct tf_fault *f)
{
	if (!tf_curl())
		return tf_fault(f, TF_UNSUPPORTED, "libcurl.so.4 is not there");
	CURL *h = tf_curl()->easy_init();
	struct curl_slist *headers = tf_curl()->slist_append(NULL, "Accept: application/json");
	enum tf_err e = h && headers ? TF_OK : TF_NO_MEMORY;
	if (!e && r->user && r->password && !set_user(h, r))
		e = TF_NO_MEMORY;
	if (e) {
		tf_fault(f, e, "cannot ask '%s': out of memory", r->url);
	} else {
		configure(h, ctx, r, body);
		tf_curl()->easy_setopt(h, CURLOPT_HTTPHEADER, headers);
		e = judge(h, tf_curl()->easy_perform(h), r, f);
	}
	tf_curl()->slist_free_all(headers);
	if (h)
		tf_curl()->easy_cleanup(h);
	return e;
}
