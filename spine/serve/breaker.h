/* Circuit breakers: whom not to ask for a while, because asking has failed. Pure: no I/O, no clock, no lock.
 *
 *         failures in a row          its time is over, one asks
 *  closed ────────────────▶ open ──────────────────────────────▶ half open: that one try, no other
 *    ▲                       ▲  twice as long, up to open_max         │  │
 *    │                       └────────────────── bad ─────────────────┘  │
 *    └────────────────────────────────── good ───────────────────────────┘
 *
 * One for each name (an origin); a table of a fixed size, whose longest unasked closed one (if all are open: the
 * longest unasked) makes room for a new name. A try's outcome counts only where the state is still the one it was let
 * in by: a late failure opens nothing anew, a late success closes nothing. Times are of any one clock that never goes
 * back. Thread rule: one thread. */
#pragma once
#include "base/time.h"

#define TF_BREAKER_NAME_MAX 280
#define TF_BREAKER_NEVER    UINT32_MAX

struct tf_breaker;

struct tf_breaker_options {
	/* 0 means the default behind it. */
	uint32_t failures; /* 5; TF_BREAKER_NEVER: it never opens */
	uint32_t names;    /* 256 */
	tf_dur open_first; /* 1 s */
	tf_dur open_max;   /* 30 s */
};

enum tf_breaker_state { TF_BREAKER_CLOSED, TF_BREAKER_OPEN, TF_BREAKER_HALF_OPEN };

enum tf_err tf_breaker_new(const struct tf_breaker_options *o, struct tf_breaker **out, struct tf_fault *f) TF_MUST_USE;
void tf_breaker_free(struct tf_breaker **b);
/* May it be asked now? TF_OK with a pass, to be given back by one of the three below. TF_BUSY where not: *out_until is
 * when it may (now itself while the one try of half open is under way). Names past the maximum are TF_TOO_LARGE. */
enum tf_err tf_breaker_ask(struct tf_breaker *b, struct tf_str name, tf_dur now, uint64_t *out_pass,
			   tf_dur *out_until) TF_MUST_USE;
void tf_breaker_good(struct tf_breaker *b, struct tf_str name, uint64_t pass);
void tf_breaker_bad(struct tf_breaker *b, struct tf_str name, uint64_t pass, tf_dur now);
/* The try told nothing: it was given up, or failed on this side. */
void tf_breaker_drop(struct tf_breaker *b, struct tf_str name, uint64_t pass);
/* Of a name never asked: closed. out_failures (may be NULL): in a row. */
enum tf_breaker_state tf_breaker_state(const struct tf_breaker *b, struct tf_str name, uint32_t *out_failures);
