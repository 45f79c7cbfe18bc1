/* What insure reads from outside and from its log: bodies, policy numbers, decisions and events. A refusal names its
 * field; what is taken is written back the same. */
#include <stdint.h>

#include "flow/decision.h"
#include "in_purchase.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
body(struct tf_str s)
{
	struct tf_arena arena;
	struct insure_purchase c;
	struct insure_cancel k;
	struct tf_fault f = {0};
	char field[INSURE_FIELD_MAX];
	const struct tf_json *body;
	tf_arena_init(&arena, "fuzz", 1 << 20);
	if (!tf_json_parse(s, &arena, 0, &body, &f)) {
		if (insure_in_purchase(body, &c, field, &f))
			TF_ASSERT(f.text[0] && strnlen(field, sizeof field) < sizeof field);
		else
			TF_ASSERT(c.name.n && c.name.n <= INSURE_NAME_MAX && c.phone.n <= INSURE_PHONE_MAX);
		if (insure_in_cancel(body, &k, field, &f))
			TF_ASSERT(strnlen(field, sizeof field) < sizeof field);
	}
	tf_arena_release(&arena);
}

static void
number(struct tf_str s)
{
	uint64_t policy;
	char text[INSURE_NUMBER_BYTES + 1];
	if (insure_number_parse(s, &policy))
		TF_ASSERT(tf_str_eq(tf_str(insure_number(policy, text)), s));
}

/* Written back and read again: varints may have been longer than they need to be, so bytes are compared the second
 * time. */
static void
decision(struct tf_str s)
{
	struct tf_decision d, again;
	struct insure_event e;
	struct tf_buf b;
	if (tf_decision_get(s, &d, NULL))
		return;
	tf_buf_init(&b, 0);
	tf_decision_put(&b, &d);
	if (!b.err) {
		TF_ASSERT(!tf_decision_get(tf_buf_view(&b), &again, NULL));
		TF_ASSERT(tf_str_eq(d.event, again.event) && tf_str_eq(d.name.key, again.name.key));
		TF_ASSERT(tf_str_eq(d.reply.body, again.reply.body) && d.effect_count == again.effect_count);
	}
	tf_buf_release(&b);
	for (uint32_t type = 0; type < 3; type++)
		(void)!insure_event_get(type, d.event, &e, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct tf_str s = tf_str_n(p, n);
	body(s);
	number(s);
	decision(s);
	return 0;
}
