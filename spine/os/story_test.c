/* Random stories: the simulation answers as the kernel does, the same seed gives the same bytes, and no mix of calls,
 * faults and power losses breaks it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/dir_testing.h"
#include "os/sim.h"

#define OK(expr) assert_int_equal(expr, TF_OK)
#define FILES    4
#define STEPS    400

/* One running story: the choices come from dice, what the os answered goes to the transcript. */
struct story {
	struct tf_os *os;
	struct tf_os *dice; /* a simulation used for its random bytes only */
	struct tf_buf transcript;
	struct tf_file *files[FILES];
};

struct choice {
	uint8_t what, file, flags, length, place, extra;
	char path[2][8];
};

static struct choice
choose(struct story *s)
{
	uint8_t r[12];
	struct choice c;
	tf_os_random(s->dice, r, sizeof(r));
	c = (struct choice){r[0], r[1] % FILES, r[2], r[3], r[4], r[5]};
	for (int i = 0; i < 2; i++)
		snprintf(c.path[i], sizeof(c.path[i]), r[6 + i] & 8 ? "%c/%c" : "%c", 'a' + r[8 + i] % 3,
			 'a' + r[10 + i] % 3);
	return c;
}

static void
told(struct story *s, const char *verb, enum tf_err e)
{
	tf_buf_printf(&s->transcript, "%s %s\n", verb, tf_err_name(e));
}

static void
step_file(struct story *s, const struct choice *c, struct tf_file *file)
{
	uint8_t bytes[4096];
	uint64_t size = 0, offset = (uint64_t)c->place * 64;
	size_t n = 0;
	enum tf_err e;
	memset(bytes, 'a' + c->extra % 26, sizeof(bytes));
	switch (c->what % 6) {
	case 0:
	case 1:
		told(s, "write", tf_file_write(file, bytes, c->length * 16u, offset, NULL));
		break;
	case 2:
		told(s, "truncate", tf_file_truncate(file, offset, NULL));
		break;
	case 3:
		told(s, "sync", tf_file_sync(file, NULL));
		break;
	case 4:
		e = tf_file_read(file, bytes, c->length * 16u, offset, &n, NULL);
		told(s, "read", e);
		tf_buf_put(&s->transcript, bytes, e == TF_OK ? n : 0);
		break;
	case 5:
		told(s, "lock", tf_file_lock(file, c->extra & 1, NULL));
		told(s, "size", tf_file_size(file, &size, NULL));
		tf_buf_u64(&s->transcript, size);
		break;
	}
}

static enum tf_err
add_entry(void *ctx, const char *name, bool is_dir)
{
	struct story *s = ctx;
	tf_buf_printf(&s->transcript, "%s%s ", name, is_dir ? "/" : "");
	return TF_OK;
}

static void
step_path(struct story *s, const struct choice *c)
{
	const char *a = c->path[0], *b = c->path[1];
	switch (c->what % 7) {
	case 0:
	case 1:
		told(s, "rename", tf_os_rename(s->os, a, b, NULL));
		break;
	case 2:
		told(s, "unlink", tf_os_unlink(s->os, a, NULL));
		break;
	case 3:
		told(s, "mkdirs", tf_os_mkdirs(s->os, a, NULL));
		break;
	case 4:
		told(s, "rmdir", tf_os_rmdir(s->os, a, NULL));
		break;
	case 5:
		told(s, "sync parent", tf_os_sync_parent(s->os, a, NULL));
		break;
	case 6:
		told(s, "list", tf_os_list(s->os, c->extra & 1 ? a : ".", add_entry, s, NULL));
		break;
	}
}

static void
step(struct story *s)
{
	struct choice c = choose(s);
	struct tf_file **file = &s->files[c.file];
	unsigned flags = TF_OPEN_WRITE | (c.flags & (TF_OPEN_CREATE | TF_OPEN_TRUNCATE));
	if ((flags & TF_OPEN_CREATE) && c.flags % 5 == 0)
		flags |= TF_OPEN_EXCLUSIVE;
	if (c.extra % 2)
		step_path(s, &c);
	else if (!*file)
		told(s, "open", tf_os_open(s->os, c.path[0], flags, file, NULL));
	else if (c.extra % 8 == 0)
		tf_file_close(file);
	else
		step_file(s, &c, *file);
}

