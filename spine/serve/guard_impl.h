/* Inside the gate: what guard.c (its life, waiting, the order of checks), guard_who.c (identity), guard_rate.c and
 * guard_audit.c share. */
#pragma once
#include "serve/guard.h"

struct guard_waiting {
	struct tf_exchange *x;
	tf_dur began; /* ticks when it was asked first: what it waits for since then */
	tf_dur until; /* looked at again */
};

struct tf_guard {
	struct tf_os *os;
	struct tf_watch *watch;
	struct tf_server *server;
	struct tf_oauth *oauth;   /* NULL: no tokens */
	struct tf_client *client; /* asks the issuer */
	bool certificates, header, require_correlation;
	struct tf_limits limits;
	struct tf_limits rejects;  /* bad tokens, of each certificate, or address without one */
	struct tf_limits refusals; /* to be recorded, of each certificate; those without one together */
	uint64_t unrecorded;       /* since the last that was */
	struct tf_audit *audit;    /* NULL: none is kept */
	struct tf_buf text;        /* of the header or audit record being written */
	uint64_t changes;          /* of oauth, as last seen */
	struct guard_waiting waiting[TF_GUARD_WAITING];
	uint32_t waiting_count;
	tf_dur began; /* of the one that is looked at again; 0: it is looked at for the first time */
};

/* guard_who.c: who calls, and with which rights. Otherwise it is answered, or waits. */
enum tf_guard_answer guard_identify(struct tf_guard *g, struct tf_exchange *x, const struct tf_guard_need *need,
				    struct tf_caller *who);

/* guard_rate.c: how often may it? */
enum tf_guard_answer guard_meter(struct tf_guard *g, struct tf_exchange *x, struct tf_str partner);
/* May another token of this caller be looked at? One was, and it was bad. */
bool guard_may_try(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who);
void guard_was_bad(struct tf_guard *g, struct tf_exchange *x, const struct tf_caller *who);

/* guard_audit.c */
/* x: whose request it is; NULL: none was made. status 0: nothing was answered. */
void guard_record_refusal(struct tf_guard *g, const struct tf_peer *peer, struct tf_exchange *x,
			  const struct tf_caller *who, int status, const char *why);
/* The SHA-256 of c (may be NULL: none) becomes text. */
void guard_take_certificate(struct tf_caller *who, const struct tf_certificate *c);

/* guard.c: keeps it until the issuer's keys may be there, or answers 503 TF_GUARD_WAIT after it began. */
enum tf_guard_answer guard_wait_for_keys(struct tf_guard *g, struct tf_exchange *x, tf_dur began);
