/* A data directory of insure: log, state with its snapshot, idempotency keys, and the flow that ties them.
 *
 *   DIR/log      decisions: the record; holders' names are only here, so it is never trimmed
 *   DIR/state    snapshot of the slots (flow/pages.h), derived
 *   DIR/keys     index of idempotency keys (flow/idem.h), derived
 * One writer; a second one is TF_BUSY. Thread rule: one thread; workers beside it sync the log and save snapshots. */
#pragma once
#include "core_policy.h"
#include "flow/flow.h"
#include "flow/idem.h"

enum insure_command_type { INSURE_DO_PURCHASE, INSURE_DO_CANCEL };

/* What a caller wants decided, and what came of it. */
struct insure_command {
	enum insure_command_type type;
	struct insure_purchase purchase;
	struct insure_cancel cancel;
	bool keyed, traced;
	struct tf_idem_name name;
	uint8_t hash[TF_IDEM_HASH_BYTES];
	struct tf_trace trace;

	enum insure_reject reject; /* set when submit answers TF_CONFLICT */
};

struct insure_store_options {
	struct tf_idem_options keys;
	uint64_t publish_bytes; /* of decisions, between snapshots; 0 means 256 MiB */
	bool wait;              /* for a bulk source: snapshot first, instead of TF_OVERLOAD */
	void (*tell)(void *token, uint64_t offset);
	/* May this be answered? Before the decision is written; an error refuses the command. NULL: it may. */
	enum tf_err (*answer)(void *ctx, const struct insure_command *c, const struct tf_stored_reply *r,
			      struct tf_fault *f);
	/* As those of tf_flow_ops, with hooks_ctx. */
	enum tf_err (*before)(void *ctx, struct tf_fault *f);
	void (*synced)(void *ctx);
	void *hooks_ctx;
};

struct insure_store {
	struct tf_os *os;
	struct tf_log *log;
	struct tf_idem *keys;
	struct tf_flow *flow;
	struct insure_state state;
	struct tf_zone *zone;
	struct tf_flow_ops ops;
	struct insure_store_options o;
	struct tf_buf event, body, record; /* of the last decision */
	char location[64];
};

/* Recovers: snapshot, runs of keys, and the log's tail behind them. */
enum tf_err insure_store_open(struct tf_os *os, const char *dir, const struct insure_store_options *o,
			      struct insure_store **out, struct tf_fault *f) TF_MUST_USE;
void insure_store_close(struct insure_store **store);
/* Decides; token is told after the sync. TF_CONFLICT: c->reject says why not. s->record holds the decision until the
 * next call. */
enum tf_err insure_store_submit(struct insure_store *s, struct insure_command *c, void *token, uint64_t *out_offset,
				struct tf_fault *f) TF_MUST_USE;
/* One sync for all that was submitted; then tells. Also lets the index of keys work. */
enum tf_err insure_store_commit(struct insure_store *s, struct tf_fault *f) TF_MUST_USE;
/* The same in two steps, between which more may be submitted (tf_flow_begin, tf_flow_end). */
enum tf_err insure_store_begin(struct insure_store *s, bool even_if_none, struct tf_fault *f) TF_MUST_USE;
enum tf_err insure_store_end(struct insure_store *s, struct tf_fault *f) TF_MUST_USE;
/* One number for the whole state. */
uint64_t insure_state_digest(const struct insure_state *s);
/* What one log record does to a state, for replaying: the decision's event, applied. */
enum tf_err insure_state_replay(struct insure_state *s, uint32_t type, const struct tf_decision *d, uint64_t offset,
				struct tf_fault *f) TF_MUST_USE;
int32_t insure_today(const struct insure_store *s);
