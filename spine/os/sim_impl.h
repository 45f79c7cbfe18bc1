/* The simulated disk: files and directories, each as programs see it ("live") and as power loss would leave it
 * ("durable"). Private to spine/os.
 *
 * Every change first gets all the memory it needs and then cannot fail, so that a story run with the n-th allocation
 * failing finds the disk either as before or as asked. Power loss allocates nothing. */
#pragma once
#include "os/os_impl.h"
#include "os/sim.h"

#define SIM_SECTOR    512
#define SIM_NAME_MAX  255
#define SIM_DEPTH_MAX 64 /* names in a path */

struct sim_rng {
	uint64_t state;
};

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t sim_rng_next(struct sim_rng *r);
/* 0 .. n - 1; n > 0. */
uint64_t sim_rng_below(struct sim_rng *r, uint64_t n);

/* live and durable have cap bytes each, zero past their n; cap is a whole number of sectors, with a dirty flag each. */
struct sim_data {
	uint8_t *live, *durable;
	uint8_t *dirty; /* one byte a sector: live differs from what was last synced */
	uint64_t live_n, durable_n;
	uint64_t low; /* the shortest it has been since the last sync */
	uint64_t cap;
};

/* A name in a directory; either node may be NULL. */
struct sim_name {
	struct sim_node *live, *durable;
	char text[];
};

/* One unsynced change of a directory: name gets node (NULL: is removed), and gone, if any, is removed with it. */
struct sim_change {
	struct sim_name *name;
	struct sim_node *node;
	struct sim_name *gone;
	uint64_t serial;            /* counts all changes */
	struct sim_node *elsewhere; /* a rename's other directory: this removal needs that change first */
};

struct sim_dir {
	struct sim_name **names; /* in byte order */
	size_t count, cap;
	struct sim_change *changes;
	size_t change_count, change_cap;
	size_t keep; /* power loss: how many of the changes are left */
};

struct sim_node {
	struct sim_node *next; /* all nodes */
	bool is_dir, reached;
	uint32_t handles, links; /* links: live names */
	uint32_t shared;         /* holders of a shared lock */
	bool exclusive;
	tf_time modified;
	union {
		struct sim_data data;
		struct sim_dir dir;
	};
};

struct sim_disk {
	struct sim_node *nodes, *root;
	uint64_t capacity; /* 0: no limit */
	uint64_t serial;
	struct sim_rng rng; /* what tears, and what power loss leaves */
};

/* sim_data.c: the bytes of one file */

/* Room for size bytes; TF_NO_MEMORY and unchanged otherwise. */
enum tf_err sim_data_reserve(struct sim_data *d, uint64_t size) TF_MUST_USE;
void sim_data_release(struct sim_data *d);
/* Both within what was reserved. */
void sim_data_write(struct sim_data *d, const void *p, uint64_t n, uint64_t offset);
void sim_data_truncate(struct sim_data *d, uint64_t size);
void sim_data_sync(struct sim_data *d);
/* Some sectors get there, the others are lost though called clean. */
void sim_data_sync_failed(struct sim_data *d, struct sim_rng *r);
void sim_data_power_loss(struct sim_data *d, struct sim_rng *r);
bool sim_data_durable(const struct sim_data *d);

/* sim_tree.c: names and directories */

enum tf_err sim_disk_init(struct sim_disk *disk) TF_MUST_USE;
void sim_disk_release(struct sim_disk *disk);
/* A path taken apart: the directory that holds it and its last name, which may be missing there. The root has a NULL
 * dir. */
struct sim_place {
	struct sim_node *dir;
	struct tf_str last;
	struct sim_node *node; /* NULL when there is none */
};
enum tf_err sim_find(struct sim_disk *disk, const char *path, struct sim_place *out) TF_MUST_USE;
/* A new file or directory at a place that has none. */
enum tf_err sim_create(struct sim_disk *disk, const struct sim_place *at, bool is_dir, tf_time now,
		       struct sim_node **out) TF_MUST_USE;
/* Takes the name at a place away. */
enum tf_err sim_remove(struct sim_disk *disk, const struct sim_place *at) TF_MUST_USE;
enum tf_err sim_move(struct sim_disk *disk, const struct sim_place *from, const struct sim_place *to) TF_MUST_USE;
struct sim_name *sim_lookup(const struct sim_node *dir, struct tf_str text);
bool sim_dir_empty(const struct sim_node *dir);
/* Makes the first count unsynced changes durable. */
void sim_dir_sync(struct sim_disk *disk, struct sim_node *dir, size_t count);
/* Bytes of all live files in whole sectors. */
uint64_t sim_disk_used(const struct sim_disk *disk);

/* sim_loss.c: what ends a process or the power */

/* Frees nodes that no name and no handle leads to. */
void sim_disk_sweep(struct sim_disk *disk);
void sim_disk_power_loss(struct sim_disk *disk);
/* Closes all handles and lets go of all locks. */
void sim_disk_forget_handles(struct sim_disk *disk);

/* sim_view.c: what a test asks */

bool sim_disk_durable(struct sim_disk *disk, const char *path);
uint64_t sim_disk_digest(const struct sim_disk *disk);

/* The whole simulation; sim.c has its life and its faults, sim_ops.c its operations. */
struct sim {
	struct tf_os base;
	struct sim_disk disk;
	struct sim_rng random; /* the story's; faults have their own, so that one does not change the other */
	tf_time start;
	tf_dur ticks;
	uint64_t boot; /* counts power losses and crashes: handles of an earlier one are dead */
	uint64_t ops[16];
	unsigned fail_mask;
	uint64_t fail_in, down_in; /* operations left until then; 0: never */
	enum tf_err fail_err;
	bool failed, down;
	void (*trace)(void *ctx, const struct tf_sim_event *e);
	void *trace_ctx;
};

extern const struct tf_os_ops sim_ops;
