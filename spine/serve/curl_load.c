/* libcurl at first use; see curl_load.h. */
#include "serve/curl_load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static struct tf_curl curl;
static bool there;
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
	TF_CURL_FUNCTIONS(X)
#undef X
	there = all && curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

const struct tf_curl *
tf_curl(void)
{
	pthread_once(&once, load);
	return there ? &curl : NULL;
}
