/* The HTTP API of the meter system, /meter/v1: openapi.yaml is its contract.
 *
 *   POST readings -> loop: parse, decide, append -> one sync for all that came meanwhile -> 202
 *   GET ...       -> loop: wait for min_offset -> worker: a read-only store of its own -> answer, as fast as it is read
 *
 * The writer's catalog is used by publish and by tier moves, both beside the loop and one at a time (the store's lock);
 * the loop itself only appends to the log. Thread rule: everything here runs in the loop but for the handlers marked as
 * a worker's and the tier move. */
#pragma once
#include <stdatomic.h>

#include "api_keys.h"
#include "out_tier.h"
#include "serve/server.h"
#include "store.h"
#include "tariff.h"

#define METER_API_WORKERS    2
#define METER_API_PARKED_MAX 256           /* reads waiting for their min_offset; past it 429 */
#define METER_API_WAIT       (10 * TF_SEC) /* of such a read; then 504 */
#define METER_API_BAD_MAX    20            /* bad records told in an answer */
#define METER_API_ZONES_MAX  64            /* calendars kept open */

struct meter_api_post;

struct meter_api_parked {
	struct tf_exchange *x;
	uint64_t offset;
	tf_dur until;
};

struct meter_api {
	struct tf_os *os;
	const char *dir;
	struct tf_str zone; /* of times without offset, where a request names none; "" for none */
	tf_dur tier_every, publish_every;
	uint64_t body_max;
	const struct meter_tariff *tariff;
	struct meter_tier_rule rule;
	struct tf_watch *watch;
	struct tf_server *server;

	struct meter_store *writer;
	pthread_mutex_t catalog; /* the writer's lock */
	struct meter_store *readers[METER_API_WORKERS];
	struct meter_api_keys keys;
	struct tf_zone *zones[METER_API_ZONES_MAX];
	uint32_t zone_count;
	struct meter_api_post *posts; /* appended, not yet synced */
	bool appended;
	struct meter_api_parked parked[METER_API_PARKED_MAX];
	uint32_t parked_count;
	tf_dur published_at, tiered_at;
	struct tf_metrics *metrics;

	struct tf_worker *mover; /* a tier move under way */
	atomic_bool moved;
	struct tf_exchange *mover_x; /* who asked for it; NULL: the schedule */
	tf_time mover_now;
	struct meter_tier_report report;
	enum tf_err mover_err;
	struct tf_fault mover_fault;

	struct tf_fault broken; /* code set: the process must end */
	struct tf_route routes[16];
};

enum {
#define X(id, k, n, h, l, v, d) METER_M_##id,
#include "api_metrics.def"
#undef X
};

/* Opens what the API needs beside the writer. */
enum tf_err meter_api_init(struct meter_api *a, struct tf_fault *f) TF_MUST_USE;
void meter_api_release(struct meter_api *a);
/* The server's `after`: commit and answer, publish, let waiting reads go, start and end tier moves. */
tf_dur meter_api_after(void *ctx);
bool meter_api_ready(void *ctx);
void meter_api_metrics(void *ctx, struct tf_buf *out);
/* After the server ended: waits for a move, publishes everything. */
enum tf_err meter_api_finish(struct meter_api *a, struct tf_fault *f) TF_MUST_USE;

/* A calendar by name, kept open. */
enum tf_err meter_api_zone(struct meter_api *a, struct tf_str name, struct tf_zone **out,
			   struct tf_fault *f) TF_MUST_USE;

/* api_post.c */
void meter_api_post_readings(void *ctx, struct tf_exchange *x);
/* After a commit: answers those it covers. */
void meter_api_tell(struct meter_api *a);

/* api_tier.c */
void meter_api_post_tier(void *ctx, struct tf_exchange *x);
/* Starts a move; TF_CONFLICT when one runs. x may be NULL. */
enum tf_err meter_api_move(struct meter_api *a, tf_time now, struct tf_exchange *x, struct tf_fault *f) TF_MUST_USE;
/* Takes note of one that ended. */
void meter_api_move_done(struct meter_api *a);

/* api_read.c, api_views.c: a worker's. */
void meter_api_get_readings(void *ctx, struct tf_exchange *x);
void meter_api_get_usage(void *ctx, struct tf_exchange *x);
void meter_api_get_tiers(void *ctx, struct tf_exchange *x);
void meter_api_get_missing(void *ctx, struct tf_exchange *x);
void meter_api_get_quarantine(void *ctx, struct tf_exchange *x);
void meter_api_get_record(void *ctx, struct tf_exchange *x);
void meter_api_get_meters(void *ctx, struct tf_exchange *x);
void meter_api_get_bill(void *ctx, struct tf_exchange *x);

/* Embedded files. */
struct tf_str meter_openapi(void);
struct tf_str meter_console(void);
