/* libcurl, found at first use (libcurl.so.4, whose interface has been stable since 2006): programs that ask nobody
 * neither load nor need it. Once a process, from any thread. */
#pragma once
#include <curl/curl.h>
#include <stdbool.h>

/* clang-format off */
#define TF_CURL_FUNCTIONS(X) \
	X(global_init) X(easy_init) X(easy_setopt) X(easy_getinfo) X(easy_strerror) X(easy_cleanup) \
	X(multi_init) X(multi_setopt) X(multi_add_handle) X(multi_remove_handle) X(multi_perform) X(multi_info_read) \
	X(multi_poll) X(multi_wakeup) X(multi_cleanup) X(slist_append) X(slist_free_all)
/* clang-format on */

struct tf_curl {
#define X(name) __typeof__(curl_##name) *name;
	TF_CURL_FUNCTIONS(X)
#undef X
};

/* NULL where it is not there, or lacks a function. */
const struct tf_curl *tf_curl(void);
