/* What a store of objects provides: one table of functions. Private to blob*.c. Keys reach it checked. */
#pragma once
#include "store/blob.h"

enum tf_blob_when { TF_BLOB_ALWAYS, TF_BLOB_ABSENT, TF_BLOB_MATCH };

struct tf_blob_ops {
	void (*close)(struct tf_blob *b);
	/* match is not NULL with TF_BLOB_MATCH. */
	enum tf_err (*put)(struct tf_blob *b, struct tf_str key, struct tf_str bytes, enum tf_blob_when when,
			   const struct tf_etag *match, struct tf_fault *f);
	enum tf_err (*temp)(struct tf_blob *b, char *out_path, struct tf_fault *f);
	enum tf_err (*take_file)(struct tf_blob *b, const char *temp_path, struct tf_str key, struct tf_fault *f);
	enum tf_err (*get)(struct tf_blob *b, struct tf_str key, uint64_t offset, uint64_t n, struct tf_buf *out,
			   struct tf_fault *f);
	enum tf_err (*stat)(struct tf_blob *b, struct tf_str key, struct tf_blob_info *out, struct tf_fault *f);
	enum tf_err (*etag)(struct tf_blob *b, struct tf_str key, struct tf_etag *out, struct tf_fault *f);
	enum tf_err (*path)(struct tf_blob *b, struct tf_str key, char *out_path, struct tf_fault *f);
	enum tf_err (*remove)(struct tf_blob *b, struct tf_str key, struct tf_fault *f);
	enum tf_err (*list)(struct tf_blob *b, struct tf_str prefix, tf_blob_entry *each, void *ctx,
			    struct tf_fault *f);
};

struct tf_blob {
	const struct tf_blob_ops *ops;
};

/* dir fits TF_BLOB_PATH_MAX together with any key. */
enum tf_err tf_blob_dir_open(struct tf_os *os, struct tf_str dir, struct tf_blob **out, struct tf_fault *f) TF_MUST_USE;
/* The tag of a finished 128-bit hash in its canonical (big-endian) form. */
struct tf_etag tf_etag_of_digest(const uint8_t digest[static 16]);
