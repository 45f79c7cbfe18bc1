/* The outside world behind one small interface: files, clock, random, workers. Two implementations: the kernel
 * (tf_os_real) and a simulation (os/sim.h) that runs a whole story in one process, the same bytes for the same seed.
 *
 * Paths are plain strings, relative to the process for the kernel and to a root for the simulation.
 * Errors: TF_NOT_FOUND, TF_EXISTS, TF_NO_SPACE, TF_IO, TF_BUSY (lock held), TF_NO_MEMORY, TF_DENIED (permissions, a
 * write to a read-only handle), TF_INVALID (a directory opened as a file), TF_OVERLOAD (out of file descriptors); the
 * fault names the path.
 * Durability: what tf_file_write wrote is durable after tf_file_sync returned TF_OK on that file, and a created,
 * renamed or unlinked name after tf_os_sync_dir of its directory. A failed sync must end the process: never retry it.
 * Thread rule: an os may be shared between threads; one tf_file is used by one thread at a time, except tf_file_read.
 */
#pragma once
#include "base/time.h"

struct tf_os;
struct tf_file;
struct tf_worker;

enum tf_open_flags {
	TF_OPEN_READ = 0,      /* must exist, read only */
	TF_OPEN_WRITE = 1,     /* read and write, must exist unless TF_OPEN_CREATE */
	TF_OPEN_CREATE = 2,    /* create when missing (implies TF_OPEN_WRITE) */
	TF_OPEN_EXCLUSIVE = 4, /* with CREATE: TF_EXISTS when there */
	TF_OPEN_TRUNCATE = 8,
};

struct tf_stat {
	uint64_t size; /* bytes */
	uint64_t disk; /* bytes on disk, as du counts */
	tf_time modified;
	bool is_dir;
};

/* The kernel. One per process, never freed. */
struct tf_os *tf_os_real(void);

enum tf_err tf_os_open(struct tf_os *os, const char *path, unsigned flags, struct tf_file **out,
		       struct tf_fault *f) TF_MUST_USE;
void tf_file_close(struct tf_file **file);
/* Reads up to n bytes at offset; *out_n < n only at the end of the file. */
enum tf_err tf_file_read(struct tf_file *file, void *p, size_t n, uint64_t offset, size_t *out_n,
			 struct tf_fault *f) TF_MUST_USE;
/* Exactly n bytes, or TF_CORRUPT when the file ends before. */
enum tf_err tf_file_read_exact(struct tf_file *file, void *p, size_t n, uint64_t offset,
			       struct tf_fault *f) TF_MUST_USE;
/* Writes all n bytes at offset, or fails (some may have been written). */
enum tf_err tf_file_write(struct tf_file *file, const void *p, size_t n, uint64_t offset,
			  struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_file_size(struct tf_file *file, uint64_t *out, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_file_truncate(struct tf_file *file, uint64_t size, struct tf_fault *f) TF_MUST_USE;
/* fdatasync. */
enum tf_err tf_file_sync(struct tf_file *file, struct tf_fault *f) TF_MUST_USE;
/* Whole-file advisory lock without waiting, released by close: TF_BUSY when another holder (process or handle) has it.
 */
enum tf_err tf_file_lock(struct tf_file *file, bool exclusive, struct tf_fault *f) TF_MUST_USE;
/* Lets go of the lock, when there is one. Changing its kind is unlock and lock: a refused change leaves no lock. */
void tf_file_unlock(struct tf_file *file);
/* Tells the system that these bytes will be read soon. A hint: it does not wait and cannot fail. */
void tf_file_prefetch(struct tf_file *file, uint64_t offset, uint64_t n);

enum tf_err tf_os_stat(struct tf_os *os, const char *path, struct tf_stat *out, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_os_rename(struct tf_os *os, const char *from, const char *to, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_os_unlink(struct tf_os *os, const char *path, struct tf_fault *f) TF_MUST_USE;
/* Parents too; TF_OK when it is there already. Not durable before tf_os_sync_dir of each parent. */
enum tf_err tf_os_mkdirs(struct tf_os *os, const char *path, struct tf_fault *f) TF_MUST_USE;
/* tf_os_mkdirs, and a sync of each directory that holds one of the names: path is there after power loss. */
enum tf_err tf_os_mkdirs_sync(struct tf_os *os, const char *path, struct tf_fault *f) TF_MUST_USE;
/* TF_CONFLICT when it is not empty. */
enum tf_err tf_os_rmdir(struct tf_os *os, const char *path, struct tf_fault *f) TF_MUST_USE;
enum tf_err tf_os_sync_dir(struct tf_os *os, const char *path, struct tf_fault *f) TF_MUST_USE;
/* Syncs the directory that holds path: what makes a created, renamed or removed path durable. */
enum tf_err tf_os_sync_parent(struct tf_os *os, const char *path, struct tf_fault *f) TF_MUST_USE;
/* Calls each for every entry of a directory but . and .., in byte order of the names; stops at its first error. */
typedef enum tf_err tf_os_entry(void *ctx, const char *name, bool is_dir);
enum tf_err tf_os_list(struct tf_os *os, const char *path, tf_os_entry *each, void *ctx,
		       struct tf_fault *f) TF_MUST_USE;

/* A whole file into memory (at most max bytes, else TF_TOO_LARGE), NUL-terminated past n; the caller frees *out_p with
 * tf_free. */
enum tf_err tf_os_read_file(struct tf_os *os, const char *path, size_t max, char **out_p, size_t *out_n,
			    struct tf_fault *f) TF_MUST_USE;
/* Durable whole-file replace: temporary name (path.tmp), write, sync, rename, sync the directory. One writer per path;
 * after a failed rename or before it path still has its old bytes. */
enum tf_err tf_os_write_file(struct tf_os *os, const char *path, struct tf_str bytes, struct tf_fault *f) TF_MUST_USE;

tf_time tf_os_now(struct tf_os *os);
/* Monotonic, for durations. */
tf_dur tf_os_ticks(struct tf_os *os);
/* Fit for keys. Of the kernel's a thread draws some ahead; what a forked child is given is its own. */
void tf_os_random(struct tf_os *os, void *p, size_t n);

/* Runs fn(arg) beside the caller: a thread, or (in the simulation) at once, before this returns. */
enum tf_err tf_os_start(struct tf_os *os, void (*fn)(void *), void *arg, struct tf_worker **out,
			struct tf_fault *f) TF_MUST_USE;
/* Waits for it; *w becomes NULL. Accepts NULL. */
void tf_worker_join(struct tf_worker **w);

/* An IANA calendar by name ("Europe/London", "UTC"), read from the zoneinfo directory (os real: $TZDIR or
 * /usr/share/zoneinfo; the simulation reads the host's). Names with "..", a leading '/' or over 64 bytes are
 * TF_INVALID; TF_NOT_FOUND names the zone. */
enum tf_err tf_os_zone(struct tf_os *os, struct tf_str name, struct tf_zone **out, struct tf_fault *f) TF_MUST_USE;
/* Version of the zone data in use ("2026a"), from tzdata.zi or +VERSION; "unknown" where neither is there. Needs 32
 * bytes. */
char *tf_os_zone_version(struct tf_os *os, char out[static 32]);
