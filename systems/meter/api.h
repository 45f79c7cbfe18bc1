/* The HTTP API of the meter system, /meter/v1: openapi.yaml is its contract.
 *
 *   POST readings -> loop: parse, decide, append -> one sync for all that came meanwhile -> 202
 *   GET ...       -> loop: wait for min_offset -> worker: a read-only store of its own -> answer, as fast as it is read
 *   POST tier ... -> loop: queue -> a job beside the loop, one at a time, that has the catalog to itself -> answer
 *
 * The writer's catalog is used by publish and by jobs, both beside the loop and one at a time (the store's lock); the
 * loop itself only appends to the log. While a job runs nothing is published; what comes meanwhile
 * waits in the log, up to the queue's bound. Thread rule: everything here runs in the loop but for the handlers marked
 * as a worker's and the work of jobs. */
#pragma once
#include <stdatomic.h>

#include "core_cost.h"
#include "out_tier.h"
#include "serve/server.h"
#include "store.h"
#include "tariff.h"

#define METER_API_READINGS   "/meter/v1/readings"
#define METER_API_WORKERS    2
#define METER_API_PARKED_MAX 256           /* reads waiting for their min_offset; past it 429 */
#define METER_API_WAIT       (10 * TF_SEC) /* of such a read; then 504 */
#define METER_API_BAD_MAX    20            /* bad records told in an answer */
#define METER_API_ZONES_MAX  64            /* calendars kept open */
#define METER_API_JOBS_MAX   16            /* waiting; past it 429 */
#define METER_API_TICK       (5 * TF_SEC)  /* at least so often the keys' time goes on */
#define METER_API_ACCESS_MAX 1024          /* cold months read since the last move that are remembered */

struct meter_api;
struct meter_api_post;
struct meter_api_retry;
struct meter_api_send;

/* What needs the writer's catalog to itself. Its owner's struct begins with it. */
struct meter_api_job {
	struct meter_api_job *next;
	struct tf_exchange *x; /* who asked for it; NULL: the schedule */
	/* In the worker, with the catalog locked. */
	enum tf_err (*work)(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f);
	/* In the loop, once it ended with err and fault: answers. False: it goes on, and somebody keeps it. */
	bool (*done)(struct meter_api *a, struct meter_api_job *job);
	void (*free)(struct meter_api_job *job);
	enum tf_err err;
	struct tf_fault fault;
};

/* A bucket's cold month that was read on a day (UTC). */
struct meter_api_access {
	uint32_t bucket;
	int32_t month, day;
};

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
	struct tf_spans *spans; /* NULL: nothing is traced */
	struct tf_server *server;

	struct meter_store *writer;
	pthread_mutex_t catalog; /* the writer's lock */
	struct meter_store *readers[METER_API_WORKERS];
	struct tf_zone *zones[METER_API_ZONES_MAX];
	uint32_t zone_count;
	struct meter_api_post *posts; /* appended, not yet synced */
	bool appended;
	struct meter_api_parked parked[METER_API_PARKED_MAX];
	uint32_t parked_count;
	tf_dur published_at, tiered_at;
	struct tf_metrics *metrics;

	struct meter_api_job *jobs, *jobs_last; /* the first runs */
	uint32_t job_count;
	struct tf_worker *worker;
	atomic_bool worked;
	bool moving; /* a scheduled move is among the jobs */

	struct meter_api_retry *retries; /* appended, not yet synced */
	struct meter_api_send *send;
	struct meter_prices prices;

	pthread_mutex_t access_lock;
	struct meter_api_access access[METER_API_ACCESS_MAX];
	uint32_t access_count;

	struct tf_fault broken; /* code set: the process must end */
	struct tf_route routes[24];
};

enum {
#define X(id, k, n, h, l, v, d) METER_M_##id,
#include "api_metrics.def"
#undef X
};

