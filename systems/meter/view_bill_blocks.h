/* From the blocks of a month to what each part used; inside of view_bill. */
#pragma once
#include "core_bill_tou.h"
#include "step.h"
#include "view_bill_parts.h"

/* A tariff version within the month. */
struct bill_version {
	const struct meter_tariff_version *version;
	int32_t from, to;                       /* local dates [from, to) */
	const struct meter_tariff_plan **plans; /* by category */
};

struct bill_run {
	struct meter_store *s;
	const struct meter_bill_options *o;
	struct bill_parts parts;
	struct bill_version *versions;
	uint32_t version_count;
	struct meter_use *uses; /* [part * version_count + version] */
	struct meter_bill_report *report;
};

/* Fills run->uses and counts in run->report what was opened. */
enum tf_err bill_blocks(struct bill_run *run, struct tf_fault *f) TF_MUST_USE;
