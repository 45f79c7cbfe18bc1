/* Objects by key: whole files that are put once and read often. A directory now; other stores fit behind the same
 * verbs.
 *
 * URL: "file:DIR" or a plain path. Other schemes are TF_UNSUPPORTED.
 * Keys: path-like, 1 to 512 bytes, segments of 1 to 200 bytes between single '/', at most 16 of them; no control bytes,
 * no '\', no segment that starts with '.', so none is "..". A key cannot also be another key's directory: TF_CONFLICT.
 * Atomic and durable: a put that returned TF_OK is on disk, whole; after a failed one or a power loss the key has the
 * old object or the new one, whole. A reader keeps the object it opened. A failed sync must end the process.
 * Conditional puts are atomic among each other, in all processes, and TF_BUSY when another one is under way; an
 * unconditional put or a delete of the same key beside them is not seen. Thread rule: one thread at a time. */
#pragma once
#include "base/buf.h"
#include "os/os.h"

#define TF_BLOB_KEY_MAX  512
#define TF_BLOB_PATH_MAX 1024

struct tf_blob;

/* What an object's bytes are: XXH3-128 of them in hex, NUL-terminated. */
struct tf_etag {
	char hex[33];
};

struct tf_blob_info {
	uint64_t size; /* bytes */
	uint64_t disk; /* bytes on disk, as du counts */
	tf_time modified;
};

struct tf_etag tf_etag_of(struct tf_str bytes);

/* Touches nothing yet: the directory is made by the first write, and a missing one is an empty store. Its parent should
 * be durable. */
enum tf_err tf_blob_open(struct tf_os *os, struct tf_str url, struct tf_blob **out, struct tf_fault *f) TF_MUST_USE;
void tf_blob_close(struct tf_blob **b);

/* Stores bytes under key, replacing what was there. */
enum tf_err tf_blob_put(struct tf_blob *b, struct tf_str key, struct tf_str bytes, struct tf_fault *f) TF_MUST_USE;
/* TF_EXISTS when key is there already. */
enum tf_err tf_blob_put_if_absent(struct tf_blob *b, struct tf_str key, struct tf_str bytes,
				  struct tf_fault *f) TF_MUST_USE;
/* TF_CONFLICT when the object is another than match, or gone. */
enum tf_err tf_blob_put_if_match(struct tf_blob *b, struct tf_str key, struct tf_str bytes, const struct tf_etag *match,
				 struct tf_fault *f) TF_MUST_USE;
/* A new path inside the store for a library that writes files by itself; then tf_blob_take_file publishes it. What is
 * never published is removed by a writer a day later. */
enum tf_err tf_blob_temp(struct tf_blob *b, char out_path[static TF_BLOB_PATH_MAX], struct tf_fault *f) TF_MUST_USE;
/* Publishes the complete, closed file at a path from tf_blob_temp: sync, rename, sync the directory. */
enum tf_err tf_blob_take_file(struct tf_blob *b, const char *temp_path, struct tf_str key,
			      struct tf_fault *f) TF_MUST_USE;

/* Appends the whole object to out (whose max bounds it: TF_TOO_LARGE). out_etag may be NULL. */
enum tf_err tf_blob_get(struct tf_blob *b, struct tf_str key, struct tf_buf *out, struct tf_etag *out_etag,
			struct tf_fault *f) TF_MUST_USE;
/* Appends n bytes from offset, fewer only where the object ends; TF_INVALID when it ends before offset. */
enum tf_err tf_blob_get_range(struct tf_blob *b, struct tf_str key, uint64_t offset, size_t n, struct tf_buf *out,
			      struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_blob_stat(struct tf_blob *b, struct tf_str key, struct tf_blob_info *out,
			 struct tf_fault *f) TF_MUST_USE;
/* Reads the whole object. */
enum tf_err tf_blob_etag(struct tf_blob *b, struct tf_str key, struct tf_etag *out, struct tf_fault *f) TF_MUST_USE;
/* The object as a file, for a library that reads files by itself. */
enum tf_err tf_blob_path(struct tf_blob *b, struct tf_str key, char out_path[static TF_BLOB_PATH_MAX],
			 struct tf_fault *f) TF_MUST_USE;
/* TF_NOT_FOUND when it wasn't there. Durable. */
enum tf_err tf_blob_delete(struct tf_blob *b, struct tf_str key, struct tf_fault *f) TF_MUST_USE;
/* Every key that starts with prefix ("" for all), in byte order of the keys; stops at the first error of each. At most
 * one directory's names are in memory per level. */
typedef enum tf_err tf_blob_entry(void *ctx, struct tf_str key, const struct tf_blob_info *info);
enum tf_err tf_blob_list(struct tf_blob *b, struct tf_str prefix, tf_blob_entry *each, void *ctx,
			 struct tf_fault *f) TF_MUST_USE;