/* Opens what the API needs beside the writer. */
enum tf_err meter_api_init(struct meter_api *a, struct tf_fault *f) TF_MUST_USE;
void meter_api_release(struct meter_api *a);
/* The server's `after`: commit and answer, publish, let waiting reads go, start and end jobs. */
tf_dur meter_api_after(void *ctx);
bool meter_api_ready(void *ctx);
void meter_api_metrics(void *ctx, struct tf_buf *out);
/* After the server ended: waits for the job that runs, publishes everything. */
enum tf_err meter_api_finish(struct meter_api *a, struct tf_fault *f) TF_MUST_USE;

/* A failure of storage is the server's, whatever it is called there: the client is to send the same again. */
void meter_api_own_fault(struct tf_fault *f);

/* A calendar by name, kept open. */
enum tf_err meter_api_zone(struct meter_api *a, struct tf_str name, struct tf_zone **out,
			   struct tf_fault *f) TF_MUST_USE;

/* api_post.c */
void meter_api_post_readings(void *ctx, struct tf_exchange *x);
/* After a commit: answers those it covers. */
void meter_api_tell(struct meter_api *a);
/* Records the commit, which took so long, as a span of the requests it covers. Before they are told. */
void meter_api_span(struct meter_api *a, tf_dur took);
/* Instead: none of those waiting is acknowledged. */
void meter_api_post_fail(struct meter_api *a, const struct tf_fault *why);

/* api_job.c */
/* Takes ownership where it succeeds. TF_OVERLOAD when METER_API_JOBS_MAX wait. */
enum tf_err meter_api_job(struct meter_api *a, struct meter_api_job *job, struct tf_fault *f) TF_MUST_USE;
/* The same, without the bound and without failing: for a job that goes on. */
void meter_api_job_again(struct meter_api *a, struct meter_api_job *job);
/* Ends the one that has run, and starts the next. */
void meter_api_jobs(struct meter_api *a);
/* Answers and frees all that wait, after the one that runs: the process must end. */
void meter_api_jobs_fail(struct meter_api *a, const struct tf_fault *why);
/* The same without answers. */
void meter_api_jobs_drop(struct meter_api *a);

/* api_tier.c */
void meter_api_post_tier(void *ctx, struct tf_exchange *x);
enum tf_err meter_api_move(struct meter_api *a, tf_time now, struct tf_exchange *x, struct tf_fault *f) TF_MUST_USE;
/* A reader's (struct meter_store.opened): remembers a cold month that was read. From any thread. */
void meter_api_opened(void *ctx, uint32_t bucket, int32_t month);

/* api_admin.c */
void meter_api_post_network(void *ctx, struct tf_exchange *x);
void meter_api_post_verify(void *ctx, struct tf_exchange *x);

/* api_retry.c */
void meter_api_post_retry(void *ctx, struct tf_exchange *x);
void meter_api_post_retry_all(void *ctx, struct tf_exchange *x);
/* After a commit: what was read again is settled. */
void meter_api_retry_told(struct meter_api *a);
void meter_api_retry_fail(struct meter_api *a, const struct tf_fault *why);

/* api_read.c, api_views.c: a worker's. */
void meter_api_get_readings(void *ctx, struct tf_exchange *x);
void meter_api_get_usage(void *ctx, struct tf_exchange *x);
void meter_api_get_tiers(void *ctx, struct tf_exchange *x);
void meter_api_get_missing(void *ctx, struct tf_exchange *x);
void meter_api_get_quarantine(void *ctx, struct tf_exchange *x);
void meter_api_get_record(void *ctx, struct tf_exchange *x);
void meter_api_get_meters(void *ctx, struct tf_exchange *x);
void meter_api_get_bill(void *ctx, struct tf_exchange *x);
void meter_api_get_cost(void *ctx, struct tf_exchange *x);
void meter_api_get_report(void *ctx, struct tf_exchange *x);

/* Embedded files. */
struct tf_str meter_openapi(void);
struct tf_str meter_console(void);