static void
story_init(struct story *s, struct tf_os *os, uint64_t seed)
{
	*s = (struct story){.os = os, .dice = tf_sim_new(&(struct tf_sim_options){.seed = seed})};
	assert_non_null(s->dice);
	tf_buf_init(&s->transcript, 0);
}

static void
close_files(struct story *s)
{
	for (int i = 0; i < FILES; i++)
		tf_file_close(&s->files[i]);
}

static void
story_release(struct story *s)
{
	close_files(s);
	tf_sim_free(&s->dice);
	tf_buf_release(&s->transcript);
}

static void
the_simulation_answers_as_the_kernel_does(void **state)
{
	char root[256];
	assert_true(dir_make(root, sizeof(root), "os"));
	assert_int_equal(chdir(root), 0);
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = seed});
		struct story real, sim;
		story_init(&real, tf_os_real(), seed);
		story_init(&sim, os, seed);
		for (int i = 0; i < STEPS; i++) {
			tf_buf_reset(&real.transcript);
			tf_buf_reset(&sim.transcript);
			step(&real);
			step(&sim);
			if (!tf_str_eq(tf_buf_view(&real.transcript), tf_buf_view(&sim.transcript)))
				fail_msg("seed %d step %d: kernel said %.40s, simulation %.40s", (int)seed, i,
					 (char *)real.transcript.p, (char *)sim.transcript.p);
		}
		story_release(&real);
		story_release(&sim);
		tf_sim_free(&os);
		OK(dir_clear(tf_os_real(), root));
	}
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(dir_remove(root), 0);
}

/* A little bad luck before the next step. */
static void
trouble(struct story *s, bool lose_power)
{
	uint8_t r[2];
	tf_os_random(s->dice, r, sizeof(r));
	if (r[0] < 8)
		tf_sim_fail_at(s->os, TF_SIM_ANY, 1 + r[1] % 4, TF_IO);
	else if (r[0] < 10)
		tf_sim_down_at(s->os, 1 + r[1] % 4);
	else if (r[0] < 12)
		tf_sim_crash(s->os);
	else if (r[0] < 15 && lose_power)
		tf_sim_power_loss(s->os);
	else if (r[0] < 17)
		tf_mem_fail_at(1 + r[1] % 4);
}

/* The digest of what a troubled story leaves. */
static uint64_t
troubled(uint64_t seed, bool lose_power)
{
	struct tf_os *os = tf_sim_new(&(struct tf_sim_options){.seed = seed, .capacity = 16 << 10});
	struct story s;
	assert_non_null(os);
	story_init(&s, os, seed);
	tf_buf_extend(&s.transcript, 1 << 20); /* so that no planned allocation failure hits the test's own buffer */
	tf_buf_reset(&s.transcript);
	for (int i = 0; i < STEPS; i++) {
		trouble(&s, lose_power);
		step(&s);
	}
	tf_mem_fail_at(0);
	close_files(&s);
	if (lose_power) {
		tf_sim_power_loss(os);
		assert_true(tf_sim_durable(os, "."));
		uint64_t before = tf_sim_digest(os);
		tf_sim_power_loss(os);
		assert_true(tf_sim_digest(os) == before);
	}
	struct tf_str text = tf_buf_view(&s.transcript);
	uint64_t digest = tf_sim_digest(os) ^ (uint64_t)tf_os_ticks(os);
	for (size_t i = 0; i < text.n; i++)
		digest = digest * 31 + (uint8_t)text.p[i];
	story_release(&s);
	tf_sim_free(&os);
	return digest;
}

static void
the_same_seed_gives_the_same_story(void **state)
{
	for (uint64_t seed = 0; seed < 200; seed++) {
		uint64_t with = troubled(seed, true), without = troubled(seed, false);
		assert_true(with == troubled(seed, true));
		assert_true(without == troubled(seed, false));
		assert_true(with != troubled(seed + 1, true));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_simulation_answers_as_the_kernel_does),
		cmocka_unit_test(the_same_seed_gives_the_same_story),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
