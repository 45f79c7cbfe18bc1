/* A simulated os: a whole story in one process, in virtual time, on a disk that tears, fills up, fails the n-th call
 * and loses power. The same seed and the same calls give the same bytes, times and random numbers.
 *
 * The disk keeps two states, what programs see and what would be there after power loss:
 *  - A write is seen at once and durable after tf_file_sync. On power loss a file keeps all its unsynced 512-byte
 *    sectors, loses all, or each by itself is kept, lost or torn (some first or last bytes of it new); an unsynced
 *    longer size is kept, lost or half-way, with zeros where sectors were lost; an unsynced truncation is kept or lost.
 *  - A created, renamed or removed name is seen at once and durable after tf_os_sync_dir of its directory, whether the
 *    file was synced or not. On power loss some first part of each directory's unsynced changes is kept. A rename
 *    inside one directory is one change. A rename between directories is two: the old name can be left, the new one, or
 *    both (of a directory one). Sync the new directory, then the old one: the other way round power loss between the
 *    two syncs loses the file.
 *  - A failed tf_file_sync loses some sectors and calls the rest clean, as Linux does: a second sync returns TF_OK and
 *    the bytes are gone after power loss. So a failed sync must end the process.
 * Paths: '/' separates, a leading one means nothing, ".." is TF_INVALID. The root exists. Permissions are not modelled.
 * Calendars (tf_os_zone) are the host's. Workers run inside tf_os_start.
 *
 * Thread rule: one thread. Ownership: close all files, then tf_sim_free. */
#pragma once
#include "os/os.h"

/* Operations, as bits: a mask chooses which to count or to fail. */
enum tf_sim_op {
	TF_SIM_OPEN = 1,
	TF_SIM_READ = 2,
	TF_SIM_WRITE = 4,
	TF_SIM_TRUNCATE = 8,
	TF_SIM_SYNC = 16,
	TF_SIM_SYNC_DIR = 32,
	TF_SIM_RENAME = 64,
	TF_SIM_UNLINK = 128,
	TF_SIM_MKDIR = 256,
	TF_SIM_RMDIR = 512,
	TF_SIM_STAT = 1024, /* and tf_file_size */
	TF_SIM_LIST = 2048,
	TF_SIM_LOCK = 4096,
	TF_SIM_START = 8192,
	TF_SIM_ANY = 16383,
};

struct tf_sim_options {
	uint64_t seed;
	tf_time start;     /* what tf_os_now begins at; 0 means 2026-01-01T00:00:00Z */
	uint64_t capacity; /* bytes of all files, in whole sectors; 0 means no limit */
};

/* NULL when memory is out. */
struct tf_os *tf_sim_new(const struct tf_sim_options *o);
/* Accepts a pointer to NULL. */
void tf_sim_free(struct tf_os **os);

/* Moves the clock on. Every operation also takes a little virtual time by itself: a sync 2 ms, others 1 to 50 µs. */
void tf_sim_advance(struct tf_os *os, tf_dur by);
/* Somebody sets the wall clock, by so much forward or (negative) back; monotonic time goes on as it was. */
void tf_sim_step_clock(struct tf_os *os, tf_dur by);
/* A new limit for all files; 0 means none. A full disk takes what fits and answers TF_NO_SPACE. */
void tf_sim_set_capacity(struct tf_os *os, uint64_t bytes);

/* How many operations of these kinds were begun since tf_sim_new. */
uint64_t tf_sim_ops(struct tf_os *os, unsigned mask);
/* The n-th operation from now of these kinds (1 = the next) fails once with err; n = 0 takes the plan back. A failing
 * write has written some first part; a failing sync loses sectors for good (see above); others change nothing. */
void tf_sim_fail_at(struct tf_os *os, unsigned mask, uint64_t n, enum tf_err err);
/* Whether the planned failure has come: a sweep over n = 1, 2, 3... ends at the first story where it has not. */
bool tf_sim_failed(struct tf_os *os);
/* From the n-th operation on (1 = the next) every operation fails with TF_IO, changing nothing, until tf_sim_power_loss
 * or tf_sim_crash: a story cut at n. n = 0 takes it back. */
void tf_sim_down_at(struct tf_os *os, uint64_t n);
/* Whether it is down since. */
bool tf_sim_is_down(struct tf_os *os);

/* The machine loses power and starts again: open files and locks die (later use of a handle gives TF_IO; closing it is
 * still due), and of what was not synced the seed decides what is left. */
void tf_sim_power_loss(struct tf_os *os);
/* The process is killed: open files and locks die, the disk keeps everything written. */
void tf_sim_crash(struct tf_os *os);

/* Would path, with all bytes and all that is under it, be as it is now after power loss? False when it is not there. */
bool tf_sim_durable(struct tf_os *os, const char *path);
/* One number for all names and bytes as programs see them. */
uint64_t tf_sim_digest(struct tf_os *os);

/* One finished operation. Valid during the callback. */
struct tf_sim_event {
	enum tf_sim_op op;
	const char *path;   /* of the file's open, for what is done to an open file */
	const char *to;     /* TF_SIM_RENAME: the new name, else NULL */
	uint64_t offset, n; /* bytes: TF_SIM_READ, WRITE; n is the new size for TRUNCATE */
	tf_time at;         /* when it ended */
	enum tf_err result;
};
/* each is called after every operation; NULL turns it off. It must not use the os. */
void tf_sim_trace(struct tf_os *os, void (*each)(void *ctx, const struct tf_sim_event *e), void *ctx);
