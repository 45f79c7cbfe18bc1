/* One request to the issuer by libcurl; see oauth_curl.h. */
#include "serve/oauth_curl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>

#define CURL_FUNCTIONS(X)                                                                                              \
	X(global_init)                                                                                                 \
	X(easy_init)                                                                                                   \
	X(easy_setopt)                                                                                                 \
	X(easy_perform)                                                                                                \
	X(easy_getinfo) X(easy_strerror) X(easy_cleanup) X(easy_escape) X(free) X(slist_append) X(slist_free_all)

static struct {
#define X(name) __typeof__(curl_##name) *name;
	CURL_FUNCTIONS(X)
#undef X
	bool there;
} curl;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool
look_up(void *library, const char *name, void *out)
{
	void *p = dlsym(library, name);
	memcpy(out, &p, sizeof p);
	return p != NULL;
}

static void
load(void)
{
	void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	bool all = library != NULL;
#define X(name) all = all && look_up(library, "curl_" #name, &curl.name);
	CURL_FUNCTIONS(X)
#undef X
	curl.there = all && curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

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
	curl.easy_setopt(h, CURLOPT_URL, r->url);
	curl.easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl.easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(h, CURLOPT_USERAGENT, "tenfold");
	curl.easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(timeout / 1000));
	curl.easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	curl.easy_setopt(h, CURLOPT_WRITEDATA, body);
	if (o && o->ca)
		curl.easy_setopt(h, CURLOPT_CAINFO, o->ca);
	if (o && o->cert)
		curl.easy_setopt(h, CURLOPT_SSLCERT, o->cert);
	if (o && o->key)
		curl.easy_setopt(h, CURLOPT_SSLKEY, o->key);
	if (r->form.p) {
		curl.easy_setopt(h, CURLOPT_POST, 1L);
		curl.easy_setopt(h, CURLOPT_POSTFIELDS, r->form.p);
		curl.easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->form.n);
	}
}

/* RFC 6749 section 2.3.1: both are form-encoded before they are joined. libcurl copies them. */
static bool
set_user(CURL *h, const struct tf_oauth_request *r)
{
	char *user = curl.easy_escape(h, r->user, 0), *password = curl.easy_escape(h, r->password, 0);
	bool ok = user && password && curl.easy_setopt(h, CURLOPT_USERNAME, user) == CURLE_OK &&
		  curl.easy_setopt(h, CURLOPT_PASSWORD, password) == CURLE_OK &&
		  curl.easy_setopt(h, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK;
	curl.free(user);
	curl.free(password);
	return ok;
}

static enum tf_err
judge(CURL *h, CURLcode result, const struct tf_oauth_request *r, struct tf_fault *f)
{
	long status = 0;
	if (result == CURLE_OPERATION_TIMEDOUT)
		return tf_fault(f, TF_TIMEOUT, "'%s': no answer in time", r->url);
	if (result != CURLE_OK)
		return tf_fault(f, TF_IO, "'%s': %s", r->url, curl.easy_strerror(result));
	curl.easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		return TF_OK;
	return tf_fault(f, status >= 400 && status < 500 ? TF_DENIED : TF_IO, "'%s' answered %ld", r->url, status);
}

enum tf_err
tf_oauth_curl_fetch(void *ctx, const struct tf_oauth_request *r, struct tf_buf *body, struct tf_fault *f)
{
	pthread_once(&once, load);
	if (!curl.there)
		return tf_fault(f, TF_UNSUPPORTED, "libcurl.so.4 is not there");
	CURL *h = curl.easy_init();
	struct curl_slist *headers = curl.slist_append(NULL, "Accept: application/json");
	enum tf_err e = h && headers ? TF_OK : TF_NO_MEMORY;
	if (!e && r->user && r->password && !set_user(h, r))
		e = TF_NO_MEMORY;
	if (e) {
		tf_fault(f, e, "cannot ask '%s': out of memory", r->url);
	} else {
		configure(h, ctx, r, body);
		curl.easy_setopt(h, CURLOPT_HTTPHEADER, headers);
		e = judge(h, curl.easy_perform(h), r, f);
	}
	curl.slist_free_all(headers);
	if (h)
		curl.easy_cleanup(h);
	return e;
}
