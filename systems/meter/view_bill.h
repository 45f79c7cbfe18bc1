/* Bills of a local month: one account's or all, from intervals or from sealed time-of-use sums.
 *
 * An account's meters are those the network file gives it, date by date; a meter that it does not name is its own
 * account. Imported energy is channels in Wh whose name begins with E, exported B (NEM12's convention); others are not
 * billed. A channel counts from its first reading in the period being there: one without any is left out, and so is an
 * account with none.
 * A bill has a section per tariff version and plan: each has its days, and slabs, fixed and demand charge count pro
 * rata of the month.
 * Only blocks of the month are opened, side by side in the workers of a step; memory is about 140 bytes a channel plus
 * the blocks being read. */
#pragma once
#include "core_bill.h"
#include "store.h"

enum meter_bill_sums {
	METER_SUMS_AUTO,  /* a bucket's sums where there are any that fit the tariff, else its readings */
	METER_SUMS_NEVER, /* readings */
	METER_SUMS_ONLY,  /* TF_CONFLICT where there are none or they don't fit */
};

struct meter_bill_options {
	const struct meter_tariff *tariff;
	int32_t month;         /* since 1970-01, local of each channel's zone */
	struct tf_str account; /* "": all */
	enum meter_bill_sums from_sums;
};

/* What one plan of one version charges an account for. */
struct meter_bill_section {
	const struct meter_tariff_plan *plan;
	int32_t from, to; /* local dates [from, to) */
	struct meter_use use;
	struct meter_bill_line lines[METER_BILL_LINES_MAX];
	uint32_t line_count;
	int64_t total; /* of the lines */
};

#define METER_SECTIONS_MAX 32 /* of one account and month */

struct meter_bill {
	struct tf_str account;
	struct meter_bill_section *sections;
	uint32_t section_count;
	struct meter_use use; /* of all sections; registers summed by place: names are the sections' plans' */
	int64_t rounding;     /* makes total a multiple of the tariff's round_total */
	int64_t total;
};
typedef enum tf_err meter_bill_each(void *ctx, const struct meter_bill *bill, struct tf_fault *f);

struct meter_bill_report {
	uint64_t accounts, incomplete; /* incomplete: with missing intervals */
	uint64_t without_data;         /* accounts without any reading in the month: not billed */
	uint64_t unassigned; /* channels on some of whose days the network file names no account: not billed then */
	struct meter_use use;
	int64_t total;
	uint64_t blocks, bytes;    /* opened */
	uint64_t sums, sums_bytes; /* buckets billed from sums */
};

/* Calls each account's bill, in byte order of their names. TF_NOT_FOUND when the account is not known or the month has
 * no readings of it (or, for all, of any). */
enum tf_err meter_bill_run(struct meter_store *s, const struct meter_bill_options *o, meter_bill_each *each, void *ctx,
			   struct meter_bill_report *out, struct tf_fault *f) TF_MUST_USE;

/* Inside a transaction: keeps a sealed month's sums (meter_tou_of) of a bucket, or forgets them. Who writes a month
 * block does one or the other in the same transaction. */
enum tf_err meter_sums_put(struct meter_catalog *c, int32_t month, uint32_t bucket, struct tf_str sums,
			   struct tf_fault *f) TF_MUST_USE;
enum tf_err meter_sums_drop(struct meter_catalog *c, int32_t month, uint32_t bucket, struct tf_fault *f) TF_MUST_USE;
