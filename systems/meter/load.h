/* Loading files: bytes through a parser into the flow, one delivery per file. */
#pragma once
#include "quarantine.h"

struct meter_load_result {
	uint64_t files;
	struct meter_counts counts;
	uint64_t quarantined;
	uint64_t rounded; /* values of CSVs that are finer than a Wh; not known of a file delivered before */
	char format[16];  /* of the last source: "nem12", "csv-wide", ... */
};

struct meter_load_options {
	struct tf_str zone; /* IANA name; "" for UTC (Australia/Brisbane for NEM12 and NEM13) */
	struct meter_in_options in;
	void (*progress)(void *ctx, const char *name, uint64_t done, uint64_t total); /* may be NULL */
	void *progress_ctx;
	struct tf_str tag; /* makes of bytes that came before a delivery of its own; "" usually */
	bool keep_bad_out; /* count bad records, do not quarantine them again */
	void (*bad)(void *ctx, const struct meter_bad *bad); /* told of each bad record; may be NULL */
	void *bad_ctx;
	/* Of meter_load_bytes: what the delivery's last event is to stand in (METER_EVENT_POSTED), asked when
	 * everything else of it is appended and result is known; offset is where the log will hold it. The decision's
	 * strings stay valid until the call ends. NULL: it stands alone. */
	enum tf_err (*around)(void *ctx, const struct meter_load_result *result, uint64_t offset,
			      struct tf_decision *out, struct tf_fault *f);
	void *around_ctx;
};

/* Loads one file; what it did is added to *result once it is published and so visible to every reader. A file that was
 * delivered whole before counts as duplicates and is not read again. TF_INVALID when it is of no known format.
 * Everything acknowledged is durable. */
enum tf_err meter_load_file(struct meter_store *s, const char *path, const struct meter_load_options *o,
			    struct meter_load_result *result, struct tf_fault *f) TF_MUST_USE;
/* The same for bytes in memory, without waiting for publication: *out_offset is where the log holds its last event,
 * durable after the next tf_flow_commit, which tells token. Of the counts only readings is known then. TF_OVERLOAD when
 * too much waits: at once, or in the middle, when what was taken is a delivery begun that the same bytes complete. */
enum tf_err meter_load_bytes(struct meter_store *s, struct tf_str name, struct tf_str bytes,
			     const struct meter_load_options *o, void *token, struct meter_load_result *result,
			     uint64_t *out_offset, struct tf_fault *f) TF_MUST_USE;
/* Reads a record of the quarantine again under the options it came with, as a delivery of its own of the same name; its
 * times in zone or ("") the one it had, its days in the one it had. calendar is of that zone. What it breaks now is
 * counted and not put aside again; where it gives no reading, nothing is appended and *out_offset is 0. As
 * meter_load_bytes otherwise. */
enum tf_err meter_load_held(struct meter_store *s, const struct meter_held *h, struct tf_str zone,
			    const struct tf_zone *calendar, void *token, struct meter_load_result *result,
			    uint64_t *out_offset, struct tf_fault *f) TF_MUST_USE;
