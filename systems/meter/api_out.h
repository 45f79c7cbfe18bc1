/* An answer of any size from a read-only store: what a worker's handler writes into. */
#pragma once
#include "api.h"
#include "base/json.h"

struct meter_api_out {
	struct meter_api *api;
	struct tf_exchange *x;
	struct tf_buf b;
	struct tf_json_out json; /* into b */
	const char *type;        /* of the answer; application/json unless set */
	const char *field;       /* what an error is about, or NULL */
	bool begun, gone;
};

/* Asks the store and writes to out; an error before anything was sent becomes the answer. */
typedef enum tf_err meter_api_query(struct meter_store *s, struct meter_api_out *out, struct tf_fault *f);

#define METER_API_ATTEMPTS 3

/* Runs query on this worker's store, as of one state of the catalog, and answers. Where a file vanished below it, it is
 * asked again from the start, unless something was sent. */
void meter_api_run(struct meter_api *a, struct tf_exchange *x, meter_api_query *query);
/* May this error mean that the writer removed a file between the look into the catalog and the opening? */
bool meter_api_vanished(enum tf_err e);
/* Sends what has been gathered when it is much. TF_END when nobody listens. */
enum tf_err meter_api_flush(struct meter_api_out *out, struct tf_fault *f) TF_MUST_USE;
/* A query parameter as a time in the query's or the server's zone; fallback when absent. */
enum tf_err meter_api_time(struct meter_api_out *out, const char *name, tf_time fallback, tf_time *out_time,
			   struct tf_fault *f) TF_MUST_USE;
/* A whole number within [0, max]. */
enum tf_err meter_api_number(struct meter_api_out *out, const char *name, uint64_t fallback, uint64_t max,
			     uint64_t *out_n, struct tf_fault *f) TF_MUST_USE;
/* By the Accept header: CSV, or JSON where it is asked for and CSV is not preferred by saying nothing. Sets the type.
 */
enum tf_err meter_api_negotiate(struct meter_api_out *out, bool *out_json, struct tf_fault *f) TF_MUST_USE;
