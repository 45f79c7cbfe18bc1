/* A policy as partners see it; see view_policy.h. */
#include "view_policy.h"

#include <inttypes.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/json.h"

static void
set_date(struct tf_json_out *w, const char *name, int32_t date)
{
	char text[16];
	tf_json_set_cstr(w, name, tf_date_format(date, text));
}

void
insure_view_policy(struct tf_buf *b, uint64_t policy, const struct insure_policy *p, int32_t today)
{
	char number[INSURE_NUMBER_BYTES + 1], time[40];
	struct tf_json_out w = tf_json_out(b);
	tf_json_begin_object(&w);
	tf_json_set_cstr(&w, "number", insure_number(policy, number));
	tf_json_set_cstr(&w, "status", insure_status_name(insure_status(p, today)));
	tf_json_set_cstr(&w, "product", insure_product_code(p->product));
	tf_json_set_i64(&w, "sum_insured", p->sum_insured);
	tf_json_set_i64(&w, "premium", p->premium);
	tf_json_set_cstr(&w, "currency", "INR");
	tf_json_set_i64(&w, "term_years", p->term);
	set_date(&w, "start_date", p->start);
	set_date(&w, "end_date", p->end);
	if (p->cancelled)
		set_date(&w, "cancelled_date", p->cancelled);
	tf_json_set_cstr(&w, "issued", tf_time_format(p->issued, time));
	tf_json_set_i64(&w, "rate_version", p->rate_version);
	tf_json_set_str(&w, "holder_initials", tf_str_n(p->initials, strnlen(p->initials, sizeof p->initials)));
	tf_json_end_object(&w);
	tf_json_finish(&w);
}

char *
insure_view_etag(uint64_t policy, const struct insure_policy *p, int32_t today, char out[static INSURE_ETAG_BYTES])
{
	uint64_t seed = policy * 4 + insure_status(p, today);
	snprintf(out, INSURE_ETAG_BYTES, "\"%016" PRIx64 "\"", XXH3_64bits_withSeed(p, sizeof *p, seed));
	return out;
}
