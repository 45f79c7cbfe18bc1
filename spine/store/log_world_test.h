/* What the tests of the log's contract share: a log's directory on the kernel or on the simulated os, and its files'
 * bytes. */
#pragma once
#include "os/sim.h"
#include "store/log_testing.h"

struct world {
	struct tf_os *os;
	char dir[200];
	size_t stride; /* of sweeps over bytes: the kernel's syncs take their time */
};

extern struct tf_fault fault;

/* cmocka's setups and teardowns: a struct world, of the simulation and of the kernel. */
int sim_setup(void **state);
int sim_teardown(void **state);
int real_setup(void **state);
int real_teardown(void **state);
#define ON_BOTH(f)                                                                                                     \
	{"sim: " #f, f, sim_setup, sim_teardown, NULL},                                                                \
	{                                                                                                              \
		"kernel: " #f, f, real_setup, real_teardown, NULL                                                      \
	}

struct tf_log *open_log(struct world *w, const struct tf_log_options *o);
void sync_log(struct tf_log *log);

/* A file of the log, held so that a test can change it. */
struct image {
	char path[300];
	char *p;
	size_t n;
};

struct image image_of(struct world *w, const char *name);
/* Puts the first n bytes of an image back, in place. */
void image_put(struct world *w, const struct image *i, size_t n);
void image_free(struct image *i);

#define SEGMENT_0 "0/00000000000000000000.log"

struct naming {
	int wanted;
	char name[40];
};

/* The i-th segment of partition 0. */
struct naming segment_name(struct world *w, int i);
