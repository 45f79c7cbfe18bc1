/* Which channel is billed to which account on which days; inside of view_bill. */
#pragma once
#include "view_bill.h"

/* A channel of an account over some days. */
struct bill_part {
	uint32_t sid;
	int32_t from, to;    /* local dates [from, to), within the month */
	uint32_t account_at; /* in text */
	uint16_t account_n;
	uint16_t category; /* of categories */
	bool export;
};

struct bill_parts {
	struct bill_part *parts; /* by account, meter, channel number, date */
	uint32_t count, cap;
	struct tf_buf text; /* account names */
	struct tf_buf categories_text;
	struct tf_map categories; /* text -> number */
	struct tf_str *category;  /* the text of each, made by bill_parts_load */
	uint32_t category_count;
	uint64_t unassigned; /* channels with days of nobody */
	bool known;          /* the one account asked for exists */
};

/* Of one account, or of all where it is empty. Release also after a failure. */
enum tf_err bill_parts_load(struct meter_store *s, struct tf_str account, int32_t month, struct bill_parts *out,
			    struct tf_fault *f) TF_MUST_USE;
void bill_parts_release(struct bill_parts *p);
struct tf_str bill_part_account(const struct bill_parts *p, const struct bill_part *part);
