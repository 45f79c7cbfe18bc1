/* tenfold insure simulate: policies sold to made-up people, for measuring and for trying things out. */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"

#define COMMIT_EVERY 4096

static const struct tf_param params[] = {
	INSURE_PARAM_DATA,
	{"policies", TF_PARAM_INT, false, "N", "1000", 1, INSURE_POLICIES_MAX, "to add"},
	{"seed", TF_PARAM_INT, false, "N", "1", 0, INT32_MAX, "the same seed sells the same"},
	{"partner", TF_PARAM_TEXT, false, "NAME", NULL, 0, 0, "who sold all of it; without: made-up ones"},
	INSURE_PARAM_JSON,
	{0},
};

static uint64_t
next_random(uint64_t *x)
{
	*x += 0x9e3779b97f4a7c15u;
	uint64_t z = *x;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int64_t
between(uint64_t *x, int64_t low, int64_t high)
{
	return low + (int64_t)(next_random(x) % (uint64_t)(high - low + 1));
}

/* A purchase that every rule lets pass. */
static void
make_up(uint64_t *x, int32_t today, char name[static 32], char phone[static 20], struct insure_purchase *out)
{
	static const char *const first[] = {"Asha", "Ravi", "Meera", "Arjun", "Lata", "Imran", "Divya", "Joseph"};
	static const char *const last[] = {"Rao", "Iyer", "Khan", "Patel", "Das", "Nair", "Singh", "Thomas"};
	static const struct {
		const char *code;
		int64_t low, high, term_low, term_high;
	} kinds[] = {{"TERM_LIFE", 10, 200, 5, 25}, {"HEALTH", 6, 40, 1, 3}, {"ACCIDENT", 2, 40, 1, 5}};
	size_t k = next_random(x) % 3;
	snprintf(name, 32, "%s %s", first[next_random(x) % 8], last[next_random(x) % 8]);
	snprintf(phone, 20, "+9198%08" PRIu64, next_random(x) % 100000000);
	*out = (struct insure_purchase){.product = tf_str(kinds[k].code), .quoted = -1};
	out->sum_insured = between(x, kinds[k].low, kinds[k].high) * 50000 * 100;
	out->term = (int32_t)between(x, kinds[k].term_low, kinds[k].term_high);
	out->start = today + (int32_t)between(x, 0, INSURE_START_DAYS);
	out->birth = today - (int32_t)between(x, 7000, 21000);
	out->name = tf_str(name);
	out->phone = tf_str(phone);
	out->partner = next_random(x) % 1000;
}

static enum tf_err
sell(struct insure_store *s, int64_t count, uint64_t seed, struct tf_str partner, struct tf_fault *f)
{
	int32_t today = insure_today(s);
	for (int64_t i = 0; i < count; i++) {
		char name[32], phone[20];
		uint64_t offset;
		struct insure_command c = {.type = INSURE_DO_PURCHASE};
		make_up(&seed, today, name, phone, &c.purchase);
		if (partner.n)
			c.purchase.partner = insure_partner(partner);
		TF_TRY(insure_store_submit(s, &c, NULL, &offset, f));
		if (i % COMMIT_EVERY == COMMIT_EVERY - 1)
			TF_TRY(insure_store_commit(s, f));
	}
	TF_TRY(insure_store_commit(s, f));
	return tf_flow_drain(s->flow, f);
}

static int
run(void *ctx, const struct tf_command *self, int argc, char **argv)
{
	struct insure_cli *cli = ctx;
	struct tf_args a;
	int code;
	if (!tf_program_args(self, argc, argv, &a, &code))
		return code;
	struct tf_fault f = {0};
	struct insure_store *s = NULL;
	struct insure_store_options o = {.wait = true};
	tf_dur begun = tf_os_ticks(cli->os);
	enum tf_err e = insure_store_open(cli->os, tf_args_cstr(&a, "data"), &o, &s, &f);
	if (!e)
		e = sell(s, tf_args_int(&a, "policies"), (uint64_t)tf_args_int(&a, "seed"), tf_args_text(&a, "partner"),
			 &f);
	uint64_t count = s ? tf_pages_count(s->state.pages) : 0, bytes = s ? tf_log_bytes(s->log, 0) : 0;
	insure_store_close(&s);
	if (e)
		return tf_program_fail(&f);
	printf(tf_args_flag(&a, "json") ? "{\"policies\":%" PRIu64 ",\"log_bytes\":%" PRIu64 ",\"seconds\":%.3f}\n"
					: "%" PRIu64 " policies, log of %" PRIu64 " bytes, in %.3f s\n",
	       count, bytes, (double)(tf_os_ticks(cli->os) - begun) / 1e6);
	return tf_program_finish(0);
}

const struct tf_command insure_cmd_simulate = {
	.name = "simulate", .summary = "sell policies to made-up people", .params = params, .run = run};
