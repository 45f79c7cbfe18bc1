/* The HTTP API of insure, /insure/v1: openapi.yaml is its contract.
 *
 *   POST -> loop: who, how often, key -> stored answer | 409 | 422 | parse, decide, append
 *        -> worker: one sync for all that came while the one before ran -> loop: answer
 *   GET  -> loop: the slot in memory; one whose last event is not synced yet waits for the sync
 *
 * Everything runs in the loop but the disk: beside it the store syncs, saves snapshots and writes runs of keys. What is
 * sent for a decision comes from its log record, the first time as every later time. Bounds: INSURE_PARKED_MAX, and the
 * store's. */
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
	const char *contract_path; /* NULL: the embedded one */
	char *contract_text;
	struct tf_str openapi;
	struct tf_contract *contract;
	struct tf_contract_work *work, *answer_work;
	struct tf_arena document; /* of the contract */
	const struct tf_operation *buy, *get, *cancel;
	struct tf_metrics *metrics;
	struct insure_post *posts, **posts_end; /* submitted, not yet synced */
	tf_dur sync_begun, sync_took;           /* the worker's, until it is over */
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
/* The store's: a post is durable; a sync begins and is over, in its worker. */
void insure_api_told(void *token, uint64_t offset);
enum tf_err insure_api_before(void *ctx, struct tf_fault *f);
void insure_api_synced(void *ctx);

/* Who calls, and may they, by what the contract asks for the operation (guard.h)? False: it is answered, or waits. */
bool insure_api_admit(struct insure_api *a, struct tf_exchange *x, const struct tf_operation *op,
		      struct tf_caller *out);
void insure_api_reply(struct tf_exchange *x, const struct tf_stored_reply *r);
void insure_api_problem(struct tf_exchange *x, int status, const char *code, const char *text, const char *field);

/* api_audit.c: before anything is decided. */
enum tf_err insure_api_audit(struct insure_api *a, struct tf_fault *f) TF_MUST_USE;

/* The process must end: nothing more is told. */
void insure_api_break(struct insure_api *a, const struct tf_fault *why);

/* api_contract.c */
enum tf_err insure_api_contract(struct insure_api *a, struct tf_fault *f) TF_MUST_USE;
void insure_api_contract_release(struct insure_api *a);
void insure_api_get_openapi(void *ctx, struct tf_exchange *x);
/* Does the request keep to the contract? False: it is answered. *body: its JSON, until the next request; NULL: it has
 * none. */
bool insure_api_keeps(struct insure_api *a, struct tf_exchange *x, const struct tf_operation *op,
		      const struct tf_json **body);
/* Does the answer? TF_BUG says where not: then it is not given. */
enum tf_err insure_api_answers(struct insure_api *a, const struct tf_operation *op, const struct tf_stored_reply *r,
			       struct tf_fault *f) TF_MUST_USE;
/* The store's, before a decision is written. */
enum tf_err insure_api_may_answer(void *ctx, const struct insure_command *c, const struct tf_stored_reply *r,
				  struct tf_fault *f);

/* api_post.c */
void insure_api_post_policy(void *ctx, struct tf_exchange *x);
void insure_api_post_cancel(void *ctx, struct tf_exchange *x);
/* Answers those that are durable; or, when that failed, nobody. */
void insure_api_answer(struct insure_api *a);
void insure_api_fail(struct insure_api *a, const struct tf_fault *why);

/* api_get.c */
void insure_api_get_policy(void *ctx, struct tf_exchange *x);
void insure_api_let_go(struct insure_api *a);

/* The embedded contract. */
struct tf_str insure_openapi(void);
