/* The HTTP API of insure, /insure/v1: openapi.yaml is its contract.
 *
 *   POST -> loop: who, how often, key -> stored answer | 409 | 422 | parse, decide, append -> one sync for all ->
 * answer GET  -> loop: the slot in memory; one whose last event is not synced yet waits for the sync
 *
 * Everything runs in the loop; the store saves snapshots and runs of keys beside it. What is sent for a decision comes
 * from its log record, the first time as every later time. Bounds: INSURE_PARKED_MAX, and the store's. */
#pragma once
#include "base/arena.h"
#include "serve/contract.h"
#include "serve/guard.h"
#include "store.h"

#define INSURE_BODY_MAX   8192
#define INSURE_PARKED_MAX 4096          /* reads waiting for a sync or an offset; past it 429 */
#define INSURE_WAIT       (10 * TF_SEC) /* of a read for its min_offset; then 504 */

struct insure_post;

struct insure_parked {
	struct tf_exchange *x;
	uint64_t policy, offset; /* answered once this offset is synced */
	tf_dur until;
};

struct insure_api {
	struct tf_os *os;
	struct tf_watch *watch;
	struct tf_spans *spans; /* NULL: nothing is traced */
	struct tf_server *server;
	struct insure_store *store;
	struct tf_guard *guard;
	struct tf_contract *contract;
	struct tf_contract_work *work;
	struct tf_arena document; /* of the contract */
	const struct tf_operation *buy, *get, *cancel;
	struct tf_arena arena; /* of one request */
	struct tf_metrics *metrics;
	struct insure_post *posts, **posts_end; /* submitted, not yet synced */
	struct tf_buf records;                  /* of those */
	struct insure_parked *parked;           /* INSURE_PARKED_MAX */
	uint32_t parked_count;
	struct tf_fault broken; /* code set: the process must end */
};

enum {
#define X(id, k, n, h, l, v, d) INSURE_M_##id,
#include "api_metrics.def"
#undef X
};

extern const struct tf_route insure_routes[];

enum tf_err insure_api_init(struct insure_api *a, struct tf_fault *f) TF_MUST_USE;
void insure_api_release(struct insure_api *a);
/* The server's hooks: after commits and answers. */
tf_dur insure_api_after(void *ctx);
bool insure_api_ready(void *ctx);
void insure_api_metrics(void *ctx, struct tf_buf *out);
/* The store's: a post is durable. */
void insure_api_told(void *token, uint64_t offset);

/* Who calls, and may they, by what the contract asks for the operation (guard.h)? False: it is answered, or waits. */
bool insure_api_admit(struct insure_api *a, struct tf_exchange *x, const struct tf_operation *op,
		      struct tf_caller *out);
/* Does the request keep to the contract? False: it is answered. */
bool insure_api_keeps(struct insure_api *a, struct tf_exchange *x, const struct tf_operation *op);
void insure_api_problem(struct tf_exchange *x, int status, const char *code, const char *text, const char *field);

/* The process must end: nothing more is told. */
void insure_api_break(struct insure_api *a, const struct tf_fault *why);

/* api_post.c */
void insure_api_post_policy(void *ctx, struct tf_exchange *x);
void insure_api_post_cancel(void *ctx, struct tf_exchange *x);
/* After a commit, which took so long: records it as a span of the requests it covers. */
void insure_api_span(struct insure_api *a, tf_dur took);
/* After a commit: answers what it covers; or, when it failed, nobody. */
void insure_api_answer(struct insure_api *a);
void insure_api_fail(struct insure_api *a, const struct tf_fault *why);

/* api_get.c */
void insure_api_get_policy(void *ctx, struct tf_exchange *x);
void insure_api_let_go(struct insure_api *a);

/* The embedded contract. */
struct tf_str insure_openapi(void);
