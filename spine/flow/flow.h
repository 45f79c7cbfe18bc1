/* The runner: decide, append, sync, tell; then publish in bulk.
 *
 * A service gives two pure functions, decide and apply, and one that publishes. tf_flow_submit decides a command,
 * appends the event and applies it, in memory and in the log's buffer. A group commit syncs the log once for all that
 * was submitted since the last, and only then tells each submitter: in one step that waits (tf_flow_commit), or in two
 * (tf_flow_begin, tf_flow_end) between which the caller goes on and submits what the next one covers. Told events wait
 * in a queue until publish turns many of them into storage in one step, in a worker beside the caller; publish must
 * store the offset it was given together with its effects, so that a crash repeats or skips the whole step. What it
 * stores is made of the events, or of the state as prepare saw it (pages.h). Opening replays what the log holds past
 * that offset: snapshot (what publish stored) and tail (the log). Bounds: the queue holds at most queue_bytes; past it
 * submit answers TF_OVERLOAD or, with wait set, publishes first. A failed append, sync or publish breaks the flow:
 * every later call returns that error; end the process and open again. Thread rule: all calls from one thread; publish,
 * and before and synced, each run in a worker, one at a time, and must not touch the state of decide and apply but by
 * tf_pages_save. */
#pragma once
#include "store/log.h"

struct tf_flow;

struct tf_flow_event {
	uint64_t offset;
	tf_time time;
	uint32_t type;
	struct tf_str bytes;
};

struct tf_flow_ops {
	/* Pure. From the state and a command to the event to append: type and bytes, valid until the next decide. An
	 * error refuses the command. */
	enum tf_err (*decide)(void *state, void *command, tf_time now, uint32_t *out_type, struct tf_str *out_bytes,
			      struct tf_fault *f);
	/* Pure. Folds an event into the state; also called for each event of the tail at open. */
	enum tf_err (*apply)(void *state, const struct tf_flow_event *event, struct tf_fault *f);
	/* Makes events visible in storage, together with the offset that follows the last. All or nothing, also over a
	 * crash. */
	enum tf_err (*publish)(void *ctx, const struct tf_flow_event *events, size_t count, uint64_t next,
			       struct tf_fault *f);
	/* The offset publish stored last; 0 in the beginning. */
	enum tf_err (*published)(void *ctx, uint64_t *out_next, struct tf_fault *f);
	/* After the sync that covers the event at offset; in the caller's thread. */
	void (*tell)(void *token, uint64_t offset);
	/* Before a publish, in the caller's thread, while the state holds exactly the events below next: notes what
	 * publish will store (tf_pages_stage), or copies it. The events it is given then have no bytes. NULL: none. */
	enum tf_err (*prepare)(void *ctx, uint64_t next, struct tf_fault *f);
	/* Ahead of each sync of the log: makes durable what must be there before anybody is told. NULL: nothing. */
	enum tf_err (*before)(void *ctx, struct tf_fault *f);
	/* A sync is over: time for tf_flow_end. NULL: nobody waits for that. */
	void (*synced)(void *ctx);
};

struct tf_flow_options {
	uint32_t partition;
	uint64_t publish_bytes; /* publish when this many event bytes wait; 0 means 16 MiB */
	uint64_t queue_bytes;   /* bound of all waiting event bytes; 0 means 4 times publish_bytes */
	bool wait;              /* publish first, instead of TF_OVERLOAD at the bound */
};

/* Borrows os, log, ops, ctx and state until close. Replays and publishes the tail before it returns. */
enum tf_err tf_flow_open(struct tf_os *os, struct tf_log *log, const struct tf_flow_ops *ops, void *state, void *ctx,
			 const struct tf_flow_options *o, struct tf_flow **out, struct tf_fault *f) TF_MUST_USE;
/* Decides and appends; *out_offset names the event. token (may be NULL) is told at the next commit. */
enum tf_err tf_flow_submit(struct tf_flow *flow, void *command, void *token, uint64_t *out_offset,
			   struct tf_fault *f) TF_MUST_USE;
/* Syncs, tells, and starts to publish when enough waits (without the option wait: and no worker is busy). */
enum tf_err tf_flow_commit(struct tf_flow *flow, struct tf_fault *f) TF_MUST_USE;
/* Begins to sync what was submitted, unless a sync has begun and did not end yet; even_if_none: for what `before` does.
 * What is submitted from here on belongs to the next. */
enum tf_err tf_flow_begin(struct tf_flow *flow, bool even_if_none, struct tf_fault *f) TF_MUST_USE;
/* When that sync is over: tells, and starts to publish as tf_flow_commit does. Before that it does nothing. */
enum tf_err tf_flow_end(struct tf_flow *flow, struct tf_fault *f) TF_MUST_USE;
/* Starts to publish whatever waits, when no worker is busy: for a timer. With prepare nobody waits for a sync: while
 * one is under way or due, the state is staged as the next one begins (tf_flow_begin) and published when it is over. */
enum tf_err tf_flow_tick(struct tf_flow *flow, struct tf_fault *f) TF_MUST_USE;
/* Commits and publishes everything; returns when storage shows it. */
enum tf_err tf_flow_drain(struct tf_flow *flow, struct tf_fault *f) TF_MUST_USE;
/* Would a command of this many bytes be refused with TF_OVERLOAD now? */
bool tf_flow_full(const struct tf_flow *flow, uint64_t bytes);
uint64_t tf_flow_waiting_bytes(const struct tf_flow *flow);
/* The offset up to which storage shows everything. From any thread. */
uint64_t tf_flow_published(const struct tf_flow *flow);
/* What broke it; code TF_OK while it is whole. */
const struct tf_fault *tf_flow_fault(const struct tf_flow *flow);
/* Waits until no sync is under way any more, and tells nobody: before what `synced` uses is freed. */
void tf_flow_rest(struct tf_flow *flow);
/* Waits for the workers; what was not published stays in the log for the next open. */
void tf_flow_close(struct tf_flow **flow);
